"""All that the sandbox can do, asked by hand: what a program without any SDK sees, on both versions of the API."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import Reply, call

MODEL = "gemini-2.5-flash-image"
HEADERS = [("x-goog-api-key", "sandbox"), ("Content-Type", "application/json")]
JSON = "application/json; charset=UTF-8"


@pytest.fixture(params=["v1", "v1beta"])
def models(request: pytest.FixtureRequest) -> str:
    """Where the models lie."""
    return f"/{request.param}/models"


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    """What a user says."""
    return {"role": "user", "parts": list(parts)}


def post(server: ProxyServer, path: str, *contents: dict[str, Any], **more: Any) -> Reply:
    """A call that must succeed."""
    reply = call(server, path, json.dumps({"contents": contents, **more}).encode(), HEADERS)
    assert reply.status == 200, reply.body[:500]
    return reply


def parts_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the first candidate."""
    return list(answer["candidates"][0]["content"]["parts"])


def drawn(parts: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """The pixels of all pictures."""
    blobs = [part["inlineData"] for part in parts if "inlineData" in part]
    assert all(blob["mimeType"] == "image/png" for blob in blobs)
    return [pictures.pixels_of(base64.b64decode(blob["data"], validate=True)) for blob in blobs]


def test_a_text_becomes_a_picture(sandbox_server: ProxyServer, models: str) -> None:
    reply = post(
        sandbox_server,
        f"{models}/{MODEL}:generateContent",
        user({"text": "a cat"}),
        generationConfig={"imageConfig": {"aspectRatio": "9:16"}, "responseModalities": ["IMAGE"]},
    )
    answer = json.loads(reply.body)
    assert reply.one("content-type") == JSON
    assert drawn(parts_of(answer)) == [(768, 1344)]
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert answer["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 1290}]
    assert answer["modelVersion"] == MODEL


def test_several_pictures_go_in(sandbox_server: ProxyServer, models: str) -> None:
    given = [pictures.picture_part(pictures.plain_png(64, 64, colour)) for colour in ("red", "green", "blue")]
    reply = post(sandbox_server, f"{models}/{MODEL}:generateContent", user({"text": "put them together"}, *given))
    answer = json.loads(reply.body)
    assert len(drawn(parts_of(answer))) == 1
    details = {one["modality"]: one["tokenCount"] for one in answer["usageMetadata"]["promptTokensDetails"]}
    assert details["IMAGE"] == 3 * 258


def test_a_chat_goes_on_from_its_own_picture(sandbox_server: ProxyServer, models: str) -> None:
    path = f"{models}/{MODEL}:generateContent"
    first = json.loads(post(sandbox_server, path, user({"text": "a cat"})).body)
    history = [user({"text": "a cat"}), first["candidates"][0]["content"], user({"text": "make it blue"})]
    second = json.loads(post(sandbox_server, path, *history).body)
    before, after = ([part for part in parts_of(one) if "inlineData" in part] for one in (first, second))
    assert before != after
    assert drawn(after) == [(1024, 1024)]


def events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON of each event."""
    assert body.endswith(b"\r\n\r\n")
    for event in body.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n"):
        assert event.startswith(b"data: ")
        assert b"\n" not in event
        yield json.loads(event.removeprefix(b"data: "))


@pytest.mark.parametrize("query", ["?alt=sse", ""], ids=["as events", "as an array"])
def test_a_stream_tells_words_then_the_whole_picture_then_stop(
    sandbox_server: ProxyServer, models: str, query: str
) -> None:
    reply = post(sandbox_server, f"{models}/{MODEL}:streamGenerateContent{query}", user({"text": "a cat"}))
    if query:
        assert reply.one("content-type") == "text/event-stream"
        assert reply.one("content-disposition") == "attachment"
        answers = list(events(reply.body))
    else:
        assert reply.one("content-type") == JSON
        answers = json.loads(reply.body)
    parts = [parts_of(answer) for answer in answers]
    assert all(len(one) == 1 for one in parts)
    *words, picture, last = [one[0] for one in parts]
    assert words and all(word["text"] for word in words)
    assert drawn([picture]) == [(1024, 1024)]
    assert last == {"text": ""}
    assert [answer["candidates"][0].get("finishReason") for answer in answers] == [None] * (len(answers) - 1) + ["STOP"]
    assert len({answer["responseId"] for answer in answers}) == 1
    totals = [answer["usageMetadata"]["totalTokenCount"] for answer in answers]
    assert totals == sorted(totals)


@pytest.mark.parametrize("query", ["?alt=sse", ""], ids=["as events", "as an array"])
def test_an_error_on_a_stream_is_plain_json(sandbox_server: ProxyServer, models: str, query: str) -> None:
    body = json.dumps({"contents": [user({"text": "a"})], "generationConfig": {"candidateCount": 2}}).encode()
    reply = call(sandbox_server, f"{models}/{MODEL}:streamGenerateContent{query}", body, HEADERS)
    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    assert reply.one("content-type") == ("text/event-stream" if query else JSON)
    assert reply.error["message"] == "Multiple candidates is not enabled for this model"


def test_tokens_are_counted_both_ways(sandbox_server: ProxyServer, models: str) -> None:
    contents = [user({"text": "a red sun above the sea"}, pictures.picture_part(pictures.plain_png(64, 64)))]
    path = f"{models}/google/{MODEL}:countTokens"
    told = json.loads(post(sandbox_server, path, *contents).body)
    assert told["totalTokens"] == sum(one["tokenCount"] for one in told["promptTokensDetails"])
    assert {one["modality"] for one in told["promptTokensDetails"]} == {"TEXT", "IMAGE"}
    body = {"generateContentRequest": {"model": f"models/{MODEL}", "contents": contents}}
    reply = call(sandbox_server, path, json.dumps(body).encode(), HEADERS)
    assert json.loads(reply.body) == told


def test_the_models_are_listed_and_one_is_told(sandbox_server: ProxyServer, models: str) -> None:
    listed = json.loads(call(sandbox_server, models, None, HEADERS, "GET").body)
    told = json.loads(call(sandbox_server, f"{models}/{MODEL}", None, HEADERS, "GET").body)
    assert listed == {"models": [told]}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"generationConfig": {"imageConfig": {"imageOutputOptions": {}}}}, "generation_config.image_config"),
        ({"generationConfig": {"responseModalities": ["SMELL"]}}, "generation_config.response_modalities[0]"),
    ],
    ids=["an unknown name", "an unknown value"],
)
def test_what_only_google_can_judge_is_refused_by_the_sandbox(
    sandbox_server: ProxyServer, models: str, body: dict[str, Any], where: str
) -> None:
    sent = json.dumps({"contents": [user({"text": "a"})], **body}).encode()
    reply = call(sandbox_server, f"{models}/{MODEL}:generateContent", sent, HEADERS)
    assert reply.status == 400
    (violation,) = reply.detail("BadRequest")["fieldViolations"]
    assert violation["field"] == where


@pytest.mark.parametrize(("seconds", "status"), [("5", 400), ("10", 200), ("30", 200)])
def test_a_deadline_that_google_finds_too_short_is_refused(
    sandbox_server: ProxyServer, models: str, seconds: str, status: int
) -> None:
    body = json.dumps({"contents": [user({"text": "a"})]}).encode()
    headers = [*HEADERS, ("X-Server-Timeout", seconds)]
    reply = call(sandbox_server, f"{models}/{MODEL}:countTokens", body, headers)
    assert reply.status == status
    if status == 400:
        assert reply.error["message"].startswith("Manually set deadline 5s is too short.")
