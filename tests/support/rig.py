"""What tests of the window and of faults stand on: proxies, a Google on the level of bytes, and keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.keys import keys_in, new_key
from tests.support.proxy_server import ProxyServer
from tests.support.raw_upstream import RawUpstream

Start = Callable[..., ProxyServer]


@contextmanager
def proxies(*unwanted: str) -> Iterator[Start]:
    """Starts proxies that live until the block ends, and are then all stopped at once.

    None has printed a key by then, nor one of the unwanted words.
    """
    started: list[ProxyServer] = []

    def start(folder: Path, configuration: str = "gunicorn.conf.py", **environment: str) -> ProxyServer:
        started.append(ProxyServer(folder, configuration, **environment).__enter__())
        return started[-1]

    yield start
    for server in started:
        server.terminate()
    for server in started:
        server.__exit__()
        assert not keys_in(server.output()), f"keys in the output of {server.environment}:\n{server.output()}"
        assert not [word for word in unwanted if word in server.output()], server.output()


@pytest.fixture(scope="session")
def google() -> Iterator[RawUpstream]:
    """The server that plays Google, for the whole run."""
    with RawUpstream().running() as upstream:
        yield upstream


@pytest.fixture
def upstream(google: RawUpstream) -> RawUpstream:
    """The server that plays Google, before the first request."""
    google.answers()
    return google


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return new_key()
