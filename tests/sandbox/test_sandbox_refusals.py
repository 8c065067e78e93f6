"""What the sandbox refuses, in Google's words."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.sandbox.sandbox_clients import KEY, Client, asking, inline, png


def error_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == status
    assert response.text == json.dumps(response.json(), indent=2, ensure_ascii=False) + "\n"
    return error


def test_no_key(client: Client) -> None:
    error = error_of(client.call(asking("x"), headers={}), 403)
    assert error["status"] == "PERMISSION_DENIED"
    assert error["message"].startswith("Method doesn't allow unregistered callers")
    assert "details" not in error


@pytest.mark.parametrize("key", ["invalid", "my-invalid-key"])
def test_an_invalid_key(client: Client, key: str) -> None:
    error = error_of(client.call(asking("x"), headers={"x-goog-api-key": key}), 400)
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
    error = error_of(client.call(asking("x"), query=query, headers=headers), 400)
    assert error["message"] == "Multiple authentication credentials received. Please pass only one."


def test_a_key_as_a_token(client: Client) -> None:
    error = error_of(client.call(asking("x"), headers={"authorization": "Bearer AIza"}), 401)
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_TYPE_UNSUPPORTED"


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent", "countTokens", "predict"])
def test_an_unknown_model(client: Client, method: str) -> None:
    error = error_of(client.call(asking("x"), model="gemini-9", method=method, version="v1"), 404)
    assert error["message"] == (
        f"models/gemini-9 is not found for API version v1, or is not supported for {method}. Call "
        "ModelService.ListModels to see the list of available models and their supported methods."
    )


def test_a_retired_model(adapted: Client) -> None:
    assert (
        "no longer available"
        in error_of(adapted.call(asking("x"), model="gemini-2.5-flash-image-preview"), 404)["message"]
    )


def test_an_unknown_path_is_a_web_page(client: Client) -> None:
    for path in ("/", "/v2/models", "/v1beta/models/google/gemini-2.5-flash-image"):
        response = client.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("text/html")


def test_unknown_names(client: Client) -> None:
    body = {**asking("x", imageConfig={"imageOutputOptions": {}}, candidate_counts=1), "style": "vivid"}
    error = error_of(client.call(body), 400)
    fields = [violation.get("field") for violation in error["details"][0]["fieldViolations"]]
    assert sorted(map(str, fields)) == ["None", "generation_config", "generation_config.image_config"]
    assert (
        "Unknown name \"imageOutputOptions\" at 'generation_config.image_config': Cannot find field."
        in error["message"]
    )
    assert 'Unknown name "style": Cannot find field.' in error["message"]


def test_an_unknown_name_inside_a_part(adapted: Client) -> None:
    body = {"contents": [{"parts": [{"text": "x"}, {"inlineData": {"mime": "y"}}]}]}
    assert "at 'contents[0].parts[1].inline_data'" in error_of(adapted.call(body), 400)["message"]


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
        (asking("x", candidateCount=2), "Multiple candidates is not enabled for this model"),
        (asking("x", imageConfig={"aspectRatio": "7:5"}), "aspect_ratio: '7:5'"),
        (asking("x", imageConfig={"aspectRatio": ["1:1"]}), "aspect_ratio"),
        (asking("x", imageConfig={"imageSize": "1k"}), "image_size: '1k'"),
        (asking("x", responseModalities=["VIDEO"]), "GenerationConfig.Modality"),
        (asking("x", responseModalities=[["IMAGE"]]), "GenerationConfig.Modality"),
        (asking("x", {"inlineData": {"mimeType": "image/png", "data": "***"}}), "Base64 decoding failed"),
        (asking("x", {"inlineData": {"mimeType": "image/png"}}), "Base64 decoding failed"),
        (asking("x", inline(png(), "text/plain")), "Unsupported MIME type: text/plain"),
        (asking("x", inline(b"not a picture at all")), "Unable to process input image."),
        (asking("x", inline(png()[:60])), "Unable to process input image."),
    ],
)
def test_bad_requests(client: Client, body: Any, message: str) -> None:
    error = error_of(client.call(body), 400)
    assert error["status"] == "INVALID_ARGUMENT"
    assert message in error["message"]


def test_the_ratio_of_another_model(adapted: Client) -> None:
    body = asking("x", imageConfig={"aspectRatio": "1:8"})
    assert adapted.call(body).status_code == 400


def test_a_decompression_bomb(client: Client) -> None:
    file = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(file, "PNG")
    assert len(file.getvalue()) < 200_000
    assert "Unable to process" in error_of(client.call(asking("x", inline(file.getvalue()))), 400)["message"]


def test_a_deadline_below_ten_seconds(client: Client) -> None:
    error = error_of(client.call(asking("x"), headers={**KEY, "X-Server-Timeout": "5"}), 400)
    assert error["message"] == "Manually set deadline 5s is too short. Minimum allowed deadline is 10s."
    assert client.call(asking("a siamese cat"), headers={**KEY, "X-Server-Timeout": "10"}).status_code == 200


def test_an_error_on_a_stream_is_plain_json_with_the_streams_type(client: Client) -> None:
    response = client.call({}, method="streamGenerateContent", query="?alt=sse")
    error_of(response, 400)
    assert response.headers["content-type"] == "text/event-stream"
    assert error_of(client.call({}, method="streamGenerateContent"), 400)["code"] == 400


@pytest.mark.parametrize("query", ["pageSize=x", "pageSize=-1", "pageToken=x"])
def test_bad_pages(adapted: Client, query: str) -> None:
    assert adapted.get(f"/v1beta/models?{query}").status_code == 400
