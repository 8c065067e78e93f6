"""compat/gemini_content/request_reader.py: generateContent requests for a server that speaks another API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.request import check_request
from compat.gemini_content.request_reader import GeminiRequest, read_request
from compat.image_models import ServedModel
from compat.images import ImageRequest, InputImage
from compat.input_images import from_bytes
from tests.compat.errors import error_of
from tests.compat.openai_servers import PLAIN, WITH_TIERS
from tests.compat.pictures import base64_of, draw
from tests.compat.spelled_json import any_json

PNG, JPEG = draw("PNG", 4, 3), draw("JPEG", 4, 3)
OTHERS = [draw("PNG", 1, width) for width in range(1, 6)]
ADDRESS = "https://example.com/a.jpg"


def text(content: str) -> dict[str, Any]:
    return {"text": content}


def picture(data: bytes, **others: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64_of(data)}, **others}


def file(address: str, **others: Any) -> dict[str, Any]:
    return {"fileData": {"fileUri": address, **others}}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def drawn(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def read(*contents: Any, model: ServedModel = PLAIN, **others: Any) -> GeminiRequest:
    body = {"contents": list(contents) or [user(text("a red sun"))], **others}
    check_request("generateContent", body)
    return read_request(body, model)


def asked(*contents: Any, **others: Any) -> ImageRequest:
    request = read(*contents, **others)
    assert request.ignored == ()
    return request.image_request


def configured(model: ServedModel = PLAIN, **config: Any) -> GeminiRequest:
    return read(model=model, generationConfig=config)


def refusal(*contents: Any, model: ServedModel = PLAIN, **others: Any) -> ApiError:
    return error_of(read, *contents, model=model, **others)


def inputs(*pictures: bytes) -> tuple[InputImage, ...]:
    return tuple(from_bytes(one, "image") for one in pictures)


# Conversations


def test_a_prompt() -> None:
    assert asked() == ImageRequest("a red sun")


BEFORE, SHOWN, FIRST, SECOND, AFTER = OTHERS
CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], str, tuple[bytes, ...]]] = {
    "one text": ([user(text("a sun"))], "a sun", ()),
    "texts and pictures": ([user(text("make"), picture(PNG), text("red"), picture(JPEG))], "make\nred", (PNG, JPEG)),
    "no role": ([{"parts": [text("a sun")]}], "a sun", ()),
    "an edit of the model's picture": (
        [user(text("a sun")), drawn(text("Here:"), picture(FIRST)), user(text("in red"))],
        "in red",
        (FIRST,),
    ),
    "thoughts": (
        [
            user(text("a sun"), picture(PNG)),
            drawn({"text": "Hm.", "thought": True}, picture(FIRST, thought=True), text("What?")),
            user(text("red")),
        ],
        "a sun\nWhat?\nred",
        (PNG,),
    ),
    "signatures": (
        [
            user(text("a sun")),
            drawn(picture(FIRST, thoughtSignature="AAAA")),
            user({"text": "red", "thought_signature": "A"}),
        ],
        "red",
        (FIRST,),
    ),
    "empty texts and nulls": (
        [user(text(""), text("a sun"), None, {"text": None, "inlineData": None}), None, {"role": None}],
        "a sun",
        (),
    ),
    "unusual text": ([user(text("ein Bild — 🖼️\n\ud83d"))], "ein Bild — 🖼️\n\ud83d", ()),
}  # type: ignore[dict-item]


@pytest.mark.parametrize(("contents", "prompt", "pictures"), CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_a_conversation(contents: list[Any], prompt: str, pictures: tuple[bytes, ...]) -> None:
    assert asked(*contents) == ImageRequest(prompt, input_images=inputs(*pictures))


def test_one_content_or_part_may_replace_a_list() -> None:
    body = {"contents": {"parts": text("a sun")}, "systemInstruction": {"parts": text("Paint.")}}
    check_request("generateContent", body)
    assert read_request(body, PLAIN).image_request.prompt == "Paint.\n\na sun"


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_the_system_instruction_is_first(name: str) -> None:
    system = {"role": "system", "parts": [text("Paint"), {"text": "hm", "thought": True}, text("in oil.")]}
    assert asked(**{name: system}).prompt == "Paint\nin oil.\n\na red sun"
    assert asked(user(picture(PNG)), **{name: system}).prompt == "Paint\nin oil."


@pytest.mark.parametrize(
    "contents", [[user()], [user(text(" \n"))], [user(picture(PNG))], [user(text("a")), drawn(picture(PNG))]]
)
def test_a_request_without_a_text_is_refused(contents: list[Any]) -> None:
    error = refusal(*contents)
    assert (error.kind, error.param) == (ErrorKind.MISSING_PARAMETER, "contents")


# Pictures


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "image/png", "data": base64_of(JPEG)}},
        {"inline_data": {"mime_type": "image/png", "data": base64_of(JPEG)}},
        {"inlineData": {"data": base64_of(JPEG).rstrip("=").replace("+", "-").replace("/", "_")}},
        {"inlineData": {"mimeType": "", "data": base64_of(JPEG)}},
        {"inlineData": {"mimeType": "application/octet-stream", "data": base64_of(JPEG)}},
        {"inlineData": {"mimeType": "jpg", "data": base64_of(JPEG)}},
    ],
)
def test_a_picture_has_the_type_of_its_bytes(part: dict[str, Any]) -> None:
    assert asked(user(text("red"), part)).input_images == inputs(JPEG)


@pytest.mark.parametrize("names", [("fileData", "fileUri", "mimeType"), ("file_data", "file_uri", "mime_type")])
@pytest.mark.parametrize(
    "address", [ADDRESS, "http://10.0.0.1/a.jpg", "HTTPS://example.com/a.jpg", "https://example.com/files/a.jpg"]
)
def test_a_picture_at_an_address(names: tuple[str, str, str], address: str) -> None:
    part = {names[0]: {names[1]: address, names[2]: "image/jpeg"}}
    assert asked(user(text("red"), part)).input_images == (InputImage("image/jpeg", uri=address),)


REFUSED_PARTS: dict[str, tuple[dict[str, Any], ErrorKind, str]] = {
    "no base64": ({"inlineData": {"data": "???"}}, ErrorKind.INVALID_IMAGE, "inline_data.data"),
    "no data": ({"inlineData": {"mimeType": "image/png"}}, ErrorKind.INVALID_IMAGE, "inline_data.data"),
    "no picture": ({"inlineData": {"data": base64_of(b"hello")}}, ErrorKind.INVALID_IMAGE, "inline_data.data"),
    "audio": (
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        ErrorKind.INVALID_VALUE,
        "inline_data.mime_type",
    ),
    "a PDF": (
        {"inline_data": {"mime_type": "Application/PDF", "data": "AAAA"}},
        ErrorKind.INVALID_VALUE,
        "inline_data.mime_type",
    ),
    "a video at an address": (file(ADDRESS, mimeType="video/mp4"), ErrorKind.INVALID_VALUE, "file_data.mime_type"),
    "a bucket of Google's": (file("gs://bucket/a.png"), ErrorKind.INVALID_VALUE, "file_data.file_uri"),
    "a file of Google's": (
        file("https://generativelanguage.googleapis.com/v1beta/files/abc"),
        ErrorKind.INVALID_VALUE,
        "file_data.file_uri",
    ),
    "a name of a file": (file("files/abc"), ErrorKind.INVALID_VALUE, "file_data.file_uri"),
    "no address": ({"fileData": {}}, ErrorKind.INVALID_VALUE, "file_data.file_uri"),
    "an odd address": (file("https://[a/b"), ErrorKind.INVALID_VALUE, "file_data.file_uri"),
    **{
        name: ({name: {"id": "1"}}, ErrorKind.INVALID_VALUE, place)
        for name, place in (
            ("functionCall", "function_call"),
            ("function_response", "function_response"),
            ("executableCode", "executable_code"),
            ("codeExecutionResult", "code_execution_result"),
            ("somethingNew", "something_new"),
        )
    },
}


@pytest.mark.parametrize(
    ("part", "kind", "place"),
    [case for name, case in REFUSED_PARTS.items() if name != "an odd address"],
    ids=[name for name in REFUSED_PARTS if name != "an odd address"],
)
def test_an_unsupported_part_is_refused(part: dict[str, Any], kind: ErrorKind, place: str) -> None:
    error = refusal(user(text("one")), user(text("red"), part))
    assert (error.kind, error.param) == (kind, f"contents[1].parts[1].{place}")
    assert f"contents[1].parts[1].{place}" in error.message


def test_an_odd_address_is_passed_on() -> None:
    assert asked(user(text("red"), file("https://[a/b"))).input_images[0].uri == "https://[a/b"


def test_a_part_that_is_not_needed_is_not_read() -> None:
    broken = {"inlineData": {"data": "???"}}
    assert asked(user(text("a")), drawn(broken), user(text("b")), drawn(picture(PNG)), user(text("c"))) == ImageRequest(
        "c", input_images=inputs(PNG)
    )


@pytest.mark.parametrize("role", ["system", "function", "assistant", "USER"])
def test_another_role_is_refused(role: str) -> None:
    error = refusal({"role": role, "parts": [text("a")]})
    assert (error.kind, error.param) == (ErrorKind.INVALID_VALUE, "contents[0].role")


def test_a_system_instruction_with_a_picture_is_refused() -> None:
    error = refusal(systemInstruction={"parts": [picture(PNG)]})
    assert error.param == "system_instruction.parts[0].inline_data"


def test_more_pictures_than_openais_api_takes_are_refused() -> None:
    assert len(asked(user(text("a"), *[picture(PNG)] * 16)).input_images) == 16
    error = refusal(user(text("a"), *[picture(PNG)] * 17))
    assert (error.kind, error.param) == (ErrorKind.ARRAY_TOO_LONG, "contents")
    assert "17" in error.message


# The configuration


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        ({}, {}),
        (None, {}),
        ({"candidateCount": 3}, {"count": 3}),
        ({"candidate_count": "10"}, {"count": 10}),
        ({"candidateCount": None, "seed": None, "temperature": None}, {}),
        ({"seed": 7, "temperature": 0.5}, {"seed": 7, "temperature": 0.5}),
        ({"seed": "-7", "temperature": "1"}, {"seed": -7, "temperature": 1.0}),
        ({"seed": 0.0, "temperature": 0}, {"seed": 0, "temperature": 0.0}),
        ({"responseModalities": ["TEXT", "IMAGE"]}, {}),
        ({"response_modalities": ["Image"]}, {}),
        ({"responseModalities": [2]}, {}),
        ({"responseModalities": 2}, {}),
        ({"responseModalities": []}, {}),
        ({"responseModalities": ["MODALITY_UNSPECIFIED", 0, None]}, {}),
        ({"imageConfig": {}}, {}),
        ({"imageConfig": {"aspectRatio": "16:9"}}, {"aspect_ratio": "16:9"}),
        ({"image_config": {"aspect_ratio": "16:9", "image_size": ""}}, {"aspect_ratio": "16:9"}),
        ({"imageConfig": {"aspectRatio": ""}}, {}),
        ({"responseFormat": {"image": {"aspectRatio": "16:9"}}}, {"aspect_ratio": "16:9"}),
        ({"response_format": [{"image": {"aspect_ratio": "3:2"}}]}, {"aspect_ratio": "3:2"}),
        (
            {"responseFormat": [None, {}, {"image": {"aspectRatio": "ASPECT_RATIO_TWENTY_ONE_BY_NINE"}}]},
            {"aspect_ratio": "21:9"},
        ),
        ({"responseFormat": {"image": {"aspectRatio": "aspect_ratio_four_by_five"}}}, {"aspect_ratio": "4:5"}),
        ({"responseFormat": {"image": {"aspectRatio": "ASPECT_RATIO_UNSPECIFIED"}}}, {}),
    ],
)
def test_the_configuration(config: Any, fields: dict[str, Any]) -> None:
    assert asked(generationConfig=config) == ImageRequest("a red sun", **fields)


@pytest.mark.parametrize("size", ["1K", "2K", "4K"])
def test_a_tier_of_a_model_with_tiers(size: str) -> None:
    name = f"IMAGE_SIZE_{ ({'1': 'ONE', '2': 'TWO', '4': 'FOUR'}[size[0]]) }_K"
    for config in (
        {"imageConfig": {"imageSize": size}},
        {"responseFormat": {"image": {"imageSize": size}}},
        {"responseFormat": [{"image": {"image_size": name}}]},
    ):
        assert configured(WITH_TIERS, **config) == GeminiRequest(ImageRequest("a red sun", image_size=size), ())


@pytest.mark.parametrize(
    ("config", "kind", "place"),
    [
        ({"candidateCount": 0}, ErrorKind.NUMBER_TOO_SMALL, "candidate_count"),
        ({"candidateCount": -1}, ErrorKind.NUMBER_TOO_SMALL, "candidate_count"),
        ({"candidateCount": 11}, ErrorKind.NUMBER_TOO_LARGE, "candidate_count"),
        ({"candidateCount": 1.5}, ErrorKind.INVALID_VALUE, "candidate_count"),
        ({"candidateCount": "many"}, ErrorKind.INVALID_VALUE, "candidate_count"),
        ({"candidateCount": 10**400}, ErrorKind.INVALID_VALUE, "candidate_count"),
        ({"seed": 2**31}, ErrorKind.NUMBER_TOO_LARGE, "seed"),
        ({"seed": -(2**31) - 1}, ErrorKind.NUMBER_TOO_SMALL, "seed"),
        ({"seed": "NaN"}, ErrorKind.INVALID_VALUE, "seed"),
        ({"temperature": "Infinity"}, ErrorKind.INVALID_VALUE, "temperature"),
        ({"temperature": "hot"}, ErrorKind.INVALID_VALUE, "temperature"),
        ({"responseModalities": ["TEXT"]}, ErrorKind.INVALID_VALUE, "response_modalities"),
        ({"responseModalities": [1, 3]}, ErrorKind.INVALID_VALUE, "response_modalities"),
        ({"imageConfig": {"aspectRatio": "7:5"}}, ErrorKind.INVALID_VALUE, "image_config.aspect_ratio"),
        (
            {"responseFormat": {"image": {"aspectRatio": "7:5"}}},
            ErrorKind.INVALID_VALUE,
            "response_format.image.aspect_ratio",
        ),
        (
            {"responseFormat": [{"text": {}}, {"image": {"aspectRatio": "ASPECT_RATIO_SEVEN_BY_FIVE"}}]},
            ErrorKind.INVALID_VALUE,
            "response_format[1].image.aspect_ratio",
        ),
        (
            {"responseFormat": {"image": {"aspectRatio": 3}}},
            ErrorKind.INVALID_TYPE,
            "response_format.image.aspect_ratio",
        ),
        ({"responseFormat": "png"}, ErrorKind.INVALID_TYPE, "response_format"),
        ({"responseFormat": {"image": []}}, ErrorKind.INVALID_TYPE, "response_format.image"),
        ({"imageConfig": {"imageSize": "9K"}}, ErrorKind.INVALID_VALUE, "image_config.image_size"),
        ({"imageConfig": {"imageSize": "2k"}}, ErrorKind.INVALID_VALUE, "image_config.image_size"),
    ],
)
def test_a_wrong_configuration_is_refused(config: dict[str, Any], kind: ErrorKind, place: str) -> None:
    error = refusal(model=WITH_TIERS, generationConfig=config)
    assert (error.kind, error.param) == (kind, f"generation_config.{place}")


def test_the_error_about_a_ratio_or_a_tier_lists_the_supported_ones() -> None:
    assert "'21:9'" in refusal(generationConfig={"imageConfig": {"aspectRatio": "7:5"}}).message
    assert "'4K'" in refusal(model=WITH_TIERS, generationConfig={"imageConfig": {"imageSize": "9K"}}).message


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"tools": [{"googleSearch": {}}]}, "tools"),
        ({"tools": {"google_search": {}}}, "tools"),
        ({"cachedContent": "cachedContents/a"}, "cached_content"),
        ({"cached_content": "cachedContents/a"}, "cached_content"),
    ],
)
def test_tools_and_caches_are_refused(fields: dict[str, Any], place: str) -> None:
    error = refusal(**fields)
    assert (error.kind, error.param) == (ErrorKind.INVALID_VALUE, place)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"safetySettings": [{"category": 7, "threshold": 4}]}, ("safetySettings",)),
        ({"safety_settings": [{"category": 7, "threshold": 4}]}, ("safetySettings",)),
        ({"toolConfig": {"a": 1}, "serviceTier": "flex", "store": True}, ("toolConfig", "serviceTier", "store")),
        (
            {
                "safetySettings": [],
                "tools": [],
                "toolConfig": {},
                "cachedContent": "",
                "store": False,
                "model": "models/a",
            },
            (),
        ),
        ({"tools": [None, {}], "systemInstruction": None}, ()),
        ({"generationConfig": {"topK": 40.0, "top_p": 0}}, ("generationConfig.topK", "generationConfig.topP")),
        (
            {
                "generationConfig": {
                    "stopSequences": ["x"],
                    "responseMimeType": "text/plain",
                    "thinkingConfig": {"a": 1},
                }
            },
            ("generationConfig.stopSequences", "generationConfig.responseMimeType", "generationConfig.thinkingConfig"),
        ),
        ({"generationConfig": {"stopSequences": [], "thinkingConfig": {}, "responseLogprobs": False}}, ()),
        ({"generationConfig": {"responseModalities": ["IMAGE", "AUDIO"]}}, ("generationConfig.responseModalities",)),
        ({"generationConfig": {"imageConfig": {"imageSize": "1K"}}}, ("generationConfig.imageConfig.imageSize",)),
        (
            {"generationConfig": {"imageConfig": {"person_generation": "ALLOW", "imageSize": "banana"}}},
            ("generationConfig.imageConfig.personGeneration", "generationConfig.imageConfig.imageSize"),
        ),
        (
            {"generationConfig": {"responseFormat": [{"image": {"mimeType": "image/png"}, "text": {"a": 1}}]}},
            ("generationConfig.responseFormat.image.mimeType", "generationConfig.responseFormat.text"),
        ),
        (
            {
                "contents": [
                    user({"text": "a", "mediaResolution": {"level": 1}}),
                    user({"text": "b", "media_resolution": 2}),
                ]
            },
            ("contents.parts.mediaResolution",),
        ),
        ({"strange\r\nname": 1, "é": 2, "x" * 100: 3}, ()),
        ({f"name{number}": 1 for number in range(100)}, tuple(f"name{number}" for number in range(20))),
    ],
)
def test_ignored_fields_are_named(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    body = {"contents": [user(text("a red sun"))], **fields}
    check_request("generateContent", body)
    assert read_request(body, PLAIN).ignored == names


values = any_json(st.text(max_size=5), st.text(max_size=8), max_leaves=5)
part_names = st.sampled_from(["text", "inlineData", "file_data", "thought", "functionCall", "mediaResolution"])
any_part = st.dictionaries(part_names, values | st.fixed_dictionaries({"data": values, "fileUri": values}))
any_content = st.fixed_dictionaries(
    {}, optional={"role": st.sampled_from(["user", "model"]), "parts": st.lists(any_part)}
)
config_names = st.sampled_from(
    ["candidateCount", "seed", "temperature", "responseModalities", "image_config", "responseFormat", "topK"]
)
any_config = st.dictionaries(config_names, values | st.fixed_dictionaries({"aspectRatio": values, "image": values}))


@given(
    st.fixed_dictionaries(
        {"contents": st.lists(any_content) | any_content},
        optional={"generationConfig": any_config, "systemInstruction": any_content, "tools": values, "x": values},
    ),
    st.sampled_from([PLAIN, WITH_TIERS]),
)
def test_any_valid_body_is_read_or_refused(body: dict[str, Any], model: ServedModel) -> None:
    try:
        check_request("generateContent", body)
        request = read_request(body, model)
    except ApiError as error:
        assert error.param or error.violations or error.kind is ErrorKind.INVALID_TYPE  # noqa: PT017
        return
    assert request.image_request.prompt.strip()
    json.dumps(request.ignored)
