"""Every Python, Node and curl block of the documentation does what it shows, against a running server."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.docs.pages import PROJECT, RUN, SHOWN, Block, blocks_of, pages
from tests.support.environments import environment, python_of
from tests.support.installed import program
from tests.support.proxy_server import ProxyServer
from tests.support.scripts import run_each

SHOWN_URL = "http://127.0.0.1:8000"
SECONDS = 90  # for one
ALL_SECONDS = 240  # for those that share a process
OTHER_IMPORTS = re.compile(r"^\s*(?:from|import) (?:langchain|litellm|compat)", re.MULTILINE)
BLOCKS = [block for page in pages() for block in blocks_of(page)]
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "NO_PROXY": "127.0.0.1,localhost",
    "PATH": os.environ["PATH"],
    "PYTHONIOENCODING": "utf-8",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # LiteLLM would fetch its list of prices
}


def to_run(language: str) -> list[Block]:
    """The blocks of a language that are run; the same text in another page is run once."""
    found = {block.text: block for block in reversed(BLOCKS) if block.language == language and not block.reason}
    return list(reversed(found.values()))


def needs_others(block: Block) -> bool:
    """Whether a block needs other packages than the SDKs."""
    return bool(OTHER_IMPORTS.search(block.text))


def script_of(block: Block, server: ProxyServer, folder: Path) -> Path:
    """A block in a file, for this server."""
    script = folder / "block.py"
    script.write_text(block.text.replace(SHOWN_URL, server.url), encoding="utf-8")
    return script


@pytest.fixture(scope="module")
def errors(sandbox_server: ProxyServer, tmp_path_factory: pytest.TempPathFactory) -> dict[Block, str]:
    """The exception that has ended each Python block, or an empty text."""
    scripts = {
        block: script_of(block, sandbox_server, tmp_path_factory.mktemp("block"))
        for block in to_run("python")
        if not needs_others(block)
    }
    run_each(list(scripts.values()), ("openai", "google.genai"), ALL_SECONDS, **ENVIRONMENT)
    return {block: script.with_name("errors.txt").read_text(encoding="utf-8") for block, script in scripts.items()}


@pytest.mark.parametrize("block", [block for block in to_run("python") if not needs_others(block)], ids=str)
def test_python(block: Block, errors: dict[Block, str]):
    assert not errors[block]


@pytest.mark.parametrize("block", [block for block in to_run("python") if needs_others(block)], ids=str)
def test_python_with_other_packages(block: Block, sandbox_server: ProxyServer, tmp_path: Path):
    script = script_of(block, sandbox_server, tmp_path)
    search_path = {"PYTHONPATH": str(PROJECT)} if "from compat" in block.text else {}
    run_each([script], (), SECONDS, python_of_block(block), **ENVIRONMENT, **search_path)
    assert not script.with_name("errors.txt").read_text(encoding="utf-8")


def python_of_block(block: Block) -> Path | str:
    """The interpreter that has the packages of a block."""
    if "from compat" in block.text:
        return sys.executable
    return python_of("chat-clients" if "langchain_openai" in block.text else "langchain-litellm")


@pytest.mark.parametrize("block", to_run("js"), ids=str)
def test_node(block: Block, sandbox_server: ProxyServer, tmp_path: Path):
    script = (
        environment("chat-node" if "@openrouter" in block.text else "docs-node") / f"block-{uuid.uuid4().hex}.mjs"
    )  # beside its packages, or Node would not find them
    script.write_text(block.text.replace(SHOWN_URL, sandbox_server.url), encoding="utf-8")
    try:
        run([str(program("node")), str(script)], tmp_path)
    finally:
        script.unlink()


@pytest.mark.parametrize("block", [block for block in to_run("sh") if "curl" in block.text], ids=str)
def test_curl(block: Block, sandbox_server: ProxyServer, tmp_path: Path):
    """Other commands install and start things, and are not run."""
    program("curl")
    text = block.text.replace(SHOWN_URL, sandbox_server.url)
    said = run(["bash", "-euo", "pipefail", "-c", text], tmp_path)
    said += "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json"))
    assert ('"error"' in said) == ("[[" in block.text), said[:2000]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_run_or_is_of_a_language_that_nothing_runs(block: Block):
    assert block.language in (*RUN, *SHOWN), "write python, js or sh, so that the block is run"


def test_blocks_that_are_not_run_are_few():
    marked = [block for block in BLOCKS if block.reason and block.language in ("python", "js")]
    assert len(marked) <= 3, marked


def run(command: list[str], folder: Path) -> str:
    """What a command says; it must end well."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**ENVIRONMENT, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout
