"""A caller's connection, and the answers on it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.soak.faults import End
from bench.soak.outcomes import Outcome

KEY = "soak-key"
BEARER = {"Authorization": f"Bearer {KEY}"}
GOOGLE_KEY = {"x-goog-api-key": KEY}
TIMEOUT = 30  # seconds; longer than the proxy waits for its upstream
CALLS_PER_CONNECTION = 20
NO_HEADERS: Mapping[str, str] = {}
CLOSE = {"Connection": "close"}


def use_key(key: str) -> None:
    """All callers send this key from now on."""
    BEARER["Authorization"] = f"Bearer {key}"
    GOOGLE_KEY["x-goog-api-key"] = key


@dataclass(frozen=True)
class Received:
    """A complete answer."""

    status: int
    content_type: str
    body: bytes
    may_repeat: bool = field(default=True, compare=False)  # as OpenAI's SDKs read it


class BrokenOff(Exception):
    """An answer that is not complete."""

    def __init__(self, end: str, since: float, kept: bool):
        super().__init__(end)
        self.outcome = Outcome(end, since, time.monotonic(), kept=kept)


class Connection:
    """A caller's connection: kept alive for some calls, or opened for each."""

    def __init__(self, port: int, keeps: bool, timeout: float = TIMEOUT):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.keeps = keeps
        self.calls = 0
        self.last_asked = 0.0

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Received:
        """The answer to a request. Raises BrokenOff."""
        kept = self.connection.sock is not None
        now = time.monotonic()
        since, self.last_asked = self.last_asked if kept else now, now  # the server may have closed it at any time
        end: str = End.DROPPED
        try:
            self.connection.request(method, path, body, {**headers, **({} if self.keeps else CLOSE)})
            response = self.connection.getresponse()
            end = End.CUT
            may_repeat = response.headers.get("x-should-retry") != "false"
            content_type = response.headers.get("content-type", "")
            received = Received(response.status, content_type, response.read(), may_repeat)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            end = f"nothing for {TIMEOUT} s" if isinstance(error, TimeoutError) else end
            raise BrokenOff(end, since, kept) from error
        self.calls += 1
        if self.calls % CALLS_PER_CONNECTION == 0:
            self.close()
        return received

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self.connection.close()
