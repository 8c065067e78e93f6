"""The keys in the database: made, looked up, replaced and revoked. Every function is one short transaction."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.exc import IntegrityError

from proxy.access.key_format import hash_of, new_key
from proxy.access.periods import period_of
from proxy.caller import AccessKey
from proxy.limits import KEY_USE_SECONDS
from proxy.state.database import Database
from proxy.state.tables import access_budgets, access_hashes, access_keys

FIND = (
    select(access_keys, access_hashes.c.valid_until)
    .join(access_hashes, access_hashes.c.key_id == access_keys.c.id)
    .where(access_hashes.c.hash == bindparam("hash"))
)


@dataclass(frozen=True)
class KeyRecord:
    """A key, with what only its operator needs. Times are seconds since 1970, amounts millionths of a USD."""

    key: AccessKey
    created_at: float
    revoked_at: float | None = None
    last_used_at: float | None = None
    replaced_at: float | None = None  # when the secret that was looked up ends, or ended
    spent: int = 0
    reserved: int = 0

    @property
    def left(self) -> int | None:
        """What can still be spent; None without a budget."""
        return None if self.key.budget_micros is None else max(0, self.key.budget_micros - self.spent - self.reserved)


class NameTaken(ValueError):
    """A key of this name exists, perhaps a revoked one."""


class KeyRecords:
    """The table of keys."""

    def __init__(self, database: Database):
        self.database = database

    def create(self, key: AccessKey, now: float) -> str:
        """Records a new key, without its id, and returns the secret, which is nowhere after that. Raises NameTaken."""
        secret, id = new_key(), f"key_{secrets.token_hex(12)}"
        values = {**columns_of(key), "id": id, "name": key.name, "per": key.per, "created_at": now}
        try:
            with self.database.write() as connection:
                connection.execute(access_keys.insert().values(values))
                connection.execute(access_hashes.insert().values(hash=hash_of(secret), key_id=id))
        except IntegrityError:
            raise NameTaken(key.name) from None
        return secret

    def change(self, key: AccessKey) -> None:
        """Records what a key may do from now on; its name and the time of its budget stay."""
        with self.database.write() as connection:
            connection.execute(access_keys.update().where(access_keys.c.id == key.id).values(columns_of(key)))

    def rotate(self, id: str, until: float) -> str:
        """A new secret for a key; the one before is accepted until then."""
        secret = new_key()
        current = (access_hashes.c.key_id == id) & access_hashes.c.valid_until.is_(None)
        with self.database.write() as connection:
            connection.execute(access_hashes.update().where(current).values(valid_until=until))
            connection.execute(access_hashes.insert().values(hash=hash_of(secret), key_id=id))
        return secret

    def revoke(self, id: str, now: float) -> None:
        """Ends a key for good."""
        with self.database.write() as connection:
            connection.execute(access_keys.update().where(access_keys.c.id == id).values(revoked_at=now))

    def find(self, hash: str) -> KeyRecord | None:
        """The key that a secret belongs to, by its hash. Raises DatabaseUnavailable."""
        with self.database.read() as connection:
            row = connection.execute(FIND, {"hash": hash}).first()
        return replace(record_of(row), replaced_at=row.valid_until) if row else None

    def with_id(self, id: str) -> KeyRecord | None:
        """The key of an id. Raises DatabaseUnavailable."""
        with self.database.read() as connection:
            row = connection.execute(select(access_keys).where(access_keys.c.id == id)).first()
        return record_of(row) if row else None

    def note_use(self, id: str, now: float) -> None:
        """Records that a key was used, to the minute."""
        old = access_keys.c.last_used_at.is_(None) | (access_keys.c.last_used_at < now - KEY_USE_SECONDS)
        with self.database.write() as connection:
            connection.execute(access_keys.update().where(access_keys.c.id == id, old).values(last_used_at=now))

    def named(self, name: str, now: float) -> KeyRecord | None:
        """The key of a name, with what it has spent in the present period."""
        return next(iter(self.all(now, (name,))), None)

    def all(self, now: float, names: Iterable[str] = ()) -> list[KeyRecord]:
        """All keys, or those of some names, with what they have spent in the present period, by name."""
        statement = select(access_keys).order_by(access_keys.c.name)
        if names := tuple(names):
            statement = statement.where(access_keys.c.name.in_(names))
        periods = {period_of(per, now) for per in ("month", "day", "total")}
        with self.database.read() as connection:
            rows = connection.execute(statement).all()
            spent = connection.execute(select(access_budgets).where(access_budgets.c.period.in_(periods))).all()
        sums = {(row.key_id, row.period): row for row in spent}
        return [record_of(row, sums.get((row.id, period_of(row.per, now)))) for row in rows]


def columns_of(key: AccessKey) -> dict[str, Any]:
    """What an operator can change of a key."""
    return {
        "budget": key.budget_micros,
        "models": json.dumps(sorted(key.models)) if key.models is not None else None,
        "requests_per_minute": key.requests_per_minute,
        "expires_at": key.expires_at,
    }


def record_of(row: Row[Any], spent: Row[Any] | None = None) -> KeyRecord:
    models = frozenset(json.loads(row.models)) if row.models else None
    key = AccessKey(row.id, row.name, row.per, row.budget, models, row.requests_per_minute, row.expires_at)
    sums = (spent.spent, spent.reserved) if spent else (0, 0)
    return KeyRecord(key, row.created_at, row.revoked_at, row.last_used_at, None, *sums)
