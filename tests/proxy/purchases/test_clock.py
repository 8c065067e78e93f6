"""The database's clock jumps by a day while calls run: nothing is bought twice.

A jump forward ends leases until they are renewed: a caller that asks at that moment gets an unknown outcome.
"""

from collections.abc import Callable

import gevent
import pytest

from compat.errors import ApiError, ErrorKind
from proxy.purchases import call
from proxy.state.database import Database
from tests.proxy.purchases.shop import Bodies, Upstream, body_of, buying, eventually, hang_up, order, worker

DAY = 86400.0
FAR = pytest.mark.parametrize("far", [DAY, -DAY], ids=["forward", "back"])


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock that all workers ask, from now on by so many seconds. Workers are made afterwards."""
    true_now = Database.now

    def jump(seconds: float) -> None:
        monkeypatch.setattr(Database, "now", lambda database: true_now(database) + seconds)

    return jump


@FAR
def test_a_key_whose_call_runs(database: Database, bodies: Bodies, upstream: Upstream, jump, far: float):
    upstream.opened.clear()
    before = worker(database, bodies)
    first = buying(before, order("k"), upstream.make)
    eventually(lambda: upstream.asked, "the upstream is asked")
    jump(far)
    after = worker(database, bodies)
    asking = buying(after, order("k"), upstream.make)
    upstream.opened.set()
    assert first.get(timeout=10) == b"picture 1"
    asking.join(timeout=10)
    assert_bought_once(asking)
    eventually(lambda: not call.running, "its end is recorded")
    if far < 0:  # a day back, the answer that expires an hour after its end has not expired
        assert body_of(after.buy(order("k"), upstream.make)) == b"picture 1"
    jump(0)
    assert body_of(worker(database, bodies).buy(order("k"), upstream.make)) == b"picture 1"
    assert upstream.asked == 1


@FAR
def test_a_retry_whose_first_try_runs(database: Database, bodies: Bodies, upstream: Upstream, jump, far: float):
    upstream.seconds = 0.3
    hang_up(worker(database, bodies), order(retry_count=0), upstream)
    eventually(lambda: records(database) == 1, "somebody may come for it")
    jump(far)
    retry = buying(worker(database, bodies), order(retry_count=1), upstream.make)
    retry.join(timeout=10)
    assert_bought_once(retry)
    assert upstream.asked == 1


def assert_bought_once(caller: gevent.Greenlet) -> None:
    """It has got the picture, or the error that forbids it to buy again."""
    if caller.exception:
        assert isinstance(caller.exception, ApiError)
        assert caller.exception.kind is ErrorKind.OUTCOME_UNKNOWN
    else:
        assert caller.value == b"picture 1"


def records(database: Database) -> int:
    with database.read() as connection:
        return len(connection.exec_driver_sql("SELECT id FROM purchases").all())
