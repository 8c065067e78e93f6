"""Packages that some tests need beside our own, each set in an environment of its own: pinned, made once in `.cache`.

`python -m tests.support.environments` makes all of them. `make test` does so first, and no test waits for a download.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.installed import missing, program
from tests.support.processes import PROJECT

TESTS = PROJECT / "tests"
CACHE = PROJECT / ".cache"
INSTALL_SECONDS = 600
PIP = ("--disable-pip-version-check", "--quiet", "--retries", "2", "--timeout", "20")
NPM = ("--no-audit", "--no-fund", "--ignore-scripts")
# Read before any test runs: pip and npm may need the HTTP proxy that tests hide from their servers.
ENVIRONMENT_AT_START = dict(os.environ)

# How pip and npm say that they could not reach a registry, as opposed to what is wrong with a package.
UNREACHABLE = re.compile(
    r"Retrying \(|Failed to establish|Name or service not known|name resolution|ConnectTimeout"
    r"|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH"
)


class CannotBeMade(Exception):
    """Packages could not be installed; says which, and what pip or npm said last."""


@dataclass(frozen=True)
class PythonPackages:
    """A virtual environment with the packages of some lists, which name every one of them."""

    lists: tuple[Path, ...]

    @property
    def wanted(self) -> bytes:
        """What a made environment is compared with."""
        return b"\n".join((f"{sys.version} {sys.base_prefix}".encode(), *(one.read_bytes() for one in self.lists)))

    def make(self, folder: Path) -> None:
        """Makes the environment in an empty folder."""
        run([sys.executable, "-m", "venv", "--without-pip", folder])
        requirements = [part for one in self.lists for part in ("--requirement", one)]
        pip(folder / "bin/python", "install", "--no-deps", "--no-compile", *requirements)


@dataclass(frozen=True)
class NodePackages:
    """A folder with the packages of a package.json, and of the package-lock.json beside it if there is one."""

    source: Path

    @property
    def files(self) -> list[Path]:
        return sorted(self.source.glob("package*.json"))

    @property
    def wanted(self) -> bytes:
        """What a made folder is compared with."""
        return b"\n".join(file.read_bytes() for file in self.files)

    def make(self, folder: Path) -> None:
        """Installs the packages into an empty folder."""
        folder.mkdir(parents=True)
        for file in self.files:
            shutil.copy(file, folder)
        locked = ("ci",) if len(self.files) == 2 else ("install", "--no-package-lock", "--omit=optional")
        run([program("npm"), *locked, *NPM], folder)


SDKS = TESTS / "passthrough/sdk_scripts/pinned"
ENVIRONMENTS: dict[str, PythonPackages | NodePackages] = {
    **{path.stem: PythonPackages((path,)) for path in sorted(SDKS.glob("*.txt"))},
    "openai-suite": PythonPackages((TESTS / "conformance/openai_suite_requirements.txt",)),
    "schemathesis": PythonPackages((TESTS / "conformance/schemathesis_requirements.txt",)),
    "langchain-litellm": PythonPackages((TESTS / "docs/client_requirements.txt",)),
    "chat-clients": PythonPackages((TESTS / "end_to_end/chat_requirements.txt",)),
    "chat-node": NodePackages(TESTS / "end_to_end/chat_node"),
    "docs-node": NodePackages(TESTS / "docs/node"),
    "playground-node": NodePackages(TESTS / "playground"),
    "atheris": PythonPackages((PROJECT / "requirements.txt", TESTS / "fuzz/fuzz_requirements.txt")),
}
FOR_FUZZING = ("atheris",)
OPENAI_RELEASE = "openai-3.54.0"  # whose archive holds the tests of the SDK
OPENAI_SHA256 = "2e393e63f8a38be6452806f9ef0b6534fecd6d41ab3b2165180dfce3599249cd"


def python_of(name: str) -> Path:
    """The interpreter of an environment. Skips the test where its packages cannot be fetched."""
    return Path(sys.executable) if is_installed_here(name) else environment(name) / "bin/python"


def environment(name: str) -> Path:
    """The folder of an environment. Skips the test where its packages cannot be fetched."""
    with skipped_if_unreachable():
        return made(name)


def openai_archive() -> Path:
    """The archive of the SDK's release. Skips the test where it cannot be fetched."""
    with skipped_if_unreachable():
        return fetched_archive()


@contextmanager
def skipped_if_unreachable() -> Iterator[None]:
    try:
        yield
    except CannotBeMade as reason:
        if UNREACHABLE.search(str(reason)):
            missing(str(reason))
        pytest.fail(str(reason))


def is_installed_here(name: str) -> bool:
    """Whether the environment of the tests itself has that version of a package."""
    return any(f"{one.name}-{one.version}" == name for one in metadata.distributions())


@cache
def made(name: str) -> Path:
    """The folder of an environment, made again if it is not what its list asks for. Raises CannotBeMade."""
    folder, source = CACHE / name, ENVIRONMENTS[name]
    wanted, made_of = hashlib.sha256(source.wanted).hexdigest(), folder / "made-of"
    with one_at_a_time(name):
        if not (made_of.exists() and made_of.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            source.make(folder)
            made_of.write_text(wanted)
    return folder


@cache
def fetched_archive() -> Path:
    """The archive of the SDK's release in `.cache`. Raises CannotBeMade."""
    archive = CACHE / f"{OPENAI_RELEASE}.tar.gz"
    with one_at_a_time(archive.name):
        if not archive.exists():
            options = ("--no-binary", "openai", "--no-deps", "--no-build-isolation", "--dest", CACHE)
            pip(made("openai-suite") / "bin/python", "download", *options, OPENAI_RELEASE.replace("-", "=="))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert digest == OPENAI_SHA256, f"{archive} is not what was released"
    return archive


def pip(python: Path, *arguments: str | Path) -> None:
    """Runs our pip for another environment. Raises CannotBeMade."""
    run([sys.executable, "-m", "pip", "--python", python, *arguments, *PIP])


def run(command: list[str | Path], folder: Path | None = None) -> None:
    """Runs a command. Raises CannotBeMade with what it said."""
    options = {"env": ENVIRONMENT_AT_START, "capture_output": True, "text": True, "timeout": INSTALL_SECONDS}
    try:
        done = subprocess.run(command, cwd=folder, **options)
    except subprocess.TimeoutExpired:
        raise CannotBeMade(f"{command} took more than {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise CannotBeMade(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Other processes that want the same wait here."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Makes all environments, two at once. Returns 1 if one cannot be made although the network is there."""

    def reason_against(make: Callable[[], Path]) -> str:
        try:
            make()
        except CannotBeMade as reason:
            return str(reason)
        return ""

    names = [name for name in ENVIRONMENTS if name not in FOR_FUZZING and not is_installed_here(name)]
    with ThreadPoolExecutor(2) as pool:
        makers = [fetched_archive, *(partial(made, name) for name in names)]
        reasons = list(filter(None, pool.map(reason_against, makers)))
    for reason in reasons:
        print(f"{reason}\nTests that need it are skipped, or fail with REQUIRE_ALL=1.", file=sys.stderr)
    return 1 if any(not UNREACHABLE.search(reason) for reason in reasons) else 0


if __name__ == "__main__":
    sys.exit(main())
