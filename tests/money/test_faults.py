"""A database or a store that is away, locked or full: nothing is bought that could not be kept apart."""

import errno
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import requests

from proxy.state.database import Database
from tests.money.conftest import Google, Service
from tests.support import pictures
from tests.support.leftovers import until
from tests.support.postgres import PostgresServer
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer

HEAVY = Answer(pictures.drawn(pictures.picture_part(pictures.heavy_png())))
SMALL_DISK = str(Path(__file__).parents[1] / "faults/small_disk_gunicorn.conf.py")


def only_keyed_requests_are_refused(service: Service, google: Google) -> None:
    """Keyed requests get 503 before anything is bought, and all others their picture."""
    for ask in (service.generate, service.native):
        asked = google.asked
        with ThreadPoolExecutor(2) as pool:
            keyed, other = pool.submit(ask, 0, key="now"), pool.submit(ask, 1)
        assert keyed.result().status_code == 503
        assert "Nothing was bought." in keyed.result().text
        assert other.result().status_code == 200
        assert google.asked == asked + 1
    assert "state_unavailable" in service.generate(key="now").text
    assert requests.get(f"{service.url()}/readyz", timeout=10).status_code == 200


@contextmanager
def down(service: Service, postgres: PostgresServer) -> Iterator[None]:
    """Nobody can connect."""
    name = service.database.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def full(service: Service, postgres: PostgresServer) -> Iterator[None]:
    """Nothing can be written, as on a full disk."""
    name = service.database.rpartition("/")[2]
    raising = "BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END"
    postgres.execute(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ {raising} $$", name)
    on_insert = "BEFORE INSERT OR UPDATE ON purchases FOR EACH ROW EXECUTE FUNCTION full_disk()"
    postgres.execute(f"CREATE TRIGGER full_disk {on_insert}", name)
    try:
        yield
    finally:
        postgres.execute("DROP FUNCTION full_disk CASCADE", name)


@pytest.mark.parametrize("fault", [down, full])
def test_without_its_database_only_keyed_requests_are_refused(
    two_machines: Service, google: Google, postgres_server: PostgresServer, fault
):
    with fault(two_machines, postgres_server):
        only_keyed_requests_are_refused(two_machines, google)
    assert two_machines.generate(0, key=f"after-{fault.__name__}").status_code == 200


@contextmanager
def locked(service: Service, postgres: PostgresServer) -> Iterator[None]:
    """Another transaction holds the lock, for five seconds at least."""
    began = time.monotonic()
    if service.database.startswith("sqlite"):
        database = Database(service.database)
        with database.write():
            yield
            time.sleep(max(0, 5 - (time.monotonic() - began)))
        database.close()
        return
    lock = "BEGIN; LOCK TABLE purchases; SELECT pg_sleep(5); COMMIT"
    holding = subprocess.Popen([postgres.programs / "psql", "-q", "-o", "/dev/null", "-c", lock, service.database])
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: postgres.execute(waits) == "1", "a table that is not locked")
    yield
    assert holding.wait(30) == 0


def test_a_database_that_is_locked_for_five_seconds(service: Service, google: Google, postgres_server: PostgresServer):
    with locked(service, postgres_server):
        with ThreadPoolExecutor(3) as pool:
            keyed, native = pool.submit(service.generate, 0, key="lock"), pool.submit(service.native, 0, key="lock-n")
            other = pool.submit(service.generate, 1)
        assert [keyed.result().status_code, native.result().status_code, other.result().status_code] == [503, 503, 200]
        assert other.result().elapsed < keyed.result().elapsed, "it does not wait for the lock"
        assert google.asked == 1
    assert service.generate(0, key="lock").status_code == 200
    assert service.native(1, key="lock-n").status_code == 200
    assert google.asked == 3


@pytest.fixture(scope="module")
def on_a_small_disk(seller, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """Two workers that cannot write a file of a megabyte."""
    folder = tmp_path_factory.mktemp("small_disk")
    with ProxyServer(folder, SMALL_DISK, GEMINI_BASE_URL=seller.url, WEB_CONCURRENCY="2") as server:
        yield server


@pytest.mark.parametrize("way", ["generate", "native"])
def test_an_answer_that_the_store_does_not_take_reaches_its_caller_and_is_not_bought_again(
    on_a_small_disk: ProxyServer, google: Google, way: str
):
    service = Service([on_a_small_disk], google)
    google.first = [HEAVY]
    first = getattr(service, way)(key="large")
    assert first.status_code == 200
    assert len(first.content) > 1_000_000
    for _ in range(3):
        again = getattr(service, way)(key="large")
        assert (again.status_code, again.headers["x-should-retry"]) == (502, "false")
        assert "could not be kept" in again.text
    assert google.asked == 1
    assert not list(on_a_small_disk.pictures.iterdir()), "half an answer was left behind"


def fill(file: IO[bytes]) -> None:
    """Writes until the disk is full."""
    try:
        while True:
            file.write(bytes(1024))
    except OSError as error:
        assert error.errno == errno.ENOSPC  # noqa: PT017


def test_a_full_sqlite_refuses_keyed_requests_until_there_is_space(google: Google, tmp_path: Path, small_file_system):
    with small_file_system(tmp_path, GEMINI_BASE_URL=google.upstream.url, WEB_CONCURRENCY="2") as (server, disk):
        service = Service([server], google)
        assert service.generate(key="before").status_code == 200
        with (disk / "rest").open("wb", buffering=0) as file:
            fill(file)
            only_keyed_requests_are_refused(service, google)
            file.truncate(0)
        assert service.generate(key="after").status_code == 200
