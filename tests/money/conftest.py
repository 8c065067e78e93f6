"""A service that several processes make up, and a Google that counts what it sells."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.support import pictures
from tests.support.installed import missing, program
from tests.support.keys import new_key
from tests.support.object_store import BUCKET, object_store
from tests.support.postgres import PostgresServer
from tests.support.proxy_server import GUNICORN, ProxyServer, Start
from tests.support.upstream import Call, Reply, ScriptedUpstream, Wire, http

CONFIGURATION = str(Path(__file__).with_name("short_leases_gunicorn.conf.py"))
MODEL = "gemini-2.5-flash-image"


@dataclass
class Google:
    """Draws a picture in so many seconds, another one for each call, and sells it if its caller is still there."""

    upstream: ScriptedUpstream
    seconds: float = 0.2
    first: list[Reply] = field(default_factory=list)  # what the first calls get instead
    made: list[bytes] = field(default_factory=list)
    sold: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Call) -> Reply:
        with self.lock:
            if self.first:
                return self.first.pop(0)
            picture = pictures.plain_png(64, 64, f"#{len(self.made) * 7919 % 0xFFFFFF:06x}")
            self.made.append(picture)
        body = pictures.as_google_writes(pictures.drawn(pictures.picture_part(picture)))
        return Wire(then=partial(self.draw, http(body)))

    def draw(self, answer: bytes, connection: socket.socket) -> bool:
        """Sends the answer in time, unless the other side hangs up before."""
        connection.settimeout(self.seconds)
        try:
            connection.recv(1, socket.MSG_PEEK)  # nobody says anything: it is the end of the connection
            return False
        except TimeoutError:
            connection.settimeout(10)
        with self.lock:
            self.sold += 1
        connection.sendall(answer)
        return True

    @property
    def asked(self) -> int:
        """How many calls it has had."""
        return len(self.upstream.calls)


@dataclass
class Service:
    """Two processes that answer for one service: workers behind one port, or machines with a port each."""

    servers: list[ProxyServer]
    google: Google
    key: str = field(default_factory=new_key)
    saved_before: float = 0

    def __post_init__(self) -> None:
        self.saved_before = self.metric("twinlens_purchases_saved_total")

    def url(self, number: int = 0) -> str:
        """The address of a machine; the only one where there is one."""
        return self.servers[number % len(self.servers)].url

    def openai(self, number: int = 0, **options: Any) -> openai.OpenAI:
        """OpenAI's SDK for a machine."""
        return openai.OpenAI(base_url=f"{self.url(number)}/v1", api_key=self.key, **options)

    def generate(self, number: int = 0, key: str | None = None, **options: Any) -> requests.Response:
        """A picture in base64, from a caller without an SDK, perhaps with an idempotency key."""
        body = {"prompt": "a cat", "response_format": "b64_json", **options.pop("json", {})}
        headers = {"Authorization": f"Bearer {self.key}", **({"Idempotency-Key": key} if key else {})}
        address = f"{self.url(number)}/v1/images/generations"
        return requests.post(address, json=body, headers={**headers, **options.pop("headers", {})}, **options)

    def native(self, number: int = 0, key: str | None = None, **options: Any) -> requests.Response:
        """The same on Google's surface."""
        body = {"contents": [{"parts": [{"text": "a cat"}]}]}
        headers = {"x-goog-api-key": self.key, **({"Idempotency-Key": key} if key else {})}
        method = options.pop("method", "generateContent")
        return requests.post(
            f"{self.url(number)}/v1beta/models/{MODEL}:{method}", json=body, headers=headers, **options
        )

    def metric(self, name: str) -> float:
        """A number of the first machine's metrics, added up over its labels; 0 if it is not there."""
        page = requests.get(f"{self.url()}/metrics", timeout=10).text
        lines = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(value) for _, value in lines)

    def saved(self) -> float:
        """How many purchases the first machine has saved in this test."""
        return self.metric("twinlens_purchases_saved_total") - self.saved_before

    @property
    def database(self) -> str:
        """The `DATABASE_URL`."""
        return self.servers[0].environment["DATABASE_URL"]


@pytest.fixture(scope="session")
def seller() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def google(seller: ScriptedUpstream) -> Google:
    google = Google(seller)
    seller.answers(google.answer)
    return google


# Servers start once for all tests: each test has a caller's key of its own, and what it buys is its own.


@pytest.fixture(scope="session")
def two_workers(start: Start, seller: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    folder = tmp_path_factory.mktemp("two_workers")
    return start(folder, CONFIGURATION, GEMINI_BASE_URL=seller.url, WEB_CONCURRENCY="2")


@pytest.fixture(scope="session")
def machines(
    start: Start,
    seller: ScriptedUpstream,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[ProxyServer]]:
    folder = tmp_path_factory.mktemp("machines")
    postgres_server.execute("CREATE DATABASE money")
    with object_store(folder / "s3") as bucket:
        shared = {
            **bucket,
            "IMAGE_STORE_URL": f"s3://{BUCKET}/twinlens",
            "DATABASE_URL": postgres_server.url("money"),
            "GEMINI_BASE_URL": seller.url,
        }
        yield [start(folder / name, CONFIGURATION, **shared) for name in ("one", "other")]


@pytest.fixture
def one_machine(two_workers: ProxyServer, google: Google) -> Service:
    """Two workers with a file as their database, as `make run` starts them."""
    return Service([two_workers], google)


@pytest.fixture
def two_machines(machines: list[ProxyServer], google: Google) -> Service:
    """Two services that share a PostgreSQL and a bucket."""
    return Service(machines, google)


@pytest.fixture(params=["one machine, SQLite", "two machines, PostgreSQL"])
def service(request: pytest.FixtureRequest) -> Service:
    """Both kinds of service."""
    found: Service = request.getfixturevalue("one_machine" if "SQLite" in request.param else "two_machines")
    return found


@pytest.fixture
def own_machine(google: Google, tmp_path: Path) -> Iterator[Service]:
    """Two workers for a test that ends them."""
    with ProxyServer(tmp_path, CONFIGURATION, GEMINI_BASE_URL=google.upstream.url, WEB_CONCURRENCY="2") as server:
        yield Service([server], google)


@pytest.fixture
def small_file_system() -> Callable[..., AbstractContextManager[tuple[ProxyServer, Path]]]:
    """Starts a server whose database has a small file system of its own. Only root can make one."""

    @contextmanager
    def start(folder: Path, **environment: str) -> Iterator[tuple[ProxyServer, Path]]:
        unshare = [program("unshare"), "--mount", "--propagation", "private"]
        if os.geteuid() or subprocess.run([*unshare, "true"], capture_output=True).returncode:
            missing("only root may mount a small disk")
        disk = folder / "disk"
        disk.mkdir()
        mounted = f'mount -t tmpfs -o size=400k tmpfs "{disk}" && exec "$@"'
        command = [*unshare, "sh", "-c", mounted, "sh", *GUNICORN, "--config", CONFIGURATION]
        url = f"sqlite:///{disk}/twinlens.sqlite3"
        with ProxyServer(folder, command=command, DATABASE_URL=url, **environment) as server:
            yield server, Path(f"/proc/{server.process.pid}/root{disk}")

    return start
