"""What greenlets of one worker do with a database, printed as JSON.

    python -m gevent.monkey --module tests.state.greenlets SITUATION URL

It is a process of its own, because gevent patches before anything of the database is imported. It says when it pauses,
and goes on after a line of input.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import gevent

from proxy.state.database import Database, DatabaseUnavailable

Facts = dict[str, Any]


def row(name: str) -> Facts:
    """A purchase."""
    texts = dict.fromkeys(("scope", "fingerprint", "state", "owner"), "x")
    return {"id": name, **texts, **dict.fromkeys(("lease_until", "created_at", "expires_at"), 1.0)}


class Hub:
    """How long the other greenlets had to stand still at the most, in seconds, and how often they were served."""

    def __init__(self) -> None:
        self.stall = 0.0
        self.ticks = 0
        self.watch = gevent.spawn(self.run)

    def run(self) -> None:
        while True:
            before = time.monotonic()
            gevent.sleep(0.01)
            self.stall = max(self.stall, time.monotonic() - before - 0.01)
            self.ticks += 1


@contextmanager
def timed(facts: Facts):
    before = time.monotonic()
    try:
        yield
    except DatabaseUnavailable as error:
        facts["trouble"] = str(error)
    facts["seconds"] = time.monotonic() - before


def write(database: Database, name: str) -> Facts:
    """One purchase is written; how long that took."""
    from proxy.state.tables import purchases

    facts: Facts = {}
    with timed(facts), database.write() as connection:
        connection.execute(purchases.insert().values(row(name)))
    return facts


def locked(database: Database) -> Facts:
    """Several write while another process holds the lock."""
    return {"writes": together([lambda name=name: write(database, name) for name in "abcdefgh"])}


def yields(database: Database) -> Facts:
    """One waits for something else within its transaction, and another writes."""
    from proxy.state.tables import purchases

    def slow() -> None:
        with database.write() as connection:
            connection.execute(purchases.insert().values(row("slow")))
            gevent.sleep(0.5)

    return {"writes": together([slow, lambda: write(database, "quick")])[1:]}


def queries(database: Database) -> Facts:
    """Five wait for the server at once."""
    from sqlalchemy import text

    def sleep() -> None:
        with database.read() as connection:
            connection.execute(text("SELECT pg_sleep(1)"))

    facts: Facts = {}
    with timed(facts):
        together([sleep] * 5)
    return facts


def row_lock(database: Database) -> Facts:
    """One holds a row while another of the same process wants it."""
    from sqlalchemy import text

    from proxy.state.tables import purchases

    write(database, "row")

    def change(seconds: float) -> Facts:
        facts: Facts = {}
        with timed(facts), database.write() as connection:
            connection.execute(purchases.update().values(joined=purchases.c.joined + 1))
            connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
        return facts

    return {"writes": together([lambda: change(0.5), lambda: change(0)])}


def hangs(database: Database) -> Facts:
    """The server stops answering for a while: more write than there are connections, and again afterwards."""
    during = together([lambda n=n: write(database, f"during {n}") for n in range(20)])
    pause()
    return {"during": during, "after": together([lambda n=n: write(database, f"after {n}") for n in range(20)])}


def pause() -> None:
    """Waits until the test has prepared what comes next."""
    print("paused", flush=True)
    sys.stdin.readline()


def together(jobs: list[Callable[[], Any]]) -> list[Any]:
    """What greenlets return that run at once."""
    return [one.get() for one in [gevent.spawn(job) for job in jobs]]


def main(situation: str, url: str) -> None:
    database = Database(url)
    database.check()  # all that is imported has been
    pause()
    hub = Hub()
    gevent.sleep(0)
    facts = globals()[situation](database)
    print(json.dumps({**facts, "stall": hub.stall, "ticks": hub.ticks}))


if __name__ == "__main__":
    main(*sys.argv[1:])
