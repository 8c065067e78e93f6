"""Chromium, Node and its packages: where they are missing a test is skipped, or fails with REQUIRE_ALL=1."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests.conformance.environments import AT_THE_START, CACHE, one_at_a_time

PACKAGES = Path(__file__).with_name("package.json")
UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH")


def chromium() -> str:
    """The path of Debian's Chromium."""
    return program("chromium")


def node() -> str:
    """The path of Node."""
    return program("node")


def program(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails with REQUIRE_ALL=1."""
    return shutil.which(name) or missing(f"{name} is not installed")


def missing(what: str) -> NoReturn:
    """Ends the test: something it needs is not here."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


def node_modules() -> Path:
    """The folder with the packages of package.json, installed once into .cache."""
    npm = program("npm")
    folder = CACHE / "playground-npm"
    wanted = hashlib.sha256(PACKAGES.read_bytes()).hexdigest()
    made_of = folder / "made-of"
    with one_at_a_time("playground-npm"):
        if not (made_of.exists() and made_of.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            shutil.copy(PACKAGES, folder)
            install(npm, folder)
            made_of.write_text(wanted)
    return folder / "node_modules"


def install(npm: str, folder: Path) -> None:
    """Run npm; where the registry cannot be reached the test is skipped, unless REQUIRE_ALL is 1."""
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--omit=optional"]
    done = subprocess.run(command, cwd=folder, env=AT_THE_START, capture_output=True, text=True)
    if done.returncode == 0:
        return
    if UNREACHABLE.search(done.stderr):
        missing("npm's registry cannot be reached, so the Node packages cannot be fetched")
    pytest.fail(f"npm install failed:\n{done.stderr[-3000:]}")
