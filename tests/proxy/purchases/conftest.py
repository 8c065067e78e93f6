"""A migrated database of each kind, two workers, and times that a test can wait for."""

import gc
from collections.abc import Iterator

import gevent
import pytest

from proxy.purchases import abandoned_calls, call, keeping, records
from proxy.purchases.purchases import Purchases
from proxy.state.database import Database
from tests.proxy.purchases.shop import Bodies, Upstream, worker


@pytest.fixture
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture
def workers(database: Database, bodies: Bodies) -> tuple[Purchases, Purchases]:
    return worker(database, bodies), worker(database, bodies)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """What a test has left running ends with it, and waits for no database that is gone."""
    yield
    gevent.killall([one for one in gc.get_objects() if isinstance(one, gevent.Greenlet) and not one.dead])
    call.running.clear()


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for comes soon. What must not happen meanwhile takes so long that no busy machine brings it."""
    monkeypatch.setattr(abandoned_calls, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(keeping, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(keeping, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(abandoned_calls, "RETRY_LOOK_SECONDS", 0.2)


@pytest.fixture
def nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """An abandoned call goes on for a moment only."""
    monkeypatch.setattr(abandoned_calls, "ABANDONED_SECONDS", 0.3)


@pytest.fixture
def leases_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that renews nothing soon counts as gone."""
    monkeypatch.setattr(records, "LEASE_SECONDS", 1.0)
