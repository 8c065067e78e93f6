"""A team behind one Google key: two processes that answer for one service, with keys and budgets."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from proxy.access.key_records import KeyRecord, KeyRecords
from proxy.caller import AccessKey
from proxy.state.database import Database
from tests.money.conftest import MODEL, Google, Service
from tests.support.keys import new_key, remember_key
from tests.support.pictures import plain_png
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import ScriptedUpstream

CONFIGURATION = str(Path(__file__).with_name("quick_gunicorn.conf.py"))
PICTURE = 38_703  # millionths of a USD: 9 tokens of prompt and 1290 of a picture
PLAIN = plain_png(64, 64)


@dataclass
class Team(Service):
    """The service with its database, in which keys are made."""

    database_url: str = ""

    @property
    def records(self) -> KeyRecords:
        """The keys of the service."""
        return KeyRecords(Database(self.database_url))

    def use_key(self, name: str, per: str = "total", budget: int | None = None, **limits: Any) -> None:
        """Makes a key with limits, which the calls use from now on; its budget is in millionths of a USD."""
        self.key = remember_key(self.records.create(AccessKey("", name, per, budget, **limits), time.time()))

    def record(self, name: str) -> KeyRecord:
        """A key, with what it has spent."""
        record = self.records.named(name, time.time())
        assert record
        return record

    def stream(self, number: int = 0, **options: Any) -> requests.Response:
        """A picture as an event."""
        return self.generate(number, json={"stream": True}, **options)

    def edit(self, number: int = 0, **options: Any) -> requests.Response:
        """A picture from a picture, in a form."""
        address, headers = f"{self.url(number)}/v1/images/edits", {"Authorization": f"Bearer {self.key}"}
        files = {"image": ("a.png", PLAIN, "image/png")}
        return requests.post(address, data={"prompt": "a cat"}, files=files, headers=headers, **options)

    def native_stream(self, number: int = 0, **options: Any) -> requests.Response:
        """A stream of Google's."""
        return self.native(number, method="streamGenerateContent", **options)

    def restarts(self) -> None:
        """Waits until every machine answers again."""
        for server in self.servers:
            end = time.monotonic() + 20
            while not server.is_healthy():
                assert time.monotonic() < end
                time.sleep(0.1)


WAYS = ("generate", "stream", "edit", "native", "native_stream")


@pytest.fixture(scope="module")
def google() -> Iterator[Google]:
    with ScriptedUpstream() as upstream:
        google = Google(upstream)
        upstream.answers(google.answer)
        yield google


@pytest.fixture(scope="module")
def google_keys() -> tuple[str, ...]:
    """The operator's keys."""
    return tuple(new_key() for _ in range(3))


@pytest.fixture(scope="module", params=["two workers, SQLite", "two machines, PostgreSQL"])
def team_of_module(
    request: pytest.FixtureRequest, google: Google, google_keys: tuple[str, ...], tmp_path_factory: Any
) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    shared = {
        "ACCESS": "keys",
        "IMAGE_STORE_URL": str(folder / "pictures"),
        "GEMINI_API_KEYS": ", ".join(google_keys),
        "GEMINI_BASE_URL": google.upstream.url,
    }
    with ExitStack() as stack:
        if "SQLite" in request.param:
            names, shared["WEB_CONCURRENCY"] = ["one"], "2"
            shared["DATABASE_URL"] = f"sqlite:///{folder}/team.sqlite3"
        else:
            names, postgres = ["one", "other"], request.getfixturevalue("postgres_server")
            name = f"team_{time.monotonic_ns()}"
            postgres.execute(f"CREATE DATABASE {name}")
            stack.callback(postgres.execute, f"DROP DATABASE {name} WITH (FORCE)")
            shared["DATABASE_URL"] = postgres.url(name)
        servers = [stack.enter_context(ProxyServer(folder / name, CONFIGURATION, **shared)) for name in names]
        yield Team(servers, google, database_url=shared["DATABASE_URL"])


@pytest.fixture
def team(team_of_module: Team, google: Google) -> Team:
    """The team, whose upstream draws at once and has not been asked yet."""
    google.upstream.calls.clear()
    google.first.clear()
    google.sold, google.seconds = 0, 0.2
    return team_of_module


__all__ = ["MODEL", "PICTURE", "WAYS"]
