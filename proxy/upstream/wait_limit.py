"""How long an answer may be waited for, which comes in many pieces."""

from __future__ import annotations

import time
from collections.abc import Callable

from compat.errors import ApiError


class WaitLimit:
    """How long an answer is waited for in all: what is done within counts, however often it is entered.

    Nothing is interrupted here: each single wait is limited by its socket, which is enough for scripts.
    """

    __slots__ = ("entered", "error", "seconds", "waited")

    def __init__(self, seconds: float, error: Callable[[], ApiError]):
        self.seconds = seconds
        self.error = error
        self.waited = 0.0

    def __enter__(self) -> None:
        self.entered = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.waited += time.monotonic() - self.entered

    def close(self) -> None:
        """To be called when nothing is waited for any more."""
