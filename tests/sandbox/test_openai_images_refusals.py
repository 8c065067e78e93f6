"""The sandbox as a server that speaks OpenAI's Images API: what it refuses, and in which words."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

import spec
from tests.sandbox.openai_clients import OPENAI_KEY, PROMPT, data_url, edit, error_of, generate, picture, pictures, post
from tests.sandbox.sandbox_clients import Client, png
from tests.spec.spec_validators import answer_complaints

BAD_REQUEST, BAD_WISH = "invalid_request_error", "image_generation_user_error"
HIDDEN = png((64, 64), "RGBA")


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
def test_a_field_that_cannot_be_served(client: Client, fields: dict[str, Any], code: str, param: str) -> None:
    refused = generate(client, **fields)
    error = error_of(refused, 400)
    assert (error["type"], error["code"], error["param"]) == (BAD_REQUEST, code, param)
    document = spec.load("openai_images")
    path = "/v1/images/generations"
    assert answer_complaints(document, "POST", path, 400, dict(refused.headers), refused.text) == []


@pytest.mark.parametrize(
    "size",
    [
        "15x64",
        "64x15",
        "4097x64",
        "4096x4096",
        "0x0",
        "64",
        "64x",
        "064x64",
        "1024X1024",
        "1024x1024x3",
        "big",
        "-1x64",
    ],
)
def test_a_size_that_cannot_be_drawn(adapted: Client, size: str) -> None:
    error = error_of(generate(adapted, size=size), 400)
    assert (error["type"], error["code"], error["param"]) == (BAD_WISH, "invalid_value", "size")
    assert f"'{size}'" in error["message"]


def test_words_of_the_complaints(adapted: Client) -> None:
    told = {
        "Invalid type for 'n': expected an integer, but got a string instead.": {"n": "2"},
        "Invalid 'n': integer above maximum value. Expected a value <= 10, but got 11 instead.": {"n": 11},
        "Invalid value: 'gif'. Supported values are: 'png', 'webp', and 'jpeg'.": {"output_format": "gif"},
        "Missing required parameter: 'prompt'.": {"prompt": None},
        "The model 'missing-model' does not exist.": {"model": "missing-model"},
    }
    for message, fields in told.items():
        assert error_of(generate(adapted, **fields), 400)["message"] == message


def test_a_model_that_is_missing(client: Client) -> None:
    error = error_of(generate(client, model="missing"), 400)
    assert (error["type"], error["code"], error["param"]) == (BAD_WISH, "invalid_value", "model")
    listed = error_of(client.get("/v1/models/missing", OPENAI_KEY), 404)
    assert (listed["code"], listed["param"]) == ("model_not_found", "model")


def test_keys(client: Client) -> None:
    refused = generate(client, headers={"authorization": "Bearer sk-invalid-and-very-secret-1234"})
    error = error_of(refused, 401)
    assert (error["type"], error["code"]) == (BAD_REQUEST, "invalid_api_key")
    assert "secret" not in error["message"] and "1234" in error["message"]
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert error_of(generate(client, headers={"authorization": "Basic abc"}), 401)["code"] is None
    error_of(client.get("/v1/models", {"authorization": "Bearer invalid"}), 401)
    # the key is looked at before anything else
    error_of(post(client, "generations", data="{", headers={"authorization": "Bearer invalid"}), 401)


@pytest.mark.parametrize("body", ["", "{", "[]", "7", "null", '"a"', "[" * 10_000, b"\xff"], ids=str)
def test_a_body_that_is_no_object(adapted: Client, body: str | bytes) -> None:
    headers = {"content-type": "application/json"}
    assert "could not parse" in error_of(post(adapted, "generations", data=body, headers=headers), 400)["message"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *(
            ("generations", kind)
            for kind in ("", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded")
        ),
        *(("edits", kind) for kind in ("", "text/plain")),
        *(("variations", kind) for kind in ("", "application/json")),
    ],
)
def test_a_body_of_another_kind(client: Client, operation: str, kind: str) -> None:
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
def test_a_form_that_is_none(adapted: Client, kind: str, body: bytes) -> None:
    assert "multipart" in error_of(post(adapted, "edits", data=body, headers={"content-type": kind}), 400)["message"]


def test_the_same_form_unharmed_lacks_its_picture(adapted: Client) -> None:
    headers = {"content-type": 'multipart/form-data; boundary="x"'}
    error = error_of(post(adapted, "edits", data=FORM, headers=headers), 400)
    assert (error["code"], error["param"]) == ("missing_required_parameter", "image")


@pytest.mark.parametrize(
    ("files", "code", "param"),
    [
        ([], "missing_required_parameter", "image"),
        ([png()] * 17, "array_above_max_length", "image"),
        ([b"no picture"], "invalid_image_file", None),
        ([png(), png()[:60]], "invalid_image_file", None),
        ([b""], "invalid_image_file", None),
    ],
    ids=["none", "too many", "no picture", "half a picture", "empty"],
)
def test_pictures_of_a_form(client: Client, files: list[bytes], code: str, param: str | None) -> None:
    given = [picture(data) for data in files]
    answer = edit(client, *given) if given else edit(client, mask=picture(HIDDEN))
    error = error_of(answer, 400)
    assert (error["code"], error["param"]) == (code, param)
    if code == "invalid_image_file":
        assert f"for image {len(files)}" in error["message"]


def test_numbers_and_words_of_a_form(adapted: Client) -> None:
    given = picture(png())
    told = {"n": "eleven", "stream": "yes", "output_compression": "1.5"}
    for name, value in told.items():
        error = error_of(edit(adapted, given, **{name: value}), 400)
        assert (error["code"], error["param"]) == ("invalid_type", name)
    assert error_of(edit(adapted, given, n="11"), 400)["code"] == "integer_above_max_value"
    empty = {"n": "", "size": "", "response_format": ""}
    assert len(pictures(edit(adapted, given, **empty))) == 1


@pytest.mark.parametrize("mime_type", ["application/octet-stream", "image/gif", "text/plain"])
def test_a_file_that_does_not_call_itself_a_picture(client: Client, mime_type: str) -> None:
    error = error_of(edit(client, picture(png()), picture(png(), mime_type)), 400)
    assert (error["code"], error["param"]) == ("unsupported_file_mimetype", "image[1]")
    assert f"unsupported mimetype ('{mime_type}')" in error["message"]
    assert error_of(edit(client, picture(png(), mime_type)), 400)["param"] == "image"
    assert error_of(edit(client, picture(png()), mask=picture(HIDDEN, mime_type)), 400)["param"] == "mask"


def test_a_picture_of_another_kind_under_a_false_name(adapted: Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "GIF")
    assert error_of(edit(adapted, picture(file.getvalue())), 400)["code"] == "invalid_image_file"


def test_a_picture_that_would_burst(adapted: Client) -> None:
    file = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(file, "PNG")
    assert error_of(edit(adapted, picture(file.getvalue())), 400)["code"] == "invalid_image_file"


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (png((32, 64), "RGBA"), "mask size does not match image size"),
        (png((64, 64)), "mask image missing alpha channel"),
        (b"no picture", "cannot be read"),
    ],
)
def test_a_mask_that_does_not_fit(client: Client, mask: bytes, words: str) -> None:
    error = error_of(edit(client, picture(png()), mask=picture(mask)), 400)
    assert words in error["message"]
    assert (error["type"], error["param"]) == (BAD_WISH, "mask")


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
def test_pictures_of_json(adapted: Client, images: Any, code: str, param: str) -> None:
    error = error_of(post(adapted, "edits", json={"prompt": PROMPT, "images": images}), 400)
    assert (error["code"], error["param"]) == (code, param)


def test_a_variation_without_a_picture(client: Client) -> None:
    answer = post(client, "variations", files={"other": picture(png())})
    assert error_of(answer, 400)["code"] == "missing_required_parameter"


def test_addresses_and_verbs(client: Client) -> None:
    missing = error_of(post(client, "paintings", json={}), 404)
    assert missing["message"] == "Invalid URL (POST /v1/images/paintings)"
    wrong = error_of(client.get("/v1/images/generations", OPENAI_KEY), 405)
    assert (wrong["message"], wrong["code"]) == (
        "Not allowed to GET on /v1/images/generations.",
        "method_not_supported",
    )
    assert post(client, "generations:stream", json={}).status_code == 404


def test_a_fault_of_its_own_is_told_in_openais_form(adapted: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("sandbox.openai_images.commissioned", broken)
    assert error_of(generate(adapted), 500)["type"] == "server_error"
