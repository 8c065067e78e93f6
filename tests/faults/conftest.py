"""Servers to break things on, and the look at what is left behind after each test."""

from collections.abc import Iterator

import pytest

from tests.support.proxy_server import ProxyServer, Start, proxies
from tests.support.upstream import ScriptedUpstream
from tests.support.upstream_faults import LARGE

MOST_IN_FLIGHT = 30  # so that calls which are not counted out are noticed soon


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts proxies that live until the end of the module."""
    with proxies() as start:
        yield start


@pytest.fixture(scope="module")
def server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy with one worker, a short timeout and small limits."""
    limits = {
        "UPSTREAM_TIMEOUT_SECONDS": "1",
        "MAX_ANSWER_BYTES": str(LARGE),
        "MAX_REQUEST_BYTES": "6000000",
        "MAX_IN_FLIGHT": str(MOST_IN_FLIGHT),
    }
    return start(tmp_path_factory.mktemp("faults"), GEMINI_BASE_URL=google.url, **limits)
