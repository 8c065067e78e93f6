"""proxy/purchases/keyed_calls.py: a key buys once, whoever asks with it, wherever, whatever goes wrong."""

import gevent
import pytest
from sqlalchemy import text

from compat.errors import ApiError, Bought, ErrorKind
from proxy.purchases import call, keeping
from proxy.purchases.purchases import Purchases
from proxy.state.database import Database, DatabaseUnavailable
from tests.proxy.purchases.shop import Bodies, Upstream, body_of, buying, eventually, hang_up, order, worker

Workers = tuple[Purchases, Purchases]
RATE_LIMITED = ApiError(ErrorKind.RATE_LIMITED, "Slow down.", retry_after=1.0)
TIMED_OUT = ApiError(ErrorKind.UPSTREAM_TIMEOUT, "No answer in time.", bought=Bought.UNKNOWN)
REFUSED = ApiError(ErrorKind.CONTENT_BLOCKED, "No.", bought=Bought.YES)


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT state FROM purchases ORDER BY created_at")).scalars())


def recorded() -> None:
    """Waits until the ends of all calls are recorded."""
    eventually(lambda: not call.running, "the end of a call is recorded")


@pytest.mark.parametrize("flows", [False, True])
@pytest.mark.parametrize("second", [0, 1], ids=["same worker", "other worker"])
def test_a_key_that_comes_again_gets_the_same_answer(workers: Workers, upstream: Upstream, second: int, flows: bool):
    upstream.flows = flows
    first = body_of(workers[0].buy(order("k"), upstream.make))
    recorded()
    again = workers[second].buy(order("k"), upstream.make)
    assert (again.how, again.status, again.saved()) == ("replayed", 200, 0.039)
    assert again.headers["Content-Type"] == ("text/event-stream" if flows else "application/json")
    assert body_of(again) == first == b"picture 1"
    assert upstream.asked == 1


def test_ten_callers_at_once_on_two_workers_buy_one_picture(workers: Workers, upstream: Upstream):
    callers = [buying(workers[number % 2], order("k"), upstream.make) for number in range(10)]
    gevent.joinall(callers, timeout=20)
    assert {caller.get() for caller in callers} == {b"picture 1"}
    assert upstream.sold == 1


def test_a_caller_that_joins_a_flowing_answer_gets_all_of_it(workers: Workers, upstream: Upstream):
    upstream.flows, upstream.seconds = True, 0.5
    first = buying(workers[0], order("k"), upstream.make)
    gevent.sleep(0.02)
    joined = workers[0].buy(order("k"), upstream.make)
    assert joined.how == "joined"
    assert body_of(joined) == first.get() == b"picture 1"


def test_a_keyed_call_goes_on_without_its_caller(workers: Workers, upstream: Upstream):
    hang_up(workers[0], order("k"), upstream)
    assert body_of(workers[1].buy(order("k"), upstream.make)) == b"picture 1"
    assert (upstream.asked, upstream.sold) == (1, 1)


def test_the_same_key_with_other_content_is_refused(workers: Workers, upstream: Upstream):
    body_of(workers[0].buy(order("k"), upstream.make))
    with pytest.raises(ApiError) as raised:
        workers[1].buy(order("k", content="a dog"), upstream.make)
    assert (raised.value.kind, raised.value.bought) == (ErrorKind.IDEMPOTENCY_KEY_REUSED, Bought.NO)


def test_the_same_key_of_another_caller_is_another_purchase(workers: Workers, upstream: Upstream):
    assert body_of(workers[0].buy(order("k"), upstream.make)) == b"picture 1"
    assert body_of(workers[0].buy(order("k", scope="bob"), upstream.make)) == b"picture 2"


@pytest.mark.parametrize("second", [0, 1])
def test_what_bought_nothing_is_forgotten(workers: Workers, upstream: Upstream, database: Database, second: int):
    upstream.troubles = [RATE_LIMITED]
    with pytest.raises(ApiError) as raised:
        workers[0].buy(order("k"), upstream.make)
    assert raised.value.retry_after == 1.0
    recorded()
    assert states(database) == []
    assert body_of(workers[second].buy(order("k"), upstream.make)) == b"picture 2"


def test_those_who_waited_get_the_rate_limit_too(workers: Workers, upstream: Upstream):
    upstream.troubles, upstream.seconds = [RATE_LIMITED], 0.2
    callers = [buying(workers[0], order("k"), upstream.make)]
    gevent.sleep(0.05)
    callers += [buying(workers[number % 2], order("k"), upstream.make) for number in range(4)]
    gevent.joinall(callers, timeout=20)
    assert [caller.exception.message for caller in callers if caller.exception] == ["Slow down."] * 3
    assert [caller.value for caller in callers if not caller.exception] == [b"Slow down."] * 2  # of the other worker
    assert upstream.asked == 1
    assert body_of(workers[1].buy(order("k"), upstream.make)) == b"picture 2"


@pytest.mark.parametrize("trouble", [TIMED_OUT, REFUSED], ids=["unknown", "refusal"])
@pytest.mark.parametrize("second", [0, 1])
def test_an_error_that_may_have_cost_something_is_repeated(
    workers: Workers, upstream: Upstream, trouble: ApiError, second: int
):
    upstream.troubles = [trouble]
    with pytest.raises(ApiError) as raised:
        workers[0].buy(order("k"), upstream.make)
    assert "a new one makes a new purchase" in raised.value.message
    recorded()
    again = workers[second].buy(order("k"), upstream.make)
    assert (again.status, again.headers["x-kind"]) == (500, trouble.kind.name)
    assert body_of(again).decode() == raised.value.message
    assert upstream.asked == 1


def test_a_flowing_answer_that_breaks_off_is_an_error_for_those_who_ask_later(workers: Workers, upstream: Upstream):
    broken = ApiError(ErrorKind.UPSTREAM_BROKEN, "The answer broke off.", bought=Bought.UNKNOWN)
    upstream.flows, upstream.troubles = True, [broken]
    with pytest.raises(ApiError, match="broke off"):
        body_of(workers[0].buy(order("k"), upstream.make))
    recorded()
    again = workers[1].buy(order("k"), upstream.make)
    assert again.status == 500
    assert b"The answer broke off." in body_of(again)


@pytest.mark.usefixtures("leases_end")
def test_a_worker_that_died_leaves_an_unknown_outcome(workers: Workers, upstream: Upstream, database: Database):
    upstream.seconds = 60
    dying = workers[0]
    running = buying(dying, order("k"), upstream.make)
    eventually(lambda: upstream.asked, "the upstream is asked")
    dying.keeping.leased.clear()  # nobody renews its lease any more
    with pytest.raises(ApiError) as raised:
        workers[1].buy(order("k"), upstream.make)
    assert (raised.value.kind, raised.value.bought) == (ErrorKind.OUTCOME_UNKNOWN, Bought.UNKNOWN)
    with pytest.raises(ApiError, match="a new one makes a new purchase"):
        workers[1].buy(order("k"), upstream.make)
    assert states(database) == ["unknown"]
    assert (upstream.asked, running.ready()) == (1, False)


@pytest.mark.usefixtures("leases_end")
def test_a_lease_is_renewed_as_long_as_the_call_runs(workers: Workers, upstream: Upstream):
    upstream.seconds = 2.0  # twice as long as a lease
    first = buying(workers[0], order("k"), upstream.make)
    eventually(lambda: upstream.asked, "the upstream is asked")
    assert body_of(workers[1].buy(order("k"), upstream.make)) == b"picture 1"
    assert first.get() == b"picture 1"


@pytest.mark.usefixtures("leases_end")
def test_a_call_whose_end_cannot_be_recorded_becomes_unknown_while_others_run(
    workers: Workers, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise DatabaseUnavailable("The database cannot be reached.")

    monkeypatch.setattr(keeping, "RECORD_TRIES", 1)
    monkeypatch.setattr(workers[0].keeping.records, "finish", fail)
    assert body_of(workers[0].buy(order("k"), upstream.make)) == b"picture 1"
    recorded()
    upstream.seconds = 60
    buying(workers[0], order("other"), upstream.make)
    with gevent.Timeout(10), pytest.raises(ApiError) as raised:
        workers[1].buy(order("k"), upstream.make)
    assert raised.value.kind is ErrorKind.OUTCOME_UNKNOWN


def test_an_answer_that_cannot_be_kept_reaches_its_caller_and_forbids_a_second_purchase(
    workers: Workers, upstream: Upstream, bodies: Bodies
):
    bodies.full = True
    assert body_of(workers[0].buy(order("k"), upstream.make)) == b"picture 1"
    recorded()
    with pytest.raises(ApiError) as raised:
        workers[1].buy(order("k"), upstream.make)
    assert raised.value.bought is Bought.YES
    assert upstream.asked == 1


def test_a_kept_answer_that_is_damaged_is_not_bought_again(workers: Workers, upstream: Upstream, bodies: Bodies):
    body_of(workers[0].buy(order("k"), upstream.make))
    recorded()
    bodies.kept = dict.fromkeys(bodies.kept, b'{"created":1}')
    with pytest.raises(ApiError) as raised:
        workers[1].buy(order("k"), upstream.make)
    assert (raised.value.kind, raised.value.bought) == (ErrorKind.OUTCOME_UNKNOWN, Bought.YES)
    assert upstream.asked == 1


def test_without_a_database_nothing_is_bought_with_a_key(upstream: Upstream, bodies: Bodies):
    purchases = worker(Database("sqlite:////nowhere/at/all.sqlite3"), bodies)
    with pytest.raises(ApiError) as raised:
        purchases.buy(order("k"), upstream.make)
    assert (raised.value.kind, raised.value.bought) == (ErrorKind.STATE_UNAVAILABLE, Bought.NO)
    assert upstream.asked == 0


def test_expired_records_and_their_bodies_are_deleted(database: Database, bodies: Bodies, upstream: Upstream):
    purchases = worker(database, bodies, keep_seconds=1)
    body_of(purchases.buy(order("k"), upstream.make))
    recorded()
    assert (len(states(database)), len(bodies.kept)) == (1, 1)
    gevent.sleep(1.1)
    purchases.keeping.sweep()
    assert (states(database), bodies.kept) == ([], {})


def test_a_key_that_has_expired_buys_before_it_is_swept(database: Database, bodies: Bodies, upstream: Upstream):
    purchases = worker(database, bodies, keep_seconds=1)
    assert body_of(purchases.buy(order("k"), upstream.make)) == b"picture 1"
    recorded()
    gevent.sleep(1.1)
    assert body_of(purchases.buy(order("k", content="a dog"), upstream.make)) == b"picture 2"
    assert body_of(purchases.buy(order("k", content="a dog"), upstream.make)) == b"picture 2"
