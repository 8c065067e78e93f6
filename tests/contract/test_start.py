"""How the contract suite starts: options, questions, and servers that cannot be tested, each with one sentence."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from contract.__main__ import main
from contract.options import make_parser
from contract.report.junit import junit_report
from contract.rows import all_rows
from contract.scrubbing import without_key
from tests.contract.servers import PROJECT, server_answering
from tests.support.processes import free_port

KEY = "AIzaContractSuiteKey0123456789"
NOWHERE = "http://127.0.0.1:1"
PICTURE = json.dumps({"created": 1, "data": [{"b64_json": "aGk="}]}).encode()


def error(status: int, code: str, message: str) -> tuple[int, bytes]:
    """An answer in OpenAI's form, which names no model in Google's."""
    return status, json.dumps({"error": {"message": message, "code": code}}).encode()


@pytest.fixture
def stopped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Runs the suite, which must end with status 2, and gives the sentence that it prints."""

    def run(*arguments: str) -> str:
        try:
            status = main([*arguments, "--out", str(tmp_path / "report")])
        except SystemExit as exit:
            status = exit.code
        printed = capsys.readouterr()
        assert status == 2
        assert KEY not in printed.out + printed.err
        sentence = printed.err.removeprefix("contract: ")
        assert sentence.count("\n") == 1 or "for example" in sentence
        return sentence

    return run


@pytest.fixture(autouse=True)
def not_under_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.delenv("CONTRACT_API_KEY", raising=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "python -m contract --base-url http://127.0.0.1:8000 --api-key sandbox"),
        (["--base-url", NOWHERE], "a key is needed: --api-key or CONTRACT_API_KEY"),
        (["--base-url", NOWHERE, "--api-key", "x"], "the key must have at least 8 characters"),
        (["--base-url", "here", "--api-key", KEY], "--base-url must be an http or https address"),
        (["--base-url", NOWHERE, "--api-key", KEY, "--upstream-port", "0"], "a port from 1 to 65535"),
        (["--base-url", NOWHERE, "--api-key", KEY, "--model", ""], "--model must not be empty"),
        (["--base-url", NOWHERE, "--api-key", KEY, "--rows", "no-such-row"], "--list shows all ids"),
        (["--base-url", NOWHERE, "--api-key", KEY], f"{NOWHERE} cannot be reached"),
        (["--base-url", "http://gateway.test", "--api-key", KEY], "about 230 pictures from gateway.test"),
    ],
    ids=str,
)
def test_wrong_options_are_one_sentence(stopped: Callable[..., str], arguments: list[str], words: str) -> None:
    assert words in stopped(*arguments)


def test_under_make_the_sentence_names_variables(stopped: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    assert "make contract BASE_URL=http://127.0.0.1:8000 API_KEY=sandbox" in stopped()
    assert stopped("--base-url", NOWHERE) == "a key is needed: API_KEY (any 8 characters if the server needs none)\n"
    assert "agree with YES=1" in stopped("--base-url", "http://gateway.test", "--api-key", KEY)


def test_make_passes_every_option() -> None:
    recipe = (PROJECT / "Makefile").read_text().partition("\ncontract:")[2].partition("\n\n")[0]
    options = {name for action in make_parser()._actions for name in action.option_strings if name.startswith("--")}
    assert {name for name in options if name not in recipe} == {"--help", "--api-key", "--gemini-base-url"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((501, b'{"detail": "Not Implemented"}'), "no row passed: POST /v1/images/generations is answered with 501"),
        (
            error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"),
            "refuses the key: 401, Incorrect API key",
        ),
        (
            error(404, "model_not_found", "The model `painter-9` does not exist"),
            "the server has no model painter-9: 404",
        ),
        (error(500, "server_error", "Out of order"), "the server draws no picture: 500, Out of order"),
        ((200, b"{}"), "does not call the replaying upstream: set its upstream to http://127.0.0.1:"),
    ],
    ids=["nothing", "wrong key", "wrong model", "broken", "other upstream"],
)
def test_a_server_that_cannot_be_tested_is_one_sentence(
    stopped: Callable[..., str], answer: tuple[int, bytes], words: str
) -> None:
    upstream = ["--upstream-port", str(free_port())] if answer[0] == 200 else []
    with server_answering(*answer) as url:
        assert words in stopped("--base-url", url, "--api-key", KEY, "--model", "painter-9", *upstream)


@pytest.mark.parametrize(("answer", "words"), [("n", "nothing was asked for"), ("yes", "cannot be reached")])
def test_it_asks_before_it_buys_from_another_machine(
    stopped: Callable[..., str], monkeypatch: pytest.MonkeyPatch, answer: str, words: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    assert words in stopped("--base-url", "http://gateway.test", "--api-key", KEY)


def test_with_yes_it_does_not_ask(stopped: Callable[..., str]) -> None:
    assert "cannot be reached" in stopped("--base-url", "http://gateway.test", "--api-key", KEY, "--yes")


def test_some_rows_are_run_by_a_part_of_their_id(tmp_path: Path) -> None:
    with server_answering(200, PICTURE) as url:
        code = main(["--base-url", url, "--api-key", KEY, "--rows", "models, edits/one*async", "--out", str(tmp_path)])
    rows = json.loads((tmp_path / "contract-report.json").read_text())["rows"]
    assert code == 1
    assert {row["id"] for row in rows} == {
        row.id for row in all_rows() if "models" in row.id or row.id == "openai_edits/one_picture/openai-async"
    }


def test_the_list_has_id_and_sentence_of_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "gemini"]) == 0
    listed = capsys.readouterr().out.splitlines()
    expected = [row for row in all_rows() if row.api == "gemini"]
    assert [line.split(maxsplit=1) for line in listed] == [[row.id, row.sentence] for row in expected]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("expected x", "expected", "[key] x"),
        ("unexpected words", "expected", "unexpected words"),
        ('{"key": "a-key\\"9"}', 'a-key"9', '{"key": "[key]"}'),
        ("?key=a%2Fkey%2B9&n=1", "a/key+9", "?key=[key]&n=1"),
        ("Bearer%20abcdefgh.", "abcdefgh", "Bearer%20[key]."),
        ("cut: abcdefghij… (900 characters)", "abcdefghijklmn", "cut: [key]… (900 characters)"),
    ],
)
def test_whole_keys_are_replaced_in_any_spelling(text: str, key: str, expected: str) -> None:
    assert without_key(text, key) == expected


def test_the_junit_report_has_a_case_for_each_row() -> None:
    states = {"pass": "", "fail": "\x00 came", "skipped": "no situation", "unsupported": "404"}
    rows = [
        {
            **{name: ["POST", "a <picture>"] for name in ("request", "expected", "received")},
            **{"id": f"rows/{state}", "api": "openai", "group": "Edits", "sentence": "an `edit`", "seconds": 0.5},
            "state": state,
            "reason": reason,
        }
        for state, reason in states.items()
    ]
    root = ElementTree.fromstring(junit_report({"rows": rows}))
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["skipped"]) == ("4", "1", "2")
    passed, failed, skipped, unsupported = root.find("testsuite[@name='openai: Edits']")
    assert list(passed) == []
    assert failed.find("failure").attrib["message"] == "\ufffd came"
    assert "received:\nPOST\na <picture>" in failed.find("failure").text
    assert skipped.find("skipped").attrib["message"] == "skipped: no situation"
    assert unsupported.attrib["classname"] == "rows/unsupported"


def test_the_documentation_names_every_option() -> None:
    page = (PROJECT / "docs" / "contract-suite.md").read_text(encoding="utf-8")
    options = {name for action in make_parser()._actions for name in action.option_strings if name.startswith("--")}
    assert {name for name in options if f"| `{name}`" not in page} == {"--help"}


def test_the_job_of_the_documentation_runs_the_suite() -> None:
    page = (PROJECT / "docs" / "contract-suite.md").read_text(encoding="utf-8")
    job = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])["jobs"]["contract"]
    [step] = [step for step in job["steps"] if step.get("run", "").startswith("python -m contract")]
    options = make_parser().parse_args(shlex.split(step["run"])[3:])
    assert (options.base_url, options.upstream_port) == ("http://127.0.0.1:8000", 8733)
    assert [str(options.out)] == [one["with"]["path"] for one in job["steps"] if "artifact" in one.get("uses", "")]
    assert len(step["env"]["CONTRACT_API_KEY"]) >= 8
