"""What keys spend, in the database: reserved before a call, settled after it. Amounts are millionths of a USD.

Every function is one short transaction. A budget is one row: a single UPDATE reserves, and its condition is what no
race gets around. A call is a row too, with a lease that its worker renews: when the worker dies, what was reserved
becomes its cost. What a worker has to write at a time is written together: a transaction costs more than what is in it.
None waits for the disk: a power cut may take back what SQLite wrote in the last seconds.

Requests per minute are counted here as well. The `limits` package (5.8.0) counts in memory, Redis, Valkey, Memcached,
MongoDB or etcd: none of them is SQLite or PostgreSQL, and another server only for this is more than a team needs. The
rows of the calls are a sliding window, right to the second on all workers and machines.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, union_all, update

from compat.errors import ApiError, ErrorKind
from proxy.access.periods import end_of, period_of, usd_text, utc_text
from proxy.caller import AccessKey
from proxy.limits import CALL_LIST_SECONDS, HELD_SECONDS, LEASE_SECONDS
from proxy.state.database import Database
from proxy.state.tables import access_budgets as budgets
from proxy.state.tables import access_calls as calls
from proxy.state.tables import access_keys as keys
from proxy.state.tables import access_spending as spending

OPEN, PAID, LOST = "open", "paid", "lost"
MINUTE = 60.0
ROLLED_UP = 1000  # rows at a time

ITS_ROW = (budgets.c.key_id == bindparam("key")) & (budgets.c.period == bindparam("of_period"))
RESERVE = update(budgets).where(ITS_ROW).values(reserved=budgets.c.reserved + bindparam("micros"))
RESERVE_WITHIN = RESERVE.where(budgets.c.spent + budgets.c.reserved + bindparam("micros") <= bindparam("budget"))
SETTLE = (
    update(budgets)
    .where(ITS_ROW)
    .values(reserved=budgets.c.reserved - bindparam("was"), spent=budgets.c.spent + bindparam("micros"))
)
IS_OPEN = (calls.c.id == bindparam("call")) & (calls.c.state == OPEN)
PAY = update(calls).where(IS_OPEN).values(state=PAID, cost=bindparam("micros"), pictures=bindparam("drawn"))
FORGET = delete(calls).where(IS_OPEN)
IS_LOST = (calls.c.id == bindparam("call")) & (calls.c.state == LOST)
CORRECT = update(calls).where(IS_LOST).values(state=PAID, cost=bindparam("micros"), pictures=bindparam("drawn"))


@dataclass(frozen=True)
class Reservation:
    """What a call may cost, to be reserved."""

    key: AccessKey
    model: str
    micros: int


@dataclass(frozen=True)
class Hold:
    """What is reserved for one call."""

    call: str  # the id of its row
    key_id: str
    period: str
    micros: int


@dataclass(frozen=True)
class Settlement:
    """What became of a call."""

    hold: Hold
    micros: int
    pictures: int
    was_made: bool = True  # a call that was refused before the upstream leaves no trace


def columns_of(one: Settlement) -> dict[str, str | int]:
    """The parameters of PAY, FORGET and CORRECT."""
    return {"call": one.hold.call, "micros": one.micros, "drawn": one.pictures}


@dataclass(frozen=True)
class Spent:
    """What a key has spent on a model on a day."""

    day: str
    key: str  # its name
    model: str
    requests: int
    pictures: int
    micros: int


class Ledger:
    """The spending of all keys, as one worker writes it."""

    def __init__(self, database: Database, owner: str):
        """`owner` names this worker."""
        self.database = database
        self.owner = owner
        now = database.now()  # one clock for all machines
        self.begin = calls.insert().values(state=OPEN, started_at=now, lease_until=now + LEASE_SECONDS)
        self.latest = (
            select(calls.c.started_at + MINUTE - now)
            .where(calls.c.key_id == bindparam("key"), calls.c.started_at > now - MINUTE)
            .order_by(calls.c.started_at.desc())
        )

    def write(
        self, reservations: Sequence[Reservation], settlements: Sequence[Settlement], now: float
    ) -> list[Hold | ApiError]:
        """Settles what is over, then reserves, in this order; returns what became of each reservation.

        That is BUDGET_EXHAUSTED, or RATE_LIMITED if other calls hold the rest or the minute's requests are used up.
        `now` is in seconds since 1970. Raises DatabaseUnavailable.
        """
        with self.database.write(relaxed=True) as connection:
            self.lock(connection, {*(one.key.id for one in reservations), *(one.hold.key_id for one in settlements)})
            if settlements:
                self.settle(connection, settlements)
            return self.reserve(connection, reservations, now) if reservations else []

    def lock(self, connection: Connection, key_ids: Collection[str]) -> None:
        """Locks the budgets of some keys, always in the same order: two transactions never wait for each other.

        On SQLite a transaction has the only lock anyway.
        """
        if not self.database.is_sqlite:
            rows = select(budgets.c.key_id).where(budgets.c.key_id.in_(key_ids))
            connection.execute(rows.order_by(budgets.c.key_id, budgets.c.period).with_for_update()).all()

    def reserve(self, connection: Connection, reservations: Sequence[Reservation], now: float) -> list[Hold | ApiError]:
        """Tries to reserve for all calls of a key together, and one by one if that is too much."""
        groups: dict[str, list[tuple[int, Reservation]]] = {}
        for place, one in enumerate(reservations):
            groups.setdefault(one.key.id, []).append((place, one))
        outcomes: dict[int, Hold | ApiError] = {}
        rows = []
        for _, group in sorted(groups.items()):
            key = group[0][1].key
            period = period_of(key.per, now)
            together = len(group) > 1 and self.take(connection, key, period, sum(one.micros for _, one in group))
            for place, one in group:
                hold = Hold(secrets.token_hex(16), key.id, period, one.micros)
                if not together and not self.take(connection, key, period, one.micros):
                    outcomes[place] = self.refusal(connection, key, hold, now)
                    continue
                row = {
                    **{"id": hold.call, "key_id": key.id, "model": one.model, "owner": self.owner},
                    **{"period": period, "day": period_of("day", now), "reserved": one.micros},
                }
                if key.requests_per_minute is None:
                    rows.append(row)
                elif error := self.over_rate(connection, key, key.requests_per_minute):
                    connection.execute(SETTLE, self.settling(key.id, period, one.micros, 0))
                    outcomes[place] = error
                    continue
                else:
                    connection.execute(self.begin, row)
                outcomes[place] = hold
        if rows:
            connection.execute(self.begin, rows)
        return [outcomes[place] for place in range(len(reservations))]

    def take(self, connection: Connection, key: AccessKey, period: str, micros: int) -> bool:
        """Reserves an amount, if it is within the budget."""
        values = {"key": key.id, "of_period": period, "micros": micros}
        statement = RESERVE
        if key.budget_micros is not None and micros:
            statement, values["budget"] = RESERVE_WITHIN, key.budget_micros
        if connection.execute(statement, values).rowcount:
            return True
        row = {"key_id": key.id, "period": period, "spent": 0, "reserved": 0}
        connection.execute(self.database.insert(budgets).values(row).on_conflict_do_nothing())
        return connection.execute(statement, values).rowcount > 0  # the row may be another worker's, made just now

    def refusal(self, connection: Connection, key: AccessKey, hold: Hold, now: float) -> ApiError:
        """Why a call is not within the budget: it is spent, or other calls hold the rest."""
        its_row = (budgets.c.key_id == key.id) & (budgets.c.period == hold.period)
        row = connection.execute(select(budgets).where(its_row)).one()
        budget = key.budget_micros or 0
        each = "" if key.per == "total" else f" a {key.per}"
        if row.spent + hold.micros <= budget:
            return ApiError(
                ErrorKind.RATE_LIMITED,
                f"The rest of the budget of the key '{key.name}' is held by requests that are running: "
                f"{usd_text(row.reserved)} of {usd_text(budget)} USD{each}. Try again when they are over.",
                retry_after=HELD_SECONDS,
            )
        end = end_of(key.per, now)
        return ApiError(
            ErrorKind.BUDGET_EXHAUSTED,
            f"The budget of the key '{key.name}' does not suffice: {usd_text(row.spent)} of {usd_text(budget)} "
            f"USD{each} are spent, and this request may cost {usd_text(hold.micros)} USD."
            + (f" The next {key.per} begins at {utc_text(end)}." if end else ""),
        )

    def over_rate(self, connection: Connection, key: AccessKey, most: int) -> ApiError | None:
        """The error of a request if so many were made within a minute.

        The row of the budget is locked by now, so that requests of one key come one after another.
        """
        wait = connection.execute(self.latest.offset(most - 1).limit(1), {"key": key.id}).scalar()
        if wait is None:
            return None
        message = f"The key '{key.name}' may send {most} requests per minute."
        return ApiError(ErrorKind.RATE_LIMITED, message, retry_after=max(0.001, wait))

    def settle(self, connection: Connection, settlements: Sequence[Settlement]) -> None:
        """Records what calls cost, and gives back what they did not need. One that is settled already stays so."""
        sums: dict[tuple[str, str], list[int]] = {}
        for one in settlements:
            total = sums.setdefault((one.hold.key_id, one.hold.period), [0, 0])
            if connection.execute(PAY if one.was_made else FORGET, columns_of(one)).rowcount:
                total[0] += one.hold.micros
                total[1] += one.micros
            elif connection.execute(CORRECT, columns_of(one)).rowcount:
                # What was reserved had become its cost, though its worker was only slow.
                total[1] += one.micros - one.hold.micros
        for (key_id, period), (was, micros) in sorted(sums.items()):
            connection.execute(SETTLE, self.settling(key_id, period, was, micros))

    def settling(self, key_id: str, period: str, was: int, micros: int) -> dict[str, str | int]:
        return {"key": key_id, "of_period": period, "was": was, "micros": micros}

    def renew(self, ids: Collection[str]) -> None:
        """Renews the leases of these calls."""
        mine = calls.c.id.in_(ids) & (calls.c.state == OPEN)
        with self.database.write(relaxed=True) as connection:
            connection.execute(calls.update().where(mine).values(lease_until=self.database.now() + LEASE_SECONDS))

    def sweep(self) -> None:
        """What was reserved by workers that are gone becomes a cost; old calls are added to the sums of their days."""
        self.settle_lost()
        while self.roll_up():
            pass

    def settle_lost(self) -> None:
        """What was reserved for calls whose lease has run out becomes their cost."""
        dead = (calls.c.state == OPEN) & (calls.c.lease_until < self.database.now())
        lost = calls.update().where(dead).values(state=LOST, cost=calls.c.reserved)
        with self.database.write(relaxed=True) as connection:
            if not (key_ids := set(connection.scalars(select(calls.c.key_id).where(dead)))):
                return
            self.lock(connection, key_ids)
            for row in connection.execute(lost.returning(calls.c.key_id, calls.c.period, calls.c.reserved)).all():
                connection.execute(SETTLE, self.settling(row.key_id, row.period, row.reserved, row.reserved))

    def roll_up(self) -> bool:
        """Adds calls that are older than CALL_LIST_SECONDS to the sums of their day; whether there may be more."""
        old = (calls.c.state != OPEN) & (calls.c.started_at < self.database.now() - CALL_LIST_SECONDS)
        some = select(calls.c.id).where(old).limit(ROLLED_UP)
        sums: dict[tuple[str, str, str], tuple[int, int, int]] = {}
        with self.database.write(relaxed=True) as connection:
            rows = connection.execute(delete(calls).where(calls.c.id.in_(some)).returning(calls)).all()
            for row in rows:
                requests, pictures, cost = sums.get((row.day, row.key_id, row.model), (0, 0, 0))
                sums[row.day, row.key_id, row.model] = requests + 1, pictures + row.pictures, cost + row.cost
            for (day, key_id, model), (requests, pictures, cost) in sorted(sums.items()):
                insert = self.database.insert(spending).values(
                    day=day, key_id=key_id, model=model, requests=requests, pictures=pictures, cost=cost
                )
                added = {name: spending.c[name] + insert.excluded[name] for name in ("requests", "pictures", "cost")}
                connection.execute(insert.on_conflict_do_update(index_elements=["day", "key_id", "model"], set_=added))
        return len(rows) == ROLLED_UP

    def spent(self, since: str) -> list[Spent]:
        """What was spent since a day (2026-11-30), by day, key and model. What is only reserved does not count."""
        recent = (
            select(
                calls.c.day,
                calls.c.key_id,
                calls.c.model,
                func.count().label("requests"),
                func.sum(calls.c.pictures).label("pictures"),
                func.sum(calls.c.cost).label("cost"),
            )
            .where(calls.c.state != OPEN)
            .group_by(calls.c.day, calls.c.key_id, calls.c.model)
        )
        both = union_all(recent, select(spending)).subquery()
        statement = (
            select(
                both.c.day,
                keys.c.name,
                both.c.model,
                func.sum(both.c.requests),
                func.sum(both.c.pictures),
                func.sum(both.c.cost),
            )
            .join(keys, keys.c.id == both.c.key_id)
            .where(both.c.day >= since)
            .group_by(both.c.day, keys.c.name, both.c.model)
            .order_by(both.c.day, keys.c.name, both.c.model)
        )
        with self.database.read() as connection:
            return [Spent(*row[:3], *map(int, row[3:])) for row in connection.execute(statement).all()]
