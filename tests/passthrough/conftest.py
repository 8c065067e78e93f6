"""The servers of these tests, each started when the first test asks for it, and the SDKs in their environments."""

from collections.abc import Iterator

import pytest

from tests.passthrough.sdk_client import SdkClient
from tests.support.environments import python_of
from tests.support.proxy_server import ProxyServer, Start, proxies
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts proxies that live until the end. None has printed a traceback by then."""
    with proxies("Traceback") as start:
        yield start


@pytest.fixture(scope="session")
def server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose upstream is `upstream`."""
    return start(tmp_path_factory.mktemp("passthrough"), GEMINI_BASE_URL=google.url)


@pytest.fixture(scope="session")
def gzip_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy that lets its callers ask the upstream for compressed answers."""
    return start(tmp_path_factory.mktemp("gzip"), GEMINI_BASE_URL=google.url, UPSTREAM_GZIP="1")


@pytest.fixture(scope="session")
def sandbox_server(start: Start, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy that answers the key `sandbox` by itself."""
    return start(tmp_path_factory.mktemp("sandbox"), SANDBOX="1")


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
