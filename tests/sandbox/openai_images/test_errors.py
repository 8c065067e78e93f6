"""The errors of OpenAI's Images API, in OpenAI's words."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from PIL import Image

import spec
from tests.sandbox.gemini_client import Client, bytes_of, png
from tests.sandbox.openai_client import (
    OPENAI_KEY,
    PROMPT,
    data_url,
    edit,
    error_of,
    generate,
    image_file,
    pictures,
    post,
)
from tests.spec.spec_validators import answer_complaints

BAD_REQUEST, USER_ERROR = "invalid_request_error", "image_generation_user_error"
TRANSPARENT = png((64, 64), "RGBA")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": None}, "missing_required_parameter", "prompt"),
        ({"prompt": ""}, "empty_string", "prompt"),
        ({"prompt": "x" * 32_001}, "string_above_max_length", "prompt"),
        ({"prompt": ["a", "b"]}, "invalid_type", "prompt"),
        ({"prompt": 7}, "invalid_type", "prompt"),
        ({"model": 7}, "invalid_type", "model"),
        ({"n": 0}, "integer_below_min_value", "n"),
        ({"n": 11}, "integer_above_max_value", "n"),
        ({"n": "2"}, "invalid_type", "n"),
        ({"n": True}, "invalid_type", "n"),
        ({"n": 1.5}, "invalid_type", "n"),
        ({"quality": "finest"}, "invalid_value", "quality"),
        ({"output_format": "gif"}, "invalid_value", "output_format"),
        ({"output_compression": 101}, "integer_above_max_value", "output_compression"),
        ({"background": "pink"}, "invalid_value", "background"),
        ({"background": "transparent", "output_format": "jpeg"}, "invalid_value", "background"),
        ({"response_format": "file"}, "invalid_value", "response_format"),
        ({"stream": "true"}, "invalid_type", "stream"),
        ({"partial_images": 4}, "integer_above_max_value", "partial_images"),
        ({"seed": "x"}, "invalid_type", "seed"),
        ({"size": 1024}, "invalid_type", "size"),
    ],
    ids=str,
)
def test_a_field_that_is_refused(client: Client, fields: dict[str, Any], code: str, param: str) -> None:
    answer = generate(client, **fields)
    error = error_of(answer, 400)
    assert (error["type"], error["code"], error["param"]) == (BAD_REQUEST, code, param)
    document, path = spec.load("openai_images"), "/v1/images/generations"
    assert answer_complaints(document, "POST", path, 400, dict(answer.headers), answer.text) == []


@pytest.mark.parametrize(
    "size",
    ["15x64", "64x15", "4097x64", "4096x4096", "64x", "064x64", "1024X1024", "1024x1024x3", "big", "-1x64"],
)
def test_a_size_that_cannot_be_drawn(client: Client, size: str) -> None:
    error = error_of(generate(client, size=size), 400)
    assert (error["type"], error["code"], error["param"]) == (USER_ERROR, "invalid_value", "size")
    assert f"'{size}'" in error["message"]


def test_messages(client: Client) -> None:
    messages = {
        "Invalid type for 'n': expected an integer, but got a string instead.": {"n": "2"},
        "Invalid 'n': integer above maximum value. Expected a value <= 10, but got 11 instead.": {"n": 11},
        "Invalid value: 'gif'. Supported values are: 'png', 'webp', and 'jpeg'.": {"output_format": "gif"},
        "Missing required parameter: 'prompt'.": {"prompt": None},
        "The model 'missing-model' does not exist.": {"model": "missing-model"},
    }
    for message, fields in messages.items():
        assert error_of(generate(client, **fields), 400)["message"] == message


def test_an_unknown_model(client: Client) -> None:
    error = error_of(generate(client, model="missing"), 400)
    assert (error["type"], error["code"], error["param"]) == (USER_ERROR, "invalid_value", "model")
    listed = error_of(client.get("/v1/models/missing", OPENAI_KEY), 404)
    assert (listed["code"], listed["param"]) == ("model_not_found", "model")


def test_keys(client: Client) -> None:
    answer = generate(client, headers={"authorization": "Bearer sk-invalid-and-very-secret-1234"})
    error = error_of(answer, 401)
    assert (error["type"], error["code"]) == (BAD_REQUEST, "invalid_api_key")
    assert "secret" not in error["message"] and "1234" in error["message"]
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert error_of(generate(client, headers={"authorization": "Basic abc"}), 401)["code"] is None
    error_of(client.get("/v1/models", {"authorization": "Bearer invalid"}), 401)
    # the key is checked before anything else
    error_of(post(client, "generations", data="{", headers={"authorization": "Bearer invalid"}), 401)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "[" * 10_000, b"\xff"], ids=str)
def test_a_body_that_is_no_object(client: Client, body: str | bytes) -> None:
    headers = {"content-type": "application/json"}
    assert "could not parse" in error_of(post(client, "generations", data=body, headers=headers), 400)["message"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("generations", ""),
        ("generations", "multipart/form-data"),
        ("generations", "application/x-www-form-urlencoded"),
        ("edits", "text/plain"),
        ("variations", "application/json"),
    ],
)
def test_a_body_of_another_content_type(client: Client, operation: str, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    error = error_of(post(client, operation, data=b'{"prompt": "a hill"}', headers=headers), 415)
    assert error["code"] == "unsupported_content_type"


FORM = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na hill\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", FORM),
        ("multipart/form-data; boundary=y", FORM),
        ("multipart/form-data; boundary=x", FORM[:-6]),
        ("multipart/form-data; boundary=x", b"junk" + FORM),
        ("multipart/form-data; boundary=x", FORM.replace(b"\r\n", b"\n")),
        ("multipart/form-data; boundary=x", FORM.replace(b'; name="prompt"', b"")),
        ("multipart/form-data; boundary=x", b""),
    ],
)
def test_a_body_that_is_no_form(client: Client, kind: str, body: bytes) -> None:
    assert "multipart" in error_of(post(client, "edits", data=body, headers={"content-type": kind}), 400)["message"]


def test_a_form_without_an_image(client: Client) -> None:
    headers = {"content-type": 'multipart/form-data; boundary="x"'}
    error = error_of(post(client, "edits", data=FORM, headers=headers), 400)
    assert (error["code"], error["param"]) == ("missing_required_parameter", "image")


@pytest.mark.parametrize(
    ("files", "code", "param"),
    [
        ([], "missing_required_parameter", "image"),
        ([png()] * 17, "array_above_max_length", "image"),
        ([b"no image"], "invalid_image_file", None),
        ([png(), png()[:60]], "invalid_image_file", None),
        ([b""], "invalid_image_file", None),
    ],
    ids=["none", "too many", "no image", "half an image", "empty"],
)
def test_images_of_a_form(client: Client, files: list[bytes], code: str, param: str | None) -> None:
    given = [image_file(data) for data in files]
    answer = edit(client, *given) if given else edit(client, mask=image_file(TRANSPARENT))
    error = error_of(answer, 400)
    assert (error["code"], error["param"]) == (code, param)
    if code == "invalid_image_file":
        assert f"for image {len(files)}" in error["message"]


def test_values_of_a_form(client: Client) -> None:
    given = image_file(png())
    for name, value in {"n": "eleven", "stream": "yes", "output_compression": "1.5"}.items():
        error = error_of(edit(client, given, **{name: value}), 400)
        assert (error["code"], error["param"]) == ("invalid_type", name)
    assert error_of(edit(client, given, n="11"), 400)["code"] == "integer_above_max_value"
    empty = {"n": "", "size": "", "response_format": ""}
    assert len(pictures(edit(client, given, **empty))) == 1


@pytest.mark.parametrize("mime_type", ["application/octet-stream", "image/gif", "text/plain"])
def test_a_file_whose_content_type_is_no_image(client: Client, mime_type: str) -> None:
    error = error_of(edit(client, image_file(png()), image_file(png(), mime_type)), 400)
    assert (error["code"], error["param"]) == ("unsupported_file_mimetype", "image[1]")
    assert f"unsupported mimetype ('{mime_type}')" in error["message"]
    assert error_of(edit(client, image_file(png(), mime_type)), 400)["param"] == "image"
    assert error_of(edit(client, image_file(png()), mask=image_file(TRANSPARENT, mime_type)), 400)["param"] == "mask"


def test_an_image_of_another_format_or_with_too_many_pixels(client: Client) -> None:
    for data in (bytes_of(Image.new("RGB", (8, 8)), "GIF"), bytes_of(Image.new("1", (8_000, 8_000)))):
        assert error_of(edit(client, image_file(data)), 400)["code"] == "invalid_image_file"


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (png((32, 64), "RGBA"), "mask size does not match image size"),
        (png((64, 64)), "mask image missing alpha channel"),
        (b"no image", "cannot be read"),
    ],
)
def test_a_mask_that_does_not_fit(client: Client, mask: bytes, message: str) -> None:
    error = error_of(edit(client, image_file(png()), mask=image_file(mask)), 400)
    assert message in error["message"]
    assert (error["type"], error["param"]) == (USER_ERROR, "mask")


@pytest.mark.parametrize(
    ("images", "code", "param"),
    [
        (None, "missing_required_parameter", "images"),
        ([], "missing_required_parameter", "images"),
        ("https://example.com/cat.png", "invalid_type", "images"),
        (["https://example.com/cat.png"], "invalid_type", "images[0]"),
        ([{}], "missing_required_parameter", "images[0].image_url"),
        ([{"image_url": 7}], "invalid_type", "images[0].image_url"),
        ([{"file_id": "file-1"}], "invalid_value", "images[0].file_id"),
        ([{"image_url": "ftp://example.com/cat.png"}], "invalid_value", "images[0].image_url"),
        ([{"image_url": base64.b64encode(png()).decode()}], "invalid_value", "images[0].image_url"),
        ([{"image_url": data_url(b"none")}], "invalid_image_file", "images[0].image_url"),
        ([{"image_url": "data:image/png;base64,a-_b"}], "invalid_image_file", "images[0].image_url"),
        ([{"image_url": data_url(png(), "image/gif")}], "unsupported_file_mimetype", "images[0].image_url"),
        ([{"image_url": data_url(png())}, {"image_url": ""}], "invalid_value", "images[1].image_url"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_images_of_json(client: Client, images: Any, code: str, param: str) -> None:
    error = error_of(post(client, "edits", json={"prompt": PROMPT, "images": images}), 400)
    assert (error["code"], error["param"]) == (code, param)


def test_a_variation_without_an_image(client: Client) -> None:
    answer = post(client, "variations", files={"other": image_file(png())})
    assert error_of(answer, 400)["code"] == "missing_required_parameter"


def test_urls_and_methods(client: Client) -> None:
    missing = error_of(post(client, "paintings", json={}), 404)
    assert missing["message"] == "Invalid URL (POST /v1/images/paintings)"
    wrong = error_of(client.get("/v1/images/generations", OPENAI_KEY), 405)
    assert (wrong["message"], wrong["code"]) == (
        "Not allowed to GET on /v1/images/generations.",
        "method_not_supported",
    )
    assert post(client, "generations:stream", json={}).status_code == 404


def test_a_bug_of_the_sandbox_is_an_error_in_openais_form(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("sandbox.openai_images.prepare_job", broken)
    assert error_of(generate(client), 500)["type"] == "server_error"
