"""How long an answer, which comes in many pieces, may be waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from compat.errors import ApiError


class WaitLimit:
    """Adds up the time spent in its `with` blocks, which are the waits for one answer.

    It interrupts nothing: each wait is limited by the timeout of its socket, which is enough for scripts.
    """

    __slots__ = ("entered", "error", "seconds", "waited")
    interrupts = False

    def __init__(self, seconds: float, error: Callable[[], ApiError]):
        self.seconds = seconds
        self.error = error
        self.waited = 0.0

    def __enter__(self) -> None:
        self.entered = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.waited += time.monotonic() - self.entered

    def close(self) -> None:
        """To be called after the last wait."""
