"""Two workers over one database and one store of bodies, and an upstream that counts what it sells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent
from gevent.event import Event

from compat.errors import ApiError
from proxy.pictures.spool import SpoolMemory
from proxy.purchases.call import Made
from proxy.purchases.orders import Delivery, Order
from proxy.purchases.purchases import Purchases
from proxy.state.database import Database

MIB = 1024 * 1024


class Bodies:
    """A store of bodies in memory. `full` makes it refuse, as a full disk does."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.full = False

    def keep(self, chunks: Iterator[bytes], seconds: float) -> str:
        if self.full:
            raise OSError(28, "No space left on device")
        name = f"body-{len(self.kept)}"
        self.kept[name] = b"".join(chunks)
        return name

    def read_kept(self, name: str) -> Iterator[bytes] | None:
        return iter((self.kept[name],)) if name in self.kept else None

    def delete_kept(self, name: str) -> None:
        self.kept.pop(name, None)


def opened() -> Event:
    """An event that has happened."""
    event = Event()
    event.set()
    return event


@dataclass
class Upstream:
    """Sells pictures: each takes `seconds`, unless `troubles` has an error for the call."""

    seconds: float = 0.05
    flows: bool = False
    troubles: list[ApiError | None] = field(default_factory=list)
    asked: int = 0
    sold: int = 0
    ended: int = 0  # calls that were ended while they ran
    opened: Event = field(default_factory=opened)  # nothing is drawn as long as it is not set

    def make(self) -> Made:
        """One call."""
        self.asked += 1
        number, trouble = self.asked, self.troubles.pop(0) if self.troubles else None
        if self.flows:
            return Made(200, {"Content-Type": "text/event-stream"}, self.draw(number, trouble), flows=True)
        body = b"".join(self.draw(number, trouble))
        return Made(200, {"Content-Type": "application/json"}, iter((body,)))

    def draw(self, number: int, trouble: ApiError | None) -> Iterator[bytes]:
        yield b"picture "
        try:
            self.opened.wait()
            gevent.sleep(self.seconds)
        except gevent.GreenletExit:
            self.ended += 1
            raise
        if trouble:
            raise trouble
        self.sold += 1
        yield b"%d" % number


def eventually(is_so: Callable[[], object], what: str) -> None:
    """Waits for something that other greenlets do."""
    with gevent.Timeout(10, AssertionError(f"not within 10 s: {what}")):
        while not is_so():
            gevent.sleep(0.01)


def render(error: ApiError) -> tuple[int, dict[str, str], bytes]:
    """An error as an answer."""
    return 500, {"x-kind": error.kind.name}, error.message.encode()


def order(key: str | None = None, retry_count: int | None = None, content: str = "a cat", scope: str = "ann") -> Order:
    """An order of one caller."""
    return Order(scope, content, render, lambda: 0.039, key=key, retry_count=retry_count)


def worker(database: Database, bodies: Bodies, keep_seconds: int = 3600) -> Purchases:
    """A worker of its own: another one than any other, though it runs in this process."""
    return Purchases(database, bodies, SpoolMemory(64 * MIB), keep_seconds)


def body_of(delivery: Delivery) -> bytes:
    """All of an answer, taken and closed."""
    try:
        return b"".join(delivery.chunks)
    finally:
        delivery.close()


def buying(purchases: Purchases, one: Order, make: Callable[[], Made]) -> gevent.Greenlet:
    """A caller of its own, which gets the body, or raises what the call raises."""
    return gevent.spawn(lambda: body_of(purchases.buy(one, make)))


def hang_up(purchases: Purchases, one: Order, upstream: Upstream) -> None:
    """A caller that goes away when the upstream was asked, and before it draws."""
    upstream.opened.clear()
    caller, before = buying(purchases, one, upstream.make), upstream.asked
    eventually(lambda: upstream.asked > before, "the upstream is asked")
    caller.kill(block=True)
    upstream.opened.set()
