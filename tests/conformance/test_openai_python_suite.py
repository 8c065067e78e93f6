"""The test suite that OpenAI ships with its Python SDK, run against our server as it is run against theirs."""

import os
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from tests.support import pictures
from tests.support.environments import CACHE, OPENAI_RELEASE, one_at_a_time, openai_archive, python_of
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, ScriptedUpstream

# The suite's "pictures" are the words `Example data`, which a server that reads pictures must refuse.
PLACEHOLDER = 'b"Example data"'
PICTURE = (
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da6364f8cf500f00038601805a34"
    "7d6b0000000049454e44ae426082"  # a PNG of one transparent pixel
)

# Fine-tuned models can be deleted at OpenAI; there are none here.
LEFT_OUT = "not delete"
MODES = (("", "loose"), ("", "strict"), ("Async", "loose"), ("Async", "strict"), ("Async", "aiohttp"))
TESTS = {(f"Test{kind}{what}", mode): count for kind, mode in MODES for what, count in (("Images", 20), ("Models", 7))}


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has what the suite needs."""
    return python_of("openai-suite")


@pytest.fixture(scope="module")
def suite() -> Path:
    """The tests of the release, unpacked, with pictures in place of words."""
    archive, folder = openai_archive(), CACHE / f"{OPENAI_RELEASE}-tests"
    with one_at_a_time(folder.name):
        if not folder.exists():
            unpack(archive, folder)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """The tests of the archive alone: the SDK itself is the installed one."""
    with TemporaryDirectory(dir=CACHE) as draft, tarfile.open(archive) as packed:
        kept = (f"{OPENAI_RELEASE}/tests/", f"{OPENAI_RELEASE}/pyproject.toml")
        packed.extractall(draft, [one for one in packed if one.name.startswith(kept)], filter="data")
        images = Path(draft) / OPENAI_RELEASE / "tests/api_resources/test_images.py"
        text = images.read_text()
        assert PLACEHOLDER in text
        images.write_text(text.replace(PLACEHOLDER, f'bytes.fromhex("{PICTURE}")'))
        images.parents[2].rename(folder)


@pytest.fixture(scope="module")
def server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy that serves OpenAI's names: those of its image models, and the one that test_models.py looks for."""
    google.answers(Answer(pictures.drawn(pictures.picture_part(pictures.plain_png(96, 64)))))
    aliases = "openai=gemini-2.5-flash-image,gpt-6-astra=gemini-2.5-flash-image"
    folder = tmp_path_factory.mktemp("proxy")
    with ProxyServer(folder, GEMINI_BASE_URL=google.url, MODEL_ALIASES=aliases) as server:
        yield server


def test_every_test_of_the_official_suite_passes(
    python: Path, suite: Path, server: ProxyServer, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    files = [f"tests/api_resources/test_{name}.py" for name in ("images", "models")]
    done = subprocess.run(
        [python, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-k", LEFT_OUT, f"--junitxml={report}", *files],
        cwd=suite,
        env={
            **{name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE")},
            **{"HOME": str(tmp_path), "TEST_API_BASE_URL": f"{server.url}/v1"},
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert [case.get("name") for case in cases if len(case)] == []  # neither skipped nor failed
    assert Counter(kind_of(case) for case in cases) == TESTS


def kind_of(case: Element) -> tuple[str, str]:
    """The class of a test, sync or async, and how strictly its client checks answers."""
    mode = re.search(r"\[(\w+)\]", case.get("name", ""))
    return case.get("classname", "").rpartition(".")[2], mode[1] if mode else ""
