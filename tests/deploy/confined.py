"""A service started by `confine.py`, and stopped by its process id."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.installed import missing
from tests.support.proxy_server import free_port

START_SECONDS = 30
STOP_SECONDS = 15


@dataclass
class Confined:
    """A running service."""

    process: subprocess.Popen[bytes]
    url: str
    environment: dict[str, str]
    log: Path

    def stop(self) -> int:
        """SIGTERM to the first process alone, as KillMode=mixed and container engines do; returns its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def status(self, name: str) -> str:
        """What the kernel says of the process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].split()[0] for line in lines if line.startswith(f"{name}:"))

    def picture(self, key: str = "sandbox") -> bytes:
        """A picture is drawn, stored and fetched."""
        answer = requests.post(
            f"{self.url}/v1/images/generations",
            json={"prompt": "a cat"},
            headers={"Authorization": f"Bearer {key}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text + self.log.read_text()
        return requests.get(answer.json()["data"][0]["url"], timeout=10).content


@contextmanager
def confined(
    command: Sequence[str],
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    writable: Sequence[Path],
    user: int,
    calls: Sequence[str] = (),
    families: Sequence[str] = (),
) -> Iterator[Confined]:
    """Runs the command in the folder until the block ends; it listens at a free port of this machine."""
    may_confine()
    port = free_port()
    full = {**environment, "HOST": "127.0.0.1", "PORT": str(port)}
    order = {
        "writable": [str(one) for one in writable],
        "readable": sys.base_prefix,
        "user": user,
        "command": list(command),
        "calls": list(calls),
        "families": list(families),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("confine.py"), json.dumps(order)],
            cwd=folder,
            env=full,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    service = Confined(process, f"http://127.0.0.1:{port}", full, log)
    try:
        wait_until_healthy(service)
        yield service
    finally:
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.stop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def may_confine() -> None:
    """Skips where this user may not make a mount namespace."""
    probe = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({0x20000}) != 0)"
    if os.geteuid() or subprocess.run([sys.executable, "-c", probe]).returncode:
        missing("only root may start a service in a read-only file system")


def wait_until_healthy(service: Confined) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert service.process.poll() is None, f"it ended at its start:\n{service.log.read_text()}"
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{service.url}/healthz", timeout=2).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"no /healthz within {START_SECONDS} s:\n{service.log.read_text()}")
