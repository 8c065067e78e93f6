"""Uses a database, forks, and uses it on both sides: `python -m tests.state.fork URL` prints which connections."""

import json
import os
import sys

from proxy.state.database import Database


def connection_of(database: Database) -> str:
    """What tells a connection from others: PostgreSQL's backend, or the object and the process that it was made in."""
    with database.write() as connection:
        if not database.is_sqlite:
            return str(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
        return str(id(connection.connection.dbapi_connection))


def main(url: str) -> None:
    database = Database(url)
    before = connection_of(database)
    reader, writer = os.pipe()
    if not os.fork():
        os.write(writer, connection_of(database).encode())
        return
    os.wait()
    print(json.dumps([before, os.read(reader, 1000).decode(), connection_of(database)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
