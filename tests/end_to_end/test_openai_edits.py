"""Edits: pictures in every shape in which clients send them, masks, and what is refused."""

import base64
import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
import requests
from PIL import Image

from tests.support import pictures
from tests.support.openai_calls import CLIENTS, MODEL, Ask, asking, bytes_of, inline_pictures, painted, parts_of
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import ScriptedUpstream

PNG = pictures.plain_png(64, 48)
JPEG = pictures.plain_jpeg(64, 48)


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (64, 48), **settings: Any) -> bytes:
    """A picture of a type, in a mode."""
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **settings)
    return file.getvalue()


WEBP = saved("WEBP")
GIF = saved("GIF")
BMP = saved("BMP")
MASK = saved("PNG", "RGBA")
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(100)


@pytest.fixture
def client(server: ProxyServer, key: str) -> openai.OpenAI:
    """The synchronous client with its own idea of retries."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)


@pytest.fixture(params=CLIENTS)
def ask(request: pytest.FixtureRequest, client: openai.OpenAI) -> Ask:
    """A call of either client."""
    return asking(client, request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A picture on the disk."""
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return path


def edit(client: openai.OpenAI, **body: Any) -> requests.Response:
    """An edit without an SDK."""
    headers = {"Authorization": f"Bearer {client.api_key}", **body.pop("headers", {})}
    return requests.post(f"{client.base_url}images/edits", headers=headers, timeout=30, **body)


def data_url(picture: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{pictures.base64_of(picture)}"


def error_of(answer: requests.Response) -> dict[str, Any]:
    """The error of an answer that must be a refusal."""
    assert answer.status_code == 400, answer.text[:500]
    error: dict[str, Any] = answer.json()["error"]
    return error


# What the SDK sends


def test_an_open_file_is_edited(ask: Ask, upstream: ScriptedUpstream, file: Path) -> None:
    upstream.answers(painted())
    with file.open("rb") as opened:
        answer = ask("edit", model=MODEL, prompt="make it blue", image=opened)
    assert bytes_of(answer) == [pictures.plain_png()]
    assert answer.data[0].url is None  # what every client of this endpoint reads is b64_json
    (call,) = upstream.calls
    assert inline_pictures(call) == [("image/png", PNG)]
    assert parts_of(call)[-1] == {"text": "make it blue"}
    assert call.aspect_ratio is None


@pytest.mark.parametrize(
    "given",
    [PNG, io.BytesIO(PNG), ("cat.jpg", PNG), ("cat", PNG, "application/octet-stream"), ("cat.gif", PNG, "image/gif")],
    ids=["bytes", "BytesIO", "a wrong ending", "no type", "a wrong type"],
)
def test_the_type_is_read_from_the_bytes(ask: Ask, upstream: ScriptedUpstream, given: Any) -> None:
    upstream.answers(painted())
    if isinstance(given, io.BytesIO):
        given.seek(0)
    ask("edit", model=MODEL, prompt="make it blue", image=given)
    assert inline_pictures(upstream.calls[0]) == [("image/png", PNG)]


def test_a_path_is_edited(ask: Ask, upstream: ScriptedUpstream, file: Path) -> None:
    upstream.answers(painted())
    ask("edit", model=MODEL, prompt="make it blue", image=file)
    assert inline_pictures(upstream.calls[0]) == [("image/png", PNG)]


def test_a_list_of_pictures_of_all_types_keeps_its_order(ask: Ask, upstream: ScriptedUpstream, file: Path) -> None:
    upstream.answers(painted())
    with file.open("rb") as opened:
        ask("edit", model=MODEL, prompt="join them", image=[JPEG, opened, WEBP, HEIC])
    assert inline_pictures(upstream.calls[0]) == [
        ("image/jpeg", JPEG),
        ("image/png", PNG),
        ("image/webp", WEBP),
        ("image/heic", HEIC),
    ]


def test_a_list_of_one_is_one_picture(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    ask("edit", model=MODEL, prompt="make it blue", image=[PNG])
    assert inline_pictures(upstream.calls[0]) == [("image/png", PNG)]


def test_sixteen_pictures_are_accepted_and_seventeen_refused(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    ask("edit", model=MODEL, prompt="join them", image=[PNG] * 16)
    assert len(inline_pictures(upstream.calls[0])) == 16
    with pytest.raises(openai.BadRequestError) as caught:
        ask("edit", model=MODEL, prompt="join them", image=[PNG] * 17)
    assert (caught.value.code, caught.value.param) == ("array_above_max_length", "image")
    assert len(upstream.calls) == 1


def test_a_mask_is_sent_with_an_instruction_and_an_advisory_is_returned(
    ask: Ask, client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    answer = ask("edit", model=MODEL, prompt="make it blue", image=PNG, mask=MASK)
    assert bytes_of(answer) == [pictures.plain_png()]
    (call,) = upstream.calls
    assert inline_pictures(call) == [("image/png", PNG), ("image/png", MASK)]
    text = parts_of(call)[-1]["text"]
    assert text.startswith("make it blue")
    assert "mask" in text
    raw = client.images.with_raw_response.edit(model=MODEL, prompt="make it blue", image=PNG, mask=MASK)
    assert raw.headers["x-twinlens-advisory"] == "mask"


def test_everything_at_once_is_taken_in_a_form(ask: Ask, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    answer = ask(
        "edit",
        model=MODEL,
        prompt="make it blue",
        image=[PNG, JPEG],
        mask=MASK,
        n=2,
        size="1536x1024",
        output_format="webp",
        output_compression=80,
        quality="high",
        background="transparent",
        input_fidelity="high",
        user="me",
        partial_images=1,
        stream=False,
        response_format="url",
        extra_body={
            "seed": 7,
            "temperature": 0.5,
            "google": {"generationConfig": {"topP": 0.5}},
            "svg": {"model": "x", "reasoning": {"effort": "none"}},
        },
    )
    assert [Image.open(io.BytesIO(picture)).format for picture in bytes_of(answer)] == ["WEBP", "WEBP"]
    assert all(item.url for item in answer.data)
    configuration = upstream.calls[0].json["generationConfig"]
    assert configuration["imageConfig"] == {"aspectRatio": "3:2"}
    assert configuration["temperature"] == 0.5
    assert {call.json["generationConfig"]["seed"] for call in upstream.calls} == {7, 8}
    assert float(configuration["topP"]) == 0.5


# What other clients send


@pytest.mark.parametrize("name", ["image", "image[]", "image[0]"])
def test_one_file_may_have_any_of_the_names_that_clients_use(
    client: openai.OpenAI, upstream: ScriptedUpstream, name: str
) -> None:
    upstream.answers(painted())
    answer = edit(client, data={"prompt": "make it blue"}, files=[(name, ("cat.png", PNG))])
    assert answer.status_code == 200, answer.text
    assert inline_pictures(upstream.calls[0]) == [("image/png", PNG)]


@pytest.mark.parametrize("names", [("image", "image"), ("image[]", "image[]"), ("image[0]", "image[1]")], ids=str)
def test_two_files_may_have_any_of_the_names_that_clients_use(
    client: openai.OpenAI, upstream: ScriptedUpstream, names: tuple[str, str]
) -> None:
    upstream.answers(painted())
    files = [(names[0], ("cat.png", PNG)), (names[1], ("cat.jpg", JPEG))]
    answer = edit(client, data={"prompt": "join them"}, files=files)
    assert answer.status_code == 200, answer.text
    assert inline_pictures(upstream.calls[0]) == [("image/png", PNG), ("image/jpeg", JPEG)]


@pytest.mark.parametrize(
    "text",
    [
        data_url(JPEG, "image/png"),
        data_url(JPEG, "application/octet-stream"),
        pictures.base64_of(JPEG),
        base64.urlsafe_b64encode(JPEG).decode().rstrip("="),
        base64.encodebytes(JPEG).decode(),
    ],
    ids=["data URL", "data URL of no type", "base64", "URL-safe base64", "base64 in lines"],
)
def test_a_picture_may_come_as_a_text_part(client: openai.OpenAI, upstream: ScriptedUpstream, text: str) -> None:
    upstream.answers(painted())
    answer = edit(client, files={"prompt": (None, "make it blue"), "image": (None, text)})
    assert answer.status_code == 200, answer.text
    assert inline_pictures(upstream.calls[0]) == [("image/jpeg", JPEG)]


def test_a_text_part_may_be_as_large_as_a_body(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    large = PNG + bytes(6_000_000)  # many times what form parsers allow a text
    answer = edit(client, files={"prompt": (None, "make it blue"), "image": (None, data_url(large))})
    assert answer.status_code == 200, answer.text
    assert inline_pictures(upstream.calls[0]) == [("image/png", large)]


def test_an_address_is_passed_on_and_never_opened(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    address = f"{upstream.url}/secret.png"
    answer = edit(client, json={"prompt": "make it blue", "images": [{"image_url": address}]})
    assert answer.status_code == 200, answer.text
    assert [call.method for call in upstream.calls] == ["POST"]
    assert parts_of(upstream.calls[0])[0]["fileData"]["fileUri"] == address


def chunks_of_a_form(parts: list[tuple[str, bytes]], boundary: str) -> Iterator[bytes]:
    """A form as openai-node sends one of a ReadStream: piece by piece."""
    for head, content in parts:
        yield f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        for start in range(0, len(content), 4096):
            yield content[start : start + 4096]
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def test_a_form_without_a_length_is_read_as_openais_node_client_sends_it(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    heavy = pictures.heavy_png()
    kind = "\r\nContent-Type: application/octet-stream"
    parts = [
        ('name="model"', MODEL.encode()),
        ('name="prompt"', "make it blue, 파란색".encode()),
        (f'name="image[]"; filename="cat.png"{kind}', heavy),
        (f'name="image[]"; filename="cat.jpg"{kind}', JPEG),
        ('name="n"', b"1"),
    ]
    answer = edit(
        client,
        data=chunks_of_a_form(parts, "x-boundary"),
        headers={"Content-Type": "multipart/form-data; boundary=x-boundary"},
    )
    assert "Content-Length" not in answer.request.headers
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert answer.status_code == 200, answer.text
    assert inline_pictures(upstream.calls[0]) == [("image/png", heavy), ("image/jpeg", JPEG)]
    assert parts_of(upstream.calls[0])[-1] == {"text": "make it blue, 파란색"}


def test_json_may_have_pictures_and_a_mask_as_data_urls(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    body = {
        "model": MODEL,
        "prompt": "make it blue",
        "images": [{"image_url": data_url(PNG)}, {"image_url": data_url(WEBP, "image/webp")}],
        "mask": {"image_url": data_url(MASK)},
        "moderation": "low",
    }
    answer = edit(client, json=body)
    assert answer.status_code == 200, answer.text
    assert inline_pictures(upstream.calls[0]) == [("image/png", PNG), ("image/webp", WEBP), ("image/png", MASK)]
    assert answer.headers["x-twinlens-advisory"] == "mask"
    assert answer.headers["x-twinlens-ignored"] == "moderation"
    assert "b64_json" in answer.json()["data"][0]


# What is refused


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"images": [{"file_id": "file-1"}]}, "images[0].file_id"),
        ({"images": [{"image_url": data_url(PNG)}, {"file_id": "file-1"}]}, "images[1].file_id"),
        ({"images": [{"image_url": data_url(PNG), "file_id": "file-1"}]}, "images[0].file_id"),
        ({"images": [{"image_url": data_url(PNG)}], "mask": {"file_id": "file-1"}}, "mask.file_id"),
    ],
    ids=["only", "second", "beside a picture", "mask"],
)
def test_a_file_id_is_refused_by_name(
    client: openai.OpenAI, upstream: ScriptedUpstream, fields: dict[str, Any], param: str
) -> None:
    upstream.answers(painted())
    error = error_of(edit(client, json={"prompt": "make it blue", **fields}))
    assert error["param"] == param
    assert "file_id" in error["message"]
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("images", "code", "param"),
    [
        ([], "array_below_min_length", "images"),
        ([{}], "missing_required_parameter", "images[0].image_url"),
        ([{"image_url": None}], "missing_required_parameter", "images[0].image_url"),
        ([{"image_url": 5}], "invalid_type", "images[0].image_url"),
        (["x"], "invalid_image_file", "images[0]"),
        ("x", "invalid_image_file", "images"),
        (5, "invalid_type", "images"),
        ([{"image_url": data_url(PNG)}] * 17, "array_above_max_length", "images"),
        ([{"image_url": data_url(PNG)}, {"image_url": "!"}], "invalid_image_file", "images[1].image_url"),
        ([{"image_url": data_url(GIF[:20])}], "invalid_image_file", "images[0].image_url"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_json_edit_names_what_is_wrong_with_its_pictures(
    client: openai.OpenAI, upstream: ScriptedUpstream, images: Any, code: str, param: str
) -> None:
    upstream.answers(painted())
    error = error_of(edit(client, json={"prompt": "make it blue", "images": images}))
    assert (error["code"], error["param"]) == (code, param)
    assert upstream.calls == []


UNUSABLE = {
    "words": b"This is no picture.",
    "half a GIF": GIF[:20],
    "half a BMP": BMP[:30],
    "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a PDF": b"%PDF-1.4\n" + bytes(100),
}


@pytest.mark.parametrize("unusable", UNUSABLE.values(), ids=UNUSABLE)
def test_a_picture_that_cannot_be_used_is_refused_and_named(
    ask: Ask, upstream: ScriptedUpstream, unusable: bytes
) -> None:
    upstream.answers(painted())
    for given, name in ((unusable, "image"), ([PNG, JPEG, unusable], "image[2]"), ([unusable, PNG], "image[0]")):
        with pytest.raises(openai.BadRequestError) as caught:
            ask("edit", model=MODEL, prompt="make it blue", image=given)
        error = caught.value
        assert (error.type, error.code) == ("image_generation_user_error", "invalid_image_file")
        assert error.param == name
        assert f"'{name}'" in error.message
    assert upstream.calls == []


def test_a_picture_of_more_than_fifty_megabytes_is_refused_and_named(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    upstream.answers(painted())
    heavy = PNG + bytes(50 * 1024 * 1024)
    answer = edit(client, data={"prompt": "make it blue"}, files=[("image[]", PNG), ("image[]", heavy)])
    error = error_of(answer)
    assert (error["code"], error["param"]) == ("invalid_image_file", "image[1]")
    assert upstream.calls == []


MASKS = {
    "without transparency": saved("PNG"),
    "of another size": saved("PNG", "RGBA", (48, 64)),
    "a JPEG": JPEG,
    "cut off": MASK[:20],
    "no picture": b"no picture",
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_that_is_not_a_picture_is_refused(
    ask: Ask, client: openai.OpenAI, upstream: ScriptedUpstream, mask: bytes
) -> None:
    upstream.answers(painted())
    with pytest.raises(openai.BadRequestError) as caught:
        ask("edit", model=MODEL, prompt="make it blue", image=PNG, mask=mask)
    assert (caught.value.code, caught.value.param) == ("invalid_image_file", "mask")
    images = [{"image_url": data_url(PNG)}]
    error = error_of(edit(client, json={"prompt": "x", "images": images, "mask": {"image_url": data_url(mask)}}))
    assert (error["code"], error["param"]) == ("invalid_image_file", "mask.image_url")
    assert upstream.calls == []


@pytest.mark.parametrize(
    "mask",
    [saved("PNG", "LA"), saved("PNG", "P", transparency=0), saved("PNG", "L", transparency=0)],
    ids=["grey with alpha", "a palette with a transparent colour", "grey with a transparent value"],
)
def test_every_kind_of_transparency_makes_a_mask(
    client: openai.OpenAI, upstream: ScriptedUpstream, mask: bytes
) -> None:
    upstream.answers(painted())
    client.images.edit(model=MODEL, prompt="make it blue", image=PNG, mask=mask)
    assert inline_pictures(upstream.calls[0])[1] == ("image/png", mask)


def test_the_size_of_a_mask_is_that_of_the_first_picture(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.answers(painted())
    other = pictures.plain_png(10, 10)
    client.images.edit(model=MODEL, prompt="make it blue", image=[PNG, other], mask=MASK)
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(model=MODEL, prompt="make it blue", image=[other, PNG], mask=MASK)
    assert caught.value.param == "mask"
    assert "64x48" in caught.value.message
    assert "10x10" in caught.value.message


@pytest.mark.parametrize(
    ("files", "code", "param"),
    [
        ({"image": ("cat.png", PNG)}, "missing_required_parameter", "prompt"),
        ({"prompt": (None, "make it blue")}, "missing_required_parameter", "image"),
        ({"prompt": (None, "make it blue"), "image": (None, "")}, "missing_required_parameter", "image"),
        ({"prompt": (None, "make it blue"), "image": ("", b"")}, "missing_required_parameter", "image"),
        ({"prompt": (None, ""), "image": ("cat.png", PNG)}, "missing_required_parameter", "prompt"),
    ],
    ids=["no prompt", "no picture", "an empty text", "an empty file", "an empty prompt"],
)
def test_a_form_without_a_required_field_is_refused_by_name(
    client: openai.OpenAI, upstream: ScriptedUpstream, files: Any, code: str, param: str
) -> None:
    upstream.answers(painted())
    error = error_of(edit(client, files=files))
    assert (error["code"], error["param"]) == (code, param)
    assert upstream.calls == []


PROMPT_PART = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nmake it blue\r\n'
BROKEN_FORMS = {
    "no boundary": ("multipart/form-data", PROMPT_PART + b"--x--\r\n"),
    "another boundary": ("multipart/form-data; boundary=y", PROMPT_PART + b"--x--\r\n"),
    "no end": ("multipart/form-data; boundary=x", PROMPT_PART),
    "no body": ("multipart/form-data; boundary=x", b""),
    "a part without a name": (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nwho am I\r\n" + PROMPT_PART + b"--x--\r\n",
    ),
    "a name that is not closed": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="\\"\r\n\r\nwho am I\r\n' + PROMPT_PART + b"--x--\r\n",
    ),
    "a file without a name": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; filename="a.png"\r\n\r\n' + PNG + b"\r\n" + PROMPT_PART + b"--x--\r\n",
    ),
    "a part without a disposition": (
        "multipart/form-data; boundary=x",
        b"--x\r\nContent-Type: text/plain\r\n\r\nwho am I\r\n" + PROMPT_PART + b"--x--\r\n",
    ),
}


@pytest.mark.parametrize(("content_type", "body"), BROKEN_FORMS.values(), ids=BROKEN_FORMS)
@pytest.mark.parametrize("path", ["edits", "variations"])
def test_a_form_that_cannot_be_read_is_the_callers_error(
    client: openai.OpenAI, upstream: ScriptedUpstream, path: str, content_type: str, body: bytes
) -> None:
    upstream.answers(painted())
    address = urlsplit(str(client.base_url))
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    headers = {"Authorization": f"Bearer {client.api_key}", "Content-Type": content_type}
    connection.request("POST", f"/v1/images/{path}", body, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 400, body
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
    assert upstream.calls == []


def test_a_form_of_another_kind_is_refused(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    answer = edit(client, data={"prompt": "make it blue", "image": data_url(PNG)})
    assert answer.status_code == 415, answer.text
    assert answer.json()["error"]["code"] == "unsupported_media_type"
    assert upstream.calls == []


def test_a_missing_key_is_an_error_before_the_pictures_are_read(
    server: ProxyServer, upstream: ScriptedUpstream
) -> None:
    answer = requests.post(f"{server.url}/v1/images/edits", files={"image": b"no picture"}, timeout=10)
    assert answer.status_code == 401, answer.text
    assert upstream.calls == []
