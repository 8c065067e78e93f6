"""The sandbox twice: in this process through its adapter, and behind a real socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox import create_app
from sandbox.transport import SandboxAdapter
from tests.sandbox.sandbox_clients import ADAPTED, Client

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def adapted() -> Client:
    """A client whose session has the sandbox mounted."""
    session = requests.Session()
    session.mount("sandbox://", SandboxAdapter(create_app()))
    return Client(session, ADAPTED)


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m sandbox` on a free port: the process and its address."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    yield process, url
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def served(sandbox_process: tuple[subprocess.Popen[str], str]) -> Client:
    """A client that reaches the sandbox through a socket."""
    session = requests.Session()
    session.trust_env = False
    return Client(session, sandbox_process[1])


@pytest.fixture(params=["adapted", "served"])
def client(request: pytest.FixtureRequest) -> Client:
    """Either client: what holds for one holds for the other."""
    found: Client = request.getfixturevalue(request.param)
    return found
