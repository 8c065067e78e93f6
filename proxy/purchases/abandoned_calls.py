"""Calls whose caller went away before it had its answer, and whose SDK will ask again within seconds."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compat.errors import ApiError, Bought, ErrorKind
from proxy.greenlets import Task, sleep, uninterrupted
from proxy.limits import ABANDONED_SECONDS, KEPT_SECONDS, LOOK_SECONDS, RETRY_LOOK_SECONDS
from proxy.purchases.call import Call, running
from proxy.purchases.keeping import Keeping
from proxy.purchases.keyed_calls import micros
from proxy.purchases.orders import Delivery, Order
from proxy.state.database import DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.purchases.records import Record  # which imports SQLAlchemy: only at its first use

log = logging.getLogger("twinlens")


@dataclass(eq=False)
class Abandoned:
    """A call whose caller went away."""

    call: Call
    order: Order
    id: str | None = None  # of its record; None where the database is away: then only this worker knows of it
    taken: bool = False  # whether somebody has come for it, and has not gone away again
    runs_on: bool = False  # whether anybody ever came for it: then it runs to its end
    is_being_recorded: bool = False  # whether a greenlet makes its record
    is_watched: bool = False  # whether a greenlet waits for its end
    is_kept: bool = False  # whether its answer is in the store


class AbandonedCalls:
    """The abandoned calls of this worker, and the way to those of others."""

    def __init__(self, keeping: Keeping):
        self.keeping = keeping
        self.here: list[Abandoned] = []

    def follow(self, call: Call, order: Order, taken: Abandoned | None = None) -> Delivery:
        """The call's answer, as soon as it can be sent. `taken` is what was found of an earlier try."""
        how = ("replayed" if call.over.is_set() else "joined") if taken else None
        try:
            call.wait()
        except ApiError:
            self.hand_out(taken)
            raise
        except BaseException:
            self.leave(call, order, taken)
            raise

        def close(is_whole: bool) -> None:
            is_cut = call.flows and not call.over.is_set()  # its headers were sent: no SDK asks again
            if is_cut:
                call.stop()
            if is_whole or is_cut:
                self.hand_out(taken)
            else:
                self.leave(call, order, taken)

        return Delivery(call.status, call.headers, call.chunks(), call=call, how=how, saved=order.cost, on_close=close)

    def hand_out(self, taken: Abandoned | None) -> None:
        """The answer reached a caller: it is not handed out again."""
        if taken:
            with suppress(ValueError):
                self.here.remove(taken)
            if taken.id:
                self.keeping.leased.discard(taken.id)
                Task(self.keeping.forget, taken.id)  # the caller does not wait for the database

    def leave(self, call: Call, order: Order, taken: Abandoned | None) -> None:
        """The caller went away before it had its answer: the call waits for its retry."""
        left = taken or Abandoned(call, order)
        left.taken = False
        Task(self.wait_for_retry, left)

    def wait_for_retry(self, left: Abandoned) -> None:
        """Lets the call go on for ABANDONED_SECONDS, or to its end if somebody comes for it; then keeps its answer."""
        running.add(left)
        try:
            self.record(left)
            if not (left.is_watched or left.is_being_recorded):  # since an earlier caller left
                left.is_watched = True
                try:
                    self.watch(left)
                finally:
                    left.is_watched = False
        finally:
            if not (left.is_watched or left.is_being_recorded):
                running.discard(left)
                if left.id and not left.taken:  # or its lease lasts until it is handed out, or left again
                    self.keeping.leased.discard(left.id)

    def watch(self, left: Abandoned) -> None:
        over = left.call.over
        over.wait(ABANDONED_SECONDS)
        if not over.is_set() and not left.runs_on and not self.is_wanted(left) and not left.runs_on:
            self.here.remove(left)
            left.call.stop()
            return
        over.wait()
        if not left.taken and left in self.here:
            self.keep(left)

    def record(self, left: Abandoned) -> None:
        """Writes into the database that somebody may come for the call. Without a database this worker knows it."""
        if left not in self.here:
            self.here.append(left)
        order, records = left.order, self.keeping.records
        try:
            if left.id:
                self.keeping.hold(left.id)
                records.put_back(left.id, is_mine=True)
                return
            if left.is_being_recorded:  # a second record would be nobody's
                return
            left.is_being_recorded = True
            try:
                id = records.abandon(order.scope, order.fingerprint)
            finally:
                left.is_being_recorded = False
        except DatabaseUnavailable as error:
            log.warning("an abandoned call is known to this worker only: %s", error)
            return
        if left.taken:  # by a caller of this worker, meanwhile
            self.keeping.forget(id)
        else:
            left.id = id
            self.keeping.hold(id)

    def is_wanted(self, left: Abandoned) -> bool:
        """Whether a caller of another worker has taken the call; if nobody has, its record is gone now."""
        if left.id is None:
            return False
        id = left.id
        given_up = self.keeping.insist(lambda: self.keeping.records.give_up(id))
        return given_up is False

    def keep(self, left: Abandoned) -> None:
        """Keeps the answer for KEPT_SECONDS, to be handed out once. What bought nothing is kept for those who wait."""
        id, call = left.id, left.call
        if id is None:
            if call.bought is not Bought.NO:
                running.discard(left)  # a worker that stops would keep it for nobody
                sleep(KEPT_SECONDS)
        elif not left.is_kept and (call.bought is not Bought.NO or self.is_wanted(left)):
            answer, body = self.keeping.keep(call, left.order, KEPT_SECONDS)
            cost, records = micros(left.order.cost()), self.keeping.records
            left.is_kept = bool(
                self.keeping.insist(lambda: records.keep(id, answer.status, answer.headers, body, cost))
            )
            if not left.is_kept:
                self.keeping.drop(body)
        with suppress(ValueError):
            self.here.remove(left)

    def find_first_try(self, order: Order) -> Delivery | None:
        """What earlier tries of a retry are buying or have bought; None if they have left nothing.

        A retry can be faster than the news that its first try hung up, so it looks for RETRY_LOOK_SECONDS, counted
        from its first look, which may have to open the database.
        """
        until = float("inf")
        while True:
            for left in [one for one in self.here if not one.taken and one.order.is_for(order)]:
                if self.take_here(left):
                    return self.follow(left.call, order, left)
            if found := self.take_elsewhere(order):
                return found
            until = min(until, time.monotonic() + RETRY_LOOK_SECONDS)
            if time.monotonic() >= until:
                return None
            sleep(LOOK_SECONDS)

    def take_here(self, left: Abandoned) -> bool:
        """Takes an abandoned call of this worker, unless a caller of another worker was faster."""
        left.taken = True
        if left.id is not None:
            left.taken = uninterrupted(lambda: self.take_record(left), lambda taken: self.undo_take(left, taken))
        left.runs_on = left.runs_on or left.taken
        return left.taken

    def take_record(self, left: Abandoned) -> bool:
        """The same for its record. Without a database only this worker knows of the call, and hands it out."""
        assert left.id
        try:
            return self.keeping.records.take_by_id(left.id)
        except DatabaseUnavailable as error:
            log.warning("an abandoned call is taken without its record: %s", error)
        except Exception:  # what was paid for is not lost to a fault of ours
            log.exception("an abandoned call is taken without its record")
        return True

    def undo_take(self, left: Abandoned, taken: bool) -> None:
        """The caller went away again while it took the call, which is known only now."""
        left.taken = taken
        if taken:
            self.leave(left.call, left.order, left)

    def take_elsewhere(self, order: Order) -> Delivery | None:
        """Takes an abandoned call, or what was kept of one, by its record."""
        records = self.keeping.records

        def undo(taken: Record | None) -> None:
            if taken:
                self.put_back(taken.id)

        try:
            record = uninterrupted(lambda: records.take(order.scope, order.fingerprint), undo)
        except DatabaseUnavailable:
            return None
        if record is None:
            return None
        for left in self.here:
            if left.id == record.id:
                left.taken = left.runs_on = True
                return self.follow(left.call, order, left)
        try:
            return self.keeping.wait_for(record.id, order)
        except ApiError as error:
            if error.kind is ErrorKind.STATE_UNAVAILABLE:
                self.put_back(record.id)
            raise
        except BaseException:  # the caller went away again
            self.put_back(record.id)
            raise

    def put_back(self, id: str) -> None:
        """The next retry may take it."""
        Task(self.keeping.insist, lambda: self.keeping.records.put_back(id))
