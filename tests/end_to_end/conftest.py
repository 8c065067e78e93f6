"""The servers that these tests share: each is started once, when the first test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.models_file import models_file
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose upstream is `upstream`."""
    with ProxyServer(_folder(tmp_path_factory, "proxy"), GEMINI_BASE_URL=google.url) as server:
        yield server


@pytest.fixture(scope="session")
def sandbox_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that answers the key `sandbox` by itself, with two workers that share the stored pictures."""
    folder = _folder(tmp_path_factory, "sandbox")
    with ProxyServer(folder, SANDBOX="1", WEB_CONCURRENCY="2", GEMINI_BASE_URL=google.url) as server:
        yield server


@pytest.fixture(scope="session")
def chain_server(sandbox_server: ProxyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy whose model is drawn by a second one, through OpenAI's API."""
    folder = _folder(tmp_path_factory, "chain")
    with ProxyServer(folder, MODELS_FILE=models_file(folder, f"{sandbox_server.url}/v1")) as server:
        yield server


@pytest.fixture(scope="session")
def impatient_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that waits one second for its upstream, keeps pictures for two, and takes small requests only."""
    folder = _folder(tmp_path_factory, "impatient")
    limits = {"UPSTREAM_TIMEOUT_SECONDS": "1", "IMAGE_TTL_SECONDS": "2", "MAX_REQUEST_BYTES": "100000"}
    configuration = str(Path(__file__).with_name("impatient_gunicorn.conf.py"))
    with ProxyServer(folder, configuration, GEMINI_BASE_URL=google.url, **limits) as server:
        yield server


def _folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    return tmp_path_factory.mktemp(name)
