"""Answers that are kept: their bodies in the store, what is said of them in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from compat.errors import ApiError, Bought, ErrorKind
from proxy.greenlets import Task, run_in_thread, sleep
from proxy.limits import HEARTBEAT_SECONDS, LONGEST_RECORD_PAUSE, LOOK_SECONDS, RECORD_TRIES
from proxy.observation.metrics import note_records
from proxy.pictures.spool import Spool
from proxy.purchases.call import Call
from proxy.purchases.kept_body import BrokenBody, read_kept, write_kept
from proxy.purchases.orders import Delivery, Order
from proxy.state.database import Database, DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.purchases.records import Record, Records  # which imports SQLAlchemy: only at its first use

log = logging.getLogger("twinlens")

Result = TypeVar("Result")


class BodyStore(Protocol):
    """Where the bodies of kept answers lie, under names that no caller can read."""

    def keep(self, chunks: Iterator[bytes], seconds: float) -> str:
        """Stores a body for so many seconds and returns its name. Raises OSError."""

    def read_kept(self, name: str) -> Iterator[bytes] | None:
        """The body of that name; None if it is gone. Raises OSError."""

    def delete_kept(self, name: str) -> None:
        """Deletes the body of that name, if it is there. Raises OSError."""


class Keeping:
    """Keeps answers of one worker's calls and replays those of all."""

    def __init__(self, database: Database, bodies: BodyStore, owner: str, keep_seconds: int):
        """`owner` names this worker. Answers to an idempotency key are kept for `keep_seconds`."""
        self.database = database
        self.bodies = bodies
        self.owner = owner
        self.keep_seconds = keep_seconds
        self.leased: set[str] = set()  # ids of running calls whose lease is to be renewed
        self.heart: Task | None = None
        self.loading: Task | None = None

    def load(self) -> None:
        """Imports what a record needs, once and in a thread: a retry waits RETRY_LOOK_SECONDS for the first record."""
        if not self.loading:
            self.loading = Task(run_in_thread, import_records, self.database)

    @cached_property
    def records(self) -> Records:
        """The table of purchases."""
        from proxy.purchases.records import Records

        return Records(self.database, self.owner, self.keep_seconds)

    # Leases

    def lease(self, id: str, call: Call) -> None:
        """From now on the lease of the call's record is renewed, until the call is over and recorded."""
        self.hold(id)
        call.when_over(lambda: self.leased.discard(id))

    def hold(self, id: str) -> None:
        """From now on the lease of a record is renewed, as long as its id is among the leased."""
        self.leased.add(id)
        if self.heart is None:
            self.heart = Task(self.beat)

    def beat(self) -> None:
        pause = HEARTBEAT_SECONDS
        while self.leased:
            sleep(pause)
            try:
                self.records.renew(self.leased)
                pause = HEARTBEAT_SECONDS
            except DatabaseUnavailable as error:
                log.warning("leases of running purchases cannot be renewed: %s", error)
                pause = min(1.0, HEARTBEAT_SECONDS)  # once the database is back, others take who is late for gone
        self.heart = None

    # Keeping

    def keep(self, call: Call, order: Order, seconds: float) -> tuple[Delivery, str | None]:
        """What the call brought, or the error that it ended with, and the name of its stored body.

        Without a name if the store did not take it.
        """
        body = call.body
        if call.failure:
            status, headers, text = order.render(order.explained(call.failure))
            body = Spool(body.memory)
            body.append(text)
            answer = Delivery(status, {**headers, "Content-Length": str(len(text))}, body.read())
        else:
            answer = Delivery(call.status, call.headers, body.read())
        try:
            return answer, self.bodies.keep(write_kept(body), seconds)
        except OSError as error:
            log.warning("an answer could not be kept: %s", error.strerror)
            return answer, None

    def insist(self, record: Callable[[], Result], most_tries: int | None = None) -> Result | None:
        """Records the end of a call, several times if the database is away; None if it stays away.

        The lease of the record then runs out, which makes its outcome unknown.
        """
        for tries in range(most_tries or RECORD_TRIES):
            try:
                return record()
            except DatabaseUnavailable as error:
                log.warning("the end of a purchase cannot be recorded: %s", error)
                sleep(min(tries, LONGEST_RECORD_PAUSE))
        return None

    def drop(self, body: str | None) -> None:
        """Deletes a body that nobody will read."""
        if body:
            try:
                self.bodies.delete_kept(body)
            except OSError as error:
                log.warning("the body of an answer cannot be deleted: %s", error.strerror)

    @property
    def is_used(self) -> bool:
        """Whether this worker has recorded or looked for anything yet."""
        return "records" in vars(self)

    def sweep(self) -> None:
        """Deletes what has expired."""
        try:
            bodies = self.records.sweep()
            note_records(self.records.count())
        except DatabaseUnavailable as error:
            log.warning("expired records of purchases cannot be deleted: %s", error)
            return
        for body in bodies:
            self.drop(body)

    # Replaying

    def wait_for(self, id: str, order: Order) -> Delivery:
        """The answer that another worker's call brings, or has brought. Raises OUTCOME_UNKNOWN if that worker died."""
        how = "replayed"
        while True:
            record = self.find(id)
            if record and record.state == "cancelled":
                raise order.cancelled()
            if record and (record.state == "unsent" or (record.state == "queued" and not record.is_alive)):
                raise order.job_lost()
            if record is None or record.state == "unknown" or (record.state == "running" and not record.is_alive):
                raise order.outcome_unknown()
            if record.state not in ("running", "queued"):
                return self.replay(record, order, how)
            how = "joined"
            sleep(LOOK_SECONDS)

    def find(self, id: str) -> Record | None:
        try:
            return self.records.find(id)
        except DatabaseUnavailable as error:
            raise unavailable(
                f"The answer to this request cannot be read now: {error} It is not bought again."
            ) from None

    def replay(self, record: Record, order: Order, how: str) -> Delivery:
        """A kept answer, byte for byte; one to a caller without a key is handed out once."""
        chunks = self.read(record.body, "The kept answer to this request cannot be read now. It is not bought again.")
        if chunks is None or record.status is None or record.headers is None:
            raise order.not_kept()
        saved = record.cost_micros / 1_000_000 if record.cost_micros else None

        def close(is_whole: bool) -> None:
            if not order.key and is_whole:
                Task(self.forget, record.id)  # the caller does not wait for the database
            elif not order.key:
                Task(self.insist, lambda: self.records.put_back(record.id))

        return Delivery(record.status, record.headers, chunks, how=how, saved=lambda: saved, on_close=close)

    def read(self, body: str | None, trouble: str) -> Iterator[bytes] | None:
        """A kept body as it is sent; None if it is gone, or is none. Raises STATE_UNAVAILABLE with the `trouble`."""
        try:
            chunks = self.bodies.read_kept(body) if body else None
            return None if chunks is None else read_kept(chunks)
        except BrokenBody as error:
            log.warning("a kept answer cannot be read: %s", error)
            return None
        except OSError as error:
            log.warning("a kept answer cannot be read: %s", error.strerror)
            raise unavailable(trouble) from None

    def forget(self, id: str) -> None:
        """Deletes a record and its body: its answer was handed out."""
        self.drop(self.insist(lambda: self.records.delete(id)))


def import_records(database: Database) -> None:
    """Imports what the first record would import. No connection is opened."""
    import proxy.purchases.records  # noqa: F401

    _ = database.of_process


def unavailable(message: str) -> ApiError:
    """The database or the store cannot be used, and the request needs it: it buys nothing."""
    return ApiError(ErrorKind.STATE_UNAVAILABLE, message, bought=Bought.NO)
