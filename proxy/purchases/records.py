"""The records of purchases in the database: who claims one, who joins it, what is kept of it.

Every function is one short transaction, of which a claim alone has to survive a power cut: without it its key would buy
again. A record is `running` while its owner, a worker, renews its lease; `done` when its answer is kept; `unknown` when
its owner is gone and nobody can say whether a picture was bought; `lost` when its answer could not be kept; `released`
when nothing was bought and only those who waited may read the answer.

A record with a surface is a job: its caller left at once and asks for it later. It is `queued` until it is claimed and
between its attempts; `unsent` when the only worker that had its caller's key ended before the upstream was asked; or
`cancelled`. What is known of a job's worker can be wrong while the database is away: a job that was taken for `unknown`
and then ends is recorded as it ended.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, false, func, select

from compat.errors import Bought
from proxy.limits import KEPT_SECONDS, LEASE_SECONDS
from proxy.state.database import Database
from proxy.state.tables import purchases as table

RUNNING, DONE, UNKNOWN, LOST, RELEASED = "running", "done", "unknown", "lost", "released"
QUEUED, UNSENT, CANCELLED = "queued", "unsent", "cancelled"  # of jobs only
UNFINISHED = (RUNNING, QUEUED)
PUT_BACK = -1  # in the place of the number of callers that have joined


@dataclass(frozen=True)
class Record:
    """What the database knows of one purchase."""

    id: str
    state: str
    owner: str
    fingerprint: str
    is_alive: bool  # whether its owner's lease has not run out, or any other worker can go on with it
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: str | None = None  # its name in the store
    cost_micros: int | None = None
    is_job: bool = False


class Records:
    """The table of purchases, as one worker uses it."""

    def __init__(self, database: Database, owner: str, keep_seconds: int):
        """`owner` names this worker; answers of keyed requests are kept for `keep_seconds`."""
        self.database = database
        self.owner = owner
        self.keep_seconds = keep_seconds
        # The two statements of each keyed call are built once, which costs as much as running them.
        now = database.now()
        self.claiming = (
            database.insert(table)
            .values(
                id=bindparam("new_id"),
                scope=bindparam("new_scope"),
                idempotency_key=bindparam("new_key"),
                fingerprint=bindparam("new_fingerprint"),
                state=RUNNING,
                owner=owner,
                lease_until=now + LEASE_SECONDS,
                joined=0,
                created_at=now,
                expires_at=now + keep_seconds,
            )
            .on_conflict_do_nothing()
            .returning(table.c.id)  # psycopg does not count rows here
        )
        self.finishing = (
            table.update()
            .where(table.c.id == bindparam("its_id"))
            .values(
                state=bindparam("new_state"),
                status=bindparam("new_status"),
                headers=bindparam("new_headers"),
                body=bindparam("new_body"),
                bought=bindparam("new_bought"),
                cost_micros=bindparam("new_cost"),
                expires_at=now + keep_seconds,
                job_completed_at=now,
            )
        )

    def claim(
        self, scope: str, key: str | None, fingerprint: str, job: Mapping[str, Any] | None = None
    ) -> tuple[bool, Record]:
        """The record of an idempotency key, and whether it was made now, for the caller of this function to buy.

        `job` are the further columns of a record that is made as a job. Raises DatabaseUnavailable.
        """
        state = QUEUED if job else RUNNING
        made = Record(secrets.token_hex(16), state, self.owner, fingerprint, True, is_job=bool(job))
        values = {"new_id": made.id, "new_scope": scope, "new_key": key, "new_fingerprint": fingerprint}
        claiming = self.claiming.values(state=state, **job) if job else self.claiming
        with self.database.write() as connection:
            while not connection.execute(claiming, values).scalar():
                of_key = (table.c.scope == scope) & (table.c.idempotency_key == key)
                # What has expired and is not swept yet counts as forgotten. Its body is swept by its own name.
                has_expired = table.c.state.not_in(UNFINISHED) & (table.c.expires_at < self.database.now())
                if connection.execute(table.delete().where(of_key, has_expired)).rowcount:
                    continue
                row = self.select(connection, of_key)
                assert row  # an insert met it in this very transaction
                if row.state in UNFINISHED and not row.is_alive:
                    self.settle(connection, table.c.id == row.id)
                    row = self.select(connection, of_key)
                    if row is None:
                        continue  # nothing had been bought: the key is free again
                if row.state in UNFINISHED and (job or row.owner != self.owner):
                    self.update(connection, row.id, joined=table.c.joined + 1)
                return False, row
        return True, made

    def abandon(self, scope: str, fingerprint: str) -> str:
        """Records a running call whose caller went away, and returns its id. Raises DatabaseUnavailable."""
        now, id = self.database.now(), secrets.token_hex(16)
        with self.database.write(relaxed=True) as connection:
            connection.execute(
                table.insert().values(
                    id=id,
                    scope=scope,
                    fingerprint=fingerprint,
                    state=RUNNING,
                    owner=self.owner,
                    lease_until=now + LEASE_SECONDS,
                    joined=0,
                    created_at=now,
                    expires_at=now + self.keep_seconds,
                )
            )
        return id

    def take(self, scope: str, fingerprint: str) -> Record | None:
        """An abandoned call, or what was kept of one, for a caller that asks again and for nobody else."""
        free = (
            (table.c.scope == scope)
            & (table.c.fingerprint == fingerprint)
            & table.c.idempotency_key.is_(None)
            & table.c.job_surface.is_(None)
            & (table.c.joined <= 0)
            & ((table.c.state == RUNNING) | ((table.c.state == DONE) & (table.c.expires_at > self.database.now())))
        )
        oldest = select(table.c.id).where(free).order_by(table.c.created_at).limit(1)
        with self.database.read() as connection:
            if connection.execute(oldest).first() is None:
                return None
        with self.database.write(relaxed=True) as connection:
            # The condition stands outside the subquery again: without it PostgreSQL lets two take the same row.
            taken = table.update().where(table.c.id == oldest.scalar_subquery(), free).values(joined=1)
            id = connection.execute(taken.returning(table.c.id)).scalar()
            return self.select(connection, table.c.id == id) if id else None

    def take_by_id(self, id: str) -> bool:
        """Takes an abandoned call of this worker; False if another worker's caller was faster."""
        with self.database.write(relaxed=True) as connection:
            return bool(
                connection.execute(
                    table.update().where(table.c.id == id, table.c.joined <= 0).values(joined=1)
                ).rowcount
            )

    def put_back(self, id: str, is_mine: bool = False) -> None:
        """The caller that had taken the call went away too: another may take it, and nobody gives it up.

        The lease of a call of this worker begins again.
        """
        lease = {"lease_until": self.database.now() + LEASE_SECONDS} if is_mine else {}
        with self.database.write(relaxed=True) as connection:
            self.update(connection, id, joined=PUT_BACK, **lease)

    def give_up(self, id: str) -> bool:
        """Deletes the record of an abandoned call unless somebody has ever taken it; whether it was deleted."""
        with self.database.write(relaxed=True) as connection:
            return bool(connection.execute(table.delete().where(table.c.id == id, table.c.joined == 0)).rowcount)

    def finish(
        self,
        id: str,
        status: int,
        headers: Mapping[str, str],
        body: str | None,
        bought: Bought,
        cost_micros: int | None,
    ) -> None:
        """Records the kept answer of a keyed call."""
        values = {
            "its_id": id,
            "new_state": DONE if body is not None else LOST,
            "new_status": status,
            "new_headers": json.dumps(dict(headers)),
            "new_body": body,
            "new_bought": bought.value,
            "new_cost": cost_micros,
        }
        with self.database.write(relaxed=True) as connection:
            connection.execute(self.finishing, values)

    def release(self, id: str, status: int, headers: Mapping[str, str], body: str | None) -> None:
        """Nothing was bought: the key is free again, and those who waited elsewhere may read the answer for a while."""
        with self.database.write(relaxed=True) as connection:
            if connection.execute(table.delete().where(table.c.id == id, table.c.joined == 0)).rowcount:
                return
            self.update(
                connection,
                id,
                state=RELEASED,
                idempotency_key=None,
                status=status,
                headers=json.dumps(dict(headers)),
                body=body,
                expires_at=self.database.now() + KEPT_SECONDS,
            )

    def keep(self, id: str, status: int, headers: Mapping[str, str], body: str | None, cost_micros: int | None) -> bool:
        """Records the answer of an abandoned call, to be handed out once within KEPT_SECONDS; False if it is gone."""
        with self.database.write(relaxed=True) as connection:
            return self.update(
                connection,
                id,
                state=DONE,
                status=status,
                headers=json.dumps(dict(headers)),
                body=body,
                cost_micros=cost_micros,
                expires_at=self.database.now() + KEPT_SECONDS,
            )

    def find(self, id: str) -> Record | None:
        """The record as it is now."""
        with self.database.read() as connection:
            return self.select(connection, table.c.id == id)

    def delete(self, id: str) -> str | None:
        """Deletes the record of an answer that was handed out, and returns the name of its body."""
        with self.database.write(relaxed=True) as connection:
            body: str | None = connection.execute(
                table.delete().where(table.c.id == id).returning(table.c.body)
            ).scalar()
            return body

    def renew(self, ids: Collection[str]) -> None:
        """Renews the leases of calls and jobs of this worker. One whose end could not be recorded is not among them."""
        mine = table.c.id.in_(ids) & (table.c.owner == self.owner) & table.c.state.in_(UNFINISHED)
        with self.database.write(relaxed=True) as connection:
            connection.execute(table.update().where(mine).values(lease_until=self.database.now() + LEASE_SECONDS))

    def settle(self, connection: Connection, condition: Any = None) -> None:
        """Records what became of purchases whose owner is gone: of all of them, or of those that a condition names.

        What was asked of the upstream has an unknown outcome. A job that was not goes on in another worker if that has
        its upstream key.
        """
        now = self.database.now()
        dead = table.c.lease_until < now if condition is None else (table.c.lease_until < now) & condition
        running, is_job = table.c.state == RUNNING, table.c.job_surface.is_not(None)
        keyed, sent = table.c.idempotency_key.is_not(None), table.c.job_sent_at.is_not(None)
        ours = table.c.job_key_is_ours == 1
        over = {
            "expires_at": now + self.keep_seconds,
            "job_completed_at": now,
            "webhook_at": case((table.c.webhook_tries.is_not(None), now)),
        }
        unsent = dead & is_job & ((table.c.state == QUEUED) | (running & ~sent))
        connection.execute(
            table.update()
            .where(dead, running, sent | (~is_job & keyed))
            .values(state=UNKNOWN, bought=Bought.UNKNOWN.value, **over)
        )
        connection.execute(table.update().where(unsent, running, ours).values(state=QUEUED))
        connection.execute(
            table.update()
            .where(unsent, ~ours)
            .values(state=UNSENT, bought=Bought.NO.value, idempotency_key=None, **over)
        )
        connection.execute(table.delete().where(dead, running, ~is_job, ~keyed))

    def sweep(self) -> list[str]:
        """Settles what dead owners left, and deletes what has expired. Returns the names of its bodies."""
        with self.database.write(relaxed=True) as connection:
            self.settle(connection)
            expired = table.delete().where(
                table.c.expires_at < self.database.now(), table.c.state != RUNNING, table.c.webhook_at.is_(None)
            )
            deleted = connection.execute(expired.returning(table.c.body, table.c.job_request))
            return [name for names in deleted for name in names if name]

    def count(self) -> dict[str, int]:
        """How many records there are in each state."""
        with self.database.read() as connection:
            rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
            return dict(rows.all())

    def select(self, connection: Connection, condition: Any) -> Record | None:
        row = connection.execute(select(table, self.is_alive().label("is_alive")).where(condition)).first()
        if not row:
            return None
        return Record(
            row.id,
            row.state,
            row.owner,
            row.fingerprint,
            bool(row.is_alive),
            row.status,
            json.loads(row.headers) if row.headers else None,
            row.body,
            row.cost_micros,
            row.job_surface is not None,
        )

    def is_alive(self) -> ColumnElement[bool]:
        """SQL for whether a record's call goes on: in its owner, or else in any worker that has the upstream's key."""
        unsent = table.c.job_sent_at.is_(None)
        anywhere = case((table.c.job_key_is_ours == 1, unsent), else_=false())
        return (table.c.lease_until > self.database.now()) | anywhere

    def update(self, connection: Connection, id: str, **values: Any) -> bool:
        return bool(connection.execute(table.update().where(table.c.id == id).values(**values)).rowcount)
