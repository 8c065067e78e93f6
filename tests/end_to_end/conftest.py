"""The servers that these tests share: each is started once, when the first test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house_models import models_file
from tests.support.keys import keys_in, new_key
from tests.support.leftovers import nothing_is_left
from tests.support.proxy_server import ProxyServer
from tests.support.replaying_upstream import ReplayingUpstream

__all__ = ["nothing_is_left"]


@pytest.fixture(scope="session", autouse=True)
def no_key_is_ever_written_down():
    """When all is over, no server of the whole run has printed a key."""
    yield
    for server in ProxyServer.started:
        server.__exit__()
        assert not keys_in(server.output()), f"keys in the output of {server.environment}:\n{server.output()}"


@pytest.fixture(scope="session")
def google(no_key_is_ever_written_down: None) -> Iterator[ReplayingUpstream]:
    """The server that plays Google, for the whole run."""
    with ReplayingUpstream().running() as upstream:
        yield upstream


@pytest.fixture
def upstream(google: ReplayingUpstream) -> ReplayingUpstream:
    """The server that plays Google, with nothing to say until the test says it."""
    google.answers()
    return google


@pytest.fixture(scope="session")
def server(google: ReplayingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose upstream is `upstream`."""
    with ProxyServer(_folder(tmp_path_factory, "proxy"), GEMINI_BASE_URL=google.url) as server:
        yield server


@pytest.fixture(scope="session")
def sandbox_server(google: ReplayingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that answers the key `sandbox` by itself, with two workers that share the stored pictures."""
    folder = _folder(tmp_path_factory, "sandbox")
    with ProxyServer(folder, SANDBOX="1", WEB_CONCURRENCY="2", GEMINI_BASE_URL=google.url) as server:
        yield server


@pytest.fixture(scope="session")
def chain_server(sandbox_server: ProxyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose model is drawn by a second one, with which it speaks OpenAI's API."""
    folder = _folder(tmp_path_factory, "chain")
    with ProxyServer(folder, MODELS_FILE=models_file(folder, f"{sandbox_server.url}/v1")) as server:
        yield server


@pytest.fixture(scope="session")
def impatient_server(google: ReplayingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that waits one second for its upstream, keeps pictures for two, and takes small requests only."""
    folder = _folder(tmp_path_factory, "impatient")
    limits = {"UPSTREAM_TIMEOUT_SECONDS": "1", "IMAGE_TTL_SECONDS": "2", "MAX_REQUEST_BYTES": "100000"}
    configuration = str(Path(__file__).with_name("impatient_gunicorn.conf.py"))
    with ProxyServer(folder, configuration, GEMINI_BASE_URL=google.url, **limits) as server:
        yield server


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return new_key()


def _folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    return tmp_path_factory.mktemp(name)
