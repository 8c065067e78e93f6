"""A service that several processes make up, and a Google that counts what it sells."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.support import pictures
from tests.support.keys import new_key
from tests.support.object_store import BUCKET, object_store
from tests.support.postgres import PostgresServer
from tests.support.proxy_server import ProxyServer
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
        headers.update(options.pop("headers", {}))
        return requests.post(
            f"{self.url(number)}/v1beta/models/{MODEL}:{method}", json=body, headers=headers, **options
        )

    def metric(self, name: str) -> float:
        """A number of the first machine's metrics, added up over its labels; 0 if it is not there."""
        page = requests.get(f"{self.url()}/metrics", timeout=10).text
        lines = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
        return sum(float(value) for _, value in lines)


@pytest.fixture
def google() -> Iterator[Google]:
    with ScriptedUpstream() as upstream:
        google = Google(upstream)
        upstream.answers(google.answer)
        yield google


@pytest.fixture
def one_machine(google: Google, tmp_path: Path) -> Iterator[Service]:
    """Two workers with a file as their database, as `make run` starts them."""
    with on_one_machine(google, tmp_path) as service:
        yield service


@pytest.fixture
def two_machines(google: Google, tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Service]:
    """Two services that share a PostgreSQL and a bucket."""
    with on_two_machines(google, tmp_path, postgres_server) as service:
        yield service


@contextmanager
def on_one_machine(google: Google, folder: Path, **environment: str) -> Iterator[Service]:
    """Two workers with a file as their database."""
    environment = {"GEMINI_BASE_URL": google.upstream.url, "WEB_CONCURRENCY": "2", **environment}
    with ProxyServer(folder, CONFIGURATION, **environment) as server:
        yield Service([server], google)


@contextmanager
def on_two_machines(google: Google, folder: Path, postgres: PostgresServer, **environment: str) -> Iterator[Service]:
    """Two services with a PostgreSQL and a bucket."""
    name = f"money_{time.monotonic_ns()}"
    postgres.execute(f"CREATE DATABASE {name}")
    with ExitStack() as stack:
        shared = {
            **stack.enter_context(object_store(folder / "s3")),
            "IMAGE_STORE_URL": f"s3://{BUCKET}/twinlens",
            "DATABASE_URL": postgres.url(name),
            "GEMINI_BASE_URL": google.upstream.url,
            **environment,
        }
        servers = [
            stack.enter_context(ProxyServer(folder / machine, CONFIGURATION, **shared)) for machine in ("one", "other")
        ]
        yield Service(servers, google)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["one machine, SQLite", "two machines, PostgreSQL"])
def service(request: pytest.FixtureRequest) -> Service:
    """Both kinds of service."""
    found: Service = request.getfixturevalue("one_machine" if "SQLite" in request.param else "two_machines")
    return found
