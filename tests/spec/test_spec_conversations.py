"""Recorded conversations and contract fixtures are as the documents describe them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import spec
from tests.spec.spec_validators import answer_complaints, events, request_complaints

PROJECT = Path(__file__).resolve().parents[2]
FIXTURES = sorted((PROJECT / "contract_fixtures" / "gemini_content").rglob("*.json"))
RECORDINGS_FOLDER = PROJECT.parent / "shared" / "recordings"
GEMINI_RECORDINGS = sorted(
    path for path in RECORDINGS_FOLDER.glob("gemini_*.json") if "_interactions_" not in path.stem
)
OPENAI_RECORDINGS = sorted(path for path in RECORDINGS_FOLDER.glob("openai_*.json") if "_responses_" not in path.stem)
SDK_REQUESTS = RECORDINGS_FOLDER / "sdk_requests_google.json"

GEMINI = spec.load("gemini_content")
OPENAI = spec.load("openai_images")

# Requests that OpenAI refused and that Twinlens refuses too: the field that is wrong.
REFUSED_REQUESTS = {
    "openai_err_additional_params_invalid_output_format_is_rejected": "output_format",
    "openai_err_additional_params_override_prompt": "prompt",  # an empty one
}
# Paths of SDKs whose base URL was not the API's root, and of Vertex.
FOREIGN_PATHS = ("/pre/", "/prefix/", "/v1beta/v1/", "/v1beta1/", "/models/")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def method(request: dict[str, Any]) -> str:
    return request.get("method") or ("GET" if request.get("body") is None else "POST")


def complaints_about_answer(document: dict[str, Any], conversation: dict[str, Any]) -> list[str]:
    request, response = conversation["request"], conversation["response"]
    body = response["body"] if response.get("body") is not None else response["body_text"]
    return answer_complaints(
        document, method(request), request["path"], response["status"], response.get("headers", {}), body
    )


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixtures_are_described(path):
    fixture = read(path)
    request = fixture["request"]
    if request.get("body") is not None:
        assert request_complaints(GEMINI, method(request), request["path"], request["body"]) == []
    if fixture["expect"].get("error") != "UPSTREAM_BROKEN":  # a broken answer
        assert complaints_about_answer(GEMINI, fixture) == []


@pytest.mark.parametrize("path", GEMINI_RECORDINGS, ids=lambda path: path.stem)
def test_recorded_gemini_conversations_are_described(path):
    recording = read(path)
    request = recording["request"]
    if request.get("body") is not None:
        assert request_complaints(GEMINI, "POST", request["path"], request["body"]) == []
    assert complaints_about_answer(GEMINI, recording) == []


@pytest.mark.parametrize("path", OPENAI_RECORDINGS, ids=lambda path: path.stem)
def test_recorded_openai_conversations_are_described(path):
    recording = read(path)
    request = recording["request"]
    if request.get("body") is not None:
        refused = REFUSED_REQUESTS.get(path.stem)
        found = request_complaints(OPENAI, "POST", request["path"], request["body"])
        assert [complaint.split(":")[0] for complaint in found] == ([f"$.{refused}"] if refused else [])
    assert complaints_about_answer(OPENAI, recording) == []


@pytest.mark.skipif(not SDK_REQUESTS.exists(), reason="there are no recordings")
def test_requests_of_google_sdks_are_described():
    checked = 0
    for request in read(SDK_REQUESTS)["requests"]:
        if request["body"] is None or request["path"] == "/" or request["path"].startswith(FOREIGN_PATHS):
            continue
        found = request_complaints(GEMINI, request["method"], request["path"], request["body"])
        assert found == [], request["path"]
        checked += 1
    assert checked > 40


def test_events_are_read_from_their_lines():
    text = 'data: {"a":1}\r\n\r\n: comment\n\nevent: error\ndata: {"b":2}\n\n'
    assert list(events(text)) == [{"a": 1}, {"b": 2}]


def test_an_answer_that_is_not_described_is_found():
    path = "/v1/models/google/gemini-2.5-flash-image:generateContent"
    assert answer_complaints(GEMINI, "POST", path, 200, {}, {"candidates": {}})
    assert answer_complaints(GEMINI, "POST", path, 302, {}, {})
    assert answer_complaints(GEMINI, "POST", path, 502, {"Content-Type": "text/html"}, "<html>")
    assert answer_complaints(GEMINI, "POST", path, 429, {}, {"error": {"code": 429, "message": "no status"}})
