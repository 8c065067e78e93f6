"""SQLAlchemy's engines for both databases, and what their errors mean. Imported at the first use of a database."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Double, Engine, QueuePool, create_engine, event, literal_column, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from proxy.limits import DATABASE_CONNECTIONS

Result = TypeVar("Result")

SQLITE_NOW = literal_column("((julianday('now') - 2440587.5) * 86400.0)", Double)
POSTGRESQL_NOW = literal_column("extract(epoch FROM clock_timestamp())::float8", Double)

LONGEST_PAUSE = 0.01  # seconds between two looks at a lock
LOCKED = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED

# Two connections of a SQLite before this one can damage a WAL file (sqlite.org/wal.html, "WAL-reset bug").
SOUND_WAL = (3, 51, 3)


def sqlite_module() -> Any:
    """Python's own sqlite3; or pysqlite3, which brings a newer SQLite, where that is needed and installed."""
    if sqlite3.sqlite_version_info < SOUND_WAL:
        try:
            from pysqlite3 import dbapi2
        except ImportError:  # there are platforms without a wheel
            return sqlite3
        return dbapi2
    return sqlite3


def open_sqlite(url: str, wait: float, create: bool) -> Engine:
    """An engine whose transactions wait for locks cooperatively, `wait` seconds at most.

    SQLite itself would wait in C, and every greenlet of the process with it. `create` makes a missing file, and sets
    how it is written, which stays in it: with a WAL if this SQLite is sound.
    """
    module = sqlite_module()
    error_class: type[Exception] = module.Error
    file = f"file:{quote(url.removeprefix('sqlite:///'))}?mode={'rwc' if create else 'rw'}"
    is_sound = module.sqlite_version_info >= SOUND_WAL
    pragmas = [f"PRAGMA journal_mode={'WAL' if is_sound else 'DELETE'}"] if create else []

    def connect() -> Any:
        connection = module.connect(file, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
        for pragma in pragmas:
            when_unlocked(wait, partial(connection.execute, pragma))
        return connection

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        raw: Any = connection.connection.driver_connection  # SQLAlchemy's own way costs as much as the transaction
        # Without a WAL, less than FULL can damage the file in a power cut.
        synchronous = RELAXED if options.get("relaxed") and is_sound else FULL
        statements = READING if options.get("reads") else WRITING
        if statements is WRITING and connection.info.pop("synchronous", None) != synchronous:
            statements = (synchronous, *WRITING)
        try:
            when_unlocked(wait, partial(run_all, raw, statements))
        except error_class as error:
            raise OperationalError(statements[-1], None, error) from error
        if statements is not READING:
            connection.info["synchronous"] = synchronous  # not before: it may have been interrupted

    engine = create_engine("sqlite://", module=module, creator=connect, poolclass=QueuePool, **pool_options(wait))
    event.listen(engine, "begin", begin)
    return engine


# The lock is taken at the beginning, so that neither a statement nor the commit has to wait for it. EXCLUSIVE is
# IMMEDIATE where the file has a WAL. A claim that a power cut takes back could be bought again, and a picture takes
# longer than a disk's flush; what is relaxed costs no flush.
WRITING: tuple[str, ...] = ("BEGIN EXCLUSIVE",)
FULL, RELAXED = "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"
# The snapshot is taken at the beginning: without a WAL, or after a crash, even a reader may find a lock.
READING: tuple[str, ...] = ("BEGIN", "SELECT 1 FROM sqlite_master LIMIT 1")


def run_all(connection: Any, statements: Sequence[str]) -> None:
    """Runs statements that begin a transaction, on a connection of sqlite3; none is open if one fails."""
    try:
        for statement in statements:
            connection.execute(statement).close()
    except BaseException:
        connection.rollback()
        raise


def when_unlocked(seconds: float, do: Callable[[], Result]) -> Result:
    """Does it, again and again while another process holds the lock. Raises what was raised last."""
    end = time.monotonic() + seconds
    while True:
        try:
            return do()
        except Exception as error:
            if code_of(error) not in LOCKED or time.monotonic() >= end:
                raise
        time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311


def open_postgresql(url: str, wait: float, answer: float) -> Engine:
    """An engine that gives up a connection or a lock after `wait` seconds and a statement after `answer`.

    What the URL says itself of these counts more.
    """
    address = make_url(url).set(drivername="postgresql+psycopg")
    limits = f"-c lock_timeout={wait * 1000:.0f} -c statement_timeout={answer * 1000:.0f}"
    query = {
        "connect_timeout": f"{wait:.0f}",
        **address.query,
        "options": f"{limits} {address.query.get('options', '')}",
    }
    return create_engine(address.set(query=query), pool_pre_ping=True, **pool_options(wait))


def pool_options(wait: float) -> dict[str, Any]:
    """Few connections, waited for as long as for a lock; and errors that name a statement without its values."""
    return {"pool_size": DATABASE_CONNECTIONS, "max_overflow": 0, "pool_timeout": wait, "hide_parameters": True}


MIGRATE = "python -m proxy.state.migrate"
NOT_MIGRATED = f"The database is not migrated: the service does that at its start, or `{MIGRATE}`."
NO_ANSWER = "The database did not answer in time."
IS_LOCKED = "The database is locked: another transaction has held it for too long."
IS_READ_ONLY = "The database cannot be written: it is read-only."
IS_FULL = "The database cannot be written: its disk is full."
SENTENCES: dict[int | str | None, str] = {
    # SQLite's primary result codes
    5: IS_LOCKED,
    6: IS_LOCKED,
    8: IS_READ_ONLY,
    13: IS_FULL,
    14: f"The database file cannot be opened: the service makes it at its start, or `{MIGRATE}`.",
    # PostgreSQL's SQLSTATEs; a connection that cannot be made, or is lost, has none
    None: "The database cannot be reached.",
    "25006": IS_READ_ONLY,
    "42P01": NOT_MIGRATED,  # undefined_table
    "42703": NOT_MIGRATED,  # undefined_column
    "53100": IS_FULL,
    "55P03": IS_LOCKED,
    "57014": NO_ANSWER,  # statement_timeout
}


def code_of(error: BaseException) -> int | str | None:
    """SQLite's primary result code, or PostgreSQL's SQLSTATE."""
    raised = getattr(error, "orig", error)
    code = getattr(raised, "sqlite_errorcode", None)
    return getattr(raised, "sqlstate", None) if code is None else code & 0xFF


def sentence_of(error: DBAPIError | PoolTimeout) -> str | None:
    """What is wrong with the database; None if it is the statement that is wrong."""
    if isinstance(error, PoolTimeout):
        return "All connections to the database are in use."
    code = code_of(error)
    if code == 1:  # SQLITE_ERROR
        return NOT_MIGRATED if "no such" in str(error.orig) else None
    of_statement = isinstance(error, IntegrityError | DataError | ProgrammingError | NotSupportedError)
    return SENTENCES.get(code) or (None if of_statement else "The database cannot be used.")
