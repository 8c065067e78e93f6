"""Every purchase of a caller with a key of ours is paid: reserved before its call, settled when it is over.

A call waits for its reservation. Its settlement is written soon after: with the next reservation of this worker, which
then finds the budget as it is, or by itself after SETTLE_SECONDS. One transaction for both is half the cost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from compat.errors import ApiError, Bought, ErrorKind
from compat.images import Chunk
from proxy.access.estimates import Expected, check_model
from proxy.access.periods import MICROS
from proxy.caller import AccessKey
from proxy.greenlets import Event, Task, sleep
from proxy.limits import HEARTBEAT_SECONDS, RECORD_TRIES, SETTLE_SECONDS
from proxy.observation.record import Observation
from proxy.purchases.call import Made, running
from proxy.state.database import Database, DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.access.ledger import (  # which imports SQLAlchemy: only at its first use
        Hold,
        Ledger,
        Reservation,
        Settlement,
    )

log = logging.getLogger("twinlens")


@dataclass(frozen=True)
class Payment:
    """Who pays for a request, and what it asks for."""

    key: AccessKey
    expected: Expected
    observation: Observation  # of the request that begins the call


@dataclass(eq=False)
class Entry:
    """What one request has to write, and what became of it."""

    content: Reservation | Settlement
    when_written: Callable[[], object] | None = None  # is called then, or when that failed
    outcome: Hold | ApiError | None = None
    trouble: DatabaseUnavailable | None = None
    is_abandoned: bool = False  # whether nobody waits for it any longer


class Payments:
    """The payments of one worker."""

    def __init__(self, database: Database, owner: str):
        """`owner` names this worker."""
        self.database = database
        self.owner = owner
        self.entries: list[Entry] = []  # that are to be written
        self.writer: Task | None = None
        self.is_awaited = Event()  # whether somebody waits for an entry
        self.held: set[str] = set()  # ids of open calls, whose leases are to be renewed
        self.heart: Task | None = None

    @cached_property
    def ledger(self) -> Ledger:
        """The tables of spending."""
        from proxy.access.ledger import Ledger

        return Ledger(self.database, self.owner)

    @property
    def is_used(self) -> bool:
        """Whether this worker has written anything yet."""
        return "ledger" in vars(self)

    def paid(self, payment: Payment, make: Callable[[], Made]) -> Callable[[], Made]:
        """The same call, which is paid for when it is made: what it may cost is reserved, and settled at its end.

        It belongs to whoever makes the call; whoever joins it, or gets its answer later, pays nothing. Raises the
        errors of `check_model` at once, and those of the budget when the call is made: nothing was bought then.
        """
        micros = check_model(payment.expected, payment.key.models, payment.key.budget_micros is not None)

        def make_and_pay() -> Made:
            hold = self.reserve(payment, micros)
            try:
                made = make()
            except BaseException as error:
                self.settle(payment, hold, error.bought if isinstance(error, ApiError) else None)
                raise
            return replace(made, chunks=self.settled_at_end(payment, hold, made))

        return make_and_pay

    def settled_at_end(self, payment: Payment, hold: Hold, made: Made) -> Iterator[Chunk]:
        """The chunks of an answer, whose call is settled when it is over, or given up."""
        bought = None
        try:
            yield from made.chunks
            bought = made.bought
        except ApiError as error:
            bought = error.bought
            raise
        finally:
            self.settle(payment, hold, bought)

    def reserve(self, payment: Payment, micros: int) -> Hold:
        from proxy.access.ledger import Reservation

        wanted = Entry(Reservation(payment.key, payment.expected.model.name, micros))
        try:
            outcome = self.write(wanted)
        except DatabaseUnavailable as error:
            message = f"The budget of this API key cannot be looked at now: {error} Nothing was bought."
            raise ApiError(ErrorKind.STATE_UNAVAILABLE, message) from None
        except BaseException:  # the caller is gone
            wanted.is_abandoned = True
            if wanted.outcome and not isinstance(wanted.outcome, ApiError):
                self.give_back(wanted.outcome)
            raise
        if isinstance(outcome, ApiError):
            raise outcome
        assert outcome
        return outcome

    def settle(self, payment: Payment, hold: Hold, bought: Bought | None) -> None:
        """Records what a call cost; `bought` is None if it was given up before its end.

        While the database is away it is tried again in the background; if it stays away, the lease runs out, and what
        was reserved is the cost.
        """
        from proxy.access.ledger import Settlement

        observation = payment.observation
        cost = cost_of(observation, hold.micros, payment.expected.calls, bought)
        observation.charged = cost / MICROS
        settlement = Settlement(hold, cost, observation.pictures, was_made=bool(observation.upstream))
        if bought is not Bought.NO:
            self.post(settlement)
            return
        try:  # now: whoever tries again, as a job does, needs the budget
            self.write(Entry(settlement))
        except DatabaseUnavailable as error:
            self.settle_later(settlement, error)

    def settle_later(self, settlement: Settlement, error: DatabaseUnavailable) -> None:
        """The settlement could not be written. It is tried again."""
        log.warning("the cost of a request cannot be recorded now: %s", error)
        Task(self.insist, settlement)

    def insist(self, settlement: Settlement) -> None:
        for tries in range(1, RECORD_TRIES):
            sleep(tries)
            try:
                self.write(Entry(settlement))
            except DatabaseUnavailable:
                continue
            return
        self.held.discard(settlement.hold.call)
        log.error("the cost of a request could not be recorded: what was reserved for it counts as its cost")

    def give_back(self, hold: Hold) -> None:
        """What was reserved is not needed: nobody waits for the call."""
        from proxy.access.ledger import Settlement

        self.post(Settlement(hold, 0, 0, was_made=False))

    # What several requests have to write at a time goes into one transaction.

    def write(self, entry: Entry) -> Hold | ApiError | None:
        """Has the entry written now, and returns what became of it. Raises DatabaseUnavailable."""
        written = Event()
        entry.when_written = written.set
        self.add(entry)
        self.is_awaited.set()
        written.wait()
        if entry.trouble:
            raise entry.trouble
        return entry.outcome

    def post(self, settlement: Settlement) -> None:
        """Has a settlement written soon. The worker does not stop before."""
        entry = Entry(settlement)

        def look() -> None:
            if entry.trouble:
                self.settle_later(settlement, entry.trouble)

        entry.when_written = look
        self.add(entry)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        if self.writer is None:
            running.add(self)
            self.writer = Task(self.write_all)

    def write_all(self) -> None:
        """Writes what has come together since it wrote last, until there is nothing left."""
        while self.entries:
            self.is_awaited.wait(SETTLE_SECONDS)
            self.is_awaited.clear()
            entries, self.entries = self.entries, []
            try:
                self.write_together(entries)
            except Exception as error:
                if not isinstance(error, DatabaseUnavailable):
                    log.exception("the spending of keys cannot be recorded")
                    error = DatabaseUnavailable("The database cannot be used.")
                for entry in entries:
                    entry.trouble = error
            for entry in entries:
                if entry.when_written:
                    entry.when_written()
        self.writer = None
        running.discard(self)

    def write_together(self, entries: Sequence[Entry]) -> None:
        from proxy.access.ledger import Hold, Reservation, Settlement

        reserving = [entry for entry in entries if isinstance(entry.content, Reservation)]
        reservations = [entry.content for entry in reserving if isinstance(entry.content, Reservation)]
        settlements = [entry.content for entry in entries if isinstance(entry.content, Settlement)]
        outcomes = self.ledger.write(reservations, settlements, time.time())
        self.held.difference_update(one.hold.call for one in settlements)
        for entry, outcome in zip(reserving, outcomes, strict=True):
            entry.outcome = outcome
            if isinstance(outcome, Hold):
                if entry.is_abandoned:
                    self.give_back(outcome)
                else:
                    self.hold(outcome)

    def hold(self, hold: Hold) -> None:
        """From now on its lease is renewed."""
        self.held.add(hold.call)
        if self.heart is None:
            self.heart = Task(self.beat)

    def beat(self) -> None:
        """Renews the leases of open calls until there are none."""
        while self.held:
            sleep(HEARTBEAT_SECONDS)
            if self.held:
                try:
                    self.ledger.renew(self.held)
                except DatabaseUnavailable as error:
                    log.warning("the leases of reserved budgets cannot be renewed: %s", error)
        self.heart = None


def cost_of(observation: Observation, reserved: int, calls: int, bought: Bought | None) -> int:
    """What a request cost in the end, in millionths of a USD, if so much was reserved for so many calls.

    What is reported counts. A call whose outcome is unknown, or whose tokens are, costs its share of the reserve; all
    of the reserve is due where nothing else is known.
    """
    known = None if observation.cost is None else round(observation.cost * MICROS)
    failures = [times.failure for times in observation.upstream if times.failure]
    bought_by_failures = [error for error in failures if error.bought is not Bought.NO]
    if bought is Bought.NO and not bought_by_failures:
        return 0
    lost = sum(error.usage is None for error in bought_by_failures)
    if bought is None or (known is None and not lost) or (bought is Bought.UNKNOWN and not lost):
        return max(reserved, known or 0)
    return (known or 0) + min(reserved, -(-reserved * lost // max(calls, lost)))
