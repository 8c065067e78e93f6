"""The project's own gunicorn configuration, whose worker prints what it has loaded and how it waits for PostgreSQL."""

import sys
import time
from pathlib import Path

import gevent

exec(Path("gunicorn.conf.py").read_text())

prepare_worker = post_worker_init  # noqa: F821


def post_worker_init(worker):
    prepare_worker(worker)
    loaded = {"sqlalchemy", "alembic", "psycopg", "pysqlite3", "sqlite3"} & set(sys.modules)
    print("loaded before the first use:", *sorted(loaded), flush=True)
    gevent.spawn(ask_at_once)


def ask_at_once():
    from proxy.state.database import Database

    database = Database(settings.database_url)  # noqa: F821
    database.check()
    began = time.monotonic()
    gevent.joinall([gevent.spawn(ask, database) for _ in range(5)], raise_error=True)
    print(f"five waited {time.monotonic() - began:.2f} s", flush=True)


def ask(database):
    with database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.8)")
