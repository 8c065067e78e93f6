"""Brings the database to the tables of this release: `python -m proxy.state.migrate`.

It runs in a process of its own before there are workers. Several at once, on any machines, do it once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from proxy.limits import LONGEST_MIGRATION_SECONDS, MIGRATION_SECONDS
from proxy.settings import Settings, SettingsError
from proxy.state.database import Database, DatabaseUnavailable

LOCK = 0x7477696E6C656E73  # "twinlens": the advisory lock that one migrating process holds


def migrate(url: str) -> None:
    """Makes what is missing, in one transaction. Raises DatabaseUnavailable."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import text

    database = Database(url, wait=MIGRATION_SECONDS, create=True)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    try:
        with database.write() as connection:
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()


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
        migrate(Settings.from_environ(os.environ).database_url)
    except SettingsError as error:
        return str(error)
    except DatabaseUnavailable as error:
        return error.explained()
    return None


if __name__ == "__main__":
    sys.exit(main())
