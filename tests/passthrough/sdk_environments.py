"""Environments for SDK versions that cannot live beside the project's own: pinned, made once, kept in `.cache/`.

Deleting `.cache/` makes them anew; so does a change of a list in `sdk_scripts/pinned/`.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "sdk_environments"
PINNED = Path(__file__).with_name("sdk_scripts") / "pinned"
INSTALL_SECONDS = 300
# Taken before any test runs: pip may need the HTTP proxy that the tests hide from their servers.
ENVIRONMENT_AT_START = dict(os.environ)


class CannotBeMade(Exception):
    """The packages could not be installed; says which, and pip's last word."""


def all_names() -> list[str]:
    """Every list of pinned packages, such as `google-genai-1.40.0`."""
    return sorted(path.stem for path in PINNED.glob("*.txt"))


def make_all() -> dict[str, Path | CannotBeMade]:
    """A Python for every list, or why there is none. What is missing is made at once, side by side."""
    names = all_names()
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(_python_or_reason, names), strict=True))


def _python_or_reason(name: str) -> Path | CannotBeMade:
    try:
        return python_for(name)
    except CannotBeMade as reason:
        return reason


def python_for(name: str) -> Path:
    """The Python in which exactly these packages are installed. Raises CannotBeMade."""
    if _runs_here(name):
        return Path(sys.executable)
    pins = PINNED / f"{name}.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(f"{sys.base_prefix} {version}\n{pins.read_text()}".encode()).hexdigest()
    folder = CACHE / f"{name}-py{version}-{digest[:12]}"
    python, finished = folder / "bin" / "python", folder / "finished"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _lock(CACHE / f"{folder.name}.lock"):
        if not (finished.exists() and python.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, python, pins)
            finished.touch()
    return python


def _runs_here(name: str) -> bool:
    """Whether the environment of the tests has that version itself."""
    package, _, version = name.rpartition("-")
    try:
        return metadata.version(package) == version
    except metadata.PackageNotFoundError:
        return False


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time, across all workers of a test run and several runs."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(folder: Path, python: Path, pins: Path) -> None:
    _run(pins.stem, "-m", "venv", "--without-pip", str(folder))
    options = ("--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:", "--disable-pip-version-check")
    _run(pins.stem, "-m", "pip", "--python", str(python), "install", *options, "--requirement", str(pins))


def _run(name: str, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=ENVIRONMENT_AT_START,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotBeMade(f"{name} could not be installed within {INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        last_word = (done.stderr.strip().splitlines() or ["no word from pip"])[-1]
        raise CannotBeMade(f"{name} could not be installed: {last_word}")
