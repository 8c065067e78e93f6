"""Every parameter of the OpenAI surface and every field of its answers, over HTTP and with OpenAI's own SDK."""

import io
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
import requests
from PIL import Image

from compat.sizes import plain_size
from tests.support import pictures
from tests.support.openai_calls import (
    CLIENTS,
    MODEL,
    Ask,
    asking,
    bytes_of,
    extras,
    failed,
    inline_pictures,
    painted,
    parts_of,
    refused,
)
from tests.support.pictures import PIXELS
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, NO_ANSWER_BUT_A_RESET, Answer, ScriptedUpstream


@pytest.fixture
def client(server: ProxyServer, key: str) -> openai.OpenAI:
    """The synchronous client with its own idea of retries."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)


@pytest.fixture(params=CLIENTS)
def ask(request: pytest.FixtureRequest, client: openai.OpenAI) -> Ask:
    """A call of either client."""
    return asking(client, request.param)


def post(client: openai.OpenAI, path: str, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
    """A call without an SDK."""
    headers = {"Authorization": f"Bearer {client.api_key}", **(headers or {})}
    return requests.post(f"{client.base_url}{path}", headers=headers, timeout=20, **body)


# Sizes

PICTURE = pictures.plain_png(64, 48)
DATA_URL = f"data:image/png;base64,{pictures.base64_of(PICTURE)}"


def generation(client: openai.OpenAI, **fields: Any) -> requests.Response:
    return post(client, "images/generations", json={"prompt": "a cat", **fields})


def form_edit(client: openai.OpenAI, **fields: Any) -> requests.Response:
    texts = {name: json.dumps(value) if isinstance(value, bool) else value for name, value in fields.items()}
    return post(client, "images/edits", data={"prompt": "a cat", **texts}, files={"image": ("a.png", PICTURE)})


def json_edit(client: openai.OpenAI, **fields: Any) -> requests.Response:
    return post(client, "images/edits", json={"prompt": "a cat", "images": [{"image_url": DATA_URL}], **fields})


def variation(client: openai.OpenAI, **fields: Any) -> requests.Response:
    return post(client, "images/variations", data=fields, files={"image": ("a.png", PICTURE)})


Way = Callable[..., requests.Response]
WAYS: dict[str, tuple[Way, dict[str, Any]]] = {
    "a generation": (generation, {"response_format": "b64_json"}),
    "a generation at a url": (generation, {"response_format": "url"}),
    "a streamed generation": (generation, {"stream": True}),
    "an edit as a form": (form_edit, {}),
    "an edit as JSON": (json_edit, {}),
    "a streamed edit as a form": (form_edit, {"stream": True}),
    "a streamed edit as JSON": (json_edit, {"stream": True}),
    "a variation": (variation, {}),
}
every_way = pytest.mark.parametrize(("way", "fields"), WAYS.values(), ids=WAYS)

RATIO_OF_SIZE = {
    # what OpenAI's own models take, now and before
    **{"1024x1024": "1:1", "1536x1024": "3:2", "1024x1536": "2:3", "256x256": "1:1", "512x512": "1:1"},
    **{"1792x1024": "16:9", "1024x1792": "9:16", "2560x1440": "16:9", "3840x2160": "16:9", "2160x3840": "9:16"},
    # the model's own pixels
    **{f"{width}x{height}": ratio for ratio, (width, height) in PIXELS.items()},
    # in between: the nearest by the log of width over height; 2:1 lies exactly between 16:9 and 21:9
    **{"1280x896": "4:3", "2048x1024": "16:9", "1024x2048": "9:16", "1280x720": "16:9", "1920x1080": "16:9"},
    **{"1024x768": "4:3", "768x1024": "3:4", "1280x1024": "5:4", "1024x1280": "4:5", "800x600": "4:3"},
    **{"1100x1000": "1:1", "1150x1000": "5:4", "2560x1080": "21:9", "3440x1440": "21:9", "16x16": "1:1"},
    # the farthest that is near enough
    **{"2790x1000": "21:9", "1000x2137": "9:16"},
    # ratios themselves, and no size at all
    **{ratio: ratio for ratio in PIXELS},
    **{"auto": None},
}
REFUSED_SIZES = (
    *("3000x1000", "1000x3000", "2800x1000", "1000x2150", "8192x1", "0x0", "0x1024", "-1x5", "1024", "1024x", "x1024"),
    *("1024x1024x1024", "10.5x10", "7:5", "1:1000", "wide", "1024 x 1024"),
)


@every_way
def test_every_size_means_the_same_ratio_on_every_way_to_ask(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way, fields: dict[str, Any]
) -> None:
    upstream.answers(painted())
    sent, reported = {}, {}
    for size in RATIO_OF_SIZE:
        answer = way(client, size=size, **fields)
        assert answer.status_code == 200, f"{size}: {answer.text[:300]}"
        sent[size] = upstream.calls[-1].aspect_ratio
        reported[size] = answer.headers.get("x-twinlens-aspect-ratio")
    assert sent == RATIO_OF_SIZE
    assert reported == RATIO_OF_SIZE
    assert len(upstream.calls) == len(RATIO_OF_SIZE)


@every_way
def test_a_size_far_from_every_ratio_is_refused_on_every_way_to_ask(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way, fields: dict[str, Any]
) -> None:
    upstream.answers(painted())
    for size in (size for size in REFUSED_SIZES if size == plain_size(size)):
        answer = way(client, size=size, **fields)
        assert answer.status_code == 400, f"{size}: {answer.text[:300]}"
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("image_generation_user_error", "size"), size
        assert "21:9" in error["message"]
    assert upstream.calls == []


def test_the_table_of_sizes_keeps_the_rule() -> None:
    for size, ratio in RATIO_OF_SIZE.items():
        if "x" in size:
            width, height = map(int, size.split("x"))
            far = {name: abs(math.log(width / height * h / w)) for name, (w, h) in PIXELS.items()}
            assert far[str(ratio)] <= min(0.2, min(far.values()) + 1e-9), size


@every_way
def test_aspect_ratio_wins_over_size_on_every_way_to_ask(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way, fields: dict[str, Any]
) -> None:
    upstream.answers(painted())
    answer = way(client, size="1024x1024", aspect_ratio="21:9", **fields)
    assert upstream.calls[-1].aspect_ratio == answer.headers["x-twinlens-aspect-ratio"] == "21:9"
    unknown = way(client, size="1024x1024", aspect_ratio="7:5", **fields)
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "aspect_ratio")
    assert all(f"'{ratio}'" in unknown.json()["error"]["message"] for ratio in PIXELS)


# What is wrong with a request

COMPLAINTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "n too large": ({"n": 11}, "integer_above_max_value", "n"),
    "n negative": ({"n": -1}, "integer_below_min_value", "n"),
    "n a word": ({"n": "two"}, "invalid_type", "n"),
    "n a fraction": ({"n": 1.5}, "invalid_type", "n"),
    "a prompt of 32001 characters": ({"prompt": "x" * 32001}, "string_above_max_length", "prompt"),
    "an unknown format of answers": ({"response_format": "svg"}, "invalid_value", "response_format"),
    "an unknown format of pictures": ({"output_format": "gif"}, "invalid_value", "output_format"),
    "a compression of 101": ({"output_compression": 101}, "integer_above_max_value", "output_compression"),
    "a compression of -1": ({"output_compression": -1}, "integer_below_min_value", "output_compression"),
    "four partial images": ({"partial_images": 4}, "integer_above_max_value", "partial_images"),
    "an unknown way to resize": ({"resize": "stretch", "size": "10x10"}, "invalid_value", "resize"),
    "a resize without pixels": ({"resize": "cover"}, "invalid_value", "size"),
    "a resize to a ratio": ({"resize": "cover", "size": "16:9"}, "invalid_value", "size"),
    "a resize beyond all measure": ({"resize": "cover", "size": "9000x9000"}, "invalid_value", "size"),
    "a stream of maybe": ({"stream": "maybe"}, "invalid_type", "stream"),
    "a temperature of words": ({"temperature": "warm"}, "invalid_type", "temperature"),
    "a seed of words": ({"seed": "lucky"}, "invalid_type", "seed"),
    "an unknown model": ({"model": "gpt-image-9"}, "model_not_found", "model"),
}


@pytest.mark.parametrize("way", [generation, form_edit, json_edit], ids=["generation", "form", "JSON edit"])
@pytest.mark.parametrize(("fields", "code", "param"), COMPLAINTS.values(), ids=COMPLAINTS)
def test_a_wrong_field_is_refused_with_openais_code_and_the_fields_name(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way, fields: dict[str, Any], code: str, param: str
) -> None:
    upstream.answers(painted())
    answer = way(client, **fields)
    error = answer.json()["error"]
    assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    assert answer.status_code == (404 if code == "model_not_found" else 400)
    assert set(error) == {"message", "type", "param", "code"}
    assert upstream.calls == []


@pytest.mark.parametrize("path", ["images/generations", "images/edits"])
@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", None),
        ({"prompt": None, "images": [{"image_url": DATA_URL}]}, "missing_required_parameter", "prompt"),
        ({"prompt": "", "images": [{"image_url": DATA_URL}]}, "empty_string", "prompt"),
        ({"prompt": ["a cat"], "images": [{"image_url": DATA_URL}]}, "invalid_type", "prompt"),
        ([], "invalid_type", None),
        ("a cat", "invalid_type", None),
        (None, "invalid_type", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_without_a_required_field_is_refused_by_name(
    client: openai.OpenAI, upstream: ScriptedUpstream, path: str, body: Any, code: str, param: str | None
) -> None:
    upstream.answers(painted())
    answer = post(client, path, data=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    if param or not isinstance(body, dict):
        assert error["param"] == param
    assert upstream.calls == []


@pytest.mark.parametrize("path", ["images/generations", "images/edits"])
@pytest.mark.parametrize("body", [b"", b"{", b'{"prompt": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(
    client: openai.OpenAI, upstream: ScriptedUpstream, path: str, body: bytes
) -> None:
    answer = post(client, path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert "JSON" in answer.json()["error"]["message"]
    assert upstream.calls == []


FIELDS = (
    *("model", "n", "size", "aspect_ratio", "image_size", "resize", "response_format", "output_format"),
    *("output_compression", "stream", "partial_images", "seed", "temperature", "google", "extra_body", "quality"),
    *("style", "background", "moderation", "user", "input_fidelity", "safety_identifier", "image", "mask"),
)


@pytest.mark.parametrize("way", [generation, json_edit], ids=["generation", "JSON edit"])
def test_null_is_the_same_as_absence(client: openai.OpenAI, upstream: ScriptedUpstream, way: Way) -> None:
    upstream.answers(painted())
    plain, nulls = way(client), way(client, **dict.fromkeys(FIELDS))
    assert nulls.status_code == 200, nulls.text
    assert upstream.calls[0].body == upstream.calls[1].body
    assert "x-twinlens-ignored" not in nulls.headers
    assert set(plain.json()["data"][0]) == set(nulls.json()["data"][0])


@pytest.mark.parametrize("way", [form_edit, variation], ids=["edit", "variation"])
def test_an_empty_value_of_a_form_is_the_same_as_absence(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way
) -> None:
    upstream.answers(painted())
    plain, empty = way(client), way(client, **{**dict.fromkeys(FIELDS, ""), "n": "0"})
    assert empty.status_code == 200, empty.text
    assert upstream.calls[0].body == upstream.calls[1].body
    assert "x-twinlens-ignored" not in empty.headers
    assert set(plain.json()["data"][0]) == set(empty.json()["data"][0])


IGNORED = {
    "quality": "hd",
    "style": "vivid",
    "background": "transparent",
    "moderation": "low",
    "user": "me",
    "safety_identifier": "abc",
    "input_fidelity": "high",
    "complexity": "low",
    "something_new": "yes",
}


@pytest.mark.parametrize("way", [generation, form_edit, json_edit], ids=["generation", "form", "JSON edit"])
def test_parameters_without_an_equivalent_are_ignored_and_reported(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way
) -> None:
    upstream.answers(painted())
    answer = way(client, **IGNORED)
    assert answer.status_code == 200, answer.text
    assert set(answer.headers["x-twinlens-ignored"].split(", ")) == set(IGNORED)
    meant_nothing = way(client, quality="auto", background="auto", moderation="auto", style="")
    assert "x-twinlens-ignored" not in meant_nothing.headers
    assert upstream.calls[0].body == upstream.calls[1].body
    opaque = way(client, background="opaque")
    assert "x-twinlens-ignored" not in opaque.headers
    assert opaque.json()["background"] == "opaque"


def test_the_extras_reach_the_model(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    google = {"generationConfig": {"topP": 0.5}, "safetySettings": safety}
    ask(
        "generate",
        model=MODEL,
        prompt="a cat",
        size="16:9",
        extra_body={"seed": 7, "temperature": 0.5, "google": google},
    )
    body = upstream.calls[0].json
    assert body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9"},
        "seed": 7,
        "temperature": 0.5,
        "topP": 0.5,
    }
    assert body["safetySettings"] == safety


@pytest.mark.parametrize("way", [generation, form_edit, json_edit], ids=["generation", "form", "JSON edit"])
def test_limits_of_the_model_are_left_to_the_upstream(
    client: openai.OpenAI, upstream: ScriptedUpstream, way: Way
) -> None:
    upstream.answers(failed(400, "INVALID_ARGUMENT", message="temperature must be in the range [0.0, 2.0]."))
    answer = way(client, temperature=3)
    assert upstream.calls[0].json["generationConfig"]["temperature"] == 3
    assert answer.status_code == 400
    assert "[0.0, 2.0]" in answer.json()["error"]["message"]


def test_extra_body_may_be_sent_as_a_field(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    modalities = {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}
    assert generation(client, extra_body={"google": modalities}).status_code == 200
    assert upstream.calls[0].json["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]


def test_pictures_may_be_given_to_a_generation_in_every_form(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    jpeg = pictures.plain_jpeg(32, 16)
    given = [pictures.base64_of(jpeg), DATA_URL, "https://example.com/cat.webp"]
    ask("generate", model=MODEL, prompt="a cat", extra_body={"image": given})
    assert inline_pictures(upstream.calls[0]) == [("image/jpeg", jpeg), ("image/png", PICTURE)]
    *_, by_address, prompt = parts_of(upstream.calls[0])
    assert by_address["fileData"] == {"fileUri": "https://example.com/cat.webp", "mimeType": "image/webp"}
    assert prompt == {"text": "a cat"}


# Several pictures


@pytest.mark.parametrize("response_format", ["b64_json", "url"])
def test_four_pictures_take_hardly_longer_than_one(ask: Ask, upstream: ScriptedUpstream, response_format: str) -> None:
    upstream.answers(painted(delay=1))
    started = time.monotonic()
    answer = ask("generate", model=MODEL, prompt="a cat", n=4, response_format=response_format)
    assert time.monotonic() - started < 1.6
    assert bytes_of(answer) == [pictures.plain_png()] * 4
    assert len(upstream.calls) == 4


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (refused(), "moderation_blocked"),
        (failed(429, "RESOURCE_EXHAUSTED"), "rate_limit_exceeded"),
        (failed(500, "INTERNAL"), "server_error"),
        (NO_ANSWER, "upstream_error"),
        (painted(cut_after=3000), "upstream_error"),
        (Answer(pictures.drawn({"text": "No."})), "no_image_generated"),
    ],
    ids=["refused", "429", "500", "a reset", "a break in the picture", "only words"],
)
def test_one_of_four_that_fails_leaves_three_pictures_and_one_entry_in_errors(
    client: openai.OpenAI, upstream: ScriptedUpstream, trouble: Answer, code: str
) -> None:
    upstream.answers(painted(), trouble, painted(), painted())
    answer = client.images.generate(model=MODEL, prompt="a cat", n=4, response_format="b64_json")
    assert bytes_of(answer) == [pictures.plain_png()] * 3
    (entry,) = extras(answer)["errors"]
    assert set(entry) == {"message", "type", "param", "code"}
    assert entry["code"] == code
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3 * 1290
    assert len(upstream.calls) == 4


def test_ten_edits_are_answered_in_the_order_in_which_they_arrive(ask: Ask, upstream: ScriptedUpstream) -> None:
    colours = ("crimson", "navy", "olive", "teal", "gold", "plum", "pink", "gray", "tan", "lime")
    upstream.answers(*(painted(colour, delay=1 - number / 10) for number, colour in enumerate(colours)))
    answer = ask("edit", model=MODEL, prompt="a cat", image=PICTURE, n=10)
    assert bytes_of(answer) == [pictures.plain_png(colour=colour) for colour in reversed(colours)]


# What comes back


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("response_format", ["b64_json", "url"])
@pytest.mark.parametrize("method", ["generate", "edit"])
def test_a_picture_has_the_format_that_was_asked_for(
    client: openai.OpenAI, upstream: ScriptedUpstream, method: str, response_format: str, output_format: str
) -> None:
    upstream.answers(painted())
    image = {"image": PICTURE} if method == "edit" else {}
    answer = getattr(client.images, method)(
        model=MODEL, prompt="a cat", output_format=output_format, response_format=response_format, **image
    )
    (picture,) = bytes_of(answer)
    assert opened(picture).format == output_format.upper()
    assert opened(picture).size == (1024, 1024)
    assert (answer.output_format, answer.size) == (output_format, "1024x1024")
    if response_format == "url":
        stored = requests.get(answer.data[0].url, timeout=10)
        assert stored.headers["Content-Type"] == f"image/{output_format}"
        assert answer.data[0].url.endswith(output_format)
    assert output_format != "png" or picture == pictures.plain_png()


def opened(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image


def test_compression_makes_a_picture_smaller_and_means_nothing_to_a_png(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(Answer(pictures.drawn(pictures.picture_part(pictures.heavy_png()))))
    lengths = []
    for output_compression in (100, 60, 0):
        answer = client.images.generate(
            prompt="a cat", output_format="jpeg", output_compression=output_compression, response_format="b64_json"
        )
        lengths.append(len(bytes_of(answer)[0]))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[2] < lengths[0] / 4
    raw = client.images.with_raw_response.generate(
        prompt="a cat", output_format="png", output_compression=50, response_format="b64_json"
    )
    assert raw.headers["x-twinlens-ignored"] == "output_compression"
    assert bytes_of(raw.parse()) == [pictures.heavy_png()]


@pytest.mark.parametrize("output_format", [None, "jpeg"])
@pytest.mark.parametrize("resize", ["cover", "contain"])
@pytest.mark.parametrize("size", ["1000x500", "3000x1000", "64x64", "1024x1024"])
def test_resize_makes_exactly_the_pixels_of_any_size(
    client: openai.OpenAI, upstream: ScriptedUpstream, size: str, resize: str, output_format: str | None
) -> None:
    upstream.answers(painted())
    answer = client.images.generate(
        model=MODEL,
        prompt="a cat",
        size=size,
        response_format="b64_json",
        extra_body={"resize": resize, "output_format": output_format},
    )
    (picture,) = bytes_of(answer)
    width, height = map(int, size.split("x"))
    assert opened(picture).size == (width, height)
    assert answer.size == size
    corner = opened(picture).convert("RGB").getpixel((0, 0))
    bordered = resize == "contain" and width != height
    assert all(value > 250 for value in corner) == bordered


def test_a_picture_of_another_type_is_re_encoded_and_its_true_size_returned(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    jpeg = pictures.picture_part(pictures.plain_jpeg(), "image/jpeg")
    upstream.answers(Answer(pictures.drawn(jpeg)))
    untouched = client.images.generate(prompt="a cat", response_format="b64_json", size="1024x1024")
    assert (untouched.size, untouched.output_format) == ("1408x768", "jpeg")
    assert bytes_of(untouched) == [pictures.plain_jpeg()]
    encoded_again = client.images.generate(prompt="a cat", response_format="b64_json", output_format="png")
    assert opened(bytes_of(encoded_again)[0]).format == "PNG"
    assert (encoded_again.size, encoded_again.output_format) == ("1408x768", "png")


def test_usage_has_the_kinds_of_tokens_and_their_cost(ask: Ask, upstream: ScriptedUpstream) -> None:
    usage = {
        "promptTokenCount": 267,
        "candidatesTokenCount": 1303,
        "thoughtsTokenCount": 100,
        "totalTokenCount": 1670,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 9},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
        "candidatesTokensDetails": [
            {"modality": "IMAGE", "tokenCount": 1290},
            {"modality": "TEXT", "tokenCount": 13},
        ],
    }
    upstream.answers(Answer({**pictures.drawn(pictures.picture_part(pictures.plain_png())), "usageMetadata": usage}))
    for n in (1, 3):
        answer = ask("edit", model=MODEL, prompt="a cat", image=PICTURE, n=n)
        usage = answer.usage
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (267 * n, 1403 * n, 1670 * n)
        details = usage.input_tokens_details
        assert (details.text_tokens, details.image_tokens) == (9 * n, 258 * n)
        assert usage.output_tokens_details is not None
        assert usage.output_tokens_details.text_tokens == 113 * n
        assert usage.output_tokens_details.image_tokens == 1290 * n
        cost = (267 * 0.30 + 113 * 2.50 + 1290 * 30) / 1_000_000 * n
        assert extras(usage)["cost"] == pytest.approx(cost, rel=1e-6)


def test_a_variation_is_an_edit_whose_words_are_ours(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    with pytest.warns(DeprecationWarning, match="deprecated"):
        answer = ask("create_variation", model=MODEL, image=PICTURE, size="1024x1024", n=1)
    assert bytes_of(answer) == [pictures.plain_png()]
    assert answer.data[0].url
    (call,) = upstream.calls
    assert inline_pictures(call) == [("image/png", PICTURE)]
    assert "variation" in parts_of(call)[-1]["text"]
    assert call.aspect_ratio == "1:1"


def test_a_variation_needs_a_form(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    answer = post(client, "images/variations", json={"image": DATA_URL})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    empty = post(client, "images/variations", files={"n": (None, "1")})
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "missing_required_parameter")
    assert empty.json()["error"]["param"] == "image"
    assert upstream.calls == []


def test_the_headers_have_the_ratio_the_retirement_date_and_the_request_id(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    headers = client.images.with_raw_response.generate(prompt="a cat", size="16:9").headers
    assert headers["x-twinlens-aspect-ratio"] == "16:9"
    assert headers["x-twinlens-retires"] == "2026-10-02"
    assert headers["x-request-id"]
    headers = client.images.with_raw_response.generate(prompt="a cat").headers
    assert "x-twinlens-aspect-ratio" not in headers
    assert "x-twinlens-advisory" not in headers


# Models


def test_a_model_lists_its_limits_and_prices(client: openai.OpenAI) -> None:
    for model in (*client.models.list(), client.models.retrieve(MODEL)):
        assert model.id == "gemini-2.5-flash-image"
        assert (model.object, model.owned_by, model.shutdown_date) == ("model", "google", "2026-10-02")
        fields = extras(model)
        assert fields["aspect_ratios"] == {ratio: f"{width}x{height}" for ratio, (width, height) in PIXELS.items()}
        assert fields["image_sizes"] == {}
        assert fields["output_formats"] == ["png", "jpeg", "webp", "avif"]
        assert fields["limits"]["n"] == 10
        assert fields["limits"]["prompt_characters"] == 32000
        assert {name: fields["pricing"][name] for name in ("input", "text_output", "image_output")} == {
            "input": 0.30,
            "text_output": 2.50,
            "image_output": 30,
        }


@pytest.fixture(scope="module")
def renamed_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with OpenAI's names for a model that has tiers and drafts."""
    settings = {
        "MODEL_ALIASES": "openai=gemini-2.5-flash-image,painter=gemini-2.5-flash-image",
        "UPSTREAM_MODELS": "gemini-2.5-flash-image=gemini-nano-banana-2.1",
    }
    with ProxyServer(tmp_path_factory.mktemp("renamed"), GEMINI_BASE_URL=google.url, **settings) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("dall-e-2", "url"),
        ("dall-e-3", "url"),
        ("gpt-image-1.5", "b64_json"),
        ("gpt-image-2.6-flare", "b64_json"),
        ("chatgpt-image-latest", "b64_json"),
        ("painter", "url"),
        ("gemini-2.5-flash-image", "url"),
    ],
)
def test_an_alias_has_the_default_of_its_name_and_follows_the_parameter(
    renamed_server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, default: str
) -> None:
    upstream.answers(painted())
    client = openai.OpenAI(base_url=f"{renamed_server.url}/v1", api_key=key)
    for response_format, expected in ((openai.omit, default), ("url", "url"), ("b64_json", "b64_json")):
        (item,) = client.images.generate(model=name, prompt="a cat", response_format=response_format).data or []
        assert [field for field in ("url", "b64_json") if getattr(item, field)] == [expected]
    assert {call.target for call in upstream.calls} == {"/v1beta/models/gemini-nano-banana-2.1:generateContent"}
    assert client.models.retrieve(name).id == name


def test_a_model_with_tiers_is_asked_for_the_nearest_one(
    renamed_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(painted())
    client = openai.OpenAI(base_url=f"{renamed_server.url}/v1", api_key=key)
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({}, None),
        ({"size": "16:9"}, None),
        ({"size": "1024x1024"}, "1K"),
        ({"size": "2048x2048"}, "2K"),
        ({"size": "3840x2160"}, "2K"),  # twice the pixels of 2K are nearer than half of those of 4K
        ({"size": "5504x3072"}, "4K"),
        ({"size": "256x256"}, "1K"),
        ({"size": "1024x1024", "extra_body": {"image_size": "4K"}}, "4K"),
    ]
    for parameters, tier in cases:
        answer = client.images.with_raw_response.generate(prompt="a cat", **parameters)
        sent = upstream.calls[-1].json["generationConfig"].get("imageConfig", {})
        assert sent.get("imageSize") == tier, parameters
        assert "x-twinlens-ignored" not in answer.headers
        assert "x-twinlens-retires" not in answer.headers
        assert answer.headers["x-twinlens-model"] == "gemini-nano-banana-2.1"
        assert extras(answer.parse().usage)["cost"] == pytest.approx((9 * 1.5 + 1290 * 30) / 1e6)
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="a cat", extra_body={"image_size": "8K"})
    assert caught.value.param == "image_size"


# Errors

MINUTE = pictures.quota_failure("GenerateRequestsPerMinutePerProjectPerModel")
DAY = pictures.quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier")
LOCATION = "User location is not supported for the API use."
ERRORS: dict[str, tuple[Answer, type[openai.APIStatusError], int, str, str | None, bool]] = {
    # what the upstream answers: the exception, the status, its type and code, whether the SDK asks again
    "a wrong key": (
        Answer(pictures.API_KEY_INVALID, status=400),
        *(openai.AuthenticationError, 401, "invalid_request_error", "invalid_api_key", False),
    ),
    "401": (
        failed(401, "UNAUTHENTICATED"),
        *(openai.AuthenticationError, 401, "invalid_request_error", "invalid_api_key", False),
    ),
    "403": (
        failed(403, "PERMISSION_DENIED"),
        *(openai.PermissionDeniedError, 403, "invalid_request_error", "permission_denied", False),
    ),
    "a location": (
        failed(400, "FAILED_PRECONDITION", message=LOCATION),
        openai.PermissionDeniedError,
        *(403, "invalid_request_error", "unsupported_country_region_territory", False),
    ),
    "another precondition": (
        failed(400, "FAILED_PRECONDITION", message="Billing is not enabled."),
        *(openai.BadRequestError, 400, "invalid_request_error", None, False),
    ),
    "400": (
        failed(400, "INVALID_ARGUMENT"),
        *(openai.BadRequestError, 400, "invalid_request_error", None, False),
    ),
    "404": (
        failed(404, "NOT_FOUND"),
        *(openai.NotFoundError, 404, "invalid_request_error", "model_not_found", False),
    ),
    "409": (failed(409, "ABORTED"), openai.ConflictError, 409, "invalid_request_error", None, True),
    "422": (failed(422, "X"), openai.UnprocessableEntityError, 422, "invalid_request_error", None, False),
    "a quota of the day": (
        failed(429, "RESOURCE_EXHAUSTED", DAY, pictures.retry_info("3s")),
        *(openai.RateLimitError, 429, "insufficient_quota", "insufficient_quota", False),
    ),
    "a quota of the minute": (
        failed(429, "RESOURCE_EXHAUSTED", MINUTE),
        *(openai.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded", True),
    ),
    "500": (failed(500, "INTERNAL"), openai.InternalServerError, 500, "server_error", "server_error", True),
    "503": (
        failed(503, "UNAVAILABLE"),
        *(openai.InternalServerError, 503, "service_unavailable_error", "service_unavailable", True),
    ),
    "503 after minutes": (
        failed(503, "UNAVAILABLE", message="Deadline expired before operation could complete."),
        *(openai.InternalServerError, 503, "service_unavailable_error", "service_unavailable", False),
    ),
    "504": (
        failed(504, "DEADLINE_EXCEEDED"),
        *(openai.InternalServerError, 504, "server_error", "upstream_timeout", False),
    ),
    "502": (
        Answer(b"<html>Bad gateway</html>", status=502, content_type="text/html"),
        *(openai.InternalServerError, 502, "server_error", "upstream_error", False),
    ),
    "HTML with 200": (
        Answer(b"<html>Welcome</html>", content_type="text/html"),
        *(openai.InternalServerError, 502, "server_error", "upstream_error", False),
    ),
    "broken JSON": (
        Answer(b'{"candidates": [}'),
        *(openai.InternalServerError, 502, "server_error", "upstream_error", False),
    ),
    "a reset": (
        NO_ANSWER_BUT_A_RESET,
        *(openai.InternalServerError, 502, "server_error", "upstream_error", False),
    ),
    "only words": (
        Answer(pictures.drawn({"text": "I cannot."})),
        *(openai.BadRequestError, 400, "image_generation_user_error", "no_image_generated", False),
    ),
    **{
        reason: (
            refused(reason),
            *(openai.BadRequestError, 400, "image_generation_user_error", "moderation_blocked", False),
        )
        for reason in (
            *("SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "SPII"),
            *("RECITATION", "IMAGE_RECITATION"),
        )
    },
    **{
        reason: (
            refused(reason),
            *(openai.BadRequestError, 400, "image_generation_user_error", "no_image_generated", False),
        )
        for reason in ("STOP", "MAX_TOKENS", "OTHER", "IMAGE_OTHER", "NO_IMAGE", "SOMETHING_NEW")
    },
    "a prompt that is blocked": (
        Answer({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
        *(openai.BadRequestError, 400, "image_generation_user_error", "moderation_blocked", False),
    ),
}


@pytest.mark.parametrize("method", ["generate", "edit"])
@pytest.mark.parametrize(("answer", "exception", "status", "kind", "code", "again"), ERRORS.values(), ids=ERRORS)
def test_an_error_has_its_class_code_and_number_of_attempts(
    client: openai.OpenAI,
    upstream: ScriptedUpstream,
    method: str,
    answer: Answer,
    exception: type[openai.APIStatusError],
    status: int,
    kind: str,
    code: str | None,
    again: bool,
) -> None:
    upstream.answers(answer)
    image = {"image": PICTURE} if method == "edit" else {}
    with pytest.raises(exception) as caught:
        getattr(client.with_options(max_retries=1).images, method)(model=MODEL, prompt="a cat", **image)
    error = caught.value
    assert (error.status_code, error.type, error.code) == (status, kind, code)
    assert error.message
    assert error.request_id
    assert len(upstream.calls) == (2 if again else 1)


def test_a_refusal_says_why_and_is_not_retried(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(Answer(pictures.refused("IMAGE_SAFETY", "It violated the policy.")))
    with pytest.raises(openai.BadRequestError) as caught:
        ask("edit", model=MODEL, prompt="a cat", image=PICTURE)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "IMAGE_SAFETY" in caught.value.message
    assert "It violated the policy." in caught.value.message
    assert len(upstream.calls) == 1


def test_the_sdk_waits_as_long_as_retry_after_ms_says(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(failed(429, "RESOURCE_EXHAUSTED", pictures.retry_info("0.15s")), painted())
    started = time.monotonic()
    ask("edit", model=MODEL, prompt="a cat", image=PICTURE)
    assert 0.15 <= time.monotonic() - started < 3, "the delay, and a second in which the retry looks for its first try"
    first, second = upstream.calls
    assert first.body == second.body


# Below Google's own compatibility path


def test_the_same_surface_stands_below_googles_compatibility_path(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1beta/openai/", api_key=key)
    upstream.answers(painted())
    assert bytes_of(client.images.generate(model=MODEL, prompt="a cat", response_format="b64_json"))
    assert bytes_of(client.images.edit(model=MODEL, prompt="a cat", image=PICTURE))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert bytes_of(client.images.create_variation(model=MODEL, image=PICTURE))
    (event,) = client.images.generate(model=MODEL, prompt="a cat", stream=True)
    assert event.type == "image_generation.completed"
    assert [model.id for model in client.models.list()] == ["gemini-2.5-flash-image"]
    assert client.models.retrieve(MODEL).id == "gemini-2.5-flash-image"
    assert {call.headers.get("x-goog-api-key") for call in upstream.calls} == {key}
    upstream.answers(refused())
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model=MODEL, prompt="a cat")
    assert caught.value.code == "moderation_blocked"
    with pytest.raises(openai.NotFoundError) as not_found:
        client.models.retrieve("gpt-4o")
    assert not_found.value.code == "model_not_found"


# Deadlines


def test_the_timeout_of_the_caller_does_not_shorten_the_call(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted(delay=1.5))
    answer = post(client, "images/generations", {"x-stainless-read-timeout": "0.5"}, json={"prompt": "a cat"})
    assert answer.status_code == 200, "its retry gets this picture"


@pytest.mark.parametrize("timeout", ["0", "-1", "inf", "nan", "soon", "100000"])
def test_an_invalid_timeout_of_the_caller_is_ignored(
    client: openai.OpenAI, upstream: ScriptedUpstream, timeout: str
) -> None:
    upstream.answers(painted(delay=0.1))
    answer = post(client, "images/generations", {"x-stainless-read-timeout": timeout}, json={"prompt": "a cat"})
    assert answer.status_code == 200, answer.text


def test_an_answer_has_its_time(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    answer = generation(client, response_format="b64_json")
    assert re.fullmatch(r'\{"created":\d{10},"data":\[\{"b64_json":"[A-Za-z0-9+/]+=*".*', answer.text, re.DOTALL)
    assert abs(answer.json()["created"] - time.time()) < 60
