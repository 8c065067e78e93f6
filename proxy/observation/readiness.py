"""Whether the service can make pictures now: checked at most every few seconds, however often it is asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from proxy.limits import REACH_SECONDS, READINESS_SECONDS, STORE_SECONDS


class Readiness:
    """The result of the last check, which is reused for READINESS_SECONDS."""

    def __init__(self, check_store: Callable[[], None], upstreams: Collection[str]):
        """`check_store` raises OSError; `upstreams` are base URLs, none where the sandbox may answer instead."""
        self.check_store = check_store
        self.upstreams = upstreams
        self.checked_at = float("-inf")
        self.last: dict[str, str] = {}
        self.store_check: threading.Thread | None = None
        self.store_trouble: str | None = None

    def troubles(self) -> dict[str, str]:
        """What is wrong, by `store` or `upstream`; empty if all is well."""
        if time.monotonic() - self.checked_at > READINESS_SECONDS:
            self.checked_at = time.monotonic()
            self.last = self.check()
        return self.last

    def check(self) -> dict[str, str]:
        found = {}
        if trouble := self.trouble_of_store():
            found["store"] = trouble
        if self.upstreams and not any(map(can_connect, self.upstreams)):
            found["upstream"] = "cannot be reached"
        return found

    def trouble_of_store(self) -> str | None:
        """What is wrong with the store. It is not asked again while it owes an answer: each question holds a thread."""
        if not (self.store_check and self.store_check.is_alive()):
            self.store_trouble = "did not answer in time"
            self.store_check = threading.Thread(target=self.run_store_check, name="readiness", daemon=True)
            self.store_check.start()
        self.store_check.join(STORE_SECONDS)
        return self.store_trouble

    def run_store_check(self) -> None:
        try:
            self.check_store()
            self.store_trouble = None
        except OSError as error:
            self.store_trouble = f"cannot be written ({error.strerror})"


def can_connect(url: str) -> bool:
    """Whether a server listens at the host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True
