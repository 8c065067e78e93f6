"""Programs that tests start: they listen at free ports, are stopped by their process ids, and never outlive the run."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import requests

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 15
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1

Command = Sequence[str | Path]


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_with_the_tests(by: signal.Signals = signal.SIGTERM) -> None:
    """In the child: take this signal when the test run is killed, which could no longer send it (Linux only)."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, by)


def start(
    command: Command,
    log: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    folder: Path = PROJECT,
    user: str | None = None,
    by: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts a program in a process group of its own, and returns when it is ready. Its output goes to the log.

    If the test run is killed, the program gets the signal `by`.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=partial(end_with_the_tests, by),
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not is_ready():
            said = log.read_text(errors="replace")
            assert process.poll() is None, f"{command[0]} ended at its start:\n{said}"
            assert time.monotonic() < end, f"{command[0]} is not ready after {START_SECONDS} s:\n{said}"
            time.sleep(0.05)
    except BaseException:
        stop(process)
        raise
    return process


def stop(process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM, seconds: float = STOP_SECONDS) -> None:
    """Ends a program with a signal, and then what is left of its group with SIGKILL."""
    if process.poll() is None:
        process.send_signal(by)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(seconds)


@contextmanager
def running(
    command: Command, log: Path, is_ready: Callable[[], bool], by: signal.Signals = signal.SIGTERM, **options: object
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs until the block ends, which is when it gets this signal. Options are those of `start`."""
    process = start(command, log, is_ready, by=by, **options)  # type: ignore[arg-type]
    try:
        yield process
    finally:
        stop(process, by)


def listens(port: int) -> bool:
    """Whether connections to a port of this machine are accepted."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def answers(url: str, **options: object) -> bool:
    """Whether a GET is answered with less than 500."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=5, **options).status_code < 500  # type: ignore[arg-type]
    return False
