"""A running gunicorn with the proxy in it, started as a user starts it and stopped by its process id."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from proxy.state.migrate import migrate
from tests.support import processes
from tests.support.keys import keys_in
from tests.support.processes import free_port

GUNICORN = (sys.executable, "-m", "gunicorn")
QUICK = "tests/support/quick_gunicorn.conf.py"

ONE_AT_A_TIME = threading.Lock()  # Alembic has one state for all threads


def migrated() -> bytes:
    """A database that has its tables: to make them again for every server would take most of its start."""
    with ONE_AT_A_TIME:
        return newly_migrated()


@cache
def newly_migrated() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder).absolute() / "twinlens.sqlite3"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


class ProxyServer:
    """`with ProxyServer(folder, SANDBOX="1") as server:` serves at `server.url` until the block ends.

    The folder holds the pictures and the captured output. The environment is the given one and nothing of the
    developer's but the path. No key of the tests may be in the output at the end.
    """

    started: list["ProxyServer"] = []

    def __init__(
        self, folder: Path, configuration: str = "gunicorn.conf.py", command: Sequence[str] = (), **environment: str
    ) -> None:
        self.folder = folder
        self.command = command or (*GUNICORN, "--config", configuration)
        self.pictures = folder / "pictures"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        database = folder.absolute() / "twinlens.sqlite3"
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
            "DATABASE_URL": f"sqlite:///{database}",
            **environment,
        }
        if "DATABASE_URL" not in environment and not database.exists():
            database.write_bytes(migrated())

    def __enter__(self) -> Self:
        self.process = processes.start(self.command, self.log, self.is_healthy, self.environment)
        ProxyServer.started.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        processes.stop(self.process)
        assert not keys_in(self.output()), f"keys in the output of {self.environment}:\n{self.output()}"

    def is_healthy(self) -> bool:
        """Whether /healthz says so."""
        return processes.answers(f"{self.url}/healthz")

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def output(self) -> str:
        """All that the server has written so far, stdout and stderr together."""
        return self.log.read_text(errors="replace")

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
        """Sends SIGINT to the whole group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """Sends SIGTERM to the master, as an init system does."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self, seconds: float = processes.STOP_SECONDS) -> int:
        """Waits for the end of the master, and returns its exit code."""
        return self.process.wait(seconds)

    def has_left_processes(self) -> bool:
        """Whether a process of this server still runs."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        master = self.process.pid
        return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


Start = Callable[..., ProxyServer]


@contextmanager
def proxies(*unwanted: str) -> Iterator[Start]:
    """Starts proxies that run until the block ends, and are then all stopped at once.

    None of the unwanted words is in their output by then.
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
        assert not [word for word in unwanted if word in server.output()], server.output()
