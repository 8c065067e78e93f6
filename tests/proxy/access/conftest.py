"""A migrated database of each kind with a ledger over it, and keys of ours."""

from collections.abc import Callable

import pytest

from proxy.access.key_records import KeyRecords
from proxy.access.ledger import Ledger
from proxy.caller import AccessKey
from proxy.state.database import Database

NOW = 1_796_000_000.0  # 2026-11-30, in the morning
MakeKey = Callable[..., AccessKey]


@pytest.fixture
def records(database: Database) -> KeyRecords:
    return KeyRecords(database)


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, "a worker")


@pytest.fixture
def make_key(records: KeyRecords) -> MakeKey:
    """Makes a key with limits; its budget is in millionths of a USD."""

    def make(name: str = "ann", per: str = "month", budget: int | None = None, **limits: int) -> AccessKey:
        records.create(AccessKey("", name, per, budget, **limits), NOW)
        record = records.named(name, NOW)
        assert record
        return record.key

    return make
