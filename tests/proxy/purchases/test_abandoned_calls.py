"""proxy/purchases/abandoned_calls.py: the retry of an SDK gets what its first try bought, once."""

import gevent
import pytest
from sqlalchemy import text

from compat.errors import ApiError, Bought, ErrorKind
from proxy.purchases.purchases import Purchases
from proxy.state.database import Database
from tests.proxy.purchases.shop import Bodies, Upstream, body_of, buying, hang_up, order, worker

Workers = tuple[Purchases, Purchases]
SLOW = 0.25  # seconds that a picture takes
BY = pytest.mark.parametrize("second", [0, 1], ids=["same worker", "other worker"])


def records(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM purchases")).scalar() or 0)


@BY
def test_a_retry_joins_its_first_try(workers: Workers, upstream: Upstream, database: Database, second: int):
    upstream.seconds = SLOW
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    delivery = workers[second].buy(order(retry_count=1), upstream.make)
    assert delivery.how == "joined"
    assert body_of(delivery) == b"picture 1"
    assert upstream.asked == 1
    gevent.sleep(0.1)
    assert records(database) == 0


@BY
def test_a_retry_that_comes_late_gets_what_was_kept(workers: Workers, upstream: Upstream, second: int):
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    gevent.sleep(0.3)
    delivery = workers[second].buy(order(retry_count=1), upstream.make)
    assert (delivery.how, delivery.saved()) == ("replayed", 0.039)
    assert body_of(delivery) == b"picture 1"
    assert upstream.asked == 1


@BY
def test_what_was_kept_is_handed_out_once(
    workers: Workers, upstream: Upstream, database: Database, bodies: Bodies, second: int
):
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    gevent.sleep(0.3)
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 2"
    gevent.sleep(0.1)
    assert (records(database), bodies.kept) == (0, {})


@BY
def test_three_equal_first_tries_are_three_purchases_and_each_retry_gets_another(
    workers: Workers, upstream: Upstream, second: int
):
    upstream.seconds = SLOW
    callers = [buying(workers[0], order(retry_count=0), upstream.make) for _ in range(3)]
    gevent.sleep(0.01)
    gevent.killall(callers)
    again = [buying(workers[(second + number) % 2], order(retry_count=1), upstream.make) for number in range(3)]
    gevent.joinall(again, timeout=10)
    assert sorted(caller.get() for caller in again) == [b"picture 1", b"picture 2", b"picture 3"]
    assert upstream.asked == 3


def test_a_retry_can_come_before_its_first_try_has_left(workers: Workers, upstream: Upstream):
    upstream.seconds = SLOW
    first = buying(workers[0], order(retry_count=0), upstream.make)
    gevent.sleep(0.01)
    retry = buying(workers[0], order(retry_count=1), upstream.make)
    gevent.sleep(0.1)
    hang_up(first)
    assert retry.get(timeout=5) == b"picture 1"
    assert upstream.asked == 1


@BY
def test_a_retry_that_leaves_too_leaves_the_call_for_the_next(workers: Workers, upstream: Upstream, second: int):
    upstream.seconds = 0.5
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    gevent.sleep(0.05)
    retry = buying(workers[second], order(retry_count=1), upstream.make)
    gevent.sleep(0.1)
    hang_up(retry)
    assert body_of(workers[0].buy(order(retry_count=2), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_call_that_nobody_comes_for_is_ended(workers: Workers, upstream: Upstream, database: Database):
    upstream.seconds = 60
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    gevent.sleep(0.3)
    assert (upstream.ended, records(database)) == (0, 1)
    gevent.sleep(0.6)
    assert (upstream.ended, records(database)) == (1, 0)


@BY
def test_a_call_that_somebody_came_for_runs_to_its_end(workers: Workers, upstream: Upstream, second: int):
    upstream.seconds = 1.2  # longer than an abandoned call may take
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_caller_of_a_stream_that_leaves_after_its_headers_ends_its_call(workers: Workers, upstream: Upstream):
    upstream.seconds, upstream.flows = 60, True
    delivery = workers[0].buy(order(retry_count=0), upstream.make)
    assert next(delivery.chunks) == b"picture "
    delivery.close()
    gevent.sleep(0.05)
    assert upstream.ended == 1


def test_an_answer_that_was_cut_on_its_way_is_kept_for_the_retry(workers: Workers, upstream: Upstream):
    delivery = workers[0].buy(order(retry_count=0), upstream.make)
    delivery.close()  # nothing of it was sent
    gevent.sleep(0.05)
    assert body_of(workers[1].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_first_try_with_the_count_of_one_buys(workers: Workers, upstream: Upstream):
    assert body_of(workers[0].buy(order(retry_count=1), upstream.make)) == b"picture 1"


@pytest.mark.parametrize("other", [order(retry_count=1, content="a dog"), order(retry_count=1, scope="bob")])
def test_nobody_else_gets_it(workers: Workers, upstream: Upstream, other):
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    assert body_of(workers[0].buy(other, upstream.make)) == b"picture 2"


@BY
def test_a_first_try_that_bought_nothing_leaves_nothing(workers: Workers, upstream: Upstream, second: int):
    upstream.troubles = [ApiError(ErrorKind.RATE_LIMITED, "Slow down.")]
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    gevent.sleep(0.2)
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 2"


@BY
def test_a_first_try_with_an_unknown_outcome_is_not_bought_again(workers: Workers, upstream: Upstream, second: int):
    upstream.troubles = [ApiError(ErrorKind.UPSTREAM_TIMEOUT, "Too late.", bought=Bought.UNKNOWN)]
    hang_up(buying(workers[0], order(retry_count=0), upstream.make))
    gevent.sleep(0.2)
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"Too late."
    assert upstream.asked == 1


def test_without_a_database_the_same_worker_still_knows_its_calls(upstream: Upstream, bodies: Bodies):
    purchases = worker(Database("sqlite:////nowhere/at/all.sqlite3"), bodies)
    upstream.seconds = SLOW
    hang_up(buying(purchases, order(retry_count=0), upstream.make))
    assert body_of(purchases.buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_the_database_is_not_touched_while_everybody_stays(upstream: Upstream, bodies: Bodies):
    purchases = worker(Database("sqlite:////nowhere/at/all.sqlite3"), bodies)
    assert body_of(purchases.buy(order(retry_count=0), upstream.make)) == b"picture 1"
    assert "records" not in vars(purchases.keeping)
