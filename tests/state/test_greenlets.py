"""Greenlets that use a database leave the others of their worker alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from proxy.limits import DATABASE_ANSWER_SECONDS, DATABASE_WAIT_SECONDS
from proxy.state.database import Database
from proxy.state.migrate import migrate
from proxy.state.tables import purchases
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.processes import PROJECT, end_with_the_tests

LONGEST = 60  # seconds for a process
STALL = 1.5  # seconds that a busy machine may take by itself; the faults that are looked for take two


class Worker:
    """A process of greenlets.py."""

    def __init__(self, situation: str, url: str):
        command = [sys.executable, "-m", "gevent.monkey", "--module", "tests.state.greenlets", situation, url]
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_the_tests,
        )
        self.watchdog = threading.Timer(LONGEST, self.process.kill)
        self.watchdog.start()
        self.wait_for_pause()

    def wait_for_pause(self) -> None:
        assert self.process.stdout.readline() == "paused\n"

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def facts(self) -> dict[str, Any]:
        """What it found, when it has ended."""
        output, _ = self.process.communicate("\n")
        self.watchdog.cancel()
        return dict(json.loads(output))


def count(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(purchases.select()).all())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/twinlens.sqlite3"
    migrate(url)
    return url


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer) -> str:
    postgres_server.execute("DROP DATABASE IF EXISTS greenlets WITH (FORCE)")
    postgres_server.execute("CREATE DATABASE greenlets")
    migrate(postgres_server.url("greenlets"))
    return postgres_server.url("greenlets")


@pytest.mark.parametrize(("seconds", "is_written"), [(1.0, True), (5.0, False)])
def test_a_lock_of_sqlite_is_waited_for_without_stopping_the_hub(sqlite_url: str, seconds: float, is_written: bool):
    database = Database(sqlite_url)
    worker = Worker("locked", sqlite_url)
    with database.write():
        worker.go_on()
        time.sleep(seconds)
    facts = worker.facts()
    assert facts["ticks"] > 20  # of a hundred each second; one for each write if the hub stands still
    assert count(database) == (8 if is_written else 0)
    for write in facts["writes"]:
        if is_written:
            assert write.get("trouble") is None
            assert write["seconds"] < DATABASE_WAIT_SECONDS
        else:
            assert "locked" in write["trouble"]
            assert DATABASE_WAIT_SECONDS <= write["seconds"] < DATABASE_WAIT_SECONDS + 1


def test_a_greenlet_that_waits_within_a_transaction_stops_nobody(migrated_url: str):
    facts = Worker("yields", migrated_url).facts()
    assert facts["stall"] < STALL
    [quick] = facts["writes"]
    assert quick.get("trouble") is None
    assert quick["seconds"] < 1.5


def test_postgresql_is_waited_for_cooperatively(postgresql_url: str):
    facts = Worker("queries", postgresql_url).facts()
    assert "trouble" not in facts
    assert facts["seconds"] < 3
    assert facts["stall"] < STALL


def test_a_row_that_another_greenlet_holds_is_no_deadlock(postgresql_url: str):
    facts = Worker("row_lock", postgresql_url).facts()
    assert [write.get("trouble") for write in facts["writes"]] == [None, None]
    assert facts["stall"] < STALL


def processes_of(server: PostgresServer) -> list[int]:
    """Those that have connections, and the one that takes them."""
    query = "SELECT pid FROM pg_stat_activity UNION SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int"
    return [int(line) for line in server.execute(f"{query} EXCEPT SELECT pg_backend_pid()").splitlines()]


def send_all(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        os.kill(process, number)


def test_a_server_that_stops_answering_is_given_up_and_used_again():
    with running_postgres() as server:
        migrate(server.url())
        worker = Worker("hangs", server.url())
        processes = processes_of(server)
        send_all(processes, signal.SIGSTOP)
        try:
            worker.go_on()
            worker.wait_for_pause()
        finally:
            send_all(processes, signal.SIGCONT)
        facts = worker.facts()
        assert facts["stall"] < STALL
        assert all("trouble" in write for write in facts["during"])
        limit = DATABASE_WAIT_SECONDS + DATABASE_ANSWER_SECONDS + 1
        assert max(write["seconds"] for write in facts["during"]) < limit
        assert [write.get("trouble") for write in facts["after"]] == [None] * 20
