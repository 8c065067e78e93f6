"""What Google refuses for its shape is refused in Google's form, with every field named; what it accepts passes."""

import json
from typing import Any

import pytest

from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import call
from tests.support.upstream import Answer, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
GENERATING = ("generateContent", "streamGenerateContent")
TEXT = {"parts": [{"text": "a cat"}]}


def target(method: str) -> str:
    return f"/v1beta/models/{MODEL}:{method}"


REFUSED: dict[str, tuple[Any, list[str]]] = {  # a body, and the fields that are complained about
    "nothing": ({}, ["contents"]),
    "null contents": ({"contents": None}, ["contents"]),
    "no contents": ({"contents": []}, ["contents"]),
    "contents as text": ({"contents": "a cat"}, ["contents"]),
    "contents as number": ({"contents": 5}, ["contents"]),
    "contents as list of texts": ({"contents": ["a cat", TEXT, "b"]}, ["contents[0]", "contents[2]"]),
    "parts as text": ({"contents": [{"parts": "a cat"}]}, ["contents[0].parts"]),
    "parts as list of texts": ({"contents": [{"parts": ["a cat"]}]}, ["contents[0].parts[0]"]),
    "text as number": ({"contents": [{"parts": [{"text": 5}]}]}, ["contents[0].parts[0].text"]),
    "text as object": ({"contents": [{"parts": [{"text": {}}]}]}, ["contents[0].parts[0].text"]),
    "role as number": ({"contents": [{**TEXT, "role": 1}]}, ["contents[0].role"]),
    "inlineData as text": ({"contents": [{"parts": [{"inlineData": "x"}]}]}, ["contents[0].parts[0].inline_data"]),
    "data as number": (
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": 5}}]}]},
        ["contents[0].parts[0].inline_data.data"],
    ),
    "snake_case data as list": (
        {"contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": []}}]}]},
        ["contents[0].parts[0].inline_data.data"],
    ),
    "fileUri as object": (
        {"contents": [{"parts": [{"fileData": {"fileUri": {}}}]}]},
        ["contents[0].parts[0].file_data.file_uri"],
    ),
    "generationConfig as list": ({"contents": [TEXT], "generationConfig": []}, ["generation_config"]),
    "temperature as object": (
        {"contents": [TEXT], "generationConfig": {"temperature": {}}},
        ["generation_config.temperature"],
    ),
    "imageConfig as text": (
        {"contents": [TEXT], "generationConfig": {"imageConfig": "16:9"}},
        ["generation_config.image_config"],
    ),
    "aspectRatio as number": (
        {"contents": [TEXT], "generation_config": {"image_config": {"aspect_ratio": 1.5}}},
        ["generation_config.image_config.aspect_ratio"],
    ),
    "modalities as object": (
        {"contents": [TEXT], "generationConfig": {"responseModalities": {}}},
        ["generation_config.response_modalities"],
    ),
    "safetySettings as text": ({"contents": [TEXT], "safetySettings": "none"}, ["safety_settings"]),
    "category as object": (
        {"contents": [TEXT], "safetySettings": [{"category": {}, "threshold": []}]},
        ["safety_settings[0].category", "safety_settings[0].threshold"],
    ),
    "systemInstruction as text": ({"contents": [TEXT], "systemInstruction": "draw"}, ["system_instruction"]),
    "tools as text": ({"contents": [TEXT], "tools": "search"}, ["tools"]),
    "four at once": (
        {"contents": [{"parts": 5}, {"parts": [{"text": 1}]}], "generationConfig": {"seed": {}}, "tools": 1},
        ["contents[0].parts", "contents[1].parts[0].text", "generation_config.seed", "tools"],
    ),
}


def snake_case(field: str) -> str:
    """A field's path as Google spells it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in field)


@pytest.mark.parametrize("method", GENERATING)
@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_shape_is_refused_and_every_field_is_named(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, method: str
) -> None:
    body, fields = REFUSED[name]
    upstream.answers(Answer(b"{}"))
    reply = call(server, target(method), json.dumps(body).encode(), [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT"), reply.body
    assert str(reply.one("content-type")).startswith("application/json")
    violations = reply.detail("BadRequest")["fieldViolations"]
    assert sorted(snake_case(violation["field"]) for violation in violations) == sorted(fields)
    assert all(violation["description"] for violation in violations)
    assert reply.error["message"] == "\n".join(violation["description"] for violation in violations)
    assert upstream.calls == []


@pytest.mark.parametrize("name", ["generationConfig as list", "data as number", "systemInstruction as text"])
def test_the_fields_are_spelled_as_google_spells_them(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    body, fields = REFUSED[name]
    reply = call(server, target("generateContent"), json.dumps(body).encode(), [("x-goog-api-key", key)])
    assert [violation["field"] for violation in reply.detail("BadRequest")["fieldViolations"]] == fields


@pytest.mark.parametrize("body", [{}, {"contents": []}, {"contents": None}], ids=str)
def test_missing_contents_are_told_in_googles_words(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, body: dict[str, Any]
) -> None:
    reply = call(server, target("generateContent"), json.dumps(body).encode(), [("x-goog-api-key", key)])
    assert "* GenerateContentRequest.contents: contents is not specified" in reply.error["message"]


@pytest.mark.parametrize("method", [*GENERATING, "countTokens"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a cat",
        b"[]",
        b"null",
        b"5",
        b'"a cat"',
        b'{"contents": [',
        b'{"contents": NaN}',
        b'{"contents": "\xff"}',
        b"[" * 100_000,
        b'{"contents":' + b"[" * 100_000,
    ],
    ids=lambda body: str(body[:16]),
)
def test_what_is_no_json_object_is_refused(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, body: bytes, method: str
) -> None:
    upstream.answers(Answer(b"{}"))
    reply = call(server, target(method), body, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    assert "JSON" in reply.error["message"]
    assert reply.error["details"]
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contents": "a cat"}, "contents"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents[0].parts[0].text"),
        ({"generateContentRequest": "a cat"}, "generate_content_request"),
        ({"generateContentRequest": {"contents": [5]}}, "generate_content_request.contents[0]"),
    ],
    ids=str,
)
def test_a_wrong_shape_to_count_is_refused(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, body: dict[str, Any], field: str
) -> None:
    reply = call(server, target("countTokens"), json.dumps(body).encode(), [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    (violation,) = reply.detail("BadRequest")["fieldViolations"]
    assert snake_case(violation["field"]) == field
    assert upstream.calls == []


PICTURE = {"mimeType": "image/png", "data": "iVBORw0KGgo="}
ACCEPTED: dict[str, Any] = {
    "one text": {"contents": [TEXT]},
    "a single content": {"contents": TEXT},
    "a single part": {"contents": {"parts": {"text": "a cat"}}},
    "no role": {"contents": [TEXT]},
    "an empty text": {"contents": [{"parts": [{"text": ""}]}]},
    "a chat": {"contents": [{**TEXT, "role": "user"}, {**TEXT, "role": "model"}, {**TEXT, "role": "user"}]},
    "pictures in both casings": {"contents": [{"parts": [{"inlineData": PICTURE}, {"inline_data": PICTURE}]}]},
    "mixed casings": {"contents": [{"parts": [{"inlineData": {"mime_type": "image/png", "data": "iVBO_-8"}}]}]},
    "URL-safe base64": {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBO_vv-g"}}]}]},
    "a file": {"contents": [{"parts": [{"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b"}}]}]},
    "a file in snake_case": {"contents": [{"parts": [{"file_data": {"file_uri": "https://a/b"}}]}]},
    "a nested file": {"contents": [{"parts": [{"fileData": {"fileUri": "https://a/b", "displayName": "b"}}]}]},
    "a thought with its signature": {
        "contents": [{"parts": [{"text": "a", "thought": True, "thoughtSignature": "eA"}]}]
    },
    "a function's answer": {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {"a": [1]}}}]}]},
    "integer enums": {
        "contents": [TEXT],
        "generationConfig": {"responseModalities": [1, 2]},
        "safetySettings": [{"category": 7, "threshold": 4}],
    },
    "string enums": {
        "contents": [TEXT],
        "generationConfig": {"responseModalities": ["Text", "image"]},
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    },
    "one modality without a list": {"contents": [TEXT], "generationConfig": {"responseModalities": "IMAGE"}},
    "numbers as texts": {"contents": [TEXT], "generationConfig": {"seed": "3", "temperature": "0.5", "topK": 40.0}},
    "null everywhere": {
        "contents": [TEXT],
        "generationConfig": None,
        "safetySettings": None,
        "systemInstruction": None,
        "tools": None,
        "toolConfig": None,
        "cachedContent": None,
    },
    "an empty configuration": {"contents": [TEXT], "generationConfig": {"imageConfig": {}}},
    "both ways to say a ratio": {
        "contents": [TEXT],
        "generationConfig": {
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "1K"},
            "responseFormat": [{"image": {"aspectRatio": "16:9"}}],
        },
    },
    "a ratio and a size nobody knows": {
        "contents": [TEXT],
        "generationConfig": {"imageConfig": {"aspectRatio": "7:5", "imageSize": "16K"}},
    },
    "tools": {"contents": [TEXT], "tools": [{"googleSearch": {}}], "toolConfig": {"functionCallingConfig": {}}},
    "a system's word": {"contents": [TEXT], "system_instruction": {"parts": {"text": "draw"}}},
    "the newest fields": {"contents": [TEXT], "serviceTier": "flex", "store": False, "continuationToken": "x"},
    "unknown fields": {"contents": [{**TEXT, "of": 1}], "generationConfig": {"of": {}}, "tomorrow": [None]},
    "a model": {"model": "models/whatever", "contents": [TEXT]},
    "two candidates": {"contents": [TEXT], "generationConfig": {"candidateCount": 2}},
}


@pytest.mark.parametrize("method", GENERATING)
@pytest.mark.parametrize("name", ACCEPTED)
def test_what_google_accepts_passes(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, method: str
) -> None:
    upstream.answers(Answer(b"{}"))
    body = json.dumps(ACCEPTED[name]).encode()
    reply = call(server, target(method), body, [("x-goog-api-key", key)])
    assert reply.status == 200, reply.body
    assert upstream.call.body == body


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_google_accepts_can_be_counted(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    for body in (
        {"contents": ACCEPTED[name]["contents"]},
        {"generateContentRequest": {"model": f"models/{MODEL}", **ACCEPTED[name]}},
        {"generate_content_request": {"model": f"models/{MODEL}", **ACCEPTED[name]}},
    ):
        upstream.answers(Answer(b'{"totalTokens": 1}'))
        reply = call(server, target("countTokens"), json.dumps(body).encode(), [("x-goog-api-key", key)])
        assert reply.status == 200, reply.body


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/plain", None])
def test_the_content_type_does_not_matter(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, content_type: str | None
) -> None:
    upstream.answers(Answer(b"{}"))
    headers = [("x-goog-api-key", key)] + ([("Content-Type", content_type)] if content_type else [])
    assert call(server, target("generateContent"), json.dumps(ACCEPTED["one text"]).encode(), headers).status == 200
    assert upstream.call.all("content-type") == ["application/json"]
