"""What gevent does for requests: interrupts those that wait, and takes what would block everybody to a thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gevent
from gevent.socket import wait_read

from compat.errors import ApiError

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

    def watch() -> None:
        try:
            wait_read(caller.fileno())
            gone = not caller.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        if gone:
            gevent.kill(here, CallerGone)

    # Waiting for the end of the watch matters: a connection that is still watched would be closed a second late.
    kill: Callable[[], None] = gevent.spawn(watch).kill
    return kill


@contextmanager
def time_limit(seconds: float, error: Callable[[], ApiError]) -> Iterator[None]:
    """Raises the error in what is done within, wherever it waits, when the time is over."""
    with gevent.Timeout(max(seconds, 0.001), error()):
        yield
