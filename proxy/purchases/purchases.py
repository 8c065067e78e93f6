"""Buys what a request asks for once: its callers may leave and come back, on any worker, and get the same answer.

Two kinds of callers come back. One sends an `Idempotency-Key`: its request is recorded before the upstream is asked,
and goes on whether anybody waits for it or not. The other is an SDK that marks its retries (`x-stainless-retry-count`):
nothing is recorded as long as it stays; if it leaves before it has its answer, its call goes on for a while, and the
retry, which comes within seconds, joins it or gets what it brought.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable

from proxy.pictures.spool import SpoolMemory
from proxy.purchases.abandoned_calls import AbandonedCalls
from proxy.purchases.call import Call, Made
from proxy.purchases.keeping import BodyStore, Keeping
from proxy.purchases.keyed_calls import KeyedCalls
from proxy.purchases.orders import Delivery, Order
from proxy.state.database import Database


class Purchases:
    """The purchases of one worker."""

    def __init__(self, database: Database, bodies: BodyStore, memory: SpoolMemory, keep_seconds: int):
        """To be made after the fork. Answers to an idempotency key are kept for `keep_seconds`."""
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
        self.memory = memory
        self.keeping = Keeping(database, bodies, owner, keep_seconds)
        self.keyed = KeyedCalls(self.keeping, memory)
        self.abandoned = AbandonedCalls(self.keeping)

    def sweep(self) -> None:
        """Deletes expired records, if this worker has used any: whoever needs no database does not open it."""
        if self.keeping.is_used:
            self.keeping.sweep()

    def buy(self, order: Order, make: Callable[[], Made]) -> Delivery:
        """The answer to an order, from `make` unless it was bought before. Raises an ApiError, also the call's own."""
        if order.key:
            return self.keyed.buy(order, make)
        if order.retry_count is not None:  # it may leave
            self.keeping.load()
        if order.retry_count and (found := self.abandoned.find_first_try(order)):
            return found
        call = Call(make, self.memory)
        order.started(call)
        return self.abandoned.follow(call, order)
