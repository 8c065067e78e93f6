"""Orders as clients other than the SDKs send them: what goes up is what was ordered, or nothing does."""

import gzip
import io
import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from google import genai
from PIL import Image

from tests.support import pictures
from tests.support.environments import environment
from tests.support.installed import program
from tests.support.openai_calls import inline_pictures, painted, parts_of
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import Answer, Call, ScriptedUpstream

MODEL = "google/gemini-2.5-flash-image"
SIZE = (64, 48)
PNG = pictures.plain_png(*SIZE)
PROMPT = "paint it blue"
ORDER = {"model": MODEL, "prompt": PROMPT, "n": "2", "size": "1792x1024"}
SECONDS = 60

AXIOS = """
import axios from "axios";
import FormData from "form-data";
import { readFileSync } from "node:fs";

const [url, key, file, order, options] = process.argv.slice(2);
const form = new FormData();
form.append("image", readFileSync(file), ...JSON.parse(options));
for (const [name, value] of Object.entries(JSON.parse(order))) form.append(name, value);
const answer = await axios.post(`${url}/v1/images/edits`, form, {
    headers: { ...form.getHeaders(), Authorization: `Bearer ${key}` },
    validateStatus: () => true,
});
console.log(JSON.stringify({ status: answer.status, body: answer.data }));
"""
FETCH = """
import { readFileSync } from "node:fs";

const [url, key, file, order] = process.argv.slice(2);
const form = new FormData();
form.append("image[]", new Blob([readFileSync(file)]), "blob");
for (const [name, value] of Object.entries(JSON.parse(order))) form.append(name, value);
const headers = { Authorization: `Bearer ${key}` };
const answer = await fetch(`${url}/v1/images/edits`, { method: "POST", body: form, headers });
console.log(JSON.stringify({ status: answer.status, body: await answer.json() }));
"""
OPENAI_NODE = """
import OpenAI from "openai";

const [url, key, file, order] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const { n, ...fields } = JSON.parse(order);
const images = [`data:image/png;base64,${(await import("node:fs")).readFileSync(file).toString("base64")}`];
const body = await client.images.generate({ ...fields, n: Number(n), extra_body: { images } });
console.log(JSON.stringify({ status: 200, body }));
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The picture on the disk."""
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    return path


def post(server: ProxyServer, key: str, path: str = "edits", **body: Any) -> requests.Response:
    """A request with `requests`."""
    headers = {"Authorization": f"Bearer {key}", **body.pop("headers", {})}
    return requests.post(f"{server.url}/v1/images/{path}", headers=headers, timeout=SECONDS, **body)


def is_the_order(calls: list[Call], prompt: str = PROMPT, count: int = 2, ratio: str | None = "16:9") -> None:
    """What went up is what was ordered."""
    assert len(calls) == count
    for call in calls:
        assert inline_pictures(call) == [("image/png", PNG)]
        assert parts_of(call)[-1] == {"text": prompt}
        assert call.aspect_ratio == ratio


def error_of(answer: requests.Response, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:500]
    error: dict[str, Any] = answer.json()["error"]
    return error


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


# Forms


def test_requests_gives_every_part_a_file_name(server: ProxyServer, key: str, upstream: ScriptedUpstream, file: Path):
    upstream.answers(painted())
    with file.open("rb") as opened:
        answer = post(server, key, files={"image": opened, **ORDER})
    assert len(answer.json()["data"]) == 2
    is_the_order(upstream.calls)


@pytest.mark.parametrize("image", ["image=<{}", "image=<{};type=image/png", "image=@{};filename=", "images[]=@{}"])
def test_curl(server: ProxyServer, key: str, upstream: ScriptedUpstream, file: Path, image: str):
    upstream.answers(painted())
    texts = [part for name, value in ORDER.items() for part in ("-F", f"{name}={value}")]
    assert curl(server, key, "-F", image.format(file), *texts)["data"]
    is_the_order(upstream.calls)


def test_curl_with_a_text_in_another_charset(server: ProxyServer, key: str, upstream: ScriptedUpstream, file: Path):
    upstream.answers(painted())
    prompt = file.with_name("prompt.txt")
    prompt.write_bytes("mal es grün".encode("windows-1252"))
    error = curl(server, key, "-F", f"image=@{file}", "-F", f"prompt=<{prompt}")["error"]
    assert (error["param"], upstream.calls) == ("prompt", [])
    declared = f"prompt=<{prompt};type=text/plain; charset=windows-1252"
    assert curl(server, key, "-F", f"image=@{file}", "-F", declared)["data"]
    is_the_order(upstream.calls, "mal es grün", 1, None)


def test_curl_with_numbers_and_masks_as_people_write_them(
    server: ProxyServer, key: str, upstream: ScriptedUpstream, file: Path
):
    upstream.answers(painted())
    mask = file.with_name("mask.png")
    mask.write_bytes(saved(Image.new("RGBA", SIZE), "PNG"))
    for number, count in ((" 2", 2), ("1.0", 1)):
        upstream.answers(painted())
        curl(server, key, "-F", f"images=@{file}", "-F", f"mask[]=@{mask}", "-F", "prompt=x", "-F", f"n={number}")
        assert [[data for _, data in inline_pictures(call)] for call in upstream.calls] == [
            [PNG, mask.read_bytes()]
        ] * count


def curl(server: ProxyServer, key: str, *arguments: str) -> Any:
    """The answer to an edit with curl."""
    command = [program("curl"), "-sS", "-H", f"Authorization: Bearer {key}", f"{server.url}/v1/images/edits"]
    done = subprocess.run([*command, *arguments], capture_output=True, timeout=SECONDS, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("options", [[], ["cat.png"], [{"contentType": "image/png"}], [{"filename": "a.bin"}]], ids=str)
def test_axios_with_form_data(
    server: ProxyServer, key: str, upstream: ScriptedUpstream, file: Path, options: list[Any]
):
    upstream.answers(painted())
    said = node(AXIOS, server.url, key, str(file), json.dumps(ORDER), json.dumps(options))
    assert said["status"] == 200, said
    is_the_order(upstream.calls)


@pytest.mark.parametrize("script", [FETCH, OPENAI_NODE], ids=["fetch", "openai"])
def test_node(server: ProxyServer, key: str, upstream: ScriptedUpstream, file: Path, script: str):
    upstream.answers(painted())
    said = node(script, server.url, key, str(file), json.dumps(ORDER))
    assert said["status"] == 200, said
    is_the_order(upstream.calls)


def node(script: str, *arguments: str) -> Any:
    """What a script prints, as JSON. It stands beside its packages, or Node would not find them."""
    path = environment("docs-node") / f"order-{uuid.uuid4().hex}.mjs"
    path.write_text(script)
    try:
        done = subprocess.run(
            [program("node"), path, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    finally:
        path.unlink()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# JSON


DATA_URL = f"data:image/png;base64,{pictures.base64_of(PNG)}"
JSON_ORDERS: dict[str, dict[str, Any]] = {
    "a data URL": {"image": DATA_URL},
    "a list": {"image": [DATA_URL]},
    "plain strings": {"images": [DATA_URL]},
    "as in a chat": {"images": [{"type": "image_url", "image_url": {"url": DATA_URL}}]},
    "at the top": {"image_url": {"url": DATA_URL}},
    "in extra_body": {"extra_body": {"image": DATA_URL}},
    "in capitals": {"image": DATA_URL.replace("data:image/png;base64", "DATA:image/png;BASE64")},
}


@pytest.mark.parametrize("path", ["edits", "generations"])
@pytest.mark.parametrize("fields", JSON_ORDERS.values(), ids=JSON_ORDERS.keys())
def test_json(server: ProxyServer, key: str, upstream: ScriptedUpstream, path: str, fields: dict[str, Any]):
    upstream.answers(painted())
    answer = post(server, key, path, json={**ORDER, "n": 2, "size": "1792X1024", **fields})
    assert answer.status_code == 200, answer.text[:300]
    is_the_order(upstream.calls)


@pytest.mark.parametrize("name", ["image_urls", "reference_images"])
def test_pictures_that_would_be_left_out_are_refused(
    server: ProxyServer, key: str, upstream: ScriptedUpstream, name: str
):
    upstream.answers(painted())
    assert error_of(post(server, key, "generations", json={"prompt": "x", name: [DATA_URL]}))["param"] == name
    assert not upstream.calls


@pytest.mark.parametrize("as_json", [True, False])
def test_base64_with_holes_is_refused(server: ProxyServer, key: str, upstream: ScriptedUpstream, as_json: bool):
    upstream.answers(painted())
    noise = pictures.base64_of(pictures.heavy_png(side=30))
    assert "+" in noise
    text = noise.replace("+", " ")
    body: dict[str, Any] = {"json" if as_json else "files": {"image": text, "prompt": "x"}}
    assert error_of(post(server, key, **body))["code"] == "invalid_image_file"
    assert not upstream.calls


def test_what_belongs_into_the_generation_config_is_moved(server: ProxyServer, key: str, upstream: ScriptedUpstream):
    upstream.answers(painted())
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    google = {"image_config": {"aspect_ratio": "16:9"}, "thinking_config": {"include_thoughts": False}}
    answer = client.images.with_raw_response.generate(prompt="x", extra_body={"google": google})
    assert answer.headers["x-twinlens-aspect-ratio"] == "16:9"
    sent = upstream.call.json
    assert set(sent) == {"contents", "generationConfig"}
    assert sent["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9"}
    assert sent["generationConfig"]["thinking_config"] == {"include_thoughts": False}


def test_a_compressed_body_is_refused_on_both_surfaces(server: ProxyServer, key: str, upstream: ScriptedUpstream):
    upstream.answers(painted())
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json", "x-goog-api-key": key}
    body = gzip.compress(json.dumps({"prompt": "x", "contents": [{"parts": [{"text": "x"}]}]}).encode())
    assert "gzip" in error_of(post(server, key, "generations", data=body, headers=packed), 415)["message"]
    url = f"{server.url}/v1beta/models/gemini-2.5-flash-image:generateContent"
    assert "gzip" in error_of(requests.post(url, data=body, headers=packed, timeout=SECONDS), 415)["message"]
    assert not upstream.calls


# Pictures


def turned_photo() -> bytes:
    """A JPEG of 640x480 that is displayed as 480x640."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.new("RGB", (640, 480), "teal"), "JPEG", exif=exif)


def half_white(size: tuple[int, int]) -> bytes:
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0], size[1] // 2))
    return saved(mask, "PNG")


def test_a_turned_photo_and_its_mask_of_black_and_white(server: ProxyServer, key: str, upstream: ScriptedUpstream):
    upstream.answers(painted())
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    client.images.edit(image=turned_photo(), mask=half_white((480, 640)), prompt="x")
    sent = [Image.open(io.BytesIO(data)) for _, data in inline_pictures(upstream.call)]
    assert [(picture.format, picture.size) for picture in sent] == [("JPEG", (480, 640)), ("PNG", (480, 640))]
    assert [sent[1].getpixel((240, y))[3] for y in (10, 630)] == [0, 255]  # type: ignore[index]
    upstream.answers(painted())
    client.images.edit(image=turned_photo(), prompt="x")
    assert inline_pictures(upstream.call) == [("image/jpeg", turned_photo())]


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("as_json", [True, False])
def test_formats_that_become_png(server: ProxyServer, key: str, upstream: ScriptedUpstream, kind: str, as_json: bool):
    upstream.answers(painted())
    picture = saved(Image.new("RGB", SIZE, "teal"), kind)
    fields = {"image": pictures.base64_of(picture), "prompt": "x"}
    body: dict[str, Any] = {"json": fields} if as_json else {"files": {"image": picture}, "data": {"prompt": "x"}}
    assert post(server, key, **body).status_code == 200
    [(mime_type, sent)] = inline_pictures(upstream.call)
    assert (mime_type, pictures.pixels_of(sent)) == ("image/png", SIZE)


# Answers

SOUND = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": pictures.base64_of(bytes(999))}}


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
def test_a_picture_followed_by_sound_is_bought_once(
    server: ProxyServer, key: str, upstream: ScriptedUpstream, response_format: Any
):
    upstream.answers(Answer(pictures.drawn(pictures.picture_part(PNG), SOUND)))
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    answer = client.images.generate(prompt="x", response_format=response_format)
    assert len(answer.data or []) == 1
    assert len(upstream.calls) == 1


NO_MONEY: dict[str, Callable[[], Answer]] = {
    "depleted": lambda: Answer(
        pictures.error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), status=429
    ),
    "capped": lambda: Answer(
        pictures.error(429, "RESOURCE_EXHAUSTED", "It has exceeded its monthly spending cap."), status=429
    ),
    "402": lambda: Answer(pictures.error(402, "RESOURCE_EXHAUSTED", "Pay."), status=402),
}


@pytest.mark.parametrize("answer", NO_MONEY.values(), ids=NO_MONEY.keys())
def test_without_credit_the_sdk_asks_once(
    server: ProxyServer, key: str, upstream: ScriptedUpstream, answer: Callable[[], Answer]
):
    upstream.answers(answer())
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    with pytest.raises(openai.RateLimitError) as caught:
        client.images.generate(prompt="x")
    assert caught.value.code == "insufficient_quota"
    assert len(upstream.calls) == 1


def test_a_delay_in_a_header_reaches_the_callers_of_both_surfaces(
    server: ProxyServer, key: str, upstream: ScriptedUpstream
):
    limited = Answer(pictures.error(429, "RESOURCE_EXHAUSTED", "Later."), status=429, headers=[("Retry-After", "17")])
    upstream.answers(limited)
    answer = post(server, key, "generations", json={"prompt": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "17")
    client = genai.Client(api_key=key, http_options={"base_url": server.url})
    with pytest.raises(genai.errors.ClientError) as caught:
        client.models.generate_content(model="gemini-2.5-flash-image", contents="x")
    assert caught.value.response.headers["retry-after"] == "17"


def test_all_pictures_are_delivered(sandbox_server: ProxyServer):
    client = openai.OpenAI(base_url=f"{sandbox_server.url}/v1", api_key="sandbox")
    assert len(client.images.generate(prompt="[[two_pictures]]", n=10).data or []) == 20
