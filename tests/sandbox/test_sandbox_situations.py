"""Every contract fixture is well formed, tells the truth about its pictures, and can be asked for by name."""

from __future__ import annotations

import base64
import io
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from urllib3.exceptions import ProtocolError

from sandbox.situations import OPERATIONS, REMEMBERED_PROMPTS, Turns, known_situations
from tests.sandbox.sandbox_clients import FIXTURES, KEY, Client, asking, events_of

METHODS = {
    "generate_content": "generateContent",
    "stream_generate_content": "streamGenerateContent",
    "count_tokens": "countTokens",
}
ERRORS = {
    "MISSING_KEY",
    "INVALID_KEY",
    "PERMISSION_DENIED",
    "LOCATION_NOT_SUPPORTED",
    "INVALID_ARGUMENT",
    "MODEL_NOT_FOUND",
    "CONTENT_BLOCKED",
    "NO_IMAGE",
    "QUOTA_EXHAUSTED",
    "RATE_LIMITED",
    "UPSTREAM_REJECTED",
    "UPSTREAM_INTERNAL",
    "UPSTREAM_UNAVAILABLE",
    "UPSTREAM_TIMEOUT",
    "UPSTREAM_BROKEN",
}
PATHS = sorted(FIXTURES.glob("*/*.json"))
SUCCESSES = [path for path in PATHS if path.parent.name in ("generate_content", "stream_generate_content")]


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def load(path: Path) -> dict[str, Any]:
    fixture: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fixture


def wire(response: dict[str, Any], key: str) -> str:
    text = response.get("body_text")
    if text is None:
        text = json.dumps(response["body"], indent=2, ensure_ascii=False).replace("\u2028", "\\u2028") + "\n"
    return str(text).replace("[[key]]", key)


def ask(client: Client, path: Path, **options: Any) -> requests.Response:
    if path.parent.name == "models":
        return client.get(f"/v1beta/models?pageToken=%5B%5B{path.stem}%5D%5D")
    method = METHODS[path.parent.name]
    query = "?alt=sse" if load(path)["request"]["path"].endswith("alt=sse") else ""
    return client.call(asking(f"please show [[{path.stem}]]"), method=method, query=query, **options)


def test_names_are_unique_and_folders_known() -> None:
    assert {path.parent.name for path in PATHS} == set(OPERATIONS)
    assert len({path.stem for path in PATHS}) == len(PATHS) == len(known_situations())
    assert all(re.fullmatch(r"[a-z0-9_]+", path.stem) for path in PATHS)


@pytest.mark.parametrize("path", PATHS, ids=name)
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
        assert expect["error"] in ERRORS
        assert set(expect) <= {"error", "retry_after"}
    else:
        assert response["status"] == 200
        assert set(expect) <= {"pictures", "text", "usage", "total_tokens", "models", "next_page_token"}


@pytest.mark.parametrize("path", SUCCESSES, ids=name)
def test_a_fixture_tells_the_truth_about_its_pictures(path: Path) -> None:
    fixture = load(path)
    if "pictures" not in fixture["expect"]:
        return
    found = []
    for part in _result_parts(wire(fixture["response"], "")):
        blob = part.get("inlineData") or part.get("inline_data")
        if isinstance(blob, dict):
            text = blob["data"].replace("-", "+").replace("_", "/")
            picture = Image.open(io.BytesIO(base64.b64decode(text + "=" * (-len(text) % 4))))
            picture.load()
            found.append({"mime_type": picture.get_format_mimetype(), "width": picture.width, "height": picture.height})
    assert found == fixture["expect"]["pictures"]


def _result_parts(text: str) -> list[dict[str, Any]]:
    if text.startswith("data:"):
        answers = [json.loads(line[5:]) for line in re.split(r"[\r\n]+", text) if line.startswith("data:")]
    else:
        answers = json.loads(text)
    answers = answers if isinstance(answers, list) else [answers]
    candidates = [candidate for answer in answers for candidate in answer.get("candidates", [])]
    parts = [part for candidate in candidates for part in candidate.get("content", {}).get("parts", [])]
    return [part for part in parts if not part.get("thought")]


def broken_transfer(shown: requests.Response) -> bytes:
    """What arrives of an answer whose transfer must break."""
    received: list[bytes] = []
    with pytest.raises(ProtocolError):
        received.extend(iter(partial(shown.raw.read1, 4096), b""))
    return b"".join(received)


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_every_situation_can_be_asked_for(adapted: Client, path: Path) -> None:
    response = load(path)["response"]
    if response.get("cut"):
        assert broken_transfer(ask(adapted, path, stream=True)).decode() == wire(response, "sandbox")
        return
    shown = ask(adapted, path)
    assert shown.status_code == response["status"]
    assert shown.content.decode() == wire(response, "sandbox")
    for header, value in response["headers"].items():
        assert shown.headers[header] == value


@pytest.mark.parametrize(
    "situation",
    ["picture", "consumer_suspended", "html_502", "empty_200", "streamed_text_and_picture", "quota_per_day"],
)
def test_situations_through_a_socket(served: Client, situation: str) -> None:
    (path,) = FIXTURES.glob(f"*/{situation}.json")
    shown = ask(served, path)
    assert shown.status_code == load(path)["response"]["status"]
    assert shown.content.decode() == wire(load(path)["response"], "sandbox")


def test_a_cut_answer_breaks_the_transfer(served: Client) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        served.call(asking("[[truncated]]"))


def test_the_key_is_repeated_where_google_repeats_it(client: Client) -> None:
    shown = client.call(asking("[[consumer_suspended]]"), headers={"x-goog-api-key": 'AIza"quoted'})
    assert "api_key:AIza\"quoted'" in shown.json()["error"]["message"]


def test_a_whole_answer_as_a_stream(client: Client) -> None:
    shown = client.call(asking("[[text_and_picture]]"), method="streamGenerateContent", query="?alt=sse")
    (event,) = events_of(shown.content.decode())
    assert event == load(FIXTURES / "generate_content/text_and_picture.json")["response"]["body"]
    assert shown.headers["content-type"] == "text/event-stream"
    array = client.call(asking("[[text_and_picture]]"), method="streamGenerateContent")
    assert array.json() == [event]


def test_a_stream_as_a_whole_answer(client: Client) -> None:
    answer = client.call(asking("[[streamed_text_and_picture]]")).json()
    parts = answer["candidates"][0]["content"]["parts"]
    assert [list(part) for part in parts] == [["text"]] * 3 + [["inlineData"]]
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert client.call(asking("[[array_stream]]")).json() == answer


@pytest.mark.parametrize(("situation", "status"), [("error_mid_stream", 503), ("bare_error_mid_stream", 500)])
def test_an_error_in_the_middle_of_a_stream_is_the_whole_answer(client: Client, situation: str, status: int) -> None:
    shown = client.call(asking(f"[[{situation}]]"))
    assert (shown.status_code, shown.json()["error"]["code"]) == (status, status)
    array = client.call(asking(f"[[{situation}]]"), method="streamGenerateContent")
    assert [next(iter(event)) for event in array.json()] == ["candidates", "error"]


def test_comments_of_a_stream_are_no_part_of_the_whole_answer(client: Client) -> None:
    answer = client.call(asking("[[streamed_line_feeds]]")).json()
    parts = answer["candidates"][0]["content"]["parts"]
    assert [list(part) for part in parts] == [["text"]] * 3 + [["inlineData"]]


def test_an_error_on_a_stream_keeps_its_status(client: Client) -> None:
    shown = client.call(asking("[[overloaded]]"), method="streamGenerateContent", query="?alt=sse")
    assert shown.status_code == 503
    assert shown.headers["content-type"] == "text/event-stream"
    assert shown.json()["error"]["status"] == "UNAVAILABLE"


def test_an_error_while_counting(adapted: Client) -> None:
    assert adapted.call(asking("[[overloaded]]"), method="countTokens").status_code == 503


def test_an_unknown_situation_lists_the_known_ones(client: Client) -> None:
    shown = client.call(asking("[[no_such_thing]]"))
    assert shown.status_code == 400
    message = shown.json()["error"]["message"]
    assert all(situation in message for situation in known_situations())


def test_several_situations_take_turns(client: Client) -> None:
    prompt = "a kite for each [[picture|overloaded|picture]]"
    assert [client.call(asking(prompt)).status_code for _ in range(6)] == [200, 503, 200] * 2
    assert client.call(asking("another prompt [[overloaded|picture]]")).status_code == 503


def test_turns_are_counted_for_some_prompts_only() -> None:
    turns = Turns()
    assert turns.situation("the first [[one|two]]") == "one"
    for number in range(REMEMBERED_PROMPTS):
        turns.situation(f"{number} [[one|two]]")
    assert turns.situation("the first [[one|two]]") == "one"
    assert len(turns._calls) == REMEMBERED_PROMPTS


def test_no_way_out_of_the_folder(adapted: Client) -> None:
    assert adapted.call(asking("[[..]]")).status_code == 400
    assert adapted.get("/v1beta/models/[[one_model]]", headers=KEY).json()["name"].startswith("models/")
