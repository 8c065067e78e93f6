"""Several processes use one database."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from proxy.state.database import Database
from proxy.state.migrate import migrate
from proxy.state.tables import purchases
from tests.support.processes import PROJECT

PROCESSES = 4
KEYS = 50
FORK = multiprocessing.get_context("fork")  # which imports nothing again


def at_once(job: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What so many processes return that begin together."""
    barrier, results = FORK.Barrier(PROCESSES), FORK.SimpleQueue()
    processes = [FORK.Process(target=report, args=(results, barrier, job, arguments)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    assert all(isinstance(one, list) or one == "done" for one in found), found
    for process in processes:
        process.join(30)
    return found


def report(results: Any, barrier: Any, job: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    barrier.wait(60)
    try:
        results.put(job(*arguments))
    except BaseException as error:
        results.put(repr(error))


def migrate_all(urls: list[str]) -> str:
    """Migrates each database as soon as the one before it is done."""
    for url in urls:
        migrate(url)
    return "done"


def test_several_migrate_at_once(database_url: str, tmp_path: Path):
    urls = [database_url]
    if database_url.startswith("sqlite"):  # which has failed once in seven times
        urls += [f"sqlite:///{tmp_path}/{number}.sqlite3" for number in range(20)]
    assert at_once(migrate_all, urls) == ["done"] * PROCESSES
    for url in urls:
        database = Database(url)
        database.check()
        with database.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        database.close()


def claim_all(url: str) -> list[str]:
    """The keys that this process claims first."""
    database = Database(url, wait=30)  # nobody pauses here, as callers do
    name, won = str(os.getpid()), []
    for number in range(KEYS):
        texts = dict.fromkeys(("scope", "fingerprint", "state"), "x")
        times = dict.fromkeys(("lease_until", "created_at", "expires_at"), 1.0)
        row = {"id": f"{name} {number}", "owner": name, "idempotency_key": str(number), **texts, **times}
        claim = database.insert(purchases).values(row).on_conflict_do_nothing().returning(purchases.c.id)
        with database.write() as connection:
            if connection.scalar(claim):
                won.append(str(number))
        with database.write() as connection:
            connection.execute(purchases.update().values(joined=purchases.c.joined + 1).where(key_is(number)))
    return won


def key_is(number: int) -> Any:
    return purchases.c.idempotency_key == str(number)


def test_a_key_is_claimed_by_one_process_and_no_change_is_lost(migrated_url: str):
    claimed = at_once(claim_all, migrated_url)
    assert Counter(key for keys in claimed for key in keys) == {str(number): 1 for number in range(KEYS)}
    database = Database(migrated_url)
    with database.read() as connection:
        assert set(connection.scalars(purchases.select().with_only_columns(purchases.c.joined))) == {PROCESSES}
    database.close()


def test_the_fallback_without_a_wal_serves_several_processes_too(tmp_path: Path):
    """As on a machine for which there is no wheel of a sound SQLite."""
    url = f"sqlite:///{tmp_path}/twinlens.sqlite3"
    claimed = at_once(claim_without_wal, url)
    assert Counter(key for keys in claimed for key in keys) == {str(number): 1 for number in range(KEYS)}


def claim_without_wal(url: str) -> list[str]:
    from proxy.state import engine

    engine.SOUND_WAL = (99,)
    sys.modules["pysqlite3"] = None  # type: ignore[assignment]
    migrate(url)
    with Database(url).read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    return claim_all(url)


def test_a_fork_gets_connections_of_its_own(migrated_url: str):
    done = subprocess.run(
        [sys.executable, "-m", "tests.state.fork", migrated_url],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    parent, child, parent_again = json.loads(done.stdout)
    assert parent == parent_again
    assert child != parent
