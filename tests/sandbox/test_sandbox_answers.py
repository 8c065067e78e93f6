"""What the sandbox answers when all is well: pictures, words, streams, tokens, lists."""

from __future__ import annotations

import base64
import json

import pytest

from sandbox.image_models import IMAGE_MODELS, PIXELS_OF_2_5
from sandbox.tokens import text_tokens
from tests.sandbox.sandbox_clients import (
    FLASH,
    KEY,
    Client,
    asking,
    events_of,
    inline,
    opened,
    parts_of,
    pictures_of,
    png,
)

BANANA = "gemini-nano-banana-2.1"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_words_then_a_picture(client: Client, version: str) -> None:
    answer = client.call(asking("a siamese cat"), version=version).json()
    words, picture = parts_of(answer)
    assert words["text"]
    assert opened(picture).size == (1024, 1024)
    assert opened(picture).mode == "RGB"
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert answer["modelVersion"] == FLASH
    assert answer["responseId"]


def test_the_wire_is_googles(client: Client) -> None:
    response = client.call(asking("a siamese cat"))
    assert response.text.startswith('{\n  "candidates": [\n    {\n      "content": {\n')
    assert response.text.endswith("}\n")
    assert json.dumps(response.json(), indent=2, ensure_ascii=False) + "\n" == response.text
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert response.headers["vary"] == "Origin, Referer, X-Origin"
    assert response.headers["server-timing"].startswith("gfet4t7; dur=")
    assert response.headers["x-gemini-service-tier"] == "standard"


@pytest.mark.parametrize(("ratio", "pixels"), PIXELS_OF_2_5.items())
def test_every_ratio_in_its_exact_pixels(adapted: Client, ratio: str, pixels: tuple[int, int]) -> None:
    body = asking("deep space", imageConfig={"aspectRatio": ratio}, responseModalities=["IMAGE"])
    (picture,) = pictures_of(adapted.call(body).json())
    picture.load()
    assert picture.size == pixels


@pytest.mark.parametrize(
    ("config", "pixels", "tokens"),
    [
        ({}, (1408, 768), 1120),
        ({"aspectRatio": "16:9"}, (1376, 768), 1120),
        ({"aspectRatio": "1:8"}, (384, 3072), 1120),
        ({"aspectRatio": "1:1", "imageSize": "2K"}, (2048, 2048), 1680),
        ({"aspectRatio": "21:9", "imageSize": "4K"}, (6336, 2688), 2520),
    ],
)
def test_the_third_generation_draws_jpeg_in_its_own_tiers(
    adapted: Client, config: dict[str, str], pixels: tuple[int, int], tokens: int
) -> None:
    body = asking("a misty forest", imageConfig=config, responseModalities=["IMAGE"])
    answer = adapted.call(body, model=BANANA).json()
    (picture,) = pictures_of(answer)
    assert picture.size == pixels
    assert not picture.info.get("progressive")
    assert answer["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": tokens}]
    assert answer["usageMetadata"]["thoughtsTokenCount"] > 0
    assert base64.b64decode(parts_of(answer)[-1]["thoughtSignature"], validate=True)


@pytest.mark.parametrize("form", ["responseFormat", "response_format", "snake", "list"])
def test_the_ratio_in_every_spelling(adapted: Client, form: str) -> None:
    image = {"image": {"aspectRatio": "9:16"}}
    config = {
        "responseFormat": {"generationConfig": {"responseFormat": image}},
        "response_format": {"generation_config": {"response_format": {"image": {"aspect_ratio": "9:16"}}}},
        "snake": {"generation_config": {"image_config": {"aspect_ratio": "9:16"}}},
        "list": {"generationConfig": {"responseFormat": [image]}},
    }[form]
    answer = adapted.call({**asking("deep space"), **config}).json()
    assert pictures_of(answer)[0].size == (768, 1344)


@pytest.mark.parametrize("modalities", [["IMAGE"], ["Image"], ["image"], [2]])
def test_only_a_picture(adapted: Client, modalities: list[object]) -> None:
    answer = adapted.call(asking("a siamese cat", responseModalities=modalities)).json()
    assert [list(part) for part in parts_of(answer)] == [["inlineData"]]
    assert answer["usageMetadata"]["candidatesTokenCount"] == 1290


def test_only_words(adapted: Client) -> None:
    answer = adapted.call(asking("a siamese cat", responseModalities=["TEXT"])).json()
    assert [list(part) for part in parts_of(answer)] == [["text"]]
    assert "candidatesTokensDetails" not in answer["usageMetadata"]


def test_contents_as_one_object_and_null_fields(adapted: Client) -> None:
    body = {"contents": {"parts": [{"text": "deep space"}]}, "safetySettings": None, "systemInstruction": None}
    assert pictures_of(adapted.call(body).json())


def test_usage_counts_what_was_read_and_drawn(client: Client) -> None:
    body = asking(inline(png()), inline(png((32, 64))), "turn the logo to green", responseModalities=["TEXT", "IMAGE"])
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
        ("put this in a ring", 6),
        ("Make this image larger", 5),
        ("Combine these images side by side", 7),
        ("x", 2),
        ("", 0),
        ("고양이", 4),
    ],
)
def test_text_tokens(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


@pytest.mark.parametrize("wrap", [False, True])
def test_count_tokens(client: Client, wrap: bool) -> None:
    body: dict[str, object] = asking("turn the logo to green", inline(png()))
    if wrap:
        body = {"generateContentRequest": {"model": f"models/{FLASH}", **body}}
    response = client.call(body, method="countTokens")
    assert response.json() == {
        "totalTokens": 264,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 6},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
    }


def test_a_stream_of_events(client: Client) -> None:
    response = client.call(asking("a siamese cat"), method="streamGenerateContent", query="?alt=sse")
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["content-disposition"] == "attachment"
    events = events_of(response.content.decode())
    *deltas, picture, last = (parts_of(event) for event in events)
    whole = client.call(asking("a siamese cat")).json()
    assert len(deltas) > 1
    assert "".join(parts[0]["text"] for parts in deltas) == parts_of(whole)[0]["text"]
    assert picture == parts_of(whole)[1:]
    assert last == [{"text": ""}]
    assert [event["candidates"][0].get("finishReason") for event in events] == [None] * (len(events) - 1) + ["STOP"]
    assert events[-1]["usageMetadata"] == whole["usageMetadata"]
    counts = [event["usageMetadata"]["candidatesTokenCount"] for event in events]
    assert counts == sorted(counts)
    assert len({event["responseId"] for event in events}) == 1


def test_a_stream_as_one_array(client: Client) -> None:
    response = client.call(asking("a siamese cat"), method="streamGenerateContent")
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    events = response.json()
    assert len(pictures_of(events[-2])) == 1
    assert parts_of(events[-1]) == [{"text": ""}]


def test_thoughts_are_shown_on_request(adapted: Client) -> None:
    body = asking("a misty forest", thinkingConfig={"include_thoughts": True})
    first, *_ = parts_of(adapted.call(body, model=BANANA).json())
    assert first["thought"] is True


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
def test_any_key_is_good_and_the_query_is_good_too(client: Client, key: str) -> None:
    assert client.get("/v1beta/models", headers={"x-goog-api-key": key}).status_code == 200
    assert client.get(f"/v1beta/models?key={key}", headers={}).status_code == 200
    assert KEY["x-goog-api-key"] == "sandbox"
