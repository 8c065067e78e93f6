"""What gevent does for requests: interrupts those that wait, and takes what would block everybody to a thread."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import gevent
from gevent.event import Event as Event
from gevent.threadpool import ThreadPool

from compat.errors import ApiError
from proxy.upstream.wait_limit import WaitLimit

sleep = gevent.sleep

READABLE = 1  # what libev calls it
AFTER_SOCKETS = -1  # the priority of a timer that must not overtake what has come meanwhile

Result = TypeVar("Result")


class CallerGone(gevent.GreenletExit):  # type: ignore[misc]
    """The caller closed the connection: whatever is done for him ends here, quietly for gunicorn too."""


def run_in_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Runs what would block everybody, such as drawing, in gevent's thread pool."""
    return run_in(gevent.get_hub().threadpool, function, *args)


class Threads:
    """Threads of their own for what may hang, such as a store that does not answer: nobody else waits for one of them.

    In gevent's own pool even the upstream's name is looked up, and ten that hang would stop every call.
    """

    def __init__(self, most: int, seconds: float):
        """To be made after the fork. `seconds` is how long a result is waited for, and for a thread before it."""
        self.pool = ThreadPool(most)
        self.seconds = seconds

    def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Runs the function in one of them. Raises TimeoutError if that takes too long; the thread may go on."""
        with time_limit(self.seconds, self.too_late()):
            return run_in(self.pool, function, *args)

    def too_late(self) -> TimeoutError:
        return TimeoutError(errno.ETIMEDOUT, f"no answer within {self.seconds:g} s")


def run_in(pool: ThreadPool, function: Callable[..., Result], *args: Any) -> Result:
    """Runs the function in a thread of the pool. What it raises is raised here alone: gevent would also print it."""
    result: Result
    result, error = pool.apply(outcome, (function, args))
    try:
        if error:
            raise error
        return result
    finally:
        del error  # which would keep this frame, and all that is in it, until the garbage collector came


def outcome(function: Callable[..., Result], args: Any) -> tuple[Any, BaseException | None]:
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


def interrupt_when_gone(caller: socket.socket) -> Callable[[], None]:
    """Raises CallerGone in the current greenlet as soon as the caller's connection is closed, if only by half.

    Returns what ends the watch; it must be called before the connection serves another request.
    """
    here = gevent.getcurrent()
    # A watcher of the loop's own instead of a greenlet for each request: most callers say nothing before their answer.
    watcher = gevent.get_hub().loop.io(caller.fileno(), READABLE)
    watched = True

    def look() -> None:
        if not watched:
            return
        patience = caller.gettimeout()
        caller.settimeout(0)  # what woke us may have been read by now, and who waits here is in the next request's way
        try:
            gone = not caller.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            gone = False
            watcher.start(wake)
        except OSError:
            gone = True
        finally:
            caller.settimeout(patience)
        if gone:
            gevent.kill(here, CallerGone)

    def wake() -> None:
        watcher.stop()
        gevent.spawn(look)

    def stop() -> None:
        nonlocal watched
        watched = False
        watcher.stop()
        watcher.close()

    watcher.start(wake)
    return stop


def time_limit(seconds: float, error: BaseException | type[BaseException]) -> AbstractContextManager[Any]:
    """A context in which the error is raised, wherever it waits, when so many seconds are over."""
    limit: AbstractContextManager[Any] = gevent.Timeout(seconds, error)
    return limit


class InterruptingLimit(WaitLimit):
    """Raises the error when all the waiting of an answer is too long, which comes in many pieces.

    Its timer is not set anew for each. When it rings, it may have to be set once more, for what was not spent waiting;
    whatever waits then is interrupted.
    """

    __slots__ = ("timer", "waiting")

    def __init__(self, seconds: float, error: Callable[[], ApiError]):
        super().__init__(seconds, error)
        self.timer: Any = None
        self.waiting: gevent.Greenlet | None = None

    def __enter__(self) -> None:
        super().__enter__()
        self.waiting = gevent.getcurrent()
        if self.timer is None:
            self.set()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.waiting = None

    def set(self) -> None:
        """For what is left of the time, counted from now within."""
        self.timer = new_timer(self.seconds - self.waited - (time.monotonic() - self.entered))
        self.timer.start(self.ring, update=True)

    def ring(self) -> None:
        self.close()
        if self.waiting and self.waited + time.monotonic() - self.entered < self.seconds:
            self.set()
        elif self.waiting:
            self.waiting.throw(self.error())

    def close(self) -> None:
        """Ends the timer."""
        if self.timer:
            self.timer.stop()
            self.timer.close()
            self.timer = None


def new_timer(seconds: float) -> Any:
    return gevent.get_hub().loop.timer(max(seconds, 0.001), priority=AFTER_SOCKETS)


Stopped = gevent.GreenletExit  # what a task is ended with


class Task:
    """Something that is done in a greenlet of its own, and goes on when the one that began it ends."""

    def __init__(self, function: Callable[..., object], *args: Any):
        self.greenlet = gevent.spawn(function, *args)

    def stop(self) -> None:
        """Ends it where it waits; returns at once."""
        self.greenlet.kill(Stopped, block=False)
