"""A time limit for tests, in which nothing is patched for gevent: the alarm signal interrupts whatever waits."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from compat.errors import ApiError


@contextmanager
def alarm(seconds: float, error: Callable[[], ApiError]) -> Iterator[None]:
    """Does what proxy.greenlets.time_limit does among greenlets."""

    def ring(*_: object) -> None:
        raise error()

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
