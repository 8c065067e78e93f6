"""Migrations make the tables of the code."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from proxy.state import migrate as module
from proxy.state.database import Database
from proxy.state.engine import sqlite_module
from proxy.state.migrate import is_current, migrate, migrate_in_a_process
from proxy.state.tables import REVISION, metadata

MIGRATIONS = Path(module.__file__).with_name("migrations")


def test_the_migrations_make_the_tables_of_the_code(database: Database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_last_migration_is_the_one_that_is_looked_for():
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert scripts.get_heads() == [REVISION]
    numbers = [script.revision for script in scripts.walk_revisions()][::-1]
    assert numbers == sorted(numbers)
    assert all(len(number) == 4 for number in numbers)  # compared as text


def test_a_second_migration_changes_nothing(database: Database, database_url: str):
    migrate(database_url)
    database.check()


def test_a_migration_that_fails_leaves_nothing(database_url: str, monkeypatch: pytest.MonkeyPatch):
    upgrade = command.upgrade

    def fail(*arguments: Any) -> None:
        upgrade(*arguments)
        raise InterruptedError

    monkeypatch.setattr(command, "upgrade", fail)
    with pytest.raises(InterruptedError):
        migrate(database_url)
    monkeypatch.undo()
    database = Database(database_url)
    assert "not migrated" in str(database.trouble())
    migrate(database_url)
    database.check()
    database.close()


def test_the_wal_is_set_by_the_migration(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/twinlens.sqlite3"
    migrate(url)
    database = Database(url)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert sqlite_module().sqlite_version_info >= (3, 51, 3)


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    order = [sys.executable, "-m", "proxy.state.migrate"]
    return subprocess.run(order, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True)


def test_the_command_migrates(database_url: str):
    done = run(DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    database = Database(database_url)
    database.check()
    database.close()


def test_only_a_file_with_the_newest_tables_is_current(tmp_path: Path):
    path = tmp_path / "a name%20with&signs.sqlite3"
    url = f"sqlite:///{path}"
    assert not is_current(url)
    migrate(url)
    assert is_current(url)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    assert not is_current(url)
    path.write_bytes(b"no database" * 1000)
    assert not is_current(url)
    assert not is_current("postgresql://u:a-secret@127.0.0.1:1/x")


def test_a_current_file_is_left_alone(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/twinlens.sqlite3"
    migrate(url)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    program = "import sys; from proxy.state import migrate; migrate.main(); sys.exit('alembic' in sys.modules)"
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:a-secret@127.0.0.1:1/x",
        "postgresql://u:a-secret@:x/y",
        "sqlite:////no/such/folder/a-secret",
    ],
)
def test_the_command_says_what_is_wrong_in_a_line(url: str):
    done = run(DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "a-secret" not in done.stderr


def test_the_service_learns_why_it_could_not_migrate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:a-secret@127.0.0.1:1/x")
    trouble = str(migrate_in_a_process())
    assert trouble.startswith("DATABASE_URL: The database cannot be reached.")
    assert "a-secret" not in trouble
    monkeypatch.setattr(module, "LONGEST_MIGRATION_SECONDS", 0.001)
    assert "within" in str(migrate_in_a_process())
