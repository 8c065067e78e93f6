"""The server that the documentation's code talks to."""

from collections.abc import Iterator

import pytest

from tests.support.proxy_server import ProxyServer


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with its sandbox on, as `make run` starts it."""
    with ProxyServer(tmp_path_factory.mktemp("docs"), SANDBOX="1") as server:
        yield server
