"""A PostgreSQL server for the whole run, and databases of both kinds for tests: without tables, or with them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from proxy.state.migrate import migrate
from proxy.state.tables import metadata
from tests.support.installed import missing, program
from tests.support.processes import free_port, running
from tests.support.proxy_server import migrated

SYSTEM_USER = "postgres"  # the server refuses to run as root
DEBIAN = Path("/usr/lib/postgresql")
SPEED = {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "listen_addresses": "127.0.0.1"}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; everybody on this machine may log in as `postgres` without a password."""

    programs: Path
    port: int

    def url(self, database: str = "postgres") -> str:
        """The `DATABASE_URL` of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Runs one SQL statement; returns its rows, one a line, columns separated by `|`."""
        command = [self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    def accepts_connections(self) -> bool:
        """Whether it is ready."""
        command = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A new server on a free port, in a temporary folder, until the block ends. Debian's newest version is taken."""
    server = PostgresServer(programs_folder(), free_port())
    user = SYSTEM_USER if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="twinlens-postgres-"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    try:
        initdb = [server.programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"]
        subprocess.run([*initdb, "--no-locale"], check=True, capture_output=True, user=user, cwd=folder)
        settings = [part for name, value in SPEED.items() for part in ("-c", f"{name}={value}")]
        command = [server.programs / "postgres", "-D", data, "-k", folder, "-p", str(server.port), *settings]
        ends_open_sessions = signal.SIGINT
        with running(
            command, folder / "log", server.accepts_connections, by=ends_open_sessions, folder=folder, user=user
        ):
            yield server
    finally:
        shutil.rmtree(folder)


def programs_folder() -> Path:
    """Where the server's programs are: Debian has a folder for each version, others have them on the PATH."""
    versions = [found.parent for found in DEBIAN.glob("*/bin/postgres")]
    folder = max(versions, key=lambda one: int(one.parent.name)) if versions else program("postgres").parent
    if os.geteuid() == 0 and SYSTEM_USER not in {user.pw_name for user in pwd.getpwall()}:
        missing(f"PostgreSQL does not run as root, and there is no user {SYSTEM_USER}")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this run; started by the first test that needs it."""
    with running_postgres() as server:
        yield server


_number = count(1)
BOTH = ("sqlite", "postgresql")


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The `DATABASE_URL` of an empty database that only this test uses; the test runs once with each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'twinlens.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"test_{next(_number)}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer) -> str:
    """The name of a database that has its tables."""
    name = "migrated"
    postgres_server.execute(f"CREATE DATABASE {name}")
    migrate(postgres_server.url(name))
    return name


ALONE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
EMPTY = f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"


@pytest.fixture(params=BOTH)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The `DATABASE_URL` of a database whose tables are empty; the test runs once with each kind.

    Migrations take longer than most tests: one SQLite file is copied, one PostgreSQL database is emptied.
    """
    if request.param == "sqlite":
        path = tmp_path / "twinlens.sqlite3"
        path.write_bytes(migrated())
        return f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name: str = request.getfixturevalue("shared_database")
    server.execute(f"{ALONE}; {EMPTY}", name)
    return server.url(name)
