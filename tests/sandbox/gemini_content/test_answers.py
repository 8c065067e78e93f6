"""The answers of Google's API: text and picture, streams, tokens, lists of models."""

from __future__ import annotations

import json

import pytest

from sandbox.gemini_content.image_models import IMAGE_MODELS
from sandbox.tokens import text_tokens
from tests.sandbox.gemini_client import FLASH, Client, body_of, events_of, inline, parts_of, picture_of, png


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_a_text_then_a_picture(client: Client, version: str) -> None:
    response = client.call(body_of("a siamese cat"), version=version)
    answer = response.json()
    assert [list(part) for part in parts_of(answer)] == [["text"], ["inlineData"]]
    assert (picture_of(response).size, picture_of(response).mode) == ((1024, 1024), "RGB")
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert answer["modelVersion"] == FLASH
    assert answer["responseId"]


def test_the_wire_is_googles(client: Client) -> None:
    response = client.call(body_of("a siamese cat"))
    assert json.dumps(response.json(), indent=2, ensure_ascii=False) + "\n" == response.text
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert response.headers["vary"] == "Origin, Referer, X-Origin"
    assert response.headers["server-timing"].startswith("gfet4t7; dur=")
    assert response.headers["x-gemini-service-tier"] == "standard"


@pytest.mark.parametrize(
    "config",
    [
        {"generationConfig": {"responseFormat": {"image": {"aspectRatio": "9:16"}}}},
        {"generation_config": {"response_format": {"image": {"aspect_ratio": "9:16"}}}},
        {"generation_config": {"image_config": {"aspect_ratio": "9:16"}}},
        {"generationConfig": {"responseFormat": [{"image": {"aspectRatio": "9:16"}}]}},
    ],
)
def test_the_ratio_in_every_spelling(client: Client, config: dict[str, object]) -> None:
    assert picture_of(client.call({**body_of("deep space"), **config})).size == (768, 1344)


@pytest.mark.parametrize("modalities", [["IMAGE"], ["Image"], ["image"], [2]])
def test_only_a_picture(client: Client, modalities: list[object]) -> None:
    answer = client.call(body_of("a siamese cat", responseModalities=modalities)).json()
    assert [list(part) for part in parts_of(answer)] == [["inlineData"]]
    assert answer["usageMetadata"]["candidatesTokenCount"] == 1290


def test_only_a_text(client: Client) -> None:
    answer = client.call(body_of("a siamese cat", responseModalities=["TEXT"])).json()
    assert [list(part) for part in parts_of(answer)] == [["text"]]
    assert "candidatesTokensDetails" not in answer["usageMetadata"]


def test_contents_as_one_object_and_null_fields(client: Client) -> None:
    body = {"contents": {"parts": [{"text": "deep space"}]}, "safetySettings": None, "systemInstruction": None}
    assert picture_of(client.call(body))


def test_usage_counts_what_went_in_and_came_out(client: Client) -> None:
    body = body_of(inline(png()), inline(png((32, 64))), "turn the logo to green")
    usage = client.call(body).json()["usageMetadata"]
    assert usage["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 6},
        {"modality": "IMAGE", "tokenCount": 516},
    ]
    assert usage["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 1290}]
    assert usage["promptTokenCount"] == 522
    assert usage["candidatesTokenCount"] > 1290
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Generate a simple flat icon of a yellow banana on a white background.", 15),  # as recorded
        ("turn the logo to green", 6),
        ("Make this image larger", 5),
        ("Combine these images side by side", 7),
        ("", 0),
        ("고양이", 4),
    ],
)
def test_text_tokens(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


@pytest.mark.parametrize("wrapped", [False, True])
def test_count_tokens(client: Client, wrapped: bool) -> None:
    body: dict[str, object] = body_of("turn the logo to green", inline(png()))
    if wrapped:
        body = {"generateContentRequest": {"model": f"models/{FLASH}", **body}}
    assert client.call(body, method="countTokens").json() == {
        "totalTokens": 264,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 6},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
    }


def test_a_stream_of_events(client: Client) -> None:
    body = body_of("a siamese cat", seed=1)
    response = client.call(body, method="streamGenerateContent", query="?alt=sse")
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["content-disposition"] == "attachment"
    events = events_of(response.content.decode())
    *pieces, picture, last = (parts_of(event) for event in events)
    whole = client.call(body).json()
    assert len(pieces) > 1
    assert "".join(parts[0]["text"] for parts in pieces) == parts_of(whole)[0]["text"]
    assert picture == parts_of(whole)[1:]
    assert last == [{"text": ""}]
    assert [event["candidates"][0].get("finishReason") for event in events] == [None] * (len(events) - 1) + ["STOP"]
    assert events[-1]["usageMetadata"] == whole["usageMetadata"]
    counts = [event["usageMetadata"]["candidatesTokenCount"] for event in events]
    assert counts == sorted(counts)
    assert len({event["responseId"] for event in events}) == 1

    array = client.call(body, method="streamGenerateContent")
    assert array.headers["content-type"] == "application/json; charset=UTF-8"
    assert [parts_of(event) for event in array.json()] == [parts_of(event) for event in events]


@pytest.mark.parametrize("wanted", [True, False])
def test_thoughts_are_in_the_answer_on_request(client: Client, wanted: bool) -> None:
    body = body_of("a misty forest", thinkingConfig={"include_thoughts": wanted})
    parts = parts_of(client.call(body, model="gemini-nano-banana-2.1").json())
    assert [part.get("thought", False) for part in parts] == [True, False, False][not wanted :]


def test_the_list_of_models_in_pages(client: Client) -> None:
    assert len(client.get("/v1beta/models").json()["models"]) == len(IMAGE_MODELS)
    names: list[str] = []
    token = ""
    while True:
        page = client.get(f"/v1/models?pageSize=2&pageToken={token}").json()
        names += [model["name"] for model in page["models"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert names == [f"models/{name}" for name in IMAGE_MODELS]


def test_one_model(client: Client) -> None:
    record = client.get(f"/v1beta/models/{FLASH}").json()
    assert record["displayName"] == "Nano Banana"
    assert record["inputTokenLimit"] == 32768
    assert "streamGenerateContent" not in record["supportedGenerationMethods"]


@pytest.mark.parametrize("key", ["AIza-anything", "AQ.new-kind", "sandbox"])
def test_any_key_is_accepted_in_the_header_and_in_the_query(client: Client, key: str) -> None:
    assert client.get("/v1beta/models", headers={"x-goog-api-key": key}).status_code == 200
    assert client.get(f"/v1beta/models?key={key}", headers={}).status_code == 200
