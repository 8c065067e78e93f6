"""compat/openai_images/request.py: every parameter of generations, edits and variations."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_NAME
from compat.image_models import OPENAI_IMAGE_MODELS, ModelCatalogue
from compat.images import ImageRequest, InputImage, OutputOptions
from compat.input_images import from_bytes
from compat.openai_envelope import build_error
from compat.openai_images.form import Form, FormPart
from compat.openai_images.request import (
    VARIATION_PROMPT,
    OpenAIRequest,
    parse_edit,
    parse_edit_form,
    parse_generation,
    parse_variation_form,
)
from compat.sizes import plain_size
from tests.compat.errors import error_of
from tests.compat.gemini_requests import sent
from tests.compat.pictures import base64_of, draw
from tests.compat.spelled_json import any_json
from tests.compat.test_sizes import RATIOS
from tests.compat.test_sizes import REFUSED as REFUSED_SIZES

SERVED = "gemini-2.5-flash-image"
CATALOGUE = ModelCatalogue({"openai": SERVED, "our-model": SERVED})
WITH_TIERS = ModelCatalogue(None, {SERVED: "gemini-3.1-flash-image"})
PNG, JPEG, MASK = draw("PNG", 4, 3), draw("JPEG", 4, 3), draw("PNG", 4, 3, "RGBA")
PNG_TEXT, JPEG_TEXT = base64_of(PNG), base64_of(JPEG)
PNG_INPUT, JPEG_INPUT, MASK_INPUT = (from_bytes(picture, "image") for picture in (PNG, JPEG, MASK))
PNG_FORMAT, JPEG_FORMAT = BY_NAME["png"], BY_NAME["jpeg"]
ADDRESS = "https://example.com/a.jpg"
ADDRESS_INPUT = InputImage("image/jpeg", uri=ADDRESS)


def generation(catalogue: ModelCatalogue = CATALOGUE, default_format: str = "url", **body: Any) -> OpenAIRequest:
    return parse_generation({"prompt": "a red sun", **body}, catalogue, default_format)


def edit(catalogue: ModelCatalogue = CATALOGUE, **body: Any) -> OpenAIRequest:
    return parse_edit({"prompt": "a red sun", "images": [{"image_url": PNG_TEXT}], **body}, catalogue)


def form(*texts: tuple[str, str], files: tuple[tuple[str, bytes], ...] = (("image", PNG),)) -> Form:
    parts = [FormPart(name, data, is_file=True) for name, data in files]
    return Form((*parts, *(FormPart(name, text.encode("utf-8", "surrogatepass")) for name, text in texts)))


def edit_form(
    *texts: tuple[str, str],
    files: tuple[tuple[str, bytes], ...] = (("image", PNG),),
    catalogue: ModelCatalogue = CATALOGUE,
) -> OpenAIRequest:
    return parse_edit_form(form(("prompt", "a red sun"), *texts, files=files), catalogue)


def as_form(catalogue: ModelCatalogue = CATALOGUE, **fields: Any) -> OpenAIRequest:
    """An edit from a form, its fields written as both SDKs write them."""
    texts = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in fields.items()
        if value is not None
    ]
    return edit_form(*texts, catalogue=catalogue)


JSON_WAYS = {"generation": generation, "edit": edit}
WAYS: dict[str, Callable[..., OpenAIRequest]] = {**JSON_WAYS, "form": as_form}
every_way = pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS.keys())
every_json_way = pytest.mark.parametrize("ask", JSON_WAYS.values(), ids=JSON_WAYS.keys())


def refusal(ask: Callable[..., OpenAIRequest], *arguments: Any, **fields: Any) -> ApiError:
    return error_of(ask, *arguments, **fields)


# Parameters


def test_only_a_prompt_is_needed() -> None:
    model = CATALOGUE.resolve(None)
    assert generation() == OpenAIRequest(ImageRequest("a red sun"), model, "url", OutputOptions(), drawn_by=abs)


def test_the_same_request_can_be_drawn_by_another_model() -> None:
    asked = generation(size="2048x2048", seed=7, temperature=1, image=PNG_TEXT, output_format="webp")
    assert (asked.image_request.image_size, asked.ignored) == (None, ())
    other = asked.drawn_by(asked.model.succeeded())
    assert (other.model.upstream_name, other.image_request.image_size) == ("gemini-nano-banana-2.1", "2K")
    assert other.ignored == ("seed", "temperature")
    assert other.image_request.input_images == asked.image_request.input_images
    assert other.output == asked.output


READ: list[tuple[dict[str, Any], Callable[[OpenAIRequest], Any], Any]] = [
    ({"n": 3}, lambda asked: asked.image_request.count, 3),
    ({"n": 10}, lambda asked: asked.image_request.count, 10),
    ({"size": "1280x896"}, lambda asked: asked.image_request.aspect_ratio, "4:3"),
    ({"aspect_ratio": "21:9"}, lambda asked: asked.image_request.aspect_ratio, "21:9"),
    ({"aspect_ratio": "21:9", "size": "1024x1024"}, lambda asked: asked.image_request.aspect_ratio, "21:9"),
    ({"aspect_ratio": "21:9", "size": "3000x1000"}, lambda asked: asked.image_request.aspect_ratio, "21:9"),
    ({"seed": 7}, lambda asked: asked.image_request.seed, 7),
    ({"seed": -1}, lambda asked: asked.image_request.seed, -1),
    ({"temperature": 0.5}, lambda asked: asked.image_request.temperature, 0.5),
    ({"temperature": 0}, lambda asked: asked.image_request.temperature, 0),
    ({"response_format": "url"}, lambda asked: asked.response_format, "url"),
    ({"response_format": "b64_json"}, lambda asked: asked.response_format, "b64_json"),
    ({"output_format": "png"}, lambda asked: asked.output, OutputOptions(PNG_FORMAT)),
    ({"output_format": "jpeg", "output_compression": 0}, lambda asked: asked.output, OutputOptions(JPEG_FORMAT, 0)),
    ({"output_format": "avif", "output_compression": 100}, lambda asked: asked.output.quality, 100),
    ({"stream": True}, lambda asked: asked.stream, True),
    ({"stream": False}, lambda asked: asked.stream, False),
    ({"resize": "cover", "size": "3000x1000"}, lambda asked: asked.output.pixels, (3000, 1000)),
    ({"resize": "contain", "size": "3000x1000"}, lambda asked: asked.output.resize, "contain"),
    ({"resize": "cover", "size": "3000x1000"}, lambda asked: asked.image_request.aspect_ratio, "21:9"),
    ({"size": "1000x1000"}, lambda asked: asked.output, OutputOptions()),
    ({"model": f"google/{SERVED}"}, lambda asked: asked.model.name, SERVED),
    ({"model": ""}, lambda asked: asked.model.name, SERVED),
    ({"google": {"tools": []}}, lambda asked: asked.image_request.gemini, {"tools": []}),
    ({"extra_body": {"google": {"tools": []}}}, lambda asked: asked.image_request.gemini, {"tools": []}),
    ({"extra_body": {"aspect_ratio": "16:9", "seed": 7}}, lambda asked: asked.image_request.aspect_ratio, "16:9"),
    ({"extra_body": {"aspect_ratio": "16:9", "seed": 7}}, lambda asked: asked.image_request.seed, 7),
    ({"extra_body": {"extra_body": {"seed": 7}}}, lambda asked: asked.image_request.seed, 7),
    ({"extra_body": {"seed": 7}, "seed": 8}, lambda asked: asked.image_request.seed, 8),
    ({"extra_body": {"seed": 7}, "seed": None}, lambda asked: asked.image_request.seed, 7),
    ({"output_format": "jpg"}, lambda asked: asked.output, OutputOptions(JPEG_FORMAT)),
    ({"output_format": "PNG"}, lambda asked: asked.output, OutputOptions(PNG_FORMAT)),
    ({"aspect_ratio": "auto", "size": "1536x1024"}, lambda asked: asked.image_request.aspect_ratio, "3:2"),
    ({"size": "3000*1000", "resize": "cover"}, lambda asked: asked.output.pixels, (3000, 1000)),
    (
        {"extra_body": {"google": {"tools": [], "safetySettings": []}}, "google": {"tools": [1]}},
        lambda asked: asked.image_request.gemini,
        {"tools": [1], "safetySettings": []},
    ),
]


@every_way
@pytest.mark.parametrize(("fields", "part", "value"), READ)
def test_a_parameter_is_read(
    ask: Callable[..., OpenAIRequest], fields: dict[str, Any], part: Callable[[OpenAIRequest], Any], value: Any
) -> None:
    asked = ask(**fields)
    assert part(asked) == value
    assert asked.image_request.prompt == "a red sun"
    assert asked.ignored == ()


@every_way
@pytest.mark.parametrize(("size", "ratio"), [(size, ratio) for size, ratio in RATIOS.items()])
def test_a_size_is_read(ask: Callable[..., OpenAIRequest], size: str, ratio: str | None) -> None:
    assert ask(size=size).image_request.aspect_ratio == ratio


@every_way
@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        *((f"1792{times}1024", "16:9") for times in ("*", "X", "×", " x ", "\t*")),
        *((auto, None) for auto in ("AUTO", "Auto", " auto ", "")),
        (" 16:9 ", "16:9"),
    ],
)
def test_a_size_in_another_spelling_is_the_same_size(
    ask: Callable[..., OpenAIRequest], size: str, ratio: str | None
) -> None:
    assert ask(size=size).image_request.aspect_ratio == ratio


def test_the_error_about_a_size_mentions_resize() -> None:
    assert "'resize'" in refusal(generation, size="1500x500").message


@every_way
@pytest.mark.parametrize("size", [size for size in REFUSED_SIZES if size and size == plain_size(size)])
def test_a_size_that_cannot_be_drawn_is_refused_alike(ask: Callable[..., OpenAIRequest], size: str) -> None:
    error = refusal(ask, size=size)
    assert (error.kind, error.param) == (ErrorKind.INVALID_SIZE, "size")


@every_way
@pytest.mark.parametrize(
    ("fields", "tier"),
    [
        ({"image_size": "2K"}, "2K"),
        ({"image_size": "512", "size": "2048x2048"}, "512"),
        ({"size": "2048x2048"}, "2K"),
        ({"size": "2048x2048", "aspect_ratio": "1:8"}, "2K"),
        ({"size": "auto"}, None),
        ({}, None),
    ],
)
def test_a_model_with_tiers_is_asked_for_one(
    ask: Callable[..., OpenAIRequest], fields: dict[str, Any], tier: str | None
) -> None:
    asked = ask(WITH_TIERS, **fields)
    assert asked.image_request.image_size == tier
    assert asked.ignored == ()


@every_way
def test_a_tier_is_ignored_without_tiers(ask: Callable[..., OpenAIRequest]) -> None:
    asked = ask(image_size="2K", size="2048x2048")
    assert asked.image_request.image_size is None
    assert asked.ignored == ("image_size",)


@every_json_way
@pytest.mark.parametrize(
    "name",
    [
        "model", "n", "size", "aspect_ratio", "image_size", "resize", "response_format", "output_format",
        "output_compression", "stream", "partial_images", "seed", "temperature", "google", "extra_body", "quality",
        "style", "background", "moderation", "user", "input_fidelity", "mask", "svg", "anything",
    ],
)  # fmt: skip
def test_null_is_absent(ask: Callable[..., OpenAIRequest], name: str) -> None:
    assert ask(**{name: None}) == ask()


@pytest.mark.parametrize("body", [{"google": None}, {"google": {}}, {}])
def test_an_empty_extra_body_has_no_effect(body: dict[str, Any]) -> None:
    assert generation(extra_body=body) == generation()


def test_null_inside_google_is_absent() -> None:
    asked = generation(aspect_ratio="16:9", google={"generationConfig": None, "tools": None})
    config = sent(asked.image_request)["generationConfig"]
    assert config == {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9"}}


# url or b64_json


@pytest.mark.parametrize("default", ["url", "b64_json"])
def test_a_generation_has_the_default_format(default: str) -> None:
    for name in (None, SERVED, "our-model"):
        assert generation(CATALOGUE, default, model=name).response_format == default
    assert parse_variation_form(form(), CATALOGUE, default).response_format == default


@pytest.mark.parametrize("ask", [edit, as_form])
def test_an_edit_has_base64_by_default(ask: Callable[..., OpenAIRequest]) -> None:
    assert ask().response_format == "b64_json"


@every_way
@pytest.mark.parametrize("name", OPENAI_IMAGE_MODELS)
def test_an_openai_alias_has_openais_own_default(ask: Callable[..., OpenAIRequest], name: str) -> None:
    own = "url" if name.startswith("dall-e") else "b64_json"
    assert ask(model=name).response_format == own
    assert {ask(model=name, response_format=asked).response_format for asked in ("url", "b64_json")} == {
        "url",
        "b64_json",
    }


# Ignored fields

IGNORED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"quality": "hd"}, ("quality",)),
    ({"style": "vivid", "user": "me"}, ("style", "user")),
    ({"background": "transparent", "moderation": "low"}, ("background", "moderation")),
    ({"extra_body": {"quality": "hd"}}, ("quality",)),
    ({"quality": "auto", "background": "auto", "moderation": "auto"}, ()),
    ({"background": "opaque"}, ()),
    ({"input_fidelity": "high", "safety_identifier": "me"}, ("input_fidelity", "safety_identifier")),
    ({"complexity": "low", "frame_count": 2}, ("complexity", "frame_count")),
    ({"svg": {"model": "x"}}, ("svg",)),
    ({"partial_images": 2}, ()),
    ({"partial_images": 2, "stream": True}, ("partial_images",)),
    ({"partial_images": 0, "stream": True}, ()),
    ({"stream": True, "response_format": "url"}, ("response_format",)),
    ({"stream": True, "response_format": "b64_json"}, ()),
    ({"output_compression": 50}, ("output_compression",)),
    ({"output_compression": 50, "output_format": "png"}, ("output_compression",)),
    ({"output_compression": 50, "output_format": "jpeg"}, ()),
    ({"output_compression": 100, "output_format": "png"}, ()),
    ({"zebra": 1, "apple": 2, "mango": 3, "kiwi": 4, "fig": 5}, ("zebra", "apple", "mango", "kiwi", "fig")),
    ({"a header\r\nx: y": 1, "ü": 1, "x" * 65: 1, "fine": 1}, ("fine",)),
    ({"n.n": 1, "prompt.x": 2}, ("n.n", "prompt.x")),
]


@every_way
@pytest.mark.parametrize(("fields", "names"), IGNORED)
def test_ignored_fields_are_named(
    ask: Callable[..., OpenAIRequest], fields: dict[str, Any], names: tuple[str, ...]
) -> None:
    asked = ask(**fields)
    assert set(asked.ignored) == set(names)
    assert len(asked.ignored) == len(names)


def test_ignored_names_are_in_the_order_of_the_request() -> None:
    names = tuple(f"field_{number}" for number in range(12, 0, -1))
    assert generation(**dict.fromkeys(names, 1)).ignored == names


def test_ignored_names_are_limited() -> None:
    assert len(generation(**{f"field_{number}": 1 for number in range(1000)}).ignored) == 20


def test_a_transparent_background_is_an_advisory() -> None:
    assert generation(background="transparent").advisories == ("background",)
    assert generation(background="opaque").advisories == ()


@pytest.mark.parametrize(
    "name",
    [
        "image_urls", "imageUrls", "reference_images", "reference_image", "referenceImages", "input_image",
        "input_images", "init_image", "source_image_url", "style_image", "image_b64", "image_prompt", "photos",
        "mask_image", "mask_url", "input_reference", "subject_reference", "img",
    ],
)  # fmt: skip
@every_way
def test_an_input_picture_under_an_unknown_name_is_refused(ask: Callable[..., OpenAIRequest], name: str) -> None:
    error = refusal(ask, **{name: ADDRESS})
    assert (error.kind, error.param) == (ErrorKind.INVALID_VALUE, name)
    if ask is not as_form:
        assert refusal(ask, extra_body={name: [ADDRESS]}).param == name
        assert ask(**{name: None}).ignored == ()


@pytest.mark.parametrize("name", ["image_count", "image_format", "num_images", "images_per_prompt", "style", "markup"])
def test_other_names_are_only_reported(name: str) -> None:
    assert generation(**{name: "x"}).ignored == (name,)


def test_a_picture_of_a_form_under_an_unknown_name_is_refused() -> None:
    assert refusal(edit_form, files=(("image", PNG), ("reference_images[]", PNG))).param == "reference_images"
    assert refusal(edit_form, ("extra_body", json.dumps({"images": [ADDRESS]}))).param == "images"


def test_a_file_that_an_edit_ignores_is_named() -> None:
    assert edit_form(files=(("image", PNG), ("markup", PNG))).ignored == ("markup",)


def test_a_prompt_that_a_variation_ignores_is_named() -> None:
    asked = parse_variation_form(form(("prompt", "bluer")), CATALOGUE, "url")
    assert asked.ignored == ("prompt",)


# Wrong values

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": 1}, "invalid_type", "prompt"),
    ({"prompt": ["a"]}, "invalid_type", "prompt"),
    ({"prompt": ""}, "empty_string", "prompt"),
    ({"prompt": "x" * 32001}, "string_above_max_length", "prompt"),
    ({"prompt": None}, "missing_required_parameter", "prompt"),
    ({"model": 1}, "invalid_type", "model"),
    ({"model": "gpt-4o"}, "model_not_found", "model"),
    ({"n": "2"}, "invalid_type", "n"),
    ({"n": 1.5}, "invalid_type", "n"),
    ({"n": True}, "invalid_type", "n"),
    ({"n": 0}, "integer_below_min_value", "n"),
    ({"n": 11}, "integer_above_max_value", "n"),
    ({"n": 10**400}, "integer_above_max_value", "n"),
    ({"size": 1024}, "invalid_type", "size"),
    ({"size": "large"}, "invalid_value", "size"),
    ({"aspect_ratio": "7:7"}, "invalid_value", "aspect_ratio"),
    ({"aspect_ratio": 1.5}, "invalid_type", "aspect_ratio"),
    ({"image_size": 1}, "invalid_type", "image_size"),
    ({"resize": "stretch", "size": "10x10"}, "invalid_value", "resize"),
    ({"resize": "cover"}, "invalid_value", "size"),
    ({"resize": "cover", "size": "auto"}, "invalid_value", "size"),
    ({"resize": "cover", "size": "16:9"}, "invalid_value", "size"),
    ({"resize": "cover", "size": "8193x100"}, "invalid_value", "size"),
    ({"response_format": "png"}, "invalid_value", "response_format"),
    ({"output_format": "gif"}, "invalid_value", "output_format"),
    ({"output_format": "svg"}, "invalid_value", "output_format"),
    ({"output_compression": 101}, "integer_above_max_value", "output_compression"),
    ({"output_compression": -1}, "integer_below_min_value", "output_compression"),
    ({"stream": "true"}, "invalid_type", "stream"),
    ({"stream": 1}, "invalid_type", "stream"),
    ({"partial_images": 4}, "integer_above_max_value", "partial_images"),
    ({"seed": 2**31}, "integer_above_max_value", "seed"),
    ({"seed": "x"}, "invalid_type", "seed"),
    ({"temperature": []}, "invalid_type", "temperature"),
    ({"google": []}, "invalid_type", "google"),
    ({"google": {"generationConfig": 1}}, "invalid_type", "google.generationConfig"),
    ({"google": {"contents": []}}, "invalid_value", "google.contents"),
    ({"extra_body": "x"}, "invalid_type", "extra_body"),
    ({"extra_body": {"google": 1}}, "invalid_type", "google"),
    ({"extra_body": {"seed": "x"}}, "invalid_type", "seed"),
    ({"extra_body": {"google": {"contents": []}}}, "invalid_value", "google.contents"),
]


@every_json_way
@pytest.mark.parametrize(("fields", "code", "param"), REFUSED)
def test_a_wrong_value_is_refused_with_openais_code(
    ask: Callable[..., OpenAIRequest], fields: dict[str, Any], code: str, param: str
) -> None:
    status, body = build_error(refusal(ask, **fields))
    assert status == (404 if code == "model_not_found" else 400)
    assert (body["error"]["code"], body["error"]["param"]) == (code, param)


def test_the_error_about_an_unknown_tier_lists_the_tiers() -> None:
    error = refusal(generation, WITH_TIERS, image_size="2k")
    assert (error.kind, error.param) == (ErrorKind.INVALID_VALUE, "image_size")
    assert "'512', '1K', '2K', '4K'" in error.message


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_a_body_that_is_not_an_object_is_refused(body: Any) -> None:
    for parse in (lambda: parse_generation(body, CATALOGUE, "url"), lambda: parse_edit(body, CATALOGUE)):
        error = refusal(parse)
        assert (error.kind, error.param) == (ErrorKind.INVALID_TYPE, None)


def test_an_absent_prompt_is_missing() -> None:
    for parse in (lambda: parse_generation({}, CATALOGUE, "url"), lambda: parse_edit_form(form(), CATALOGUE)):
        error = refusal(parse)
        assert (error.kind, error.param) == (ErrorKind.MISSING_PARAMETER, "prompt")
        assert error.message == "Missing required parameter: 'prompt'."


def test_a_very_long_model_name_is_refused_fast() -> None:
    start = time.process_time()
    assert refusal(generation, model="google/" * 200_000 + "x").kind is ErrorKind.STRING_TOO_LONG
    with pytest.raises(ApiError):
        CATALOGUE.resolve("google/" * 200_000 + "x")
    assert time.process_time() - start < 1


def test_deeply_nested_google_fields_are_sent_or_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(900):
        nested = {"a": nested}
    with suppress(ApiError):
        json.dumps(sent(generation(google={"toolConfig": nested}).image_request))


def test_a_prompt_of_the_longest_length_is_accepted() -> None:
    assert generation(prompt="🖼" * 32000).image_request.prompt == "🖼" * 32000


# Pictures to start from


@pytest.mark.parametrize(
    ("image", "inputs"),
    [
        (PNG_TEXT, (PNG_INPUT,)),
        (f"data:image/webp;base64,{PNG_TEXT}", (PNG_INPUT,)),
        (ADDRESS, (ADDRESS_INPUT,)),
        ([PNG_TEXT, ADDRESS, JPEG_TEXT], (PNG_INPUT, ADDRESS_INPUT, JPEG_INPUT)),
        ([PNG_TEXT] * 16, (PNG_INPUT,) * 16),
    ],
)
def test_a_generation_may_start_from_pictures(image: Any, inputs: tuple[InputImage, ...]) -> None:
    assert generation(image=image).image_request.input_images == inputs


@pytest.mark.parametrize(
    ("image", "code", "param"),
    [
        ("not a picture", "invalid_image_file", "image"),
        ([PNG_TEXT, "not a picture"], "invalid_image_file", "image[1]"),
        (["not a picture"], "invalid_image_file", "image[0]"),
        ([], "array_below_min_length", "image"),
        ([PNG_TEXT] * 17, "array_above_max_length", "image"),
        ({"url": 1}, "invalid_type", "image.url"),
        ([PNG_TEXT, None], "missing_required_parameter", "image[1]"),
        ([PNG_TEXT, 1], "invalid_type", "image[1]"),
        ([PNG_TEXT, ""], "empty_string", "image[1]"),
        ("", "empty_string", "image"),
        (1, "invalid_type", "image"),
    ],
)
def test_a_generation_with_a_wrong_picture_names_it(image: Any, code: str, param: str) -> None:
    _, body = build_error(refusal(generation, image=image))
    assert (body["error"]["code"], body["error"]["param"]) == (code, param)


@pytest.mark.parametrize("ask", [lambda urls: generation(image=urls), lambda urls: edit(images=[{}] * len(urls))])
def test_a_million_pictures_are_refused_before_they_are_read(ask: Any) -> None:
    started = time.process_time()
    error = refusal(ask, [ADDRESS] * 1_000_000)
    assert time.process_time() - started < 1
    assert error.kind is ErrorKind.ARRAY_TOO_LONG
    assert "maximum length 16" in error.message


REFERENCES: list[Any] = [
    PNG_TEXT,
    f"data:image/png;base64,{PNG_TEXT}",
    {"image_url": PNG_TEXT},
    {"image_url": {"url": PNG_TEXT}},
    {"type": "image_url", "image_url": {"url": PNG_TEXT}},
    {"url": PNG_TEXT},
    {"b64_json": PNG_TEXT},
]


@every_json_way
@pytest.mark.parametrize("name", ["image", "images", "image_url"])
@pytest.mark.parametrize("reference", REFERENCES, ids=range(len(REFERENCES)))
def test_a_picture_may_be_written_in_many_ways(ask: Callable[..., OpenAIRequest], name: str, reference: Any) -> None:
    for value, inputs in ((reference, (PNG_INPUT,)), ([reference, ADDRESS], (PNG_INPUT, ADDRESS_INPUT))):
        assert ask(**{"images": None, name: value}).image_request.input_images == inputs


@every_json_way
@pytest.mark.parametrize("mask", [base64_of(MASK), {"image_url": base64_of(MASK)}, {"url": base64_of(MASK)}])
def test_a_mask_may_be_written_in_many_ways(ask: Callable[..., OpenAIRequest], mask: Any) -> None:
    asked = ask(images=[PNG_TEXT], mask=mask)
    assert (asked.image_request.mask, asked.advisories) == (MASK_INPUT, ("mask",))


def test_pictures_in_several_fields_are_all_sent() -> None:
    asked = generation(image=PNG_TEXT, images=[JPEG_TEXT], image_url={"url": ADDRESS})
    assert asked.image_request.input_images == (PNG_INPUT, JPEG_INPUT, ADDRESS_INPUT)
    assert refusal(generation, image=[PNG_TEXT] * 9, images=[PNG_TEXT] * 8).kind is ErrorKind.ARRAY_TOO_LONG


def test_a_mask_needs_a_picture() -> None:
    assert refusal(generation, mask=base64_of(MASK)).kind is ErrorKind.MISSING_PARAMETER


def test_a_json_edit_has_pictures_and_a_mask() -> None:
    asked = edit(images=[{"image_url": PNG_TEXT}, {"image_url": ADDRESS}], mask={"image_url": base64_of(MASK)})
    assert asked.image_request.input_images == (PNG_INPUT, ADDRESS_INPUT)
    assert asked.image_request.mask == MASK_INPUT


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"images": None}, "missing_required_parameter", "images"),
        ({"images": []}, "array_below_min_length", "images"),
        ({"images": [{"image_url": ADDRESS}] * 17}, "array_above_max_length", "images"),
        ({"images": {"image_url": 1}}, "invalid_type", "images.image_url"),
        ({"images": {"image_url": {"url": ""}}}, "empty_string", "images.image_url.url"),
        ({"images": 1}, "invalid_type", "images"),
        ({"images": [1]}, "invalid_type", "images[0]"),
        ({"images": [None]}, "missing_required_parameter", "images[0]"),
        ({"images": [{}]}, "missing_required_parameter", "images[0].image_url"),
        ({"images": [{"image_url": ADDRESS}, {"image_url": 1}]}, "invalid_type", "images[1].image_url"),
        ({"images": [{"image_url": ""}]}, "empty_string", "images[0].image_url"),
        ({"images": [{"file_id": "file-1"}]}, "invalid_value", "images[0].file_id"),
        ({"images": [{"image_url": ADDRESS, "file_id": "file-1"}]}, "invalid_value", "images[0].file_id"),
        ({"mask": {"file_id": "file-1"}}, "invalid_value", "mask.file_id"),
        ({"mask": {}}, "missing_required_parameter", "mask.image_url"),
        ({"mask": 1}, "invalid_type", "mask"),
        ({"mask": "x"}, "invalid_image_file", "mask"),
        ({"mask": {"image_url": "x"}}, "invalid_image_file", "mask.image_url"),
        ({"images": [{"image_url": "x"}]}, "invalid_image_file", "images[0].image_url"),
        ({"images": [{"image_url": ADDRESS}, {"image_url": "x"}]}, "invalid_image_file", "images[1].image_url"),
    ],
)
def test_a_json_edit_with_a_wrong_picture_names_it(fields: dict[str, Any], code: str, param: str) -> None:
    _, body = build_error(refusal(edit, **fields))
    assert (body["error"]["code"], body["error"]["param"]) == (code, param)


# Forms


@pytest.mark.parametrize(
    "name", ["image", "image[]", "image[0]", "image[15]", "images", "images[]", "images[1]", "image_url"]
)
def test_a_picture_of_a_form_is_found_under_the_names_clients_use(name: str) -> None:
    assert edit_form(files=((name, JPEG),)).image_request.input_images == (JPEG_INPUT,)
    assert edit_form((name, JPEG_TEXT), files=()).image_request.input_images == (JPEG_INPUT,)
    without_file_name = Form((FormPart("prompt", b"x"), FormPart(name, JPEG)))
    assert parse_edit_form(without_file_name, CATALOGUE).image_request.input_images == (JPEG_INPUT,)


@pytest.mark.parametrize("name", ["mask", "mask[]", "mask[0]"])
def test_a_mask_of_a_form_is_found_under_the_names_clients_use(name: str) -> None:
    assert edit_form(files=(("image", PNG), (name, MASK))).image_request.mask == MASK_INPUT


def test_two_masks_are_refused() -> None:
    error = refusal(edit_form, files=(("image", PNG), ("mask", MASK), ("mask[]", MASK)))
    assert (error.kind, error.param) == (ErrorKind.ARRAY_TOO_LONG, "mask")


def test_texts_with_a_file_name_are_texts() -> None:
    texts = (("prompt", b"a red sun"), ("n", b"2"), ("size", b"1792x1024"), ("model", SERVED.encode()))
    asked = parse_edit_form(form(files=(("image", PNG), *texts)), CATALOGUE)
    assert asked == as_form(n=2, size="1792x1024")


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("grün", "windows-1252"), ("grün", "ISO-8859-1"), ("grün", "UTF-8"), ("grün", "us-ascii"), ("초록", "euc-kr"),
        ("초록", "cp949"), ("緑", "Shift_JIS"), ("绿", "gb18030"), ("зелёный", "koi8-r"), ("grün", "utf-16"),
    ],
)  # fmt: skip
def test_a_declared_charset_is_decoded(text: str, charset: str) -> None:
    data = text.encode("utf-8" if charset == "us-ascii" else charset)
    picture = FormPart("image", PNG, is_file=True)
    declared = Form((picture, FormPart("prompt", data, charset)))
    for_all = Form((FormPart("_charset_", charset.encode()), picture, FormPart("prompt", data)))
    for one in (declared, for_all):
        asked = parse_edit_form(one, CATALOGUE)
        assert (asked.image_request.prompt, asked.ignored) == (text, ())


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("grün".encode("latin-1"), ""), ("grün".encode("latin-1"), "utf-8"), ("grün".encode("utf-16-le"), ""),
        (b"+AOk-", "utf-7"), (b"x", "no-such-charset"), (b"x", "base64"), (PNG, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_file", [False, True])
def test_a_text_in_no_known_charset_is_refused_and_named(data: bytes, charset: str, is_file: bool) -> None:
    whole = Form((FormPart("image", PNG, is_file=True), FormPart("prompt", data, charset, is_file)))
    error = refusal(parse_edit_form, whole, CATALOGUE)
    assert (error.kind, error.param) == (ErrorKind.INVALID_VALUE, "prompt")


def test_a_byte_order_mark_is_no_part_of_a_text() -> None:
    whole = Form((FormPart("image", PNG), FormPart("prompt", b"\xef\xbb\xbfa red sun")))
    assert parse_edit_form(whole, CATALOGUE).image_request.prompt == "a red sun"


@pytest.mark.parametrize("text", [" 2", "2 ", "2.0", "2.", "+2", "\t2\r\n"])
def test_a_number_of_a_form_may_be_written_in_other_ways(text: str) -> None:
    assert edit_form(("n", text)).image_request.count == 2


@pytest.mark.parametrize(
    "text", [("extra_body[seed]", "7"), ("extra_body", '{"seed": 7}'), ("extra_body", '{"seed": "7"}')]
)
def test_the_members_of_extra_body_in_a_form_are_fields(text: tuple[str, str]) -> None:
    if text[1] == '{"seed": "7"}':
        assert refusal(edit_form, text).param == "seed"
    else:
        assert edit_form(text).image_request.seed == 7


def test_pictures_of_a_form_keep_their_order() -> None:
    files = (("image[]", PNG), ("mask", MASK), ("image[]", JPEG), ("image[]", PNG))
    asked = edit_form(("image[]", ADDRESS), files=files)
    assert asked.image_request.input_images == (PNG_INPUT, JPEG_INPUT, PNG_INPUT, ADDRESS_INPUT)
    assert asked.image_request.mask == MASK_INPUT


def test_a_mask_may_be_a_text() -> None:
    assert edit_form(("mask", base64_of(MASK))).image_request.mask == MASK_INPUT


@pytest.mark.parametrize(
    ("files", "code", "param"),
    [
        ((), "missing_required_parameter", "image"),
        ((("image", b""),), "missing_required_parameter", "image"),
        ((("picture", PNG),), "missing_required_parameter", "image"),
        ((("imagex", PNG),), "missing_required_parameter", "image"),
        ((("image[]", PNG),) * 17, "array_above_max_length", "image"),
        ((("image", b"not a picture at all"),), "invalid_image_file", "image"),
        ((("image[]", PNG), ("image[]", b"not a picture")), "invalid_image_file", "image[1]"),
        ((("image", PNG), ("mask", b"not a picture")), "invalid_image_file", "mask"),
    ],
)
def test_a_form_with_a_wrong_picture_names_it(files: tuple[tuple[str, bytes], ...], code: str, param: str) -> None:
    _, body = build_error(refusal(edit_form, files=files))
    assert (body["error"]["code"], body["error"]["param"]) == (code, param)


def test_sixteen_pictures_are_accepted() -> None:
    assert len(edit_form(files=(("image[]", PNG),) * 16).image_request.input_images) == 16


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        (("n", "two"), "invalid_type", "n"),
        (("n", "1.5"), "invalid_type", "n"),
        (("n", "11"), "integer_above_max_value", "n"),
        (("stream", "maybe"), "invalid_type", "stream"),
        (("temperature", "nan"), "invalid_type", "temperature"),
        (("temperature", "inf"), "invalid_type", "temperature"),
        (("output_compression", "-1"), "integer_below_min_value", "output_compression"),
        (("google", "{"), "invalid_type", "google"),
        (("google", "[]"), "invalid_type", "google"),
        (("google", '{"contents": []}'), "invalid_value", "google.contents"),
    ],
)
def test_a_wrong_text_of_a_form_is_refused_with_openais_code(text: tuple[str, str], code: str, param: str) -> None:
    _, body = build_error(refusal(edit_form, text))
    assert (body["error"]["code"], body["error"]["param"]) == (code, param)


def test_empty_texts_of_go_openai_are_absent() -> None:
    texts = [(name, "") for name in ("model", "size", "response_format", "user", "mask", "image", "quality")]
    assert edit_form(*texts, ("n", "0")) == edit_form()


def test_an_empty_file_is_absent() -> None:
    assert edit_form(files=(("image", PNG), ("mask", b""))) == edit_form()


def test_the_last_of_two_texts_is_used() -> None:
    assert edit_form(("n", "2"), ("n", "3")).image_request.count == 3


def test_a_nested_name_is_reported_by_its_first_part() -> None:
    assert edit_form(("svg[model]", "x"), ("svg[reasoning][effort]", "low")).ignored == ("svg",)


def test_google_fields_may_have_nested_names_in_a_form() -> None:
    asked = edit_form(("google[systemInstruction][parts][text]", "be calm"), ("google[cachedContent]", "x"))
    assert asked.image_request.gemini == {"systemInstruction": {"parts": {"text": "be calm"}}, "cachedContent": "x"}


@pytest.mark.parametrize("name", ["[]", "[", "]", "[[[", "a[b", "svg[][]", "n[a]", "stream[a]", "google[a]", ""])
def test_odd_names_of_texts_are_harmless(name: str) -> None:
    with suppress(ApiError):
        edit_form((name, "1"), ("n", "2"), (name, "1"))


def test_a_variation_is_an_edit_with_a_fixed_instruction() -> None:
    files = (("image", PNG), ("mask", JPEG))
    asked = parse_variation_form(form(("n", "2"), ("size", "1024x1024"), files=files), CATALOGUE, "url")
    assert asked.image_request == ImageRequest(VARIATION_PROMPT, (PNG_INPUT,), count=2, aspect_ratio="1:1")
    assert asked.ignored == ("mask",)


def test_a_variation_without_a_picture_is_refused() -> None:
    error = refusal(parse_variation_form, form(files=()), CATALOGUE, "url")
    assert (error.kind, error.param) == (ErrorKind.MISSING_PARAMETER, "image")


# Any request

NAMES = [
    "prompt", "model", "n", "size", "aspect_ratio", "image_size", "resize", "response_format", "output_format",
    "output_compression", "stream", "partial_images", "seed", "temperature", "google", "extra_body", "image",
    "images", "mask", "quality", "background", "_schema", "", "a.b",
]  # fmt: skip
any_text = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["auto", "16:9", "1x1", "url", "png", "cover", SERVED, ADDRESS, PNG_TEXT, "{param}", "\ud83d"]),
)
inner_names = st.sampled_from(["google", "generationConfig", "contents", "image_url", "file_id", "a"])
values = any_json(any_text, inner_names, max_leaves=5)


def assert_read_or_refused(parse: Callable[[], OpenAIRequest]) -> None:
    """Either result can be written as JSON."""
    try:
        json.dumps(sent(parse().image_request))
    except ApiError as error:
        json.dumps(build_error(error))


@given(st.dictionaries(st.sampled_from(NAMES), values, max_size=6), st.booleans(), st.booleans())
@settings(max_examples=600)
def test_values_is_read_or_refused(body: dict[str, Any], whole: bool, tiers: bool) -> None:
    catalogue = WITH_TIERS if tiers else CATALOGUE
    if whole:
        body = {"prompt": "a red sun", "images": [{"image_url": PNG_TEXT}], **body}
    for parse in (lambda: parse_generation(body, catalogue, "url"), lambda: parse_edit(body, catalogue)):
        assert_read_or_refused(parse)


@given(
    st.lists(st.tuples(st.sampled_from([*NAMES, "google[a]", "n[]", "image[]"]), any_text), max_size=5),
    st.lists(st.tuples(st.sampled_from(["image", "mask", "x"]), st.sampled_from([PNG, MASK, b"", b"x"])), max_size=3),
)
@settings(max_examples=400)
def test_any_form_is_read_or_refused(texts: list[tuple[str, str]], files: list[tuple[str, bytes]]) -> None:
    whole = form(("prompt", "a red sun"), *texts, files=tuple(files))
    for parse in (
        lambda: parse_edit_form(whole, CATALOGUE),
        lambda: parse_variation_form(whole, CATALOGUE, "url"),
    ):
        assert_read_or_refused(parse)
