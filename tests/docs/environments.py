"""What blocks are run with: Python packages that are not ours, and Node packages. Made once in `.cache`, pinned."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.environments import AT_THE_START, CACHE, environment, one_at_a_time

HERE = Path(__file__).resolve().parent
CLIENTS = HERE / "client_requirements.txt"
NODE = HERE / "node"
CLIENT_IMPORTS = re.compile(r"^\s*(?:from|import) (?:langchain|litellm)", re.MULTILINE)
UNREACHABLE = re.compile(r"EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network")


def python_with_clients() -> Path:
    """A Python that has LangChain and LiteLLM."""
    return environment("docs-clients-venv", CLIENTS) / "python"


def node_folder() -> Path:
    """A folder in which Node finds both SDKs and the AI SDK."""
    node, npm = needed("node"), needed("npm")
    folder = CACHE / "docs-node"
    version = subprocess.run([node, "--version"], check=True, capture_output=True).stdout
    wanted = hashlib.sha256((NODE / "package-lock.json").read_bytes() + version).hexdigest()
    made_of = folder / "made-of"
    with one_at_a_time("docs-node"):
        if not (made_of.exists() and made_of.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(NODE / name, folder)
            install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(install, cwd=folder, env=AT_THE_START, capture_output=True, text=True)
            if done.returncode:
                missing(f"the Node packages could not be installed:\n{done.stderr[-2000:]}", done.stderr)
            made_of.write_text(wanted)
    return folder


def needed(program: str) -> str:
    """Where a program is; the test is skipped without it, unless REQUIRE_ALL is 1."""
    return shutil.which(program) or missing(f"{program} is not installed")


def missing(what: str, said: str = "") -> str:
    """Skips a test for what cannot be had here; fails if everything is required, or if it could have been had."""
    if os.environ.get("REQUIRE_ALL") == "1" or (said and not UNREACHABLE.search(said)):
        pytest.fail(what)
    pytest.skip(what)
