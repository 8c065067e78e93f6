"""The database: short transactions, one sentence for whatever goes wrong, and nothing loaded before its first use."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.greenlets import time_limit
from proxy.limits import DATABASE_ANSWER_SECONDS, DATABASE_WAIT_SECONDS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Table


class DatabaseUnavailable(Exception):
    """The database cannot be used now. Its text is a sentence without addresses, names and credentials.

    `reason` is what the database itself said, without a password, for the operator alone.
    """

    def __init__(self, sentence: str, reason: str = ""):
        super().__init__(sentence)
        self.reason = reason

    def explained(self) -> str:
        """The sentence with its reason."""
        return f"{self} ({self.reason})" if self.reason else str(self)


class TooLate(BaseException):
    """A transaction takes too long. SQLAlchemy throws a connection away when it is left by a BaseException."""


class Engines(NamedTuple):
    """One engine, with the options of each kind of transaction: to set them costs a fifth of a transaction."""

    writing: Engine
    relaxed: Engine
    reading: Engine


class Database:
    """SQLite or PostgreSQL, as `DATABASE_URL` says.

    SQLAlchemy and psycopg are imported at the first transaction: psycopg waits cooperatively only if gevent has patched
    before it is imported, and a worker that needs no database does without their memory.
    """

    def __init__(self, url: str, wait: float = DATABASE_WAIT_SECONDS, create: bool = False):
        """Opens nothing. `wait` is for a lock or a connection, in seconds; `create` makes a missing SQLite file."""
        self.url = url
        self.wait = wait
        self.create = create
        self.is_sqlite = url.startswith("sqlite:")
        self.answer_seconds = wait + DATABASE_ANSWER_SECONDS
        self.engines: dict[int, Engines] = {}  # by process: connections never cross a fork, nor does a child close them

    @property
    def of_process(self) -> Engines:
        """The engine of this process, for each kind of transaction."""
        if found := self.engines.get(os.getpid()):
            return found
        from proxy.state.engine import open_postgresql, open_sqlite

        engine = (
            open_sqlite(self.url, self.wait, self.create)
            if self.is_sqlite
            else open_postgresql(self.url, self.wait, self.answer_seconds)
        )
        gc.freeze()  # what was imported stays: it is not looked through again and again
        options = engine.execution_options
        found = self.engines[os.getpid()] = Engines(engine, options(relaxed=True), options(reads=True))
        return found

    @contextmanager
    def write(self, relaxed: bool = False) -> Iterator[Connection]:
        """A short transaction that writes, committed at its end. Raises DatabaseUnavailable.

        A `relaxed` one survives the end of all processes, and on SQLite perhaps not a power cut: it waits for no disk.

        On SQLite it holds the only lock: nothing that waits belongs in it. On PostgreSQL a greenlet can be interrupted,
        and a connection lost, when the commit is on its way: an error does not say that nothing was written.
        """
        engines = self.of_process
        with self.transaction(engines.relaxed if relaxed else engines.writing) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short transaction that only reads. Raises DatabaseUnavailable."""
        with self.transaction(self.of_process.reading) as connection:
            yield connection

    @contextmanager
    def transaction(self, engine: Engine) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        from proxy.state.engine import NO_ANSWER, sentence_of

        # SQLite never waits within a transaction. PostgreSQL is waited for, even if it never answers.
        limit = nullcontext() if self.is_sqlite else time_limit(self.answer_seconds, TooLate())
        try:
            with limit, engine.begin() as connection:
                yield connection
        except TooLate:
            raise DatabaseUnavailable(NO_ANSWER) from None
        except (DBAPIError, PoolTimeout) as error:
            if sentence := sentence_of(error):
                raise DatabaseUnavailable(sentence, " ".join(str(getattr(error, "orig", "")).split())) from error
            raise

    def now(self) -> ColumnElement[float]:
        """SQL for the seconds since 1970, by the database's clock."""
        from proxy.state.engine import POSTGRESQL_NOW, SQLITE_NOW

        return SQLITE_NOW if self.is_sqlite else POSTGRESQL_NOW

    def insert(self, table: Table) -> Any:
        """An INSERT that has `on_conflict_do_nothing` and `returning`."""
        from sqlalchemy.dialects import postgresql, sqlite

        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def check(self) -> None:
        """Writes. Raises DatabaseUnavailable if the database cannot be reached or written, is full or not migrated."""
        from sqlalchemy import text

        from proxy.state.engine import NOT_MIGRATED
        from proxy.state.tables import REVISION

        touch = text("UPDATE alembic_version SET version_num = version_num WHERE version_num >= :revision")
        with self.write() as connection:
            migrated = connection.execute(touch, {"revision": REVISION}).rowcount
        if not migrated:
            raise DatabaseUnavailable(NOT_MIGRATED)

    def trouble(self) -> str | None:
        """What `check` finds, as a sentence."""
        try:
            self.check()
        except DatabaseUnavailable as error:
            return str(error)
        return None

    def close(self) -> None:
        """Closes the connections of this process."""
        if engines := self.engines.pop(os.getpid(), None):
            engines.writing.dispose()
