"""Every contract fixture of Google's API is well formed, describes its pictures, and can be asked for by name."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from sandbox.gemini_content.situations import OPERATIONS, known_names
from tests.sandbox.fixtures import assert_replayed, body_text, load, name_of
from tests.sandbox.gemini_client import FIXTURES, Client, body_of, events_of

METHODS = {
    "generate_content": "generateContent",
    "stream_generate_content": "streamGenerateContent",
    "count_tokens": "countTokens",
}
PATHS = sorted(FIXTURES.glob("*/*.json"))
PICTURES = "generate_content", "stream_generate_content"


def ask(client: Client, path: Path) -> requests.Response:
    """The answer to a call that names a fixture."""
    if path.parent.name == "models":
        return client.get(f"/v1beta/models?pageToken=%5B%5B{path.stem}%5D%5D")
    method = METHODS[path.parent.name]
    query = "?alt=sse" if load(path)["request"]["path"].endswith("alt=sse") else ""
    return client.call(body_of(f"please show [[{path.stem}]]"), method=method, query=query, stream=True)


def test_names_are_unique_and_folders_known() -> None:
    assert {path.parent.name for path in PATHS} == set(OPERATIONS)
    assert len({path.stem for path in PATHS}) == len(PATHS) == len(known_names())
    assert all(re.fullmatch(r"[a-z0-9_]+", path.stem) for path in PATHS)


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_a_fixture_explains_itself(path: Path) -> None:
    fixture = load(path)
    assert list(fixture) == ["situation", "origin", "request", "response", "expect"]
    assert fixture["situation"] and fixture["origin"]
    assert set(fixture["request"]) == {"path", "body"}
    response, expect = fixture["response"], fixture["expect"]
    assert set(response) <= {"status", "headers", "body", "body_text", "cut"}
    assert ("body" in response) != ("body_text" in response)
    assert all(header == header.lower() for header in response["headers"])
    if "error" in expect:
        assert set(expect) <= {"error", "retry_after"}
    else:
        assert response["status"] == 200
        assert set(expect) <= {"pictures", "text", "usage", "total_tokens", "models", "next_page_token"}


@pytest.mark.parametrize("path", [path for path in PATHS if path.parent.name in PICTURES], ids=name_of)
def test_a_fixture_says_what_pictures_it_has(path: Path) -> None:
    fixture = load(path)
    if "pictures" not in fixture["expect"]:
        return
    found = []
    for part in result_parts(body_text(fixture["response"])):
        blob = part.get("inlineData") or part.get("inline_data")
        if isinstance(blob, dict) and is_picture(blob):
            text = blob["data"].replace("-", "+").replace("_", "/")
            picture = Image.open(io.BytesIO(base64.b64decode(text + "=" * (-len(text) % 4))))
            picture.load()
            found.append({"mime_type": picture.get_format_mimetype(), "width": picture.width, "height": picture.height})
    assert found == fixture["expect"]["pictures"]


def is_picture(blob: dict[str, str]) -> bool:
    """Whether inline data is a picture: not sound, a drawing in SVG, or empty."""
    kind = blob.get("mimeType") or blob.get("mime_type") or ""
    return kind.startswith("image/") and kind != "image/svg+xml" and bool(blob["data"])


def result_parts(text: str) -> list[dict[str, Any]]:
    if text.startswith("data:"):
        answers = [json.loads(line[5:]) for line in re.split(r"[\r\n]+", text) if line.startswith("data:")]
    else:
        answers = json.loads(text)
    answers = answers if isinstance(answers, list) else [answers]
    candidates = [candidate for answer in answers for candidate in answer.get("candidates", [])]
    parts = [part for candidate in candidates for part in candidate.get("content", {}).get("parts", [])]
    return [part for part in parts if not part.get("thought")]


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_every_situation_can_be_asked_for(client: Client, path: Path) -> None:
    assert_replayed(ask(client, path), load(path)["response"])


def test_the_key_is_repeated_where_google_repeats_it(client: Client) -> None:
    answer = client.call(body_of("[[consumer_suspended]]"), headers={"x-goog-api-key": 'AIza"quoted'})
    assert "api_key:AIza\"quoted'" in answer.json()["error"]["message"]


def test_a_whole_answer_as_a_stream(client: Client) -> None:
    answer = client.call(body_of("[[text_and_picture]]"), method="streamGenerateContent", query="?alt=sse")
    (event,) = events_of(answer.content.decode())
    assert event == load(FIXTURES / "generate_content/text_and_picture.json")["response"]["body"]
    assert answer.headers["content-type"] == "text/event-stream"
    array = client.call(body_of("[[text_and_picture]]"), method="streamGenerateContent")
    assert array.json() == [event]
    error = client.call(body_of("[[overloaded]]"), method="streamGenerateContent", query="?alt=sse")
    assert (error.status_code, error.headers["content-type"]) == (503, "text/event-stream")
    assert error.json()["error"]["status"] == "UNAVAILABLE"


@pytest.mark.parametrize("situation", ["streamed_text_and_picture", "streamed_line_feeds", "array_stream"])
def test_a_stream_as_a_whole_answer(client: Client, situation: str) -> None:
    (candidate,) = client.call(body_of(f"[[{situation}]]")).json()["candidates"]
    assert [list(part) for part in candidate["content"]["parts"]] == [["text"]] * 3 + [["inlineData"]]
    assert candidate["finishReason"] == "STOP"


@pytest.mark.parametrize(("situation", "status"), [("error_mid_stream", 503), ("bare_error_mid_stream", 500)])
def test_an_error_in_the_middle_of_a_stream_is_the_whole_answer(client: Client, situation: str, status: int) -> None:
    answer = client.call(body_of(f"[[{situation}]]"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)
    array = client.call(body_of(f"[[{situation}]]"), method="streamGenerateContent")
    assert [next(iter(event)) for event in array.json()] == ["candidates", "error"]


def test_an_error_while_counting(client: Client) -> None:
    assert client.call(body_of("[[overloaded]]"), method="countTokens").status_code == 503


def test_an_unknown_situation_lists_the_known_ones(client: Client) -> None:
    answer = client.call(body_of("[[no_such_thing]]"))
    assert answer.status_code == 400
    assert all(situation in answer.json()["error"]["message"] for situation in known_names())


def test_several_situations_take_turns(client: Client) -> None:
    body = body_of("a kite for each [[picture|overloaded|picture]]")
    assert [client.call(body).status_code for _ in range(6)] == [200, 503, 200] * 2
    assert client.call(body_of("another prompt [[overloaded|picture]]")).status_code == 503


def test_a_situation_cannot_leave_its_folder(client: Client) -> None:
    assert client.call(body_of("[[..]]")).status_code == 400
    assert client.get("/v1beta/models/[[one_model]]").json()["name"].startswith("models/")
