"""Calls with an idempotency key: recorded before the upstream is asked, and finished whether anybody waits or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from compat.errors import ApiError, Bought, ErrorKind
from proxy.greenlets import uninterrupted
from proxy.limits import RECORD_WAIT_SECONDS
from proxy.pictures.spool import SpoolMemory
from proxy.purchases.call import Call, Made
from proxy.purchases.keeping import Keeping, unavailable
from proxy.purchases.orders import Delivery, Order
from proxy.state.database import DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.purchases.records import Record  # which imports SQLAlchemy: only at its first use

REUSED = (
    "This Idempotency-Key was used for another request before. Send that request again unchanged, or use a new key."
)


class KeyedCalls:
    """The keyed calls that run in this worker."""

    def __init__(self, keeping: Keeping, memory: SpoolMemory):
        self.keeping = keeping
        self.memory = memory
        self.running: dict[str, Call] = {}  # by the id of their record

    def buy(self, order: Order, make: Callable[[], Made]) -> Delivery:
        """Claims the key and buys, or gives what the first request with the key gets."""
        try:
            call, record = uninterrupted(lambda: self.claim(order, make))
        except DatabaseUnavailable as error:
            raise unavailable(f"An Idempotency-Key cannot be used now: {error} Nothing was bought.") from None
        if call:
            order.started(call)
            return self.follow(call, order)
        if record.fingerprint != order.fingerprint:
            raise ApiError(ErrorKind.IDEMPOTENCY_KEY_REUSED, REUSED, param="Idempotency-Key")
        if call_here := self.running.get(record.id):
            return self.follow(call_here, order, "replayed" if call_here.over.is_set() else "joined")
        return self.keeping.wait_for(record.id, order)

    def claim(self, order: Order, make: Callable[[], Made]) -> tuple[Call | None, Record]:
        """The record of the key, and the call if it is begun here. Raises DatabaseUnavailable."""
        assert order.key
        is_first, record = self.keeping.records.claim(order.scope, order.key, order.fingerprint)
        if not is_first:
            return None, record
        call = Call(make, self.memory, partial(self.end, record.id, order))
        self.running[record.id] = call
        self.keeping.lease(record.id, call)
        return call, record

    def follow(self, call: Call, order: Order, how: str | None = None) -> Delivery:
        """The call's answer, as soon as it can be sent."""
        try:
            call.wait()
        except ApiError as error:
            wait_for_record(call)
            raise order.explained(error) from None
        return Delivery(call.status, call.headers, recorded_chunks(call), call=call, how=how, saved=order.cost)

    def end(self, id: str, order: Order, call: Call) -> None:
        """Records how a call ended: what bought nothing is forgotten, everything else is kept."""
        keeping = self.keeping
        records = keeping.records
        try:
            if call.bought is Bought.NO:
                if not keeping.insist(lambda: records.give_up(id)):
                    answer, body = keeping.keep(call, order, keeping.keep_seconds)
                    keeping.insist(lambda: records.release(id, answer.status, answer.headers, body))
                return
            answer, body = keeping.keep(call, order, keeping.keep_seconds)
            cost = micros(order.cost())
            keeping.insist(lambda: records.finish(id, answer.status, answer.headers, body, call.bought, cost))
        finally:
            del self.running[id]


def recorded_chunks(call: Call) -> Iterator[bytes]:
    """The body of a call's answer, of which its caller has all only when it is recorded."""
    if not call.flows:
        wait_for_record(call)
    yield from call.chunks()
    if call.flows:
        wait_for_record(call)


def wait_for_record(call: Call) -> None:
    """Waits for the record of a call that is over, but not for long.

    Another worker would take a caller that asks again at once for one that joins; and one whose key is free again,
    since nothing was bought, would get the same error once more.
    """
    call.recorded.wait(RECORD_WAIT_SECONDS)


def micros(usd: float | None) -> int | None:
    """Millionths of a USD, rounded."""
    return None if usd is None else round(usd * 1_000_000)
