"""Fixtures of all tests that need a scripted upstream or a running proxy. Each server starts with its first test."""

from collections.abc import Iterator

import pytest

from tests.support.keys import new_key
from tests.support.proxy_server import QUICK, ProxyServer, Start, proxies
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def google() -> Iterator[ScriptedUpstream]:
    """The server that plays Google, for the whole run."""
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(google: ScriptedUpstream) -> ScriptedUpstream:
    """The server that plays Google, before the first call; the test says what it answers."""
    google.answers()
    return google


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return new_key()


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts proxies that run until the end. There is no traceback in their output by then."""
    with proxies("Traceback") as start:
        yield start


@pytest.fixture(scope="session")
def server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose upstream is `upstream`."""
    return start(tmp_path_factory.mktemp("proxy"), QUICK, GEMINI_BASE_URL=google.url)


@pytest.fixture(scope="session")
def sandbox_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy that answers the key `sandbox` by itself, with two workers that share the stored pictures."""
    folder = tmp_path_factory.mktemp("sandbox")
    return start(folder, QUICK, SANDBOX="1", WEB_CONCURRENCY="2", GEMINI_BASE_URL=google.url)
