"""Python environments of their own for tools that our tests run: made once in `.cache`, from pinned requirements."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache"
PATIENCE = ("--retries", "2", "--timeout", "20")
AT_THE_START = dict(os.environ)  # an HTTP proxy that the tests do without may be pip's only way out

# How pip says that it could not talk to the index, as opposed to what is wrong with a package.
UNREACHABLE = re.compile(r"Retrying \(|Failed to establish|Name or service not known|name resolution|ConnectTimeout")


def environment(name: str, requirements: Path) -> Path:
    """The `bin` folder of the environment, made or renewed if it is not what the requirements ask for."""
    folder = CACHE / name
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    made_of = folder / "made-of"
    with one_at_a_time(name):
        if not (made_of.exists() and made_of.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
            pip(folder / "bin/python", "install", "-r", str(requirements))
            made_of.write_text(wanted)
    return folder / "bin"


def pip(python: Path, command: str, *arguments: str) -> None:
    """Run pip; where the package index cannot be reached the test is skipped, unless REQUIRE_ALL is 1."""
    run = [python, "-m", "pip", command, "--disable-pip-version-check", *PATIENCE, *arguments]
    done = subprocess.run(run, env=AT_THE_START, capture_output=True, text=True)
    if done.returncode == 0:
        return
    said = f"pip {command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if UNREACHABLE.search(done.stdout + done.stderr) and os.environ.get("REQUIRE_ALL") != "1":
        pytest.skip(f"the package index cannot be reached, so {arguments[-1]} cannot be fetched")
    pytest.fail(said)


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Other processes that want the same wait here."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
