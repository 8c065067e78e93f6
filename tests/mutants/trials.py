"""Runs rows against the service with a fault."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from contract.replay import ReplayingUpstream
from contract.rows import all_rows
from contract.suite.clients import Clients
from contract.suite.row import Row, State
from contract.suite.run import Result, run
from contract.suite.server import Server
from tests.mutants.mutants import MUTANTS

PROJECT = Path(__file__).resolve().parents[2]
CONFIGURATION = Path(__file__).with_name("gunicorn.conf.py")
MODEL = "gemini-2.5-flash-image"
KEY = "AIza-key-of-the-mutants"
START_SECONDS, STOP_SECONDS = 60, 15


class DidNotStart(Exception):
    """The service with a fault did not start."""


@dataclass(frozen=True)
class Trial:
    """The results of the rows for one fault."""

    name: str
    results: Sequence[Result]

    @property
    def failed(self) -> list[str]:
        """The rows that failed."""
        return [result.row.id for result in self.results if result.state == State.FAIL]

    @property
    def unnoticed(self) -> list[str]:
        """The patterns of which no row failed."""
        patterns = MUTANTS[self.name].rows or ("*",) if self.name else ()
        return [one for one in patterns if not any(fnmatchcase(row, one) for row in self.failed)]


def expected_rows(name: str) -> list[Row]:
    """The rows that should notice a fault."""
    return [row for row in all_rows() if any(fnmatchcase(row.id, pattern) for pattern in MUTANTS[name].rows)]


def try_out(name: str, rows: Sequence[Row]) -> Trial:
    """Run rows against the service with a fault, or without one if the name is empty."""
    clients = Clients()
    upstream = ReplayingUpstream(port=0)
    try:
        with upstream.running(), service(name, upstream.url) as url:
            server = Server(base_url=url, key=KEY, model=MODEL, clients=clients, reference=upstream, upstream=upstream)
            return Trial(name, list(run(rows, server)))
    finally:
        clients.close()


@contextmanager
def service(name: str, upstream: str) -> Iterator[str]:
    """The address of the service, which runs until the block ends."""
    with TemporaryDirectory() as folder:
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "WEB_CONCURRENCY": "1",
            "IMAGE_STORE_URL": f"{folder}/images",
            "DATABASE_URL": f"sqlite:///{folder}/twinlens.sqlite3",
            "GEMINI_BASE_URL": upstream,
            "MUTANT": name,
        }
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--config", str(CONFIGURATION)],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the service answers. Raises DidNotStart."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{url}/healthz", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise DidNotStart(log.read_text(errors="replace")[-2000:])


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def free_port() -> int:
    """A port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
