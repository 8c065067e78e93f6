"""A service started by `confine.py`, and stopped by its process id."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.installed import missing
from tests.support.processes import STOP_SECONDS, answers, free_port, running


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
    command = [sys.executable, Path(__file__).with_name("confine.py"), json.dumps(order)]
    url = f"http://127.0.0.1:{port}"
    with running(command, log, lambda: answers(f"{url}/healthz"), environment=full, folder=folder) as process:
        yield Confined(process, url, full, log)


def may_confine() -> None:
    """Skips where this user may not make a mount namespace."""
    probe = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({0x20000}) != 0)"
    if os.geteuid() or subprocess.run([sys.executable, "-c", probe]).returncode:
        missing("only root may start a service in a read-only file system")
