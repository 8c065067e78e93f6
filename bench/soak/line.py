"""A caller's connection, and what comes over it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.soak.faults import End
from bench.soak.judgement import Outcome

PATIENCE = 30  # seconds; nothing takes longer than the proxy waits for its upstream
CALLS_ON_A_LINE = 20  # after which who keeps his connection takes a new one
NOTHING: Mapping[str, str] = {}
CLOSE = {"Connection": "close"}


@dataclass(frozen=True)
class Received:
    """An answer that came to its end."""

    status: int
    content_type: str
    body: bytes


class BrokenOff(Exception):
    """An answer that did not come to its end."""

    def __init__(self, end: str, since: float, kept: bool):
        super().__init__(end)
        self.outcome = Outcome(end, since, time.monotonic(), kept=kept)


class Line:
    """A caller's connection: kept for some calls, or made anew for each."""

    def __init__(self, port: int, keeps: bool):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.keeps = keeps
        self.calls = 0
        self.last_asked = 0.0

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NOTHING) -> Received:
        """The answer. Raises BrokenOff."""
        kept = self.connection.sock is not None
        now = time.monotonic()
        since, self.last_asked = self.last_asked if kept else now, now  # its server may have ended ever since
        end: str = End.DROPPED
        try:
            self.connection.request(method, path, body, {**headers, **({} if self.keeps else CLOSE)})
            response = self.connection.getresponse()
            end = End.CUT
            received = Received(response.status, response.headers.get("content-type", ""), response.read())
        except (OSError, http.client.HTTPException) as error:
            self.hang_up()
            end = f"nothing for {PATIENCE} s" if isinstance(error, TimeoutError) else end
            raise BrokenOff(end, since, kept) from error
        self.calls += 1
        if self.calls % CALLS_ON_A_LINE == 0:
            self.hang_up()
        return received

    def hang_up(self) -> None:
        self.connection.close()
