"""A budget is not overspent, whatever comes at once and whoever dies."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from compat.errors import ApiError, ErrorKind
from proxy.access import ledger as module
from proxy.access.key_records import KeyRecords
from proxy.access.ledger import Hold, Ledger, Reservation, Settlement, Spent
from proxy.caller import AccessKey
from proxy.state.database import Database
from tests.proxy.access.conftest import NOW, MakeKey

MODEL = "gemini-2.5-flash-image"
DAY = 86400.0


def reserve(ledger: Ledger, key: AccessKey, micros: int, now: float = NOW) -> Hold | ApiError:
    [outcome] = ledger.write([Reservation(key, MODEL, micros)], [], now)
    return outcome


def held(ledger: Ledger, key: AccessKey, micros: int, now: float = NOW) -> Hold:
    hold = reserve(ledger, key, micros, now)
    assert isinstance(hold, Hold), hold
    return hold


def refused(ledger: Ledger, key: AccessKey, micros: int, now: float = NOW) -> ApiError:
    error = reserve(ledger, key, micros, now)
    assert isinstance(error, ApiError)
    return error


def settle(ledger: Ledger, hold: Hold, micros: int, pictures: int = 1, was_made: bool = True) -> None:
    ledger.write([], [Settlement(hold, micros, pictures, was_made)], NOW)


def sums(records: KeyRecords, name: str = "ann", now: float = NOW) -> tuple[int, int]:
    record = records.named(name, now)
    assert record
    return record.spent, record.reserved


def test_what_is_reserved_is_settled_with_what_it_cost(ledger: Ledger, records: KeyRecords, make_key: MakeKey):
    key = make_key(budget=100)
    hold = held(ledger, key, 60)
    assert sums(records) == (0, 60)
    settle(ledger, hold, 45)
    settle(ledger, hold, 45)  # a second time, after an answer of the database that was lost
    assert sums(records) == (45, 0)
    assert ledger.spent("2026-11-01") == [Spent("2026-11-30", "ann", MODEL, 1, 1, 45)]


def test_a_budget_that_is_held_and_one_that_is_spent_are_two_errors(ledger: Ledger, make_key: MakeKey):
    key = make_key(budget=1_000_000)
    hold = held(ledger, key, 700_000)
    error = refused(ledger, key, 700_000)
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, 5)
    assert "0.70 of 1.00 USD a month" in error.message
    settle(ledger, hold, 700_000)
    error = refused(ledger, key, 700_000)
    assert (error.kind, error.retry_after, error.may_repeat) == (ErrorKind.BUDGET_EXHAUSTED, None, False)
    assert "The next month begins at 2026-12-01T00:00:00Z" in error.message
    assert isinstance(reserve(ledger, key, 300_000), Hold)


def test_calls_at_once_from_several_workers_never_overspend(database: Database, records: KeyRecords, make_key: MakeKey):
    key, barrier = make_key(budget=1000), threading.Barrier(10)

    def worker(number: int) -> int:
        ledger = Ledger(database, f"worker {number}")
        barrier.wait()
        alone = [reserve(ledger, key, 10) for _ in range(10)]
        together = ledger.write([Reservation(key, MODEL, 10)] * 10, [], NOW)
        return sum(isinstance(one, Hold) for one in (*alone, *together))

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(worker, range(10))) == 100
    assert sums(records) == (0, 1000)


def test_a_period_that_several_workers_begin_at_once_refuses_nobody(
    database: Database, records: KeyRecords, make_key: MakeKey
):
    for number in range(3):
        key, barrier = make_key(f"key{number}", budget=80), threading.Barrier(8)

        def worker(number: int, key: AccessKey = key, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return isinstance(reserve(Ledger(database, f"worker {number}"), key, 10), Hold)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(worker, range(8)))
        assert sums(records, key.name) == (0, 80)


def test_what_is_written_together_is_as_written_alone(ledger: Ledger, records: KeyRecords, make_key: MakeKey):
    ann, ben = make_key(budget=100), make_key("ben")
    orders = [Reservation(key, MODEL, micros) for key, micros in [(ann, 60), (ben, 500), (ann, 60), (ann, 40)]]
    first, second, third, fourth = ledger.write(orders, [], NOW)
    assert [type(one) for one in (first, second, third, fourth)] == [Hold, Hold, ApiError, Hold]
    assert (sums(records), sums(records, "ben")) == ((0, 100), (0, 500))
    over = [Settlement(one, 10, 1, was_made) for one, was_made in [(first, True), (second, True), (fourth, False)]]
    ledger.write([], over, NOW)
    assert (sums(records), sums(records, "ben")) == ((10 + 10, 0), (10, 0))


def test_a_call_that_was_never_made_leaves_no_trace(ledger: Ledger, records: KeyRecords, make_key: MakeKey):
    settle(ledger, held(ledger, make_key(budget=100), 60), 0, 0, was_made=False)
    assert sums(records) == (0, 0)
    assert ledger.spent("2026-11-01") == []


@pytest.mark.parametrize(("per", "later"), [("day", NOW + DAY), ("month", NOW + 2 * DAY), ("total", None)])
def test_a_new_period_has_the_whole_budget(
    ledger: Ledger, records: KeyRecords, make_key: MakeKey, per: str, later: float | None
):
    key = make_key(per=per, budget=100)
    hold = held(ledger, key, 90)
    if later is None:
        assert isinstance(reserve(ledger, key, 90, NOW + 400 * DAY), ApiError)
        return
    settle(ledger, held(ledger, key, 90, later), 80)
    settle(ledger, hold, 70)  # belongs to the period in which it began
    assert (sums(records, now=NOW), sums(records, now=later)) == ((70, 0), (80, 0))


def test_the_reserve_of_a_dead_worker_becomes_a_cost(
    ledger: Ledger, records: KeyRecords, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "LEASE_SECONDS", -1.0)
    dying = Ledger(ledger.database, "a dying worker")
    key = make_key(budget=100)
    dead, late, dropped = held(dying, key, 30), held(dying, key, 30), held(dying, key, 30)
    alive = held(ledger, key, 10)
    for _ in range(2):
        ledger.sweep()
    assert sums(records) == (90, 10)
    settle(dying, late, 20)  # it was only slow
    settle(dying, dropped, 0, 0, was_made=False)
    settle(ledger, alive, 5)
    assert sums(records) == (30 + 20 + 5, 0)
    assert dead.micros == 30


def test_a_renewed_lease_keeps_a_reserve(
    ledger: Ledger, records: KeyRecords, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "LEASE_SECONDS", -1.0)
    hold = held(Ledger(ledger.database, "slow"), make_key(budget=100), 30)
    monkeypatch.setattr(module, "LEASE_SECONDS", 30.0)
    ledger.renew([hold.call])
    ledger.sweep()
    assert sums(records) == (0, 30)


def test_requests_per_minute_are_those_of_any_minute(
    ledger: Ledger, records: KeyRecords, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MINUTE", 1.0)
    ledger = Ledger(ledger.database, "a worker")
    key = make_key(budget=1000, requests_per_minute=3)
    outcomes = ledger.write([Reservation(key, MODEL, 10)] * 5, [], NOW)
    assert [type(one) for one in outcomes] == [Hold, Hold, Hold, ApiError, ApiError]
    error = refused(ledger, key, 10)
    assert error.kind is ErrorKind.RATE_LIMITED
    assert error.retry_after
    assert 0 < error.retry_after <= 1
    assert sums(records) == (0, 30)
    threading.Event().wait(error.retry_after + 0.05)
    assert isinstance(reserve(ledger, key, 10), Hold)


def test_old_calls_become_the_sums_of_their_day(ledger: Ledger, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CALL_LIST_SECONDS", -1.0)
    key, ben = make_key(), make_key("ben")
    for _ in range(2):
        for one in (key, key, ben):
            settle(ledger, held(ledger, one, 50), 40, 2)
        held(ledger, ben, 7)  # still open
        ledger.sweep()
    expected = [Spent("2026-11-30", "ann", MODEL, 4, 8, 160), Spent("2026-11-30", "ben", MODEL, 2, 4, 80)]
    assert ledger.spent("2026-11-01") == expected
    settle(ledger, held(ledger, ben, 50), 40, 2)
    assert ledger.spent("2026-11-30")[1] == Spent("2026-11-30", "ben", MODEL, 3, 6, 120)
    assert ledger.spent("2026-12-01") == []
