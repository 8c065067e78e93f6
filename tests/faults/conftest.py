"""Servers to break things on, and the look at what is left behind after each test."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.end_to_end.proxy_server import ProxyServer
from tests.rig import Start, google, key, proxies, upstream
from tests.window.raw_upstream import RawUpstream

SECONDS = 3.0
SPARE = 4  # descriptors that may be open or not at any time: idle connections, a thread's wake-up

__all__ = ["google", "key", "upstream"]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts proxies that live until the end of the module."""
    with proxies() as start:
        yield start


@pytest.fixture(scope="module")
def server(start: Start, google: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy with one worker, little patience and a small appetite."""
    limits = {"UPSTREAM_TIMEOUT_SECONDS": "1", "MAX_ANSWER_BYTES": "4000000", "MAX_REQUEST_BYTES": "6000000"}
    return start(tmp_path_factory.mktemp("faults"), GEMINI_BASE_URL=google.url, **limits)


@pytest.fixture
def nothing_is_left(server: ProxyServer) -> Iterator[None]:
    """After the test no place is taken, no unfinished file lies about, and no descriptor stays open."""
    requests.get(f"{server.url}/healthz", timeout=5)
    before = descriptors(server)
    yield
    until(lambda: in_flight(server) == 0, "places in flight")
    until(lambda: not unfinished(server), "unfinished pictures")
    until(lambda: descriptors(server) <= before + SPARE, f"more descriptors than the {before} before")


def until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait for something that must come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"left behind: {what}"
        time.sleep(0.05)


def in_flight(server: ProxyServer) -> float:
    """Calls that are being answered, as the metrics tell."""
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("twinlens_in_flight"))


def unfinished(server: ProxyServer) -> list[Path]:
    """Pictures that are being written, or were."""
    return list(server.pictures.rglob("*.part"))


def workers(server: ProxyServer) -> list[int]:
    """The process ids of the workers."""
    assert server.process is not None
    master = server.process.pid
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def descriptors(server: ProxyServer) -> int:
    """Files and sockets that the workers have open."""
    count = 0
    for worker in workers(server):
        with contextlib.suppress(OSError):
            count += len(list(Path(f"/proc/{worker}/fd").iterdir()))
    return count


def memory(server: ProxyServer) -> int:
    """The most bytes that the workers have ever held."""
    lines = [line for pid in workers(server) for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
