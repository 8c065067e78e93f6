"""Our own /openapi.json held against the running server by schemathesis, which makes up good requests and bad ones.

`make fuzz` asks for more requests than `make test` does: FUZZ_EXAMPLES of them for each operation.
"""

import json
import os
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import spec
from tests.support import pictures
from tests.support.environments import python_of
from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import SSE, Answer, Call, ScriptedUpstream, knows_only

HERE = Path(__file__).parent
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")
FEW = "10"
# Further paths of operations that are tried at another one.
SAME_ELSEWHERE = "^/(v1alpha|v1beta/openai|models|openai)/?"
# Ids of jobs are known only to those who have started them; the keys here are the upstream's.
NEVER_ACCEPTED = re.compile(r"/(jobs|operations)/\{\w+\}|/v1/key$")
# The coverage of every limit in the schemas takes minutes: that is for `make fuzz`.
PHASES = "examples,coverage,fuzzing" if EXAMPLES else "examples,fuzzing"

PICTURE = pictures.drawn(pictures.picture_part(pictures.plain_png(96, 64)))
PICTURE_WITH_WORDS = pictures.drawn(
    {"text": "Here it is."}, pictures.picture_part(pictures.plain_jpeg(64, 96), "image/jpeg"), prompt_tokens=300
)
WRONG = pictures.error(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
TOO_MANY = pictures.error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", pictures.retry_info("1.5s"))
ANSWERS = (  # the first ones most of the time
    *((PICTURE, 200), (PICTURE, 200), (PICTURE_WITH_WORDS, 200), (PICTURE, 200), (PICTURE_WITH_WORDS, 200)),
    *((pictures.refused(), 200), (WRONG, 400), (TOO_MANY, 429)),
)


def answer_any(call: Call) -> Answer:
    """An answer in the form that was asked for; the same request gets the same one."""
    body, status = ANSWERS[zlib.crc32(call.body) % len(ANSWERS)]
    path, _, query = call.target.partition("?")
    if status != 200:
        return Answer(body, status)
    if path.endswith(":countTokens"):
        return Answer({"totalTokens": 8, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}]})
    if path.endswith(":streamGenerateContent"):
        is_sse = re.search(r"(?:^|&)(?:alt|%24alt|\$alt)=sse(?:&|$)", query)
        return Answer(pictures.as_events(body), content_type=SSE) if is_sse else Answer([body])
    return Answer(body)


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has schemathesis."""
    return python_of("schemathesis")


@pytest.fixture(scope="module")
def google_key() -> str:
    """The only key that the upstream accepts."""
    return new_key()


@pytest.fixture(scope="module")
def server(
    google: ScriptedUpstream, google_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyServer]:
    """A proxy whose upstream draws most of the time, and refuses wrong keys."""
    google.answers(knows_only(google_key, answer_any))
    folder = tmp_path_factory.mktemp("proxy")
    with ProxyServer(folder, GEMINI_BASE_URL=google.url, JOB_SECONDS="1") as server:  # jobs do not wait out a 429
        yield server


@pytest.mark.parametrize(
    ("surface", "credential"), [("openai", "Authorization: Bearer {}"), ("gemini", "x-goog-api-key: {}")]
)
def test_every_answer_is_one_that_the_document_describes(
    python: Path, server: ProxyServer, google_key: str, tmp_path: Path, surface: str, credential: str
) -> None:
    report = tmp_path / "report.json"
    options = {
        "--include-tag": surface,
        "--header": credential.format(google_key),
        "--exclude-path-regex": SAME_ELSEWHERE,
        "--phases": PHASES,
        "--max-examples": EXAMPLES or FEW,
        "--report": "json",
        "--report-json-path": str(report),
        **({} if EXAMPLES else {"--seed": "1"}),
    }
    command = [python, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "--no-color", "run"]
    done = subprocess.run(
        [*command, f"{server.url}/openapi.json", *(word for option in options.items() for word in option)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(HERE),
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-20000:]}\n{done.stderr[-2000:]}\n{server.output()[-5000:]}"
    result = json.loads(report.read_text())
    assert result["operations"]["tested"] == len(operations(surface))
    rates = result["valid_rates"]
    accepted = {name: sum(phase["accepted"] for phase in phases.values()) for name, phases in rates.items()}
    # Requests that are all refused would prove little.
    refused = {name for name in operations(surface) if NEVER_ACCEPTED.search(name)}
    assert {name for name, count in accepted.items() if count} >= operations(surface) - refused


def operations(surface: str) -> set[str]:
    """The operations of an API as the report names them."""
    return {
        f"{method.upper()} {path}"
        for path, item in spec.openapi()["paths"].items()
        for method, operation in item.items()
        if surface in operation["tags"] and not re.search(SAME_ELSEWHERE, path)
    }
