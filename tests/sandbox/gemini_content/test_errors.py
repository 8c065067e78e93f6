"""The errors of Google's API, in Google's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from PIL import Image

from tests.sandbox.gemini_client import KEY, Client, body_of, bytes_of, inline, png


def error_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == status
    assert response.text == json.dumps(response.json(), indent=2, ensure_ascii=False) + "\n"
    return error


def test_no_key(client: Client) -> None:
    error = error_of(client.call(body_of("x"), headers={}), 403)
    assert error["status"] == "PERMISSION_DENIED"
    assert error["message"].startswith("Method doesn't allow unregistered callers")
    assert "details" not in error


@pytest.mark.parametrize("key", ["invalid", "my-invalid-key"])
def test_an_invalid_key(client: Client, key: str) -> None:
    error = error_of(client.call(body_of("x"), headers={"x-goog-api-key": key}), 400)
    info, localized = error["details"]
    assert info["reason"] == "API_KEY_INVALID"
    assert info["metadata"] == {"service": "generativelanguage.googleapis.com"}
    assert localized["message"] == error["message"] == "API key not valid. Please pass a valid API key."
    assert client.get("/v1beta/models", headers={"x-goog-api-key": key}).status_code == 400


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?key=a", KEY), ("", {**KEY, "authorization": "Bearer a"}), ("?key=a", {"authorization": "Bearer a"})],
)
def test_two_credentials(client: Client, query: str, headers: dict[str, str]) -> None:
    error = error_of(client.call(body_of("x"), query=query, headers=headers), 400)
    assert error["message"] == "Multiple authentication credentials received. Please pass only one."


def test_a_key_as_a_token(client: Client) -> None:
    error = error_of(client.call(body_of("x"), headers={"authorization": "Bearer AIza"}), 401)
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_TYPE_UNSUPPORTED"


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent", "countTokens", "predict"])
def test_an_unknown_model(client: Client, method: str) -> None:
    error = error_of(client.call(body_of("x"), model="gemini-9", method=method, version="v1"), 404)
    assert error["message"] == (
        f"models/gemini-9 is not found for API version v1, or is not supported for {method}. Call "
        "ModelService.ListModels to see the list of available models and their supported methods."
    )


def test_a_retired_model(client: Client) -> None:
    error = error_of(client.call(body_of("x"), model="gemini-2.5-flash-image-preview"), 404)
    assert "no longer available" in error["message"]


def test_every_model_but_the_newest_has_ended_on_request(client: Client) -> None:
    for name in ("gemini-2.5-flash-image", "gemini-3-pro-image"):
        assert (
            f"models/{name} is no longer available"
            in error_of(client.call(body_of("[[successor]] x"), model=name), 404)["message"]
        )
    assert client.call(body_of("[[successor]] x"), model="gemini-nano-banana-2.1").status_code == 200


@pytest.mark.parametrize("config", [{"seed": 7}, {"temperature": 1}, {"topP": 0.9}, {"topK": 40}])
def test_the_newest_model_takes_no_sampling(client: Client, config: dict[str, float]) -> None:
    body = {**body_of("x"), "generationConfig": config}
    assert "not supported" in error_of(client.call(body, model="gemini-nano-banana-2.1"), 400)["message"]


@pytest.mark.parametrize("path", ["/", "/v2/models", "/v1beta/models/google/gemini-2.5-flash-image"])
def test_an_unknown_path_is_a_web_page(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


def test_unknown_names(client: Client) -> None:
    body = {**body_of("x", imageConfig={"imageOutputOptions": {}}, candidate_counts=1), "style": "vivid"}
    error = error_of(client.call(body), 400)
    fields = [violation.get("field") for violation in error["details"][0]["fieldViolations"]]
    assert sorted(map(str, fields)) == ["None", "generation_config", "generation_config.image_config"]
    assert (
        "Unknown name \"imageOutputOptions\" at 'generation_config.image_config': Cannot find field."
        in error["message"]
    )
    assert 'Unknown name "style": Cannot find field.' in error["message"]


def test_an_unknown_name_inside_a_part(client: Client) -> None:
    body = {"contents": [{"parts": [{"text": "x"}, {"inlineData": {"mime": "y"}}]}]}
    assert "at 'contents[0].parts[1].inline_data'" in error_of(client.call(body), 400)["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Invalid JSON payload received."),
        (b"", "Invalid JSON payload received."),
        (b"\xff\xfe", "Invalid JSON payload received."),
        (b"[" * 100_000, "Invalid JSON payload received."),
        ([], "Invalid value at 'body'"),
        ({}, "contents is not specified"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": "a cat"}, "Invalid value at 'contents'"),
        ({"contents": [{"parts": []}]}, "contents.parts must not be empty"),
        ({"contents": [{"parts": [{}]}]}, "required oneof field 'data'"),
        ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        (body_of("x", candidateCount=2), "Multiple candidates is not enabled for this model"),
        (body_of("x", imageConfig={"aspectRatio": "7:5"}), "aspect_ratio: '7:5'"),
        (body_of("x", imageConfig={"aspectRatio": ["1:1"]}), "aspect_ratio"),
        (body_of("x", imageConfig={"imageSize": "1k"}), "image_size: '1k'"),
        (body_of("x", responseModalities=["VIDEO"]), "GenerationConfig.Modality"),
        (body_of("x", responseModalities=[["IMAGE"]]), "GenerationConfig.Modality"),
        (body_of("x", {"inlineData": {"mimeType": "image/png", "data": "***"}}), "Base64 decoding failed"),
        (body_of("x", {"inlineData": {"mimeType": "image/png"}}), "Base64 decoding failed"),
        (body_of("x", inline(png(), "text/plain")), "Unsupported MIME type: text/plain"),
        (body_of("x", inline(b"not a picture at all")), "Unable to process input image."),
        (body_of("x", inline(png()[:60])), "Unable to process input image."),
    ],
)
def test_bad_requests(client: Client, body: Any, message: str) -> None:
    error = error_of(client.call(body), 400)
    assert error["status"] == "INVALID_ARGUMENT"
    assert message in error["message"]


def test_the_ratio_of_another_model(client: Client) -> None:
    body = body_of("x", imageConfig={"aspectRatio": "1:8"})
    assert client.call(body).status_code == 400


def test_a_decompression_bomb(client: Client) -> None:
    file = bytes_of(Image.new("1", (8_000, 8_000)))
    assert len(file) < 200_000
    assert "Unable to process" in error_of(client.call(body_of("x", inline(file))), 400)["message"]


def test_a_deadline_below_ten_seconds(client: Client) -> None:
    error = error_of(client.call(body_of("x"), headers={**KEY, "X-Server-Timeout": "5"}), 400)
    assert error["message"] == "Manually set deadline 5s is too short. Minimum allowed deadline is 10s."
    assert client.call(body_of("a siamese cat"), headers={**KEY, "X-Server-Timeout": "10"}).status_code == 200


def test_an_error_on_a_stream_is_plain_json_with_the_streams_type(client: Client) -> None:
    response = client.call({}, method="streamGenerateContent", query="?alt=sse")
    error_of(response, 400)
    assert response.headers["content-type"] == "text/event-stream"
    assert error_of(client.call({}, method="streamGenerateContent"), 400)["code"] == 400


@pytest.mark.parametrize("query", ["pageSize=x", "pageSize=-1", "pageToken=x"])
def test_bad_pages(client: Client, query: str) -> None:
    assert client.get(f"/v1beta/models?{query}").status_code == 400
