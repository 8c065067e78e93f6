"""Every fault of an upstream again and again: what each call would leave behind is soon more than may be there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.faults.answers import with_fault
from tests.faults.calls import MODEL, generate, generate_content
from tests.faults.conftest import MOST_IN_FLIGHT
from tests.support.leftovers import Leftovers
from tests.support.processes import free_port
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import ScriptedUpstream, tls_server
from tests.support.upstream_faults import FAULTS, NONE

TIMES = 5  # by every way: more than the connections that may be kept, even if only one way leaves something
TIMES_AT_ONCE = 3
SLOW = [name for name in FAULTS if name.startswith(("reset", "silence", "stall", "drip", "slow"))]


def stream_generate_content(server: ProxyServer, key: str) -> requests.Response:
    """Google's surface in events."""
    url = f"{server.url}/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    body = {"contents": [{"parts": [{"text": "a cat"}]}]}
    return requests.post(url, json=body, headers={"x-goog-api-key": key}, timeout=20)


Way = Callable[[ProxyServer, str], requests.Response]
WAYS: dict[str, Way] = {
    "url": lambda server, key: generate(server, key, response_format="url"),
    "b64_json": lambda server, key: generate(server, key, response_format="b64_json"),
    "another format": lambda server, key: generate(server, key, output_format="jpeg"),
    "two": lambda server, key: generate(server, key, n=2),
    "stream": lambda server, key: generate(server, key, stream=True),
    "generateContent": generate_content,
    "streamGenerateContent": stream_generate_content,
}


def ask(server: ProxyServer, key: str, way: Way) -> None:
    """A call, whatever becomes of it."""
    with suppress(requests.RequestException):
        way(server, key)


def pictures_of(server: ProxyServer) -> int:
    """How many files lie in the store, whatever they are called."""
    return sum(path.is_file() for path in server.pictures.rglob("*"))


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in SLOW])
def test_a_fault_leaves_nothing_however_often_it_comes(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, nothing_is_left: Leftovers, fault: str
) -> None:
    before = pictures_of(server)
    upstream.answers(with_fault(fault))
    for way in WAYS.values():
        for _ in range(TIMES):
            ask(server, key, way)
    assert len(upstream.calls) == (len(WAYS) + 1) * TIMES
    if fault not in (NONE, "mislabelled"):  # which brings pictures
        assert pictures_of(server) == before, "a picture that no answer names"


@pytest.mark.parametrize("fault", SLOW)
def test_a_fault_that_takes_its_time_leaves_nothing(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, nothing_is_left: Leftovers, fault: str
) -> None:
    before = pictures_of(server)
    upstream.answers(with_fault(fault))
    with ThreadPoolExecutor(MOST_IN_FLIGHT) as pool:
        for way in [*WAYS.values()] * TIMES_AT_ONCE:
            pool.submit(ask, server, key, way)
    assert len(upstream.calls) == (len(WAYS) + 1) * TIMES_AT_ONCE
    assert pictures_of(server) == before, "a picture that no answer names"


@pytest.mark.parametrize("reason", ["refused", "DNS", "TLS"])
def test_an_unreachable_upstream_leaves_nothing(
    start: Start, tmp_path: Path, key: str, nothing_is_left: Leftovers, reason: str
) -> None:
    with tls_server(tmp_path, b"") as secure:
        url = {"refused": f"http://127.0.0.1:{free_port()}", "DNS": "https://gemini.invalid", "TLS": secure}[reason]
        lost = start(tmp_path, GEMINI_BASE_URL=url)
        with ThreadPoolExecutor(MOST_IN_FLIGHT) as pool:
            for way in WAYS.values():
                pool.submit(ask, lost, key, way)
        nothing_is_left.kept = 0
        nothing_is_left.look(lost)
    assert not pictures_of(lost)
