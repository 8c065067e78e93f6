"""compat/gemini_content/request.py: requests checked and written."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.conversation import Turn
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.request import (
    MASK_INSTRUCTION,
    MOST_ITEMS,
    NO_SIGNATURE,
    SCHEMAS,
    check_request,
    write_request,
)
from compat.images import ImageRequest, InputImage
from tests.compat.errors import error_of
from tests.compat.gemini_requests import sent
from tests.compat.spelled_json import any_json

CONTENTS = [{"role": "user", "parts": [{"text": "a red sun"}]}]
PNG = InputImage("image/png", data=b"iVBORw0KGgo=")
ADDRESS = InputImage("image/jpeg", uri="https://example.com/a.jpg")

ACCEPTED: dict[str, dict[str, Any]] = {
    "a minimal request": {"contents": CONTENTS},
    "one content without a list, without a role": {"contents": {"parts": [{"text": "x"}]}},
    "one part without a list": {"contents": [{"parts": {"text": "x"}}]},
    "camelCase": {
        "contents": [
            {
                "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": "iVBOR_vvvg=="}},
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}},
                    {"text": "x", "thought": True, "thoughtSignature": "AAAA"},
                ]
            }
        ],
        "systemInstruction": {"parts": [{"text": "sys"}], "role": "user"},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "tools": [{"googleSearch": {}}],
        "toolConfig": {},
        "cachedContent": "cachedContents/1",
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40.0,
            "candidateCount": 2,
            "maxOutputTokens": 2000,
            "stopSequences": ["x"],
            "seed": 3,
            "responseModalities": ["IMAGE"],
            "thinkingConfig": {"include_thoughts": True, "thinking_level": "HIGH"},
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "1K"},
        },
    },
    "snake_case": {
        "contents": [
            {
                "parts": [
                    {"inline_data": {"mime_type": "image/png", "data": ""}},
                    {"file_data": {"mime_type": "image/png", "file_uri": "gs://a/b.png"}},
                    {"text": "x", "thought_signature": "AAAA"},
                ]
            }
        ],
        "system_instruction": {"parts": {"text": "sys"}},
        "safety_settings": [],
        "tool_config": {},
        "cached_content": "",
        "generation_config": {
            "top_p": 0.9,
            "candidate_count": 1,
            "max_output_tokens": 1,
            "stop_sequences": [],
            "response_modalities": ["Text", "Image"],
            "image_config": {"aspect_ratio": "1:1", "image_size": "1K"},
        },
    },
    "both casings in one object": {
        "contents": [{"parts": [{"inlineData": {"mime_type": "image/png", "data": ""}}]}],
        "generationConfig": {"top_p": 1},
    },
    "enums and numbers as google-generativeai writes them": {
        "contents": CONTENTS,
        "generationConfig": {"responseModalities": [2], "seed": "3", "temperature": "0.5", "topK": 40},
        "safetySettings": [{"category": 7, "threshold": 1}],
    },
    "nulls": {"contents": CONTENTS, "safetySettings": None, "systemInstruction": None, "toolConfig": None},
    "unknown names": {
        "contents": [{"parts": [{"text": "x", "hologram": 1}], "mood": 2}],
        "serviceTier": 3,
        "generationConfig": {"responseFormat": {"image": {"aspectRatio": "1:1"}}, "x": 1},
    },
    "values that only Google checks": {
        "contents": CONTENTS,
        "generationConfig": {"temperature": 99, "imageConfig": {"aspectRatio": "7:7"}, "responseModalities": "X"},
    },
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
def test_what_google_accepts_is_accepted_unchanged(method: str, body: dict[str, Any]) -> None:
    before = json.dumps(body)
    check_request(method, body)
    assert json.dumps(body) == before


@pytest.mark.parametrize(
    "body",
    [
        {"contents": CONTENTS},
        {"generateContentRequest": {"model": "models/x", "contents": CONTENTS}},
        {"generate_content_request": {"model": "models/x", "contents": CONTENTS}},
    ],
)
def test_both_forms_of_counting_tokens_are_accepted(body: dict[str, Any]) -> None:
    check_request("countTokens", body)


def refusal(method: str, body: Any) -> ApiError:
    return error_of(check_request, method, body)


MILLION = 1_000_000
LONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "parts": ("generateContent", {"contents": [{"parts": [{"text": "a"}] * MILLION}]}, "contents"),
    "parts of many contents": ("generateContent", {"contents": [{"parts": [{"text": "a"}] * 100}] * 101}, "contents"),
    "parts of one content": ("generateContent", {"contents": {"parts": [{}] * MILLION}}, "contents.parts"),
    "contents": ("streamGenerateContent", {"contents": [{}] * MILLION}, "contents"),
    "contents of a wrong type": ("generateContent", {"contents": [0] * MILLION}, "contents"),
    "counted contents": ("countTokens", {"contents": CONTENTS * MILLION}, "contents"),
    "contents of a counted request": (
        "countTokens",
        {"generateContentRequest": {"contents": CONTENTS * MILLION}},
        "generate_content_request.contents",
    ),
    "stop sequences": (
        "generateContent",
        {"contents": CONTENTS, "generationConfig": {"stopSequences": ["a"] * MILLION}},
        "generation_config.stop_sequences",
    ),
    "tools": ("generateContent", {"contents": CONTENTS, "tools": [{}] * MILLION}, "tools"),
}


@pytest.mark.parametrize(("method", "body", "param"), LONG.values(), ids=LONG.keys())
def test_a_very_long_array_is_refused_before_its_items_are_checked(
    method: str, body: dict[str, Any], param: str
) -> None:
    started = time.process_time()
    error = refusal(method, body)
    assert time.process_time() - started < 1
    assert [path for path, _ in error.violations] == [param]
    assert str(MOST_ITEMS) in error.message


def test_the_largest_number_of_parts_is_checked_fast() -> None:
    started = time.process_time()
    check_request("generateContent", {"contents": [{"parts": [{"text": "a"}] * 10}] * (MOST_ITEMS // 10)})
    assert time.process_time() - started < 1


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "contents that are a text": ({"contents": "a red sun"}, "contents"),
    "a part that is a text": ({"contents": [{"parts": ["a red sun"]}]}, "contents[0].parts[0]"),
    "a text that is a number": ({"contents": [*CONTENTS, {"parts": [{"text": 1}]}]}, "contents[1].parts[0].text"),
    "data that is a number": (
        {"contents": [{"parts": [{"text": ""}, {"inline_data": {"data": 1}}]}]},
        "contents[0].parts[1].inline_data.data",
    ),
    "a role that is a list": ({"contents": [{"role": [], "parts": []}]}, "contents[0].role"),
    "a configuration that is a list": ({"contents": CONTENTS, "generationConfig": []}, "generation_config"),
    "a snake_case configuration that is a text": ({"contents": CONTENTS, "generation_config": ""}, "generation_config"),
    "an aspect ratio that is a number": (
        {"contents": CONTENTS, "generationConfig": {"imageConfig": {"aspectRatio": 1}}},
        "generation_config.image_config.aspect_ratio",
    ),
    "a temperature that is an object": (
        {"contents": CONTENTS, "generation_config": {"temperature": {}}},
        "generation_config.temperature",
    ),
    "a modality that is an object": (
        {"contents": CONTENTS, "generationConfig": {"responseModalities": ["TEXT", {}]}},
        "generation_config.response_modalities[1]",
    ),
    "a safety setting that is a text": ({"contents": CONTENTS, "safetySettings": ["off"]}, "safety_settings[0]"),
    "an instruction that is a text": ({"contents": CONTENTS, "systemInstruction": "sys"}, "system_instruction"),
    "a tool that is a text": ({"contents": CONTENTS, "tools": ["search"]}, "tools[0]"),
    "cached content that is an object": ({"contents": CONTENTS, "cachedContent": {}}, "cached_content"),
}


@pytest.mark.parametrize(("body", "path"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_json_type_is_refused_with_its_path(body: dict[str, Any], path: str) -> None:
    error = refusal("generateContent", body)
    assert error.kind is ErrorKind.INVALID_ARGUMENT
    assert [field for field, _ in error.violations] == [path]
    assert f"'{path}'" in error.message


@pytest.mark.parametrize("body", [{}, {"contents": None}, {"contents": []}, {"content": CONTENTS}])
@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
def test_missing_contents_are_refused_with_googles_message(method: str, body: dict[str, Any]) -> None:
    error = refusal(method, body)
    assert error.kind is ErrorKind.INVALID_ARGUMENT
    assert error.message == "* GenerateContentRequest.contents: contents is not specified"


@pytest.mark.parametrize("method", SCHEMAS)
@pytest.mark.parametrize("body", [None, [], "text", 1, True])
def test_a_body_that_is_not_an_object_is_refused(method: str, body: Any) -> None:
    assert refusal(method, body).kind is ErrorKind.INVALID_TYPE


def test_every_wrong_field_is_reported() -> None:
    error = refusal("generateContent", {"contents": [{"role": 1, "parts": 2}], "tools": 3})
    assert {field for field, _ in error.violations} == {"contents[0].role", "contents[0].parts", "tools"}


names = st.sampled_from(["contents", "parts", "text", "inlineData", "data", "_schema", "tools", ""])
values = any_json(keys=names, max_leaves=6)


@pytest.mark.parametrize("method", SCHEMAS)
@given(st.one_of(values, st.fixed_dictionaries({"contents": values}, optional={"generationConfig": values})))
@settings(max_examples=150)
def test_any_body_is_accepted_or_refused(method: str, body: Any) -> None:
    with suppress(ApiError):
        check_request(method, body)


# Writing requests

GENERATION_CONFIG = {"responseModalities": ["IMAGE"]}
PROMPT = {"text": "a red sun"}
BUILT: dict[str, tuple[ImageRequest, dict[str, Any], list[dict[str, Any]]]] = {
    "only a prompt": (ImageRequest("a red sun"), GENERATION_CONFIG, [PROMPT]),
    "all parameters": (
        ImageRequest("a red sun", aspect_ratio="16:9", image_size="2K", seed=0, temperature=0.0, count=3),
        {**GENERATION_CONFIG, "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}, "seed": 0, "temperature": 0.0},
        [PROMPT],
    ),
    "pictures before the prompt": (
        ImageRequest("a red sun", input_images=(PNG, ADDRESS)),
        GENERATION_CONFIG,
        [
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.jpg"}},
            PROMPT,
        ],
    ),
    "a mask after the pictures, and its instruction": (
        ImageRequest("a red sun", input_images=(ADDRESS,), mask=PNG),
        GENERATION_CONFIG,
        [
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.jpg"}},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"text": f"a red sun\n\n{MASK_INSTRUCTION}"},
        ],
    ),
}


@pytest.mark.parametrize(("image_request", "generation_config", "parts"), BUILT.values(), ids=BUILT.keys())
def test_a_request_is_written_for_one_picture(
    image_request: ImageRequest, generation_config: dict[str, Any], parts: list[dict[str, Any]]
) -> None:
    body = sent(image_request)
    assert body == {"contents": [{"role": "user", "parts": parts}], "generationConfig": generation_config}
    check_request("generateContent", body)


JPEG = InputImage("image/jpeg", data=b"/9j/")
OF_PNG, OF_JPEG = (
    {"inlineData": {"mimeType": one.mime_type, "data": (one.data or b"").decode()}} for one in (PNG, JPEG)
)
RED, SEA = {"text": "make it red"}, {"text": "the sea", "thoughtSignature": NO_SIGNATURE}
CONVERSATIONS: dict[str, tuple[list[Turn[InputImage]], list[tuple[str, list[dict[str, Any]]]]]] = {
    "one turn, in its order": (
        [Turn(("make it red", PNG, "a red sun"))],
        [("user", [RED, OF_PNG, PROMPT])],
    ),
    "words of the model": (
        [Turn(("a red sun",)), Turn(("the sea",), by_model=True), Turn(("make it red",))],
        [("user", [PROMPT]), ("model", [SEA]), ("user", [RED])],
    ),
    "a picture of the model's": (
        [Turn(("a red sun",)), Turn(("the sea", PNG), by_model=True), Turn(("make it red",))],
        [("user", [PROMPT]), ("model", [SEA]), ("user", [OF_PNG, RED])],
    ),
    "nothing but pictures of the model's, the last of which comes last": (
        [Turn((PNG,), by_model=True), Turn((JPEG,), by_model=True), Turn(("make it red",))],
        [("user", [OF_PNG, OF_JPEG, RED])],
    ),
    "a picture of the model's after those that the user shows": (
        [Turn((PNG,), by_model=True), Turn(("make it red", JPEG, "a red sun"))],
        [("user", [RED, OF_JPEG, OF_PNG, PROMPT])],
    ),
    "each picture of the model's in the turn after it": (
        [Turn((PNG,), True), Turn(("make it red",)), Turn((JPEG,), True), Turn(("a red sun",))],
        [("user", [OF_PNG, RED]), ("user", [OF_JPEG, PROMPT])],
    ),
    "the model has the last word": (
        [Turn(("a red sun",)), Turn((PNG, "the sea"), by_model=True)],
        [("user", [PROMPT]), ("model", [SEA]), ("user", [OF_PNG])],
    ),
}


@pytest.mark.parametrize(("turns", "contents"), CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_a_conversation_keeps_its_turns(
    turns: list[Turn[InputImage]], contents: list[tuple[str, list[dict[str, Any]]]]
) -> None:
    image_request = ImageRequest("all words", (PNG,), turns=tuple(turns), modalities=("TEXT", "IMAGE"))
    body = sent(image_request)
    assert body == {
        "contents": [{"role": role, "parts": parts} for role, parts in contents],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }
    check_request("generateContent", body)


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction_of_a_conversation_gives_way_to_one_that_is_meant_for_gemini(name: str) -> None:
    image_request = ImageRequest("a red sun", turns=(Turn(("a red sun",)),), system="In oil.")
    assert sent(image_request)["systemInstruction"] == {"parts": [{"text": "In oil."}]}
    other = {"parts": [{"text": "In ink."}]}
    assert sent(replace(image_request, gemini={name: other}))["systemInstruction"] == other


MERGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "other parts of the request": (
        {"safetySettings": [{"category": "X"}], "systemInstruction": {"parts": []}, "tools": [{"googleSearch": {}}]},
        {"safetySettings": [{"category": "X"}], "systemInstruction": {"parts": []}, "tools": [{"googleSearch": {}}]},
    ),
    "beside our own": (
        {"generationConfig": {"topP": 0.5}},
        {"generationConfig": {**GENERATION_CONFIG, "imageConfig": {"aspectRatio": "1:1"}, "seed": 1, "topP": 0.5}},
    ),
    "instead of our own": (
        {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"imageSize": "1K"}, "seed": 2}},
        {
            "generationConfig": {
                "responseModalities": ["TEXT", "IMAGE"],
                "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
                "seed": 2,
            }
        },
    ),
    "in snake_case": (
        {"generation_config": {"response_modalities": ["IMAGE"], "image_config": {"aspect_ratio": "9:16"}}},
        {"generationConfig": {**GENERATION_CONFIG, "imageConfig": {"aspectRatio": "9:16"}, "seed": 1}},
    ),
    "names within a schema": (
        {"generationConfig": {"responseSchema": {"properties": {"aspect_ratio": {"type": "STRING"}}}}},
        {
            "generationConfig": {
                **GENERATION_CONFIG,
                "imageConfig": {"aspectRatio": "1:1"},
                "seed": 1,
                "responseSchema": {"properties": {"aspect_ratio": {"type": "STRING"}}},
            }
        },
    ),
    "null": (
        {"generationConfig": None},
        {"generationConfig": {**GENERATION_CONFIG, "imageConfig": {"aspectRatio": "1:1"}, "seed": 1}},
    ),
}


@pytest.mark.parametrize(("gemini", "merged"), MERGED.values(), ids=MERGED.keys())
def test_google_fields_are_merged_and_take_precedence(gemini: dict[str, Any], merged: dict[str, Any]) -> None:
    before = json.dumps(gemini)
    image_request = ImageRequest("a red sun", aspect_ratio="1:1", seed=1, gemini=gemini)
    contents = {"contents": [{"role": "user", "parts": [PROMPT]}]}
    generation_config = {**GENERATION_CONFIG, "imageConfig": {"aspectRatio": "1:1"}, "seed": 1}
    assert sent(image_request) == {**contents, "generationConfig": generation_config, **merged}
    assert json.dumps(gemini) == before


@pytest.mark.parametrize("pictures", [(), (PNG,), (ADDRESS, PNG, PNG)], ids=len)
@pytest.mark.parametrize("mask", [None, PNG], ids=["no mask", "mask"])
def test_a_request_is_written_in_pieces(pictures: tuple[InputImage, ...], mask: InputImage | None) -> None:
    confusing = {"systemInstruction": {"parts": [{"inlineData": {"data": ""}}]}, "tools": ['"data":""', {"data": ""}]}
    image_request = ImageRequest('"data":"" \\"data":""', pictures, mask, gemini=confusing)
    pieces = write_request(image_request)
    written = json.loads(b"".join(pieces))
    parts = written["contents"][0]["parts"]
    assert parts[-1]["text"].startswith(image_request.prompt)
    assert {name: written[name] for name in confusing} == confusing
    data = [image.data for image in (*pictures, *([mask] if mask else [])) if image.data is not None]
    assert list(pieces[1::2]) == data
    assert [part["inlineData"]["data"].encode() for part in parts if "inlineData" in part] == data
