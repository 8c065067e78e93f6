"""Whether the service can make pictures now: checked at most every few seconds, however often it is asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from proxy.limits import PROBE_SECONDS, REACH_SECONDS, READINESS_SECONDS

OPTIONAL = frozenset({"database"})  # what most requests do without, unless callers have keys of ours


class Probe:
    """A question that may hang. While it owes an answer it is not asked again: each question holds a thread."""

    def __init__(self, check: Callable[[], str | None]):
        """`check` returns what is wrong, or None."""
        self.check = check
        self.thread: threading.Thread | None = None
        self.found: str | None = None

    def start(self) -> None:
        """Asks, if there is no question open."""
        if not (self.thread and self.thread.is_alive()):
            self.found = "did not answer in time"
            self.thread = threading.Thread(target=self.run, name="readiness", daemon=True)
            self.thread.start()

    def run(self) -> None:
        self.found = self.check()

    def result(self, seconds: float) -> str | None:
        """What is wrong, as far as that is known after so many seconds."""
        if self.thread:
            self.thread.join(max(0, seconds))
        return self.found


class Readiness:
    """The result of the last check, which is reused for READINESS_SECONDS."""

    def __init__(
        self,
        check_store: Callable[[], None],
        upstreams: Collection[str],
        check_database: Callable[[], str | None] = lambda: None,
        optional: Collection[str] = OPTIONAL,
    ):
        """`check_store` raises OSError; `upstreams` are base URLs, none where the sandbox may answer instead."""
        self.optional = optional
        self.upstreams = upstreams
        self.probes = {"store": Probe(lambda: trouble_of(check_store)), "database": Probe(check_database)}
        self.checked_at = float("-inf")
        self.last: dict[str, str] = {}

    def troubles(self) -> dict[str, str]:
        """What is wrong, by `store`, `upstream` or `database`; empty if all is well."""
        if time.monotonic() - self.checked_at > READINESS_SECONDS:
            self.checked_at = time.monotonic()
            self.last = self.check()
        return self.last

    def check(self) -> dict[str, str]:
        found = {}
        end = time.monotonic() + PROBE_SECONDS
        for probe in self.probes.values():
            probe.start()
        for what, probe in self.probes.items():
            if trouble := probe.result(end - time.monotonic()):
                found[what] = trouble
        if self.upstreams and not any(map(can_connect, self.upstreams)):
            found["upstream"] = "cannot be reached"
        return found


def trouble_of(check_store: Callable[[], None]) -> str | None:
    try:
        check_store()
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return None


def can_connect(url: str) -> bool:
    """Whether a server listens at the host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True
