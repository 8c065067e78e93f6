"""proxy/purchases/abandoned_calls.py: the retry of an SDK gets what its first try bought, once."""

import subprocess
import sys

import gevent
import pytest
from sqlalchemy import text

from compat.errors import ApiError, Bought, ErrorKind
from proxy.purchases import abandoned_calls, call
from proxy.purchases.purchases import Purchases
from proxy.state.database import Database, DatabaseUnavailable
from tests.proxy.purchases.shop import Bodies, Upstream, body_of, buying, eventually, hang_up, order, worker

Workers = tuple[Purchases, Purchases]
SLOW = 0.25  # seconds that a picture takes
LONG = 0.8  # the same, longer than an abandoned call of `nobody_waits_long` may take
BY = pytest.mark.parametrize("second", [0, 1], ids=["same worker", "other worker"])


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT state FROM purchases")).scalars())


def leave(workers: Workers, upstream: Upstream) -> None:
    """The first try of a caller that hangs up."""
    hang_up(workers[0], order(retry_count=0), upstream)


def kept(database: Database) -> None:
    """Waits until the answer that somebody left is kept."""
    eventually(lambda: states(database) == ["done"], "an answer is kept")


@BY
def test_a_retry_joins_its_first_try(workers: Workers, upstream: Upstream, database: Database, second: int):
    upstream.seconds = SLOW
    leave(workers, upstream)
    delivery = workers[second].buy(order(retry_count=1), upstream.make)
    assert delivery.how == "joined"
    assert body_of(delivery) == b"picture 1"
    assert upstream.asked == 1
    eventually(lambda: not states(database), "its record is deleted")


@BY
def test_a_retry_that_comes_late_gets_what_was_kept(
    workers: Workers, upstream: Upstream, database: Database, second: int
):
    leave(workers, upstream)
    kept(database)
    delivery = workers[second].buy(order(retry_count=1), upstream.make)
    assert (delivery.how, delivery.saved()) == ("replayed", 0.039)
    assert body_of(delivery) == b"picture 1"
    assert upstream.asked == 1


@BY
def test_what_was_kept_is_handed_out_once(
    workers: Workers, upstream: Upstream, database: Database, bodies: Bodies, second: int
):
    leave(workers, upstream)
    kept(database)
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 2"
    eventually(lambda: (states(database), bodies.kept) == ([], {}), "nothing is kept")


@BY
def test_three_equal_first_tries_are_three_purchases_and_each_retry_gets_another(
    workers: Workers, upstream: Upstream, second: int
):
    upstream.opened.clear()
    callers = [buying(workers[0], order(retry_count=0), upstream.make) for _ in range(3)]
    eventually(lambda: upstream.asked == 3, "the upstream is asked")
    gevent.killall(callers)
    upstream.opened.set()
    again = [buying(workers[(second + number) % 2], order(retry_count=1), upstream.make) for number in range(3)]
    gevent.joinall(again, timeout=20)
    assert sorted(caller.get() for caller in again) == [b"picture 1", b"picture 2", b"picture 3"]
    assert upstream.asked == 3


def test_a_retry_can_come_before_its_first_try_has_left(
    workers: Workers, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(abandoned_calls, "RETRY_LOOK_SECONDS", 10.0)
    upstream.opened.clear()
    first = buying(workers[0], order(retry_count=0), upstream.make)
    eventually(lambda: upstream.asked, "the upstream is asked")
    retry = buying(workers[0], order(retry_count=1), upstream.make)
    gevent.sleep(0.1)
    first.kill()
    upstream.opened.set()
    assert retry.get(timeout=10) == b"picture 1"
    assert upstream.asked == 1


@pytest.mark.usefixtures("nobody_waits_long")
@BY
def test_a_retry_that_leaves_too_leaves_the_call_for_the_next(
    workers: Workers, upstream: Upstream, database: Database, bodies: Bodies, second: int
):
    upstream.seconds = LONG
    leave(workers, upstream)
    retry = buying(workers[second], order(retry_count=1), upstream.make)
    gevent.sleep(0.2)
    retry.kill()
    gevent.sleep(0.3)  # the call would have ended now, if nobody had come for it
    assert body_of(workers[0].buy(order(retry_count=2), upstream.make)) == b"picture 1"
    assert (upstream.asked, upstream.ended) == (1, 0)
    eventually(lambda: (states(database), bodies.kept) == ([], {}), "nothing is kept")


def test_an_answer_is_stored_once_however_often_its_callers_leave(
    workers: Workers, upstream: Upstream, database: Database, bodies: Bodies
):
    leave(workers, upstream)
    for _ in range(2):
        kept(database)
        workers[0].buy(order(retry_count=1), upstream.make).close()  # nothing of it was taken
        gevent.sleep(0.05)
    assert len(bodies.kept) == 1
    assert body_of(workers[1].buy(order(retry_count=2), upstream.make)) == b"picture 1"
    eventually(lambda: (states(database), bodies.kept) == ([], {}), "nothing is kept")


def test_a_call_has_one_record_however_fast_its_callers_leave(
    workers: Workers, upstream: Upstream, database: Database, monkeypatch: pytest.MonkeyPatch
):
    upstream.seconds = LONG
    records = workers[0].abandoned.keeping.records
    abandon = records.abandon

    def slowly(scope: str, fingerprint: str) -> str:
        gevent.sleep(0.3)  # as while another transaction holds the lock
        return abandon(scope, fingerprint)

    monkeypatch.setattr(records, "abandon", slowly)
    leave(workers, upstream)
    retry = buying(workers[0], order(retry_count=1), upstream.make)
    gevent.sleep(0.1)
    retry.kill()
    kept(database)
    assert body_of(workers[1].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


@BY
def test_a_retry_that_leaves_while_it_takes_the_call_leaves_it_for_the_next(
    workers: Workers, upstream: Upstream, database: Database, monkeypatch: pytest.MonkeyPatch, second: int
):
    upstream.seconds = SLOW
    leave(workers, upstream)
    eventually(lambda: states(database) == ["running"], "it is recorded")
    records = workers[0].abandoned.keeping.records
    take = records.take_by_id

    def slowly(id: str) -> bool:
        gevent.sleep(0.1)
        return take(id)

    put_back, times = records.put_back, []

    def counted(id: str, is_mine: bool = False) -> None:
        times.append(id)
        put_back(id, is_mine)

    monkeypatch.setattr(records, "take_by_id", slowly)
    monkeypatch.setattr(records, "put_back", counted)
    retry = buying(workers[0], order(retry_count=1), upstream.make)
    gevent.sleep(0.05)
    retry.kill()
    kept(database)
    assert body_of(workers[second].buy(order(retry_count=2), upstream.make)) == b"picture 1"
    gevent.sleep(0.2)
    assert (upstream.asked, len(times)) == (1, 1), "put back twice it would be handed out twice"


@pytest.mark.usefixtures("leases_end")
def test_a_caller_that_is_slow_to_read_and_leaves_loses_nothing(
    workers: Workers, upstream: Upstream, database: Database
):
    upstream.seconds = SLOW
    leave(workers, upstream)
    eventually(lambda: states(database) == ["running"], "it is recorded")
    delivery = workers[0].buy(order(retry_count=1), upstream.make)
    gevent.sleep(1.5)  # longer than a lease
    workers[1].keeping.sweep()
    delivery.close()  # nothing of it was taken
    kept(database)
    assert body_of(workers[1].buy(order(retry_count=2), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


@pytest.mark.usefixtures("nobody_waits_long")
def test_a_call_that_nobody_comes_for_is_ended(workers: Workers, upstream: Upstream, database: Database):
    upstream.seconds = 60
    leave(workers, upstream)
    eventually(lambda: states(database) == ["running"], "somebody may come for it")
    assert upstream.ended == 0
    eventually(lambda: (upstream.ended, states(database)) == (1, []), "it is ended")


@pytest.mark.usefixtures("nobody_waits_long")
@BY
def test_a_call_that_somebody_came_for_runs_to_its_end(workers: Workers, upstream: Upstream, second: int):
    upstream.seconds = LONG
    leave(workers, upstream)
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_worker_does_not_stop_before_the_answer_is_kept(workers: Workers, upstream: Upstream, database: Database):
    leave(workers, upstream)
    eventually(lambda: not call.running, "it may stop")
    assert states(database) == ["done"]


def test_a_caller_of_a_stream_that_leaves_after_its_headers_ends_its_call(workers: Workers, upstream: Upstream):
    upstream.seconds, upstream.flows = 60, True
    delivery = workers[0].buy(order(retry_count=0), upstream.make)
    assert next(delivery.chunks) == b"picture "
    delivery.close()
    eventually(lambda: upstream.ended == 1, "it is ended")


def test_an_answer_that_was_cut_on_its_way_is_kept_for_the_retry(
    workers: Workers, upstream: Upstream, database: Database
):
    delivery = workers[0].buy(order(retry_count=0), upstream.make)
    delivery.close()  # nothing of it was sent
    kept(database)
    assert body_of(workers[1].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


@pytest.mark.parametrize("flows", [False, True])
def test_an_answer_that_its_caller_refused_is_kept_for_the_retry(
    workers: Workers, upstream: Upstream, database: Database, flows: bool
):
    upstream.flows = flows
    delivery = workers[0].buy(order(retry_count=0), upstream.make)
    assert b"".join(delivery.chunks) == b"picture 1"
    delivery.close(has_arrived=False)  # all of it was sent into a closed connection
    kept(database)
    assert body_of(workers[1].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_first_try_with_the_count_of_one_buys(workers: Workers, upstream: Upstream):
    assert body_of(workers[0].buy(order(retry_count=1), upstream.make)) == b"picture 1"


@pytest.mark.parametrize("other", [order(retry_count=1, content="a dog"), order(retry_count=1, scope="bob")])
def test_nobody_else_gets_it(workers: Workers, upstream: Upstream, other):
    leave(workers, upstream)
    assert body_of(workers[0].buy(other, upstream.make)) == b"picture 2"


@BY
def test_a_first_try_that_bought_nothing_leaves_nothing(
    workers: Workers, upstream: Upstream, database: Database, second: int
):
    upstream.troubles = [ApiError(ErrorKind.RATE_LIMITED, "Slow down.")]
    leave(workers, upstream)
    eventually(lambda: not call.running, "it is over")
    assert states(database) == []
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"picture 2"


@BY
def test_a_first_try_with_an_unknown_outcome_is_not_bought_again(
    workers: Workers, upstream: Upstream, database: Database, second: int
):
    upstream.troubles = [ApiError(ErrorKind.UPSTREAM_TIMEOUT, "Too late.", bought=Bought.UNKNOWN)]
    leave(workers, upstream)
    kept(database)
    assert body_of(workers[second].buy(order(retry_count=1), upstream.make)) == b"Too late."
    assert upstream.asked == 1


def test_without_a_database_the_same_worker_still_knows_its_calls(upstream: Upstream, bodies: Bodies):
    purchases = worker(Database("sqlite:////nowhere/at/all.sqlite3"), bodies)
    upstream.seconds = SLOW
    leave((purchases, purchases), upstream)
    assert body_of(purchases.buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_database_that_goes_away_does_not_keep_a_retry_from_its_call(
    workers: Workers, upstream: Upstream, database: Database, monkeypatch: pytest.MonkeyPatch
):
    upstream.seconds = SLOW
    leave(workers, upstream)
    eventually(lambda: states(database) == ["running"], "somebody may come for it")
    go_away(workers[0], monkeypatch)
    with gevent.Timeout(2):
        assert body_of(workers[0].buy(order(retry_count=1), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def test_a_retry_that_cannot_read_the_answer_leaves_it_for_the_next(
    workers: Workers, upstream: Upstream, database: Database, monkeypatch: pytest.MonkeyPatch
):
    leave(workers, upstream)
    kept(database)
    with monkeypatch.context() as while_away:
        go_away(workers[1], while_away, "find")
        with pytest.raises(ApiError) as raised:
            workers[1].buy(order(retry_count=1), upstream.make)
    assert (raised.value.kind, raised.value.may_repeat) == (ErrorKind.STATE_UNAVAILABLE, True)
    gevent.sleep(0.05)
    assert body_of(workers[1].buy(order(retry_count=2), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


def go_away(purchases: Purchases, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """The database of a worker is down."""

    def fail(*_: object) -> None:
        raise DatabaseUnavailable("The database cannot be reached.")

    for name in names or ("take_by_id", "put_back", "keep", "delete"):
        monkeypatch.setattr(purchases.keeping.records, name, fail)


def test_the_database_is_not_touched_while_everybody_stays(upstream: Upstream, bodies: Bodies):
    purchases = worker(Database("sqlite:////nowhere/at/all.sqlite3"), bodies)
    assert body_of(purchases.buy(order(retry_count=0), upstream.make)) == b"picture 1"
    assert "records" not in vars(purchases.keeping)


LOADING = """
import gevent.monkey; gevent.monkey.patch_all()
import sys, time
from tests.proxy.purchases.shop import *
upstream = Upstream()
shop = Purchases(Database("sqlite:////nowhere/at/all.sqlite3"), Bodies(), SpoolMemory(64 * MIB), 3600)
def is_loaded(): return "sqlalchemy" in sys.modules
gevent.sleep(0.1)
print(is_loaded())
body_of(shop.buy(order(retry_count=0), upstream.make))
eventually(is_loaded, "it is loaded")
print(is_loaded(), shop.keeping.is_used)
"""


def test_what_a_record_needs_is_loaded_with_the_first_caller_that_may_leave():
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"], done.stderr
