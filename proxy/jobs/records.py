"""The records of jobs in the database. Every function is one short transaction and may raise DatabaseUnavailable.

That a job was accepted, and that it is sent, has to survive a power cut.

A job is a record of the table of purchases: `proxy.purchases.records` says what its states are and what becomes of it
when its worker is gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from compat import jobs
from compat.errors import Bought
from proxy.limits import LEASE_SECONDS, MOST_QUEUED_JOBS
from proxy.purchases.records import (
    CANCELLED,
    DONE,
    LOST,
    QUEUED,
    RELEASED,
    RUNNING,
    UNFINISHED,
    UNKNOWN,
    UNSENT,
    Records,
)
from proxy.state.tables import purchases as table


@dataclass(frozen=True)
class JobRecord:
    """What the database knows of a job, or of a purchase that is asked for as one."""

    id: str
    scope: str
    fingerprint: str
    state: str
    surface: str | None  # None for a purchase that was no job at first
    model: str | None
    key_is_ours: bool
    request: str | None
    attempts: int
    is_sent: bool
    is_alive: bool
    has_key: bool  # an idempotency key
    age: float  # in seconds, by the database's clock
    created_at: float
    completed_at: float | None
    expires_at: float
    status: int | None
    headers: Mapping[str, str]
    body: str | None
    bought: Bought | None
    webhook_tries: int | None
    read_at: float = field(default_factory=time.monotonic)  # when this was the state, by the monotonic clock

    @property
    def job(self) -> jobs.Job:
        """The job as callers see it."""
        over = self.status_now not in (jobs.QUEUED, jobs.IN_PROGRESS)
        return jobs.Job(self.id, self.status_now, self.created_at, self.completed_at, self.expires_at if over else None)

    @property
    def status_now(self) -> str:
        """The job's status; that of a job whose worker is gone is what `settle` will record."""
        if self.state in UNFINISHED and not self.is_alive:
            return jobs.FAILED
        if self.state == QUEUED:
            return jobs.IN_PROGRESS if self.attempts else jobs.QUEUED
        if self.state == RUNNING:
            return jobs.IN_PROGRESS
        if self.state == CANCELLED:
            return jobs.CANCELLED
        is_answer = self.state in (DONE, RELEASED) and self.status is not None and self.status < 400
        return jobs.COMPLETED if is_answer else jobs.FAILED

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows what it bought."""
        return self.state == UNKNOWN or (self.state == RUNNING and not self.is_alive and self.is_sent)

    @property
    def is_unsent(self) -> bool:
        """Whether its worker ended before the upstream was asked, and nobody else can go on with it."""
        return self.state == UNSENT or (self.state in UNFINISHED and not self.is_alive and not self.is_sent)


@dataclass(frozen=True)
class Waiting:
    """The jobs of one caller for one model that could start now."""

    scope: str
    model: str
    key_is_ours: bool
    oldest: float  # when the first of them was accepted

    @property
    def lane(self) -> tuple[str, str]:
        """What stands for the upstream key and the model."""
        return ("" if self.key_is_ours else self.scope, self.model)


class JobRecords:
    """The jobs in the table of purchases, as one worker uses them."""

    def __init__(self, records: Records, job_seconds: int):
        """`job_seconds` is how long a job may wait."""
        self.records = records
        self.database = records.database
        self.owner = records.owner
        self.keep_seconds = records.keep_seconds
        self.job_seconds = job_seconds

    def add(
        self,
        scope: str,
        key: str | None,
        fingerprint: str,
        *,
        surface: str,
        model: str,
        key_is_ours: bool,
        request: str,
        calls_back: bool,
    ) -> tuple[bool, JobRecord]:
        """The job of an idempotency key, or a new one without a key, and whether it was made now."""
        now = self.database.now()
        is_first, record = self.records.claim(
            scope,
            key,
            fingerprint,
            {
                "expires_at": now + self.job_seconds + self.keep_seconds,
                "job_surface": surface,
                "job_model": model,
                "job_key_is_ours": int(key_is_ours),
                "job_request": request,
                "job_attempts": 0,
                "job_not_before": now,
                "webhook_tries": 0 if calls_back else None,
            },
        )
        found = self.find(record.id)
        assert found  # nobody deletes it so soon
        return is_first, found

    def is_full(self) -> bool:
        """Whether so many jobs wait that no more is accepted."""
        with self.database.read() as connection:
            queued = select(func.count()).select_from(table).where(table.c.state == QUEUED)
            return bool(connection.execute(queued).scalar_one() >= MOST_QUEUED_JOBS)

    def find(self, id: str) -> JobRecord | None:
        """The record as it is now, whether it began as a job or not."""
        with self.database.read() as connection:
            return self.select(connection, table.c.id == id)

    def waiting(self, any_owner: bool) -> list[Waiting]:
        """Who has jobs that could start now in this worker: its own ones, and those with the operator's keys."""
        mine = (table.c.owner == self.owner) & (table.c.job_key_is_ours == 0)
        whose = or_(mine, table.c.job_key_is_ours == 1) if any_owner else mine
        kind = (table.c.scope, table.c.job_model, table.c.job_key_is_ours)
        found = (
            select(*kind, func.min(table.c.created_at))
            .where(table.c.state == QUEUED, table.c.job_not_before <= self.database.now(), whose)
            .group_by(*kind)
        )
        with self.database.read() as connection:
            return [
                Waiting(scope, model, bool(ours), oldest) for scope, model, ours, oldest in connection.execute(found)
            ]

    def claim(self, waiting: Waiting) -> JobRecord | None:
        """The oldest of these jobs, for this worker to run; None if others have taken them all."""
        free = (
            (table.c.state == QUEUED)
            & (table.c.job_not_before <= self.database.now())
            & (table.c.scope == waiting.scope)
            & (table.c.job_model == waiting.model)
            & (table.c.job_key_is_ours == int(waiting.key_is_ours))
        )
        if not waiting.key_is_ours:
            free &= table.c.owner == self.owner
        oldest = select(table.c.id).where(free).order_by(table.c.created_at, table.c.id).limit(1).scalar_subquery()
        with self.database.write(relaxed=True) as connection:
            # The condition stands outside the subquery again: without it PostgreSQL lets two take the same row.
            claimed = table.update().where(table.c.id == oldest, free)
            id = connection.execute(
                claimed.values(
                    state=RUNNING,
                    owner=self.owner,
                    lease_until=self.database.now() + LEASE_SECONDS,
                    job_attempts=table.c.job_attempts + 1,
                    job_sent_at=None,
                ).returning(table.c.id)
            ).scalar()
            return self.select(connection, table.c.id == id) if id else None

    def sent(self, id: str) -> bool:
        """The upstream is asked next; False if the job was cancelled, or is another worker's by now."""
        return self.change(id, self.mine_running(), relaxed=False, job_sent_at=self.database.now())

    def put_back(self, id: str, seconds: float) -> bool:
        """Nothing was bought: the next attempt begins in so many seconds at the earliest. False if it was cancelled."""
        return self.change(
            id, self.mine_running(), state=QUEUED, job_sent_at=None, job_not_before=self.database.now() + seconds
        )

    def finish(
        self,
        id: str,
        status: int,
        headers: Mapping[str, str],
        body: str | None,
        bought: Bought,
        cost_micros: int | None,
    ) -> bool:
        """Records how a job ended; False if it had been cancelled. What bought nothing sets its key free."""
        return self.change(
            id,
            table.c.state.in_((RUNNING, UNKNOWN)) & (table.c.owner == self.owner),
            state=(LOST if body is None else DONE) if bought is not Bought.NO else RELEASED,
            idempotency_key=None if bought is Bought.NO else table.c.idempotency_key,
            status=status,
            headers=json.dumps(dict(headers)),
            body=body,
            bought=bought.value,
            cost_micros=cost_micros,
            **self.over(),
        )

    def cancel(self, id: str) -> bool:
        """Ends a job, wherever it is; False if it was over, or is no job."""
        sent = table.c.job_sent_at.is_not(None)
        return self.change(
            id,
            table.c.job_surface.is_not(None) & table.c.state.in_(UNFINISHED) & self.records.is_alive(),
            state=CANCELLED,
            idempotency_key=case((sent, table.c.idempotency_key)),
            bought=case((sent, Bought.UNKNOWN.value), else_=Bought.NO.value),
            **self.over(),
        )

    def delete(self, id: str) -> bool:
        """Forgets a job of which nobody knows, if it has not started; whether it was forgotten."""
        unstarted = (table.c.state == QUEUED) & (table.c.job_attempts == 0)
        with self.database.write() as connection:
            return bool(connection.execute(table.delete().where(table.c.id == id, unstarted)).rowcount)

    def abandon_own(self, ids: Collection[str]) -> None:
        """This worker ends: its jobs that wait, and that no other can run, fail as not bought."""
        mine = (table.c.owner == self.owner) & (table.c.state == QUEUED) & (table.c.job_key_is_ours == 0)
        with self.database.write() as connection:
            connection.execute(
                table.update()
                .where(mine, table.c.id.in_(ids))
                .values(state=UNSENT, bought=Bought.NO.value, idempotency_key=None, **self.over())
            )

    def no_longer_mine(self, ids: Collection[str]) -> set[str]:
        """Which of these jobs, which run here, were cancelled or given to somebody else."""
        with self.database.read() as connection:
            mine = select(table.c.id).where(
                table.c.id.in_(ids), table.c.owner == self.owner, table.c.state != CANCELLED
            )
            return set(ids) - set(connection.execute(mine).scalars())

    def settle(self) -> None:
        """Records what became of the jobs of workers that are gone."""
        with self.database.write() as connection:
            self.records.settle(connection)

    def ages(self) -> tuple[dict[str, int], float]:
        """How many jobs have which status, and the age in seconds of the oldest that is not over."""
        is_job = table.c.job_surface.is_not(None)
        kind = (table.c.state, table.c.job_attempts > 0, table.c.status >= 400)
        found = select(*kind, func.count(), self.database.now() - func.min(table.c.created_at))
        counts: dict[str, int] = {}
        oldest = 0.0
        with self.database.read() as connection:
            for state, tried, failed, number, age in connection.execute(found.where(is_job).group_by(*kind)):
                status = {
                    QUEUED: jobs.IN_PROGRESS if tried else jobs.QUEUED,
                    RUNNING: jobs.IN_PROGRESS,
                    CANCELLED: jobs.CANCELLED,
                    DONE: jobs.FAILED if failed else jobs.COMPLETED,
                }.get(state, jobs.FAILED)
                counts[status] = counts.get(status, 0) + number
                if state in UNFINISHED:
                    oldest = max(oldest, age)
        return counts, oldest

    # Webhooks

    def take_event(self, seconds: float) -> JobRecord | None:
        """A job whose event is to be delivered now; nobody else gets it for so many seconds."""
        now = self.database.now()
        due = table.c.webhook_at <= now
        first = select(table.c.id).where(due).order_by(table.c.webhook_at).limit(1)
        with self.database.read() as connection:
            if connection.execute(first).first() is None:
                return None
        with self.database.write(relaxed=True) as connection:
            taken = table.update().where(table.c.id == first.scalar_subquery(), due)
            id = connection.execute(
                taken.values(webhook_at=now + seconds, webhook_tries=table.c.webhook_tries + 1).returning(table.c.id)
            ).scalar()
            return self.select(connection, table.c.id == id) if id else None

    def end_event(self, id: str, again_in: float | None) -> None:
        """The event was delivered or given up, or is delivered again in so many seconds."""
        at = None if again_in is None else self.database.now() + again_in
        self.change(id, table.c.webhook_at.is_not(None), webhook_at=at)

    # Statements

    def mine_running(self) -> Any:
        return (table.c.owner == self.owner) & (table.c.state == RUNNING)

    def over(self) -> dict[str, Any]:
        """What is set when a job ends."""
        now = self.database.now()
        return {
            "job_completed_at": now,
            "expires_at": now + self.keep_seconds,
            "webhook_at": case((table.c.webhook_tries.is_not(None), now)),
        }

    def change(self, id: str, condition: Any, *, relaxed: bool = True, **values: Any) -> bool:
        with self.database.write(relaxed=relaxed) as connection:
            return bool(connection.execute(table.update().where(table.c.id == id, condition).values(**values)).rowcount)

    def select(self, connection: Connection, condition: Any) -> JobRecord | None:
        alive, age = self.records.is_alive(), self.database.now() - table.c.created_at
        row = connection.execute(select(table, alive.label("alive"), age.label("age")).where(condition)).first()
        if not row:
            return None
        return JobRecord(
            id=row.id,
            scope=row.scope,
            fingerprint=row.fingerprint,
            state=row.state,
            surface=row.job_surface,
            model=row.job_model,
            key_is_ours=bool(row.job_key_is_ours),
            request=row.job_request,
            attempts=row.job_attempts or 0,
            is_sent=row.job_sent_at is not None or row.job_surface is None,
            is_alive=bool(row.alive),
            has_key=row.idempotency_key is not None,
            age=row.age,
            created_at=row.created_at,
            completed_at=row.job_completed_at,
            expires_at=row.expires_at,
            status=row.status,
            headers=json.loads(row.headers) if row.headers else {},
            body=row.body,
            bought=Bought(row.bought) if row.bought else None,
            webhook_tries=row.webhook_tries,
        )
