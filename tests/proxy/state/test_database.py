"""Transactions, and what is said when there can be none."""

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, func, select, text

from proxy.limits import DATABASE_CONNECTIONS
from proxy.state import engine
from proxy.state.database import Database, DatabaseUnavailable
from proxy.state.engine import MIGRATE
from proxy.state.migrate import migrate
from proxy.state.tables import purchases
from tests.support.postgres import PostgresServer

NOBODY = 65534


def row(**values: Any) -> dict[str, Any]:
    """A purchase; what matters is given."""
    return {
        **{"id": "1", "scope": "a caller", "fingerprint": "a picture", "state": "running", "owner": "a worker"},
        **{"lease_until": 1.5, "created_at": 1.0, "expires_at": 2.0},
        **values,
    }


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(purchases.c.state)))


def test_what_is_written_is_there(database: Database):
    with database.write() as connection:
        connection.execute(database.insert(purchases).values(row()))
    assert states(database) == ["running"]
    with database.write() as connection:
        done = purchases.update().values(state="done", cost_micros=2**40).returning(purchases.c.joined)
        assert connection.scalar(done) == 0
    with database.read() as connection:
        assert connection.execute(select(purchases.c.state, purchases.c.cost_micros)).one() == ("done", 2**40)


def test_nothing_is_written_by_a_transaction_that_fails(database: Database):
    with pytest.raises(exc.IntegrityError), database.write() as connection:
        connection.execute(purchases.insert(), [row(), row()])
    assert states(database) == []


def test_a_key_is_claimed_once_in_its_scope_and_no_key_is_never_the_same(database: Database):
    def claim(**values: Any) -> bool:
        statement = database.insert(purchases).values(row(**values)).on_conflict_do_nothing()
        with database.write() as connection:
            return connection.scalar(statement.returning(purchases.c.id)) is not None

    assert claim(id="1", idempotency_key="k")
    assert not claim(id="2", idempotency_key="k")
    assert claim(id="3", idempotency_key="k", scope="another caller")
    assert claim(id="4")
    assert claim(id="5")
    with pytest.raises(exc.IntegrityError) as raised, database.write() as connection:
        connection.execute(purchases.insert().values(row(id="1")))
    assert "a picture" not in str(raised.value)  # an error may be logged, with a statement but without its values


def test_now_is_the_time_of_the_database(database: Database):
    with database.write() as connection:
        before = time.time()
        connection.execute(purchases.insert().values(row(lease_until=database.now() + 30)))
        [lease] = connection.scalars(select(purchases.c.lease_until))
        assert isinstance(lease, float)
        assert before - 0.1 < lease - 30 < time.time() + 0.1
        time.sleep(0.01)
        assert lease - 30 < connection.scalar(select(database.now()))  # not the beginning of the transaction
        assert connection.scalar(select(func.count()).where(purchases.c.lease_until > database.now())) == 1


def test_check_finds_a_database_that_is_well(database: Database):
    database.check()
    assert database.trouble() is None


def test_a_later_release_may_have_migrated(database: Database):
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.check()
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert MIGRATE in str(database.trouble())


def test_a_database_without_tables_names_the_command(database_url: str):
    database = Database(database_url, create=True)
    with pytest.raises(DatabaseUnavailable, match=MIGRATE):
        database.check()
    with pytest.raises(DatabaseUnavailable, match=MIGRATE), database.read() as connection:
        connection.execute(select(purchases))
    database.close()


def test_a_missing_file_is_not_made(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}/missing.sqlite3")
    with pytest.raises(DatabaseUnavailable, match=MIGRATE):
        database.check()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path: Path):
    (tmp_path / "twinlens.sqlite3").write_bytes(b"something else" * 1000)
    assert Database(f"sqlite:///{tmp_path}/twinlens.sqlite3").trouble() == "The database cannot be used."


def test_a_path_may_hold_any_character(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/a name%20with&signs=.sqlite3"
    migrate(url)
    Database(url).check()
    assert "a name%20with&signs=.sqlite3" in {path.name for path in tmp_path.iterdir()}


def test_a_database_that_may_only_be_read(database: Database, database_url: str):
    with database.write() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA query_only = on")
        else:
            name = database_url.rpartition("/")[2]
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    if not database.is_sqlite:
        database.close()
    assert "read-only" in str(database.trouble())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_file_that_this_user_may_only_read():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        url = f"sqlite:///{folder}/twinlens.sqlite3"
        migrate(url)
        os.seteuid(NOBODY)
        try:
            assert "cannot be" in str(Database(url).trouble())
        finally:
            os.seteuid(0)


def test_a_full_database(database: Database):
    if database.is_sqlite:
        fill = "PRAGMA max_page_count = 1", f"CREATE TABLE one_more (id text DEFAULT '{'x' * 10_000}')"
    else:
        fill = "SELECT 1", "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"
    with pytest.raises(DatabaseUnavailable, match="full"), database.write() as connection:
        list(map(connection.exec_driver_sql, fill))


def test_a_lock_is_waited_for_and_then_given_up(database: Database, database_url: str):
    other = Database(database_url)
    with other.write() as connection:
        connection.execute(purchases.insert().values(row(idempotency_key="k")))
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="locked"), database.write() as second:
            second.execute(database.insert(purchases).values(row(id="2", idempotency_key="k")).on_conflict_do_nothing())
        assert 0.2 <= time.monotonic() - began < 2
        assert states(database) == []  # a reader waits for nobody
    assert states(database) == ["running"]
    other.close()


def test_a_wrong_statement_is_not_the_databases_fault(database: Database):
    with pytest.raises(exc.DBAPIError), database.read() as connection:
        connection.execute(text("SELEKT 1"))
    assert states(database) == []


def test_connections_are_not_waited_for_long(database: Database):
    held = [database.read() for _ in range(DATABASE_CONNECTIONS)]
    for one in held:
        one.__enter__()
    with pytest.raises(DatabaseUnavailable, match="in use"):
        database.check()
    for one in held:
        one.__exit__(None, None, None)
    database.check()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://somebody:a-secret@127.0.0.1:1/twinlens",
        "postgresql://somebody@127.0.0.1:1/twinlens?password=a-secret",
        "postgresql://somebody:a-secret@nowhere.invalid/twinlens",
    ],
)
def test_an_unreachable_database_is_named_without_its_credentials(url: str):
    with pytest.raises(DatabaseUnavailable) as raised:
        Database(url).check()
    assert str(raised.value) == "The database cannot be reached."
    assert "a-secret" not in raised.value.reason
    assert "a-secret" not in "".join(traceback.format_exception(raised.value))


def test_a_wrong_password_is_not_repeated(postgres_server: PostgresServer):
    url = f"postgresql://nobody-knows:a-secret@127.0.0.1:{postgres_server.port}/postgres"
    with pytest.raises(DatabaseUnavailable) as raised:
        Database(url).check()
    assert str(raised.value) == "The database cannot be reached."
    assert "nobody-knows" in raised.value.reason
    assert "a-secret" not in raised.value.reason


def test_what_the_url_says_of_a_limit_counts(postgres_server: PostgresServer):
    options = "options=-c%20statement_timeout%3D1234"
    database = Database(f"{postgres_server.url()}?{options}")
    with database.read() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "1234ms"
        assert connection.scalar(text("SHOW lock_timeout")) == "2s"
    database.close()


def test_a_connection_that_the_server_has_closed_is_replaced(postgres_server: PostgresServer):
    database = Database(postgres_server.url())
    backends = []
    for _ in range(2):
        with database.read() as connection:
            backends.append(connection.scalar(text("SELECT pg_backend_pid()")))
        postgres_server.execute(f"SELECT pg_terminate_backend({backends[-1]})")
    assert backends[0] != backends[1]
    database.close()


def test_a_commit_outlives_a_power_cut(database: Database):
    with database.read() as connection:
        if database.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 0
        else:
            assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_a_sqlite_with_the_fault_of_the_wal_is_not_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    url = f"sqlite:///{tmp_path}/twinlens.sqlite3"
    monkeypatch.setattr(engine, "SOUND_WAL", (99,))
    monkeypatch.setitem(sys.modules, "pysqlite3", None)  # as where there is no wheel
    migrate(url)
    database, other = Database(url, wait=0.2), Database(url, wait=0.2)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        with pytest.raises(DatabaseUnavailable, match="locked"), other.write():
            pass
    with database.write() as connection:
        connection.execute(purchases.insert().values(row()))
        with pytest.raises(DatabaseUnavailable, match="locked"), other.read():
            pass
    assert states(other) == ["running"]
    other.check()
