"""Starts processes, measures their CPU time and memory, and stops them by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 300  # LiteLLM takes minutes where the machine is busy
STOP_SECONDS = 20
SAMPLE_SECONDS = 0.2  # between two readings of the memory


@dataclass(frozen=True)
class Process:
    """A started process and all its children."""

    pid: int
    log: Path

    def cpu_seconds(self) -> float:
        """CPU time of the whole tree so far, including children that have ended."""
        return sum(ticks_of(pid) for pid in tree(self.pid)) / TICKS

    def memory(self) -> int:
        """Resident bytes of the whole tree; shared pages are counted for each process."""
        return sum(resident(pid) for pid in tree(self.pid))

    def open_files(self) -> int:
        """Open files and sockets of the whole tree."""
        return sum(count_entries(Path(f"/proc/{pid}/fd")) for pid in tree(self.pid))

    def workers(self) -> list[int]:
        """The ids of the descendants."""
        return tree(self.pid)[1:]


def tree(pid: int) -> list[int]:
    """A process and all its descendants, by id."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def ticks_of(pid: int) -> int:
    """User and system time of a process and of its ended children, in clock ticks."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, after_name[11:15]))


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def count_entries(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return 0


class PeakMemory:
    """`with PeakMemory(process) as peak:` reads the memory repeatedly until the block ends."""

    def __init__(self, process: Process):
        self.process = process
        self.most = 0
        self.over = threading.Event()

    def __enter__(self) -> PeakMemory:
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def sample(self) -> None:
        while not self.over.wait(SAMPLE_SECONDS):
            self.most = max(self.most, self.process.memory())


@contextmanager
def running(
    command: Sequence[str], folder: Path, name: str, url: str, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Start a command, wait until `url` answers with any status, and stop it when the block ends."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        started = subprocess.Popen(  # noqa: S603
            command,
            env=environment,
            cwd=None if environment is None else environment.get("PWD"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(url, started, log)
        yield Process(started.pid, log)
    finally:
        stop(started)


def wait_for(url: str, started: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if started.poll() is not None:
            raise SystemExit(f"the process ended at its start:\n{log.read_text(errors='replace')}")
        try:
            urllib.request.urlopen(url, timeout=10).close()  # noqa: S310
        except urllib.error.HTTPError as answer:
            answer.close()
        except OSError:
            time.sleep(0.1)
            continue
        return
    raise SystemExit(f"no answer from {url} within {START_SECONDS} s:\n{log.read_text(errors='replace')}")


def stop(started: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, and SIGKILL to its process group if it does not end in time."""
    if started.poll() is None:
        started.send_signal(signal.SIGTERM)
    try:
        started.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait(STOP_SECONDS)


def exit_on_sigterm() -> None:
    """Make SIGTERM exit this process as Ctrl-C does, so that the processes it started are stopped first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def free_port() -> int:
    """A port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
