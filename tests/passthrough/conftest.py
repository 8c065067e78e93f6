"""A server that compresses, and the SDKs in their environments."""

from collections.abc import Iterator

import pytest

from tests.passthrough.sdk_client import SdkClient
from tests.support.environments import python_of
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def gzip_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy that lets its callers ask the upstream for compressed answers."""
    return start(tmp_path_factory.mktemp("gzip"), GEMINI_BASE_URL=google.url, UPSTREAM_GZIP="1")


@pytest.fixture(scope="session")
def sdk_clients() -> Iterator[dict[str, SdkClient]]:
    """The SDK processes that have been started so far."""
    started: dict[str, SdkClient] = {}
    yield started
    for client in started.values():
        client.__exit__()


def sdk_client(name: str, started: dict[str, SdkClient]) -> SdkClient:
    """The process of an SDK version. Skips the test where its packages cannot be fetched."""
    python = python_of(name)
    if name not in started:
        package = name.rpartition("-")[0]
        started[name] = SdkClient(python, f"{package.replace('-', '_')}_script.py").__enter__()
    return started[name]
