"""Two more servers that several modules share."""

from pathlib import Path

import pytest

from tests.support.models_file import models_file
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def chain_server(start: Start, sandbox_server: ProxyServer, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose model is drawn by a second one, through OpenAI's API."""
    folder = tmp_path_factory.mktemp("chain")
    return start(folder, MODELS_FILE=models_file(folder, f"{sandbox_server.url}/v1"))


@pytest.fixture(scope="session")
def impatient_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy that waits one second for its upstream, keeps pictures for two, and takes small requests only."""
    limits = {"UPSTREAM_TIMEOUT_SECONDS": "1", "IMAGE_TTL_SECONDS": "2", "MAX_REQUEST_BYTES": "100000"}
    configuration = str(Path(__file__).with_name("impatient_gunicorn.conf.py"))
    return start(tmp_path_factory.mktemp("impatient"), configuration, GEMINI_BASE_URL=google.url, **limits)
