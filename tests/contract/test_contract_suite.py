"""The contract suite against Twinlens in each of its modes, and against other servers."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from contract.__main__ import main
from contract.replay import ReplayingUpstream
from contract.rows import all_rows
from contract.suite.clients import Clients
from contract.suite.row import State
from contract.suite.run import try_row
from contract.suite.server import Server
from contract.suite.situations import COUNT, FOLDER, GENERATE, STREAM
from tests.contract.servers import server_answering
from tests.contract.suite_process import Run, run_suite
from tests.support.models_file import models_file
from tests.support.processes import free_port
from tests.support.proxy_server import QUICK, ProxyServer

KEY = "AIzaContractSuiteKey0123456789"
FEWEST_ROWS = 80
SDKS = {"openai", "openai async", "google-genai", "google-genai async", "http"}


@pytest.fixture(scope="module")
def with_the_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the sandbox key."""
    folder = tmp_path_factory.mktemp("sandbox")
    with ProxyServer(folder / "server", QUICK, SANDBOX="1", WEB_CONCURRENCY="2") as server:
        return run_suite(folder / "report", "--base-url", server.url, "--api-key", "sandbox")


@pytest.fixture(scope="module")
def with_the_upstream(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the replaying upstream."""
    folder = tmp_path_factory.mktemp("upstream")
    port = free_port()
    with ProxyServer(folder / "server", GEMINI_BASE_URL=f"http://127.0.0.1:{port}") as server:
        return run_suite(folder / "report", "--base-url", server.url, "--api-key", KEY, "--upstream-port", str(port))


def test_every_row_passes_with_the_sandbox(with_the_sandbox: Run) -> None:
    assert with_the_sandbox.not_passed() == []
    assert with_the_sandbox.exit_code == 0


def test_every_row_passes_with_the_replaying_upstream(with_the_upstream: Run) -> None:
    assert with_the_upstream.not_passed() == []
    assert with_the_upstream.exit_code == 0


def test_many_rows_use_both_sdks_synchronously_and_asynchronously(with_the_upstream: Run) -> None:
    rows = with_the_upstream.report["rows"]
    assert len(rows) >= FEWEST_ROWS
    assert {row["sdk"] for row in rows} == SDKS
    assert all(row["request"] and row["expected"] for row in rows)


def test_the_key_is_neither_printed_nor_written(with_the_upstream: Run) -> None:
    written = [path.read_text(encoding="utf-8") for path in with_the_upstream.folder.iterdir()]
    assert len(written) == 3
    assert not any(KEY in text for text in [*written, with_the_upstream.output])


def test_the_page_has_every_row_and_needs_no_network(with_the_upstream: Run) -> None:
    page = with_the_upstream.page
    assert page.count('<details class="row') == len(with_the_upstream.report["rows"])
    assert not re.search(r"""(src|href)=|url\(|@import""", page)


def test_the_front_of_a_chain_passes_every_row_that_needs_no_situations(tmp_path: Path) -> None:
    """A Twinlens whose upstream is a second one with OpenAI's API."""
    (tmp_path / "front").mkdir()
    with (
        ReplayingUpstream().running() as google,
        ProxyServer(tmp_path / "back", GEMINI_BASE_URL=google.url) as back,
        ProxyServer(tmp_path / "front", MODELS_FILE=models_file(tmp_path / "front", f"{back.url}/v1")) as front,
    ):
        run = run_suite(tmp_path / "report", "--base-url", front.url, "--api-key", KEY)
    states = Counter(row["state"] for row in run.report["rows"])
    # The upstream accepts every key, so that the one row with a wrong key fails.
    assert [row["id"] for row in run.report["rows"] if row["state"] == "fail"] == [
        "openai_mistakes/wrong_key/openai-async"
    ], run.output[-3000:]
    assert run.exit_code == 1
    needing = {row.id for row in all_rows() if row.needs_situations}
    not_run = {row["id"] for row in run.report["rows"] if row["state"] in ("skipped", "unsupported")}
    assert {row["id"] for row in run.report["rows"] if row["state"] == "skipped"} <= needing <= not_run
    unsupported = [row["reason"] for row in run.report["rows"] if row["state"] == "unsupported"]
    assert all(":countTokens is answered with 501" in reason for reason in unsupported)
    assert states["pass"] > 190


def test_a_server_with_empty_answers_fails(tmp_path: Path) -> None:
    with server_answering(200, b"{}") as url:
        options = ("--base-url", url, "--api-key", KEY, "--only", "gemini", "--rows", "generat")
        exit_code = main([*options, "--out", str(tmp_path)])
    report = json.loads((tmp_path / "contract-report.json").read_text())
    assert {row["api"] for row in report["rows"]} == {"gemini"}
    assert report["counts"]["fail"] > report["counts"]["pass"]
    assert exit_code == 1


def test_a_server_without_usage_does_not_fail_the_row_about_its_sum() -> None:
    row = next(row for row in all_rows() if row.attempt.__name__ == "usage_is_summed" and row.sdk == "openai")
    clients = Clients()
    body = {"created": 1, "data": [{"b64_json": "aGk="}]}
    try:
        with server_answering(200, json.dumps(body).encode()) as url, ReplayingUpstream().running() as upstream:
            result = try_row(row, Server(url, KEY, "any-model", clients, reference=upstream))
    finally:
        clients.close()
    assert (result.state, result.reason) == (State.UNSUPPORTED, "the server reports no `usage`")


def test_every_fixture_file_is_a_row() -> None:
    rows = {(row.api, row.case["name"]) for row in all_rows() if row.attempt.__name__ == "tried"}
    for folder, apis in {GENERATE: ("openai", "gemini"), STREAM: ("gemini",), COUNT: ("gemini",)}.items():
        for path in (FOLDER / folder).glob("*.json"):
            assert {(api, path.stem) for api in apis} <= rows
