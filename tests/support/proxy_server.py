"""A running gunicorn with the proxy in it, started as a user starts it and stopped by its process id."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import requests

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 20
STOP_SECONDS = 15
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


class ProxyServer:
    """`with ProxyServer(folder, SANDBOX="1") as server:` serves at `server.url` until the block ends.

    The folder holds the pictures and the captured output. The environment is the given one and nothing of the
    developer's but the path.
    """

    started: list["ProxyServer"] = []

    def __init__(self, folder: Path, configuration: str = "gunicorn.conf.py", **environment: str) -> None:
        self.folder = folder
        self.configuration = configuration
        self.pictures = folder / "pictures"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "1",
            "IMAGE_STORE_URL": str(self.pictures),
            "DATABASE_URL": f"sqlite:///{folder.absolute()}/twinlens.sqlite3",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._output_file().open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--config", self.configuration],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_the_tests,
            )
        ProxyServer.started.append(self)
        try:
            self._wait_until_healthy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)

    def output(self) -> str:
        """All that the server has written so far, stdout and stderr together."""
        return self._output_file().read_text(errors="replace")

    def says_to(self, request: bytes) -> bytes:
        """All that the server answers to these very bytes, on a connection on which no more will come."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            # A server that has read enough may close the connection under what is still to be sent.
            with contextlib.suppress(OSError):
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while piece := connection.recv(65536):
                    answer += piece
        return answer

    def press_ctrl_c(self) -> None:
        """Send SIGINT to the whole group, as a terminal does."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM to the master, as an init system does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the end of the master, and say how it ended."""
        assert self.process is not None
        return self.process.wait(seconds)

    def has_left_processes(self) -> bool:
        """Whether a process of this server still lives."""
        assert self.process is not None
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _output_file(self) -> Path:
        return self.folder / "server.log"

    def _wait_until_healthy(self) -> None:
        assert self.process is not None
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self.process.poll() is None, f"gunicorn ended at its start:\n{self.output()}"
            try:
                if requests.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.05)
        raise AssertionError(f"no /healthz within {START_SECONDS} s:\n{self.output()}")


def end_with_the_tests() -> None:
    """In the child: take a SIGTERM when the test run is killed, which could no longer send it (Linux only)."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
