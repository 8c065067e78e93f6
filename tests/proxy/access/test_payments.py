"""What a request cost in the end."""

import time
from typing import Any

import gevent
import pytest

from compat.errors import ApiError, Bought, ErrorKind
from compat.image_models import Prices
from compat.images import Usage
from proxy.access.estimates import Expected
from proxy.access.key_records import KeyRecords
from proxy.access.payments import Payment, Payments, cost_of
from proxy.observation.record import Observation, UpstreamTimes
from proxy.purchases.call import Made, running
from proxy.state.database import Database, DatabaseUnavailable
from tests.proxy.access.conftest import MakeKey
from tests.proxy.access.test_estimates import FLASH

PICTURE = Usage(0, 0, 0, 1290)
NO, YES, UNKNOWN = Bought.NO, Bought.YES, Bought.UNKNOWN


def failure(bought: Bought, usage: Usage | None = None) -> UpstreamTimes:
    return UpstreamTimes(failure=ApiError(ErrorKind.INTERNAL, "", bought=bought, usage=usage))


@pytest.mark.parametrize(
    ("bought", "usage", "failures", "cost"),
    [
        (YES, PICTURE, [], 38_700),
        (YES, None, [], 160_000),  # compressed, or unreadable
        (NO, None, [failure(NO)], 0),
        (UNKNOWN, None, [], 160_000),
        (None, PICTURE, [], 160_000),  # given up
        (UNKNOWN, None, [failure(UNKNOWN)], 40_000),
        (UNKNOWN, None, [failure(NO), failure(NO), failure(UNKNOWN), failure(UNKNOWN)], 80_000),
        (YES, PICTURE, [failure(NO), failure(NO), failure(NO)], 38_700),
        (YES, PICTURE, [failure(UNKNOWN), failure(NO)], 78_700),
        (YES, None, [failure(YES, Usage(100, 0, 40, 0))], 130),  # a refusal that reports its tokens
        (YES, None, [failure(YES)], 40_000),
    ],
)
def test_the_cost_of_four_calls(bought: Bought | None, usage: Usage | None, failures: list[UpstreamTimes], cost: int):
    observation = Observation("id", "POST", prices=Prices(0.30, 2.50, 30), usage=usage, upstream=failures)
    assert cost_of(observation, 160_000, 4, bought) == cost


def test_a_picture_that_costs_the_same_whatever_its_tokens():
    observation = Observation("id", "POST", price_per_picture=0.02, pictures=3)
    assert cost_of(observation, 80_000, 1, YES) == 60_000


@pytest.fixture
def payments(database: Database) -> Payments:
    return Payments(database, "a worker")


def made_after(seconds: float, observation: Observation) -> Made:
    observation.call()
    gevent.sleep(seconds)
    observation.usage, observation.pictures = PICTURE, 1
    return Made(200, {}, iter([b"picture"]))


def pay(payments: Payments, payment: Payment, seconds: float = 0.0) -> None:
    list(payments.paid(payment, lambda: made_after(seconds, payment.observation))().chunks)


def payment_of(key: object) -> Payment:
    return Payment(key, Expected(FLASH), Observation("id", "POST", prices=FLASH.upstream.prices))  # type: ignore[arg-type]


def wait_until_written(payments: Payments) -> None:
    """A settlement is written soon after its call."""
    with gevent.Timeout(10):
        while payments.writer:
            gevent.sleep(0.01)


def test_calls_at_once_pay_together_and_not_too_much(payments: Payments, records: KeyRecords, make_key: MakeKey):
    key = make_key(budget=10 * 38_700)
    callers = [gevent.spawn(pay, payments, payment_of(key), 0.05) for _ in range(40)]
    gevent.joinall(callers)
    bought = sum(caller.successful() for caller in callers)
    assert 8 <= bought <= 10
    assert {caller.exception.kind for caller in callers if not caller.successful()} == {ErrorKind.RATE_LIMITED}
    wait_until_written(payments)
    record = records.named("ann", time.time())
    assert record
    assert (record.spent, record.reserved) == (bought * 38_700, 0)


def test_a_worker_does_not_stop_before_a_cost_is_recorded(payments: Payments, make_key: MakeKey):
    pay(payments, payment_of(make_key(budget=1_000_000)))
    assert payments in running
    wait_until_written(payments)
    assert payments not in running
    assert payments.held == set()


def test_a_cost_that_cannot_be_recorded_is_recorded_later(
    payments: Payments, records: KeyRecords, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
):
    write, away = payments.ledger.write, [True]

    def sometimes(reservations: Any, settlements: Any, now: float) -> Any:
        if settlements and away.pop():
            away.append(False)
            raise DatabaseUnavailable("The database is away.")
        return write(reservations, settlements, now)

    monkeypatch.setattr(payments.ledger, "write", sometimes)
    pay(payments, payment_of(make_key(budget=1_000_000)))
    with gevent.Timeout(10):
        while payments.held:
            gevent.sleep(0.05)
    record = records.named("ann", time.time())
    assert record and (record.spent, record.reserved, away) == (38_700, 0, [])


def test_what_bought_nothing_is_given_back_before_the_caller_hears_of_it(
    payments: Payments, records: KeyRecords, make_key: MakeKey
):
    def refused() -> Made:
        raise ApiError(ErrorKind.RATE_LIMITED, "too many", bought=NO)

    with pytest.raises(ApiError):
        payments.paid(payment_of(make_key(budget=1_000_000)), refused)()
    record = records.named("ann", time.time())
    assert record and (record.spent, record.reserved) == (0, 0)


def test_a_caller_that_leaves_pays_what_was_reserved_or_nothing_if_it_left_before(
    payments: Payments, records: KeyRecords, make_key: MakeKey
):
    key = make_key(budget=1_000_000)
    before = gevent.spawn(pay, payments, payment_of(key), 60)
    gevent.sleep(0)
    before.kill()
    during = gevent.spawn(pay, payments, payment_of(key), 60)
    with gevent.Timeout(10):
        while not payments.held:
            gevent.sleep(0.01)
    gevent.sleep(0.2)
    during.kill()
    wait_until_written(payments)
    record = records.named("ann", time.time())
    assert record
    assert (record.spent, record.reserved) == (40_200, 0)
    assert payments.held == set()


def test_nothing_is_bought_while_the_database_is_away(make_key: MakeKey):
    payments = Payments(Database("postgresql://nobody@127.0.0.1:1/none"), "a worker")
    payment = payment_of(make_key())
    with pytest.raises(ApiError) as refused:
        pay(payments, payment)
    assert (refused.value.kind, refused.value.bought) == (ErrorKind.STATE_UNAVAILABLE, NO)
    assert payment.observation.upstream == []
