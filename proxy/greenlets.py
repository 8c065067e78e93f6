"""What gevent does for requests: interrupts those that wait, and takes what would block everybody to a thread."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

import gevent

from compat.errors import ApiError

READABLE = 1  # what libev calls it
AFTER_SOCKETS = -1  # the priority of a timer that must not overtake what has come meanwhile

Result = TypeVar("Result")


class CallerGone(gevent.GreenletExit):  # type: ignore[misc]
    """The caller closed the connection: whatever is done for him ends here, quietly for gunicorn too."""


def run_in_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Runs what would block everybody, such as drawing, in gevent's thread pool."""
    result: Result = gevent.get_hub().threadpool.apply(function, args)
    return result


def interrupt_when_gone(caller: socket.socket) -> Callable[[], None]:
    """Raises CallerGone in the current greenlet as soon as the caller's connection is closed, if only by half.

    Returns what ends the watch; it must be called before the connection serves another request.
    """
    here = gevent.getcurrent()
    # A watcher of the loop's own instead of a greenlet for each request: most callers say nothing before their answer.
    watcher = gevent.get_hub().loop.io(caller.fileno(), READABLE)
    watched = True

    def look() -> None:
        try:
            gone = not caller.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        if gone and watched:
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


class time_limit:
    """Raises the error in what is done within, wherever it waits, when so many seconds are over.

    What gevent.Timeout does, with half the work: there is one for each piece of an answer.
    """

    __slots__ = ("error", "seconds", "timer")

    def __init__(self, seconds: float, error: Callable[[], ApiError]):
        self.seconds = max(seconds, 0.001)
        self.error = error

    def __enter__(self) -> None:
        self.timer = gevent.get_hub().loop.timer(self.seconds, priority=AFTER_SOCKETS)
        self.timer.start(raise_in, gevent.getcurrent(), self.error, update=True)

    def __exit__(self, *_: object) -> None:
        self.timer.stop()
        self.timer.close()


def raise_in(waiting: gevent.Greenlet, error: Callable[[], ApiError]) -> None:
    waiting.throw(error())
