"""What gevent does for requests: time limits, threads for what blocks, and noticing that a caller has hung up."""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.event import Event as Event
from gevent.threadpool import ThreadPool

from compat.errors import ApiError
from proxy.limits import READ_CHUNK, READ_SECONDS
from proxy.upstream.wait_limit import WaitLimit

sleep = gevent.sleep  # of the current greenlet alone, whether anything is patched or not

READABLE = 1  # libev's EV_READ
AFTER_SOCKETS = -1  # the priority of a timer: sockets that became ready at the same time go first

Result = TypeVar("Result")


class CallerGone(gevent.GreenletExit):  # type: ignore[misc]
    """The caller closed the connection: its request ends, and gunicorn logs nothing."""


def time_limit(seconds: float, error: BaseException) -> gevent.Timeout:
    """A context manager: raises the error in its block, wherever that waits, after so many seconds."""
    return gevent.Timeout(seconds, error)


def run_in_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Runs what would block all requests, such as drawing, in gevent's thread pool."""
    return run_in(gevent.get_hub().threadpool, function, *args)


class Threads:
    """A thread pool of its own for what may hang, such as a store that does not answer.

    gevent's own pool also looks up the upstream's name: ten hanging threads there would stop every call.
    """

    def __init__(self, most: int, seconds: float):
        """To be made after the fork. `seconds` limits the wait for a free thread and for the result together."""
        self.pool = ThreadPool(most)
        self.seconds = seconds

    def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Runs the function in a thread. Raises TimeoutError if that takes too long; the thread may go on."""
        with time_limit(self.seconds, TimeoutError(errno.ETIMEDOUT, f"no answer within {self.seconds:g} s")):
            return run_in(self.pool, function, *args)


def run_in(pool: ThreadPool, function: Callable[..., Result], *args: Any) -> Result:
    """Runs the function in a thread of the pool, and raises here what it raises: gevent would also print it."""
    result: Result
    result, error = pool.apply(outcome, (function, args))
    try:
        if error:
            raise error
        return result
    finally:
        del error  # or a reference cycle would keep this frame and its data until the garbage collector runs


def outcome(function: Callable[..., Result], args: Any) -> tuple[Any, BaseException | None]:
    try:
        return function(*args), None
    except BaseException as error:
        return None, error


def interrupt_when_gone(caller: socket.socket) -> Callable[[], None]:
    """Raises CallerGone in the current greenlet as soon as the caller closes its connection, or its half of it.

    Returns a function that ends the watch; it must be called before the connection serves another request.
    """
    here = gevent.getcurrent()
    # A watcher of the event loop instead of a greenlet per request: most callers send nothing before their answer.
    watcher = gevent.get_hub().loop.io(caller.fileno(), READABLE)
    watched = True

    def look() -> None:
        if not watched:
            return
        timeout = caller.gettimeout()
        caller.settimeout(0)  # what arrived may have been read by now, and a wait here would delay the next request
        try:
            gone = not caller.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            gone = False
            watcher.start(wake)
        except OSError:
            gone = True
        finally:
            caller.settimeout(timeout)
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


def was_refused(caller: socket.socket) -> bool:
    """Whether a reset came back for what was sent: the caller had closed its connection and has not got all of it."""
    try:
        return caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
    except OSError:
        return True


Report = Callable[[bool], None]
unconfirmed: dict[gevent.Greenlet, tuple[float, Report]] = {}  # by connection: until when, and who wants to know
confirming: list[gevent.Greenlet] = []  # the greenlet that waits for these times, if there are any


def confirm_later(report: Report) -> None:
    """Calls `report` with whether the caller reads the answer that was just written on this greenlet's connection.

    A caller that runs out of patience while the answer is on its way closes its connection, which the kernel then
    resets. Without a reset within READ_SECONDS the answer counts as read.
    """
    unconfirmed[gevent.getcurrent()] = time.monotonic() + READ_SECONDS, report
    if not confirming:
        confirming.append(gevent.spawn(confirm_all))


def confirm_all() -> None:
    """Counts answers as read whose time is over, the oldest first, until there are none."""
    try:
        while unconfirmed:
            connection, (until, report) = next(iter(unconfirmed.items()))
            if (seconds := until - time.monotonic()) > 0:
                sleep(seconds)
            else:
                del unconfirmed[connection]
                report(True)
    finally:
        confirming.clear()


def confirm(was_read: bool) -> None:
    """The next request has come on the connection of this greenlet, or its end, with a reset or without one."""
    if found := unconfirmed.pop(gevent.getcurrent(), None):
        found[1](was_read)


def confirm_at_end(caller: socket.socket) -> None:
    """The same for a connection that is closed now: waits until the caller has closed it, too."""
    if gevent.getcurrent() not in unconfirmed:
        return
    was_read = True
    with gevent.Timeout(READ_SECONDS, False):
        try:
            caller.shutdown(socket.SHUT_WR)
            while caller.recv(READ_CHUNK):
                pass
        except OSError:
            was_read = False
    confirm(was_read)


def reset_when_closed(connection: socket.socket) -> None:
    """Makes close() send a reset, which no caller takes for the end of its answer; unsent bytes are dropped."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class InterruptingLimit(WaitLimit):
    """Raises the error when all waits for an answer, which comes in many pieces, are too long together.

    One timer serves many waits: a gevent.Timeout for each costs 2 to 13 % of a request's CPU (95 % interval, b64_json).
    When the timer rings, time that was not spent waiting is added to it again.
    """

    __slots__ = ("timer", "waiting")
    interrupts = True

    def __init__(self, seconds: float, error: Callable[[], ApiError]):
        super().__init__(seconds, error)
        self.timer: Any = None
        self.waiting: gevent.Greenlet | None = None

    def __enter__(self) -> None:
        super().__enter__()
        self.waiting = gevent.getcurrent()
        if self.timer is None:
            self.start_timer()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.waiting = None

    def start_timer(self) -> None:
        """For what is left of the time, counted from now, during a wait."""
        seconds = self.seconds - self.waited - (time.monotonic() - self.entered)
        self.timer = gevent.get_hub().loop.timer(max(seconds, 0.001), priority=AFTER_SOCKETS)
        self.timer.start(self.ring, update=True)

    def ring(self) -> None:
        self.close()
        if self.waiting and self.waited + time.monotonic() - self.entered < self.seconds:
            self.start_timer()
        elif self.waiting:
            self.waiting.throw(self.error())

    def close(self) -> None:
        """Ends the timer."""
        if self.timer:
            self.timer.stop()
            self.timer.close()
            self.timer = None


def uninterrupted(function: Callable[[], Result], undo: Callable[[Result], object] = lambda _: None) -> Result:
    """What the function returns, which runs to its end even if its caller goes away meanwhile; then it is undone."""
    task = gevent.spawn(outcome, function, ())
    try:
        done, error = task.get()
    except BaseException:
        Task(lambda: undo_result(task, undo))
        raise
    if error:
        raise error
    result: Result = done
    return result


def undo_result(task: gevent.Greenlet, undo: Callable[[Any], object]) -> None:
    done, error = task.get()
    if not error:
        undo(done)


class Signal:
    """Something that happens once. The first greenlet that waits for it goes on before anything else of this worker.

    An Event wakes its greenlets after all others that are ready: a worker would receive thirty whole answers before it
    sends the first one, and all of them would have left the processor's cache (b64_json: a tenth of its CPU).
    """

    def __init__(self) -> None:
        self.is_set = False
        self.waiting: list[gevent.Greenlet] = []

    def wait(self) -> None:
        """Returns once it has happened."""
        here = gevent.getcurrent()
        self.waiting.append(here)
        try:
            while not self.is_set:
                gevent.get_hub().switch()
        finally:
            if here in self.waiting:
                self.waiting.remove(here)

    def set(self, at_once: bool = True) -> None:
        """To be called by a greenlet. It goes on when the first that has waited has to wait again.

        Unless `at_once` it goes on first itself, until it has to wait.
        """
        self.is_set = True
        first, others = self.waiting[:at_once], self.waiting[at_once:]
        loop = gevent.get_hub().loop
        for other in others:
            loop.run_callback(self.wake, other)
        if not first:
            return
        back = loop.run_callback(gevent.getcurrent().switch)
        try:
            self.wake(first[0])
        finally:
            back.stop()  # it may have been ended meanwhile, and wait for something else then

    def wake(self, one: gevent.Greenlet) -> None:
        if one in self.waiting:  # it may have been ended
            self.waiting.remove(one)
            one.switch()


Stopped = gevent.GreenletExit  # what a task is ended with


class Task:
    """Something that is done in a greenlet of its own, and goes on when the one that began it ends."""

    def __init__(self, function: Callable[..., object], *args: Any):
        self.greenlet = gevent.spawn(function, *args)

    def stop(self) -> None:
        """Ends it where it waits; returns at once."""
        self.greenlet.kill(Stopped, block=False)
