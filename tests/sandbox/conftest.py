"""The sandbox in this process, through its adapter, and behind a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sandbox import create_app, drawing
from sandbox.transport import SandboxAdapter
from tests.sandbox.gemini_client import IN_PROCESS, Client
from tests.support.sandbox_process import running_sandbox


@pytest.fixture(autouse=True)
def quick_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn small and enlarged to the size that is asked for."""
    assert drawing.DRAWN_PIXELS > 1_000_000
    monkeypatch.setattr(drawing, "DRAWN_PIXELS", 40_000)


def new_client() -> Client:
    """A client with a sandbox of its own in this process."""
    session = requests.Session()
    session.mount(IN_PROCESS, SandboxAdapter(create_app()))
    return Client(session, IN_PROCESS)


@pytest.fixture(scope="session")
def client() -> Client:
    """A client of a sandbox in this process, which all tests share."""
    return new_client()


@pytest.fixture
def fresh_client() -> Client:
    """A client of a sandbox that has not been called yet."""
    return new_client()


@pytest.fixture(scope="session")
def served() -> Iterator[Client]:
    """A client that reaches `python -m sandbox` through a socket."""
    session = requests.Session()
    session.trust_env = False
    with running_sandbox() as url:
        yield Client(session, url)
