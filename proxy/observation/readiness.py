"""Whether the service can do its work: looked at seldom, however often it is asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from proxy.limits import REACH_SECONDS, READINESS_SECONDS, STORE_SECONDS


class Readiness:
    """What was found at the last look, which is made anew every READINESS_SECONDS."""

    def __init__(self, check_store: Callable[[], None], upstreams: Collection[str]):
        """`check_store` raises OSError; `upstreams` are base URLs, none where the sandbox may answer in their place."""
        self.check_store = check_store
        self.upstreams = upstreams
        self.looked_at = float("-inf")
        self.found: dict[str, str] = {}
        self.store_is_asked: threading.Thread | None = None
        self.store_trouble: str | None = None

    def troubles(self) -> dict[str, str]:
        """What is wrong, by what it is wrong with; empty if all is well."""
        if time.monotonic() - self.looked_at > READINESS_SECONDS:
            self.looked_at = time.monotonic()
            self.found = self.look()
        return self.found

    def look(self) -> dict[str, str]:
        found = {}
        if trouble := self.look_at_store():
            found["store"] = trouble
        if self.upstreams and not any(map(can_connect, self.upstreams)):
            found["upstream"] = "cannot be reached"
        return found

    def look_at_store(self) -> str | None:
        """What is wrong with the store. While it owes an answer it is not asked again: each question holds a thread."""
        if not (self.store_is_asked and self.store_is_asked.is_alive()):
            self.store_trouble = "did not answer in time"
            self.store_is_asked = threading.Thread(target=self.ask_store, name="readiness", daemon=True)
            self.store_is_asked.start()
        self.store_is_asked.join(STORE_SECONDS)
        return self.store_trouble

    def ask_store(self) -> None:
        try:
            self.check_store()
            self.store_trouble = None
        except OSError as error:
            self.store_trouble = f"cannot be written ({error.strerror})"


def can_connect(url: str) -> bool:
    """Whether somebody listens at the host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True
