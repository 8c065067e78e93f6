"""What greenlets wait for."""

import gevent
import pytest
from gevent.event import Event

from proxy.greenlets import Signal, Stopped


@pytest.fixture
def events() -> list[str]:
    """What happened, in order."""
    return []


def waiting(signal: Signal, events: list[str], name: str) -> gevent.Greenlet:
    """A greenlet that waits for the signal, and says when it goes on."""

    def wait() -> None:
        signal.wait()
        events.append(name)

    greenlet = gevent.spawn(wait)
    gevent.sleep(0)
    return greenlet


def test_who_waits_goes_on_before_all_that_is_ready(events: list[str]):
    signal = Signal()
    caller = waiting(signal, events, "caller")

    def happen() -> None:
        gevent.spawn(events.append, "another")
        signal.set()
        events.append("after")

    gevent.joinall([gevent.spawn(happen), caller])
    assert events == ["caller", "another", "after"]


def test_all_who_wait_go_on_and_nobody_waits_afterwards(events: list[str]):
    signal = Signal()
    callers = [waiting(signal, events, name) for name in "abc"]
    gevent.spawn(signal.set).join()
    gevent.joinall(callers, timeout=1)
    assert events == ["a", "b", "c"]
    signal.wait()


def test_who_has_gone_is_not_woken(events: list[str]):
    signal = Signal()
    gone, stays = waiting(signal, events, "gone"), waiting(signal, events, "stays")
    gone.kill()
    gevent.spawn(signal.set).join()
    stays.join(1)
    assert (events, signal.waiting) == (["stays"], [])


def test_one_who_leaves_while_another_goes_on_is_not_woken(events: list[str]):
    signal, later = Signal(), Event()
    left: list[gevent.Greenlet] = []

    def first() -> None:
        signal.wait()
        events.append("first")
        gevent.get_hub().loop.run_callback(gevent.getcurrent().switch)
        left[0].throw(Stopped)

    def second() -> None:
        try:
            signal.wait()
        except Stopped:
            events.append(f"left, {later.wait(0.05)}")  # a wake-up that comes too late would be an error

    going = gevent.spawn(first)
    gevent.sleep(0)
    left.append(gevent.spawn(second))
    gevent.sleep(0)
    gevent.spawn(signal.set).join()
    gevent.joinall([going, *left], timeout=1)
    assert events == ["first", "left, False"]
    assert all(one.successful() for one in (going, *left))


def test_who_is_ended_while_the_first_goes_on_is_not_woken_again(events: list[str]):
    signal, later = Signal(), Event()

    def happen() -> None:
        try:
            signal.set()
        except Stopped:
            events.append(f"ended, {later.wait(0.05)}")  # a wake-up that comes too late would be an error

    setter = gevent.Greenlet(happen)

    def caller() -> None:
        signal.wait()
        setter.kill(block=False)
        events.append("caller")

    waits = gevent.spawn(caller)
    gevent.sleep(0)
    setter.start()
    gevent.joinall([setter, waits], timeout=1)
    assert setter.successful()
    assert events in (["caller"], ["caller", "ended, False"])
