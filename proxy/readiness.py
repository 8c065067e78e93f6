"""Whether the service can do its work: looked at seldom, however often it is asked."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from proxy.limits import REACH_SECONDS, READINESS_SECONDS


class Readiness:
    """What was found at the last look, which is made anew every READINESS_SECONDS."""

    def __init__(self, check_store: Callable[[], None], upstreams: Collection[str]):
        """`check_store` raises OSError; `upstreams` are base URLs, none where the sandbox may answer in their place."""
        self.check_store = check_store
        self.upstreams = upstreams
        self.looked_at = float("-inf")
        self.found: dict[str, str] = {}

    def troubles(self) -> dict[str, str]:
        """What is wrong, by what it is wrong with; empty if all is well."""
        if time.monotonic() - self.looked_at > READINESS_SECONDS:
            self.looked_at = time.monotonic()
            self.found = self.look()
        return self.found

    def look(self) -> dict[str, str]:
        found = {}
        try:
            self.check_store()
        except OSError as error:
            found["store"] = f"cannot be written ({error.strerror})"
        if self.upstreams and not any(map(can_connect, self.upstreams)):
            found["upstream"] = "cannot be reached"
        return found


def can_connect(url: str) -> bool:
    """Whether somebody listens at the host and port of a URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=REACH_SECONDS).close()
    except OSError:
        return False
    return True
