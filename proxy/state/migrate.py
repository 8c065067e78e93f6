"""Brings the database to the tables of this release: `python -m proxy.state.migrate`.

It runs in a process of its own before there are workers. Several at once, on any machines, do it once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from proxy.limits import LONGEST_MIGRATION_SECONDS, MIGRATION_SECONDS
from proxy.settings import Settings, SettingsError
from proxy.state.database import Database, DatabaseUnavailable

SCRIPTS = Path(__file__).with_name("migrations")
LOCK = 0x7477696E6C656E73  # "twinlens": the advisory lock that one migrating process holds


def migrate(url: str) -> None:
    """Makes what is missing, in one transaction. Raises DatabaseUnavailable."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import text

    database = Database(url, wait=MIGRATION_SECONDS, create=True)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    try:
        with database.write() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()


def is_current(url: str) -> bool:
    """Whether a SQLite file has the tables of this release: a start then need not load Alembic, which takes a second.

    The file is read as it lies on the disk, without a lock. What is in its WAL alone is not found: then the migration
    looks again.
    """
    import sqlite3

    if not url.startswith("sqlite:///") or not os.access(path := url.removeprefix("sqlite:///"), os.W_OK):
        return False
    newest = max(script.stem.partition("_")[0] for script in (SCRIPTS / "versions").glob("*.py"))
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?immutable=1", uri=True)) as connection:
            return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest,)]
    except sqlite3.Error:
        return False


def migrate_in_a_process() -> str | None:
    """Migrates the database of the environment. Returns what an operator should know if that fails.

    In a process of its own, so that this one has loaded nothing of it when its workers are forked.
    """
    command = [sys.executable, "-m", __name__]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST_MIGRATION_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        trouble = f"It was not migrated within {LONGEST_MIGRATION_SECONDS:g} s."
    except subprocess.CalledProcessError as error:
        trouble = error.stderr.strip().rpartition("\n")[2]
    else:
        return None
    return f"DATABASE_URL: {trouble} Requests with an Idempotency-Key get 503 until it can be used."


def main() -> str | None:
    """Migrates; returns what went wrong."""
    try:
        url = Settings.from_environ(os.environ).database_url
        if not is_current(url):
            migrate(url)
    except SettingsError as error:
        return str(error)
    except DatabaseUnavailable as error:
        return error.explained()
    return None


if __name__ == "__main__":
    sys.exit(main())
