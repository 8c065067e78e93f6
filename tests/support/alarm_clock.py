"""Time limits for tests, in which nothing is patched for gevent: the alarm signal interrupts whatever waits."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from compat.errors import ApiError
from proxy.upstream.wait_limit import WaitLimit


@contextmanager
def alarm(seconds: float, error: ApiError) -> Iterator[None]:
    """Does what proxy.greenlets.time_limit does among greenlets."""

    def ring(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class AlarmLimit(WaitLimit):
    """Does what proxy.greenlets.InterruptingLimit does among greenlets."""

    ringing: AbstractContextManager[None]

    def __enter__(self) -> None:
        super().__enter__()
        self.ringing = alarm(self.seconds - self.waited, self.error())
        self.ringing.__enter__()

    def __exit__(self, *trouble: object) -> None:
        self.ringing.__exit__(None, None, None)
        super().__exit__(*trouble)
