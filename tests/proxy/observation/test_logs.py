"""One line per request: what it holds, and what it never holds."""

import json
import logging

import pytest
from flask.testing import FlaskClient

from proxy.observation.logs import ACCESS, JsonFormatter, TextFormatter
from tests.proxy.conftest import MODEL, Gemini
from tests.support.gemini_answers import DRAWN

KEY = "AIzaSy-a-very-secret-key"
PATH = f"/v1beta/models/{MODEL}:generateContent"


class Kept(logging.Handler):
    """Keeps the log, as lines of JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(JsonFormatter().format(record)))


@pytest.fixture
def log():
    kept = Kept()
    level = ACCESS.level
    ACCESS.setLevel(logging.INFO)
    ACCESS.addHandler(kept)
    yield kept.lines
    ACCESS.removeHandler(kept)
    ACCESS.setLevel(level)


def ask(client: FlaskClient, path: str = "/v1/images/generations", **options: object) -> dict:
    response = client.post(
        path,
        json={"prompt": "a secret prompt", "contents": [{"parts": [{"text": "a secret prompt"}]}]},
        headers={"Authorization": f"Bearer {KEY}", "x-request-id": "abc"},
        **options,
    )
    response.get_data()
    response.close()
    return response


def test_a_picture_is_one_line_with_tokens_and_cost(client: FlaskClient, gemini: Gemini, log: list[dict]):
    gemini.answers(DRAWN)
    ask(client)
    [line] = log
    assert line["request_id"] == "abc"
    assert (line["surface"], line["operation"], line["model"]) == ("openai", "generations", MODEL)
    assert (line["status"], line["pictures"]) == (200, 1)
    assert line["output_tokens"] >= 1290
    assert line["cost"] == pytest.approx(0.0387, abs=0.0005)
    assert line["bytes_in"] > 0
    assert line["bytes_out"] > 0
    assert line["seconds"] >= line["first_byte"] >= line["upstream_first_byte"] >= 0


def test_the_usage_of_a_passed_answer_is_read_from_its_end(client: FlaskClient, gemini: Gemini, log: list[dict]):
    gemini.answers(DRAWN)
    ask(client, PATH)
    [line] = log
    assert (line["surface"], line["operation"], line["pictures"]) == ("gemini", "generateContent", 1)
    assert line["output_tokens"] >= 1290


def test_a_refusal_names_its_error(client: FlaskClient, gemini: Gemini, log: list[dict]):
    gemini.answers({"promptFeedback": {"blockReason": "SAFETY"}})
    ask(client)
    [line] = log
    assert (line["status"], line["error"], line["pictures"]) == (400, "content_blocked", 0)


def test_no_line_holds_a_key_a_prompt_or_a_query(client: FlaskClient, gemini: Gemini, log: list[dict]):
    gemini.answers(DRAWN)
    ask(client)
    ask(client, f"{PATH}?key={KEY}")
    ask(client, f"/nowhere/{KEY[:3]}?key={KEY}")
    written = json.dumps(log)
    assert len(log) == 3
    assert KEY not in written
    assert "secret prompt" not in written
    assert "?" not in written


def test_the_fingerprint_of_a_key_depends_on_the_salt(make_app, gemini: Gemini, log: list[dict]):
    gemini.answers(DRAWN)
    for salt in ("one", "one", "another"):
        ask(make_app(LOG_SALT=salt).test_client())
    first, second, other = (line["key"] for line in log)
    assert first == second != other


def test_a_text_line_has_names_and_values():
    record = logging.LogRecord("twinlens.access", logging.INFO, "", 0, "request", None, None)
    record.fields = {"status": 200, "surface": "openai"}
    assert TextFormatter().format(record).endswith("INFO request status=200 surface=openai")
