"""The pictures of OpenAI's Images API: sizes, formats, streams, edits, variations, and n that differ."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests
from PIL import Image, ImageChops

import spec
from sandbox.openai_images.pictures import STORED_PICTURES, StoredPictures
from tests.sandbox.gemini_client import KEY, Client, bytes_of, png
from tests.sandbox.openai_client import (
    OPENAI_KEY,
    PROMPT,
    data_url,
    edit,
    error_of,
    events_of,
    generate,
    image_file,
    opened,
    pictures,
    post,
)
from tests.spec.spec_validators import answer_complaints, complaints, operation

DOCUMENT = spec.load("openai_images")


def colorful(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """An image in which every place has a colour of its own."""
    image = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (image, image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), Image.new("L", size, 90)))


@pytest.mark.parametrize("size", ["16x16", "1000x37", "16x4096", "320x200"])
def test_the_size_is_the_one_that_was_asked_for(client: Client, size: str) -> None:
    answer = generate(client, size=size)
    (image,) = pictures(answer)
    assert f"{image.width}x{image.height}" == answer.json()["size"] == size


@pytest.mark.parametrize("size", [{}, {"size": "auto"}, {"size": None}])
def test_the_default_size(client: Client, size: dict[str, Any]) -> None:
    answer = post(client, "generations", json={"prompt": PROMPT, **size}, headers=OPENAI_KEY)
    assert [image.size for image in pictures(answer)] == [(1024, 1024)]


def test_the_largest_picture(client: Client) -> None:
    (image,) = pictures(generate(client, size="4096x3906", output_format="jpeg"))
    assert image.size == (4096, 3906)


def encoded_pictures(client: Client, **fields: Any) -> list[str]:
    """The base64 of the pictures of a generation."""
    answer = generate(client, **fields)
    items = events_of(answer) if fields.get("stream") else answer.json()["data"]
    return [item["b64_json"] for item in items]


@pytest.mark.parametrize("options", [{}, {"output_format": "webp"}, {"stream": True}], ids=str)
def test_n_pictures_differ_and_so_do_those_of_an_equal_request(fresh_client: Client, options: dict[str, Any]) -> None:
    first = encoded_pictures(fresh_client, n=10, **options)
    second = encoded_pictures(fresh_client, n=10, **options)
    assert len(set(first + second)) == 20


def test_with_a_seed_n_pictures_differ_and_an_equal_request_gets_the_same(client: Client) -> None:
    first = encoded_pictures(client, n=10, seed=3)
    assert len(set(first)) == 10
    assert encoded_pictures(client, n=10, seed=3) == first
    assert encoded_pictures(client, n=2, seed=4)[0] not in first
    assert encoded_pictures(client, seed=3, stream=True, response_format="url") == first[:1]


def test_a_sandbox_draws_the_same_series_each_time_it_is_started(client: Client, fresh_client: Client) -> None:
    series = [[encoded_pictures(one, prompt="a series")[0] for _ in range(2)] for one in (client, fresh_client)]
    assert series[0] == series[1]
    assert series[0][0] != series[0][1]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_formats(client: Client, kind: str) -> None:
    answer = generate(client, output_format=kind)
    assert pictures(answer)[0].format == kind.upper()
    assert answer.json()["output_format"] == kind


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_compression(client: Client, kind: str) -> None:
    sizes = [len(generate(client, output_format=kind, output_compression=c, seed=1).content) for c in (0, 40, 100)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2


def test_a_transparent_background(client: Client) -> None:
    answer = generate(client, background="transparent", output_format="webp")
    (image,) = pictures(answer)
    assert answer.json()["background"] == "transparent"
    assert image.getpixel((0, 0))[3] == 0 and image.getpixel((48, 32))[3] == 255


@pytest.mark.parametrize(
    ("quality", "drawn"), [(None, "medium"), ("auto", "medium"), ("standard", "medium"), ("hd", "high"), ("max", "max")]
)
def test_what_is_left_to_the_server_is_reported(client: Client, quality: str | None, drawn: str) -> None:
    body = generate(client, quality=quality, background="auto", size="64x64").json()
    found = [body[name] for name in ("quality", "background", "output_format", "size")]
    assert found == [drawn, "opaque", "png", "64x64"]


def test_tokens(client: Client) -> None:
    usage = generate(client, prompt="turn the logo to green", size="1024x1024", quality="low", n=2).json()["usage"]
    assert usage == {
        "input_tokens": 6,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 6},
        "output_tokens": 544,
        "total_tokens": 550,
        "output_tokens_details": {"image_tokens": 544, "text_tokens": 0},
    }
    changed = edit(client, image_file(png()), image_file(png())).json()["usage"]
    assert changed["input_tokens_details"]["image_tokens"] == 2 * 323


@pytest.mark.parametrize("model", ["gpt-image-2", "black-forest-labs/FLUX.1-schnell", "sdxl:turbo", None, ""])
def test_any_model_no_key_and_unknown_fields(client: Client, model: str | None) -> None:
    assert len(pictures(generate(client, headers={}, model=model, steps=4, cfg={"scale": 2}))) == 1


def test_answers_are_as_the_spec_describes_them(client: Client) -> None:
    answers = {
        "/v1/images/generations": generate(client, n=2, safety_identifier="reader"),
        "/v1/images/edits": edit(client, image_file(png())),
        "/v1/images/variations": post(client, "variations", files={"image": image_file(png())}, headers=OPENAI_KEY),
    }
    for path, answer in answers.items():
        assert answer_complaints(DOCUMENT, "POST", path, 200, dict(answer.headers), answer.text) == []
    assert answers["/v1/images/generations"].json()["safety_identifier"] == "reader"
    assert list(answers["/v1/images/variations"].json()) == ["created", "data"]
    for path in ("/v1/models", "/v1/models/gpt-image-2"):
        answer = client.get(path, OPENAI_KEY)
        assert answer_complaints(DOCUMENT, "GET", path, 200, dict(answer.headers), answer.text) == []


def test_headers(client: Client) -> None:
    headers = generate(client).headers
    assert headers["openai-version"] == "2020-10-01"
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-processing-ms"].isdigit()
    assert "x-gemini-service-tier" not in headers


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_pictures_by_url(client: Client, kind: str) -> None:
    data = generate(client, n=2, response_format="url", output_format=kind).json()["data"]
    assert all(list(item) == ["url"] for item in data)
    assert all(item["url"].startswith(f"{client.base_url}/sandbox-images/") for item in data)
    files = [client.session.get(item["url"]) for item in data]
    assert [file.headers["content-type"] for file in files] == [f"image/{kind}"] * 2
    assert [Image.open(io.BytesIO(file.content)).size for file in files] == [(96, 64)] * 2
    assert files[0].content != files[1].content


def test_the_oldest_pictures_are_dropped_but_not_those_of_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.openai_images.pictures.STORED_BYTES", 1)
    stored = StoredPictures()
    names = [f"{number}.png" for number in range(STORED_PICTURES + 2)]
    for name in names:
        stored.store(name, name.encode())
    assert [stored.get(name) for name in names[:3]] == [None, None, b"2.png"]
    assert all(stored.get(name) for name in names[2:])


@pytest.mark.parametrize("name", ["nothing.png", "nothing.gif", ""])
def test_an_unknown_url(client: Client, name: str) -> None:
    error_of(client.get(f"/sandbox-images/{name}"), 404)


@pytest.mark.parametrize(("partial", "changes"), [(0, False), (1, False), (3, True)])
def test_a_stream(client: Client, partial: int, changes: bool) -> None:
    options = {"stream": True, "partial_images": partial, "n": 2}
    answer = (
        edit(client, image_file(png()), **{**options, "stream": "true"}) if changes else generate(client, **options)
    )
    events = events_of(answer)
    kind = "image_edit" if changes else "image_generation"
    assert [(event["type"], event.get("partial_image_index")) for event in events] == [
        *((f"{kind}.partial_image", step) for step in range(partial)),
        (f"{kind}.completed", None),
    ] * 2
    schema = spec.resolve(
        operation(DOCUMENT, "POST", f"/v1/images/{'edits' if changes else 'generations'}")["responses"]["200"][
            "content"
        ]["text/event-stream"]["schema"],
        DOCUMENT,
    )["properties"]["data"]["contentSchema"]
    whole = [event for event in events if event["type"].endswith("completed")]
    assert [found for event in whole for found in complaints(DOCUMENT, schema, event)] == []
    assert all({*event, "usage"} == {*whole[0], "partial_image_index"} for event in events if event not in whole)
    assert {opened(event).size for event in events} == {(64, 64) if changes else (96, 64)}
    assert all(event["usage"]["output_tokens"] == whole[0]["usage"]["output_tokens"] for event in whole)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_edit_keeps_the_size_of_the_first_image(client: Client, kind: str) -> None:
    first, second = image_file(bytes_of(colorful((70, 50)), kind), f"image/{kind.lower()}"), image_file(png((20, 90)))
    assert [image.size for image in pictures(edit(client, first))] == [(70, 50)]
    assert [image.size for image in pictures(edit(client, first, second, size="auto"))] == [(70, 50)]
    assert [image.size for image in pictures(edit(client, first, size="33x120"))] == [(33, 120)]


@pytest.mark.parametrize(
    ("own", "drawn"), [((5000, 100), (4096, 81)), ((8, 64), (16, 64)), ((5000, 4000), (4096, 3276))]
)
def test_an_image_beyond_the_limits_is_brought_within_them(
    client: Client, own: tuple[int, int], drawn: tuple[int, int]
) -> None:
    given = image_file(bytes_of(Image.new("RGB", own), "JPEG"), "image/jpeg")
    assert [image.size for image in pictures(edit(client, given, output_format="jpeg"))] == [drawn]


def test_changed_images_differ_from_what_was_given_and_from_each_other(client: Client) -> None:
    given = colorful()
    changed = [
        *pictures(edit(client, image_file(bytes_of(given)), n=4)),
        *pictures(edit(client, image_file(bytes_of(given)), n=4, seed=5)),
    ]
    assert len({image.convert("RGB").tobytes() for image in [given, *changed]}) == 9


@pytest.mark.parametrize("count", [1, 3])
def test_a_mask_protects_what_it_covers(client: Client, count: int) -> None:
    given = colorful()
    mask = Image.new("RGBA", given.size, "white")
    hole = (10, 10, 40, 30)
    mask.paste((0, 0, 0, 0), hole)
    drawn = pictures(edit(client, image_file(bytes_of(given)), mask=image_file(bytes_of(mask)), n=count))
    for image in drawn:
        left, top, right, bottom = ImageChops.difference(image.convert("RGB"), given).getbbox() or (0, 0, 0, 0)
        assert hole[0] <= left and hole[1] <= top and right <= hole[2] and bottom <= hole[3]
        assert (right - left) * (bottom - top) > 400
    assert len({image.tobytes() for image in drawn}) == count


def test_a_mask_and_another_size(client: Client) -> None:
    mask = Image.new("RGBA", (60, 40))
    answer = edit(client, image_file(bytes_of(colorful())), mask=image_file(bytes_of(mask)), size="90x90")
    assert [image.size for image in pictures(answer)] == [(90, 90)]


def test_an_edit_in_json_is_the_one_of_the_form(client: Client) -> None:
    given, mask = bytes_of(colorful()), bytes_of(Image.new("RGBA", (60, 40)))
    body = {
        "prompt": "make it night",
        "images": [{"image_url": data_url(given)}],
        "mask": {"image_url": data_url(mask)},
        "n": 2,
        "seed": 1,
    }
    answer = post(client, "edits", json=body, headers=OPENAI_KEY)
    same = edit(client, image_file(given), mask=image_file(mask), n=2, seed=1)
    assert answer.json()["data"] == same.json()["data"]


def test_an_image_that_is_only_an_address(client: Client) -> None:
    def changed(name: str, size: str | None = "64x64") -> requests.Response:
        images = [{"image_url": f"https://example.com/{name}"}]
        return post(client, "edits", json={"prompt": "in blue", "images": images, "size": size, "seed": 1})

    assert changed("cat.png").json()["data"] == changed("cat.png").json()["data"] != changed("lake.png").json()["data"]
    assert [image.size for image in pictures(changed("cat.png", size=None))] == [(1024, 1024)]


def test_variations(client: Client) -> None:
    fields = {"n": "3", "size": "256x256"}
    answer = post(
        client, "variations", files={"image": image_file(bytes_of(colorful((64, 64))))}, data=fields, headers={}
    )
    drawn = pictures(answer)
    assert [image.size for image in drawn] == [(256, 256)] * 3
    assert len({image.tobytes() for image in drawn}) == 3


def test_the_credential_decides_whose_list_of_models_is_answered(client: Client) -> None:
    openai = client.get("/v1/models", OPENAI_KEY).json()
    assert openai["object"] == "list" and "gpt-image-2" in [model["id"] for model in openai["data"]]
    assert client.get("/v1/models/some-lab/some-model", OPENAI_KEY).json()["id"] == "some-lab/some-model"
    assert "models" in client.get("/v1/models", KEY).json()
    assert "models" in client.get("/v1/models", {"authorization": "Bearer ya29.token"}).json()
    assert client.get("/v1/models", {}).json()["object"] == "list", "a server of one's own may need no key"
    assert client.get("/v1/models", {**KEY, **OPENAI_KEY}).json()["error"]["status"] == "INVALID_ARGUMENT"
    assert client.get("/v1beta/models", OPENAI_KEY).json()["error"]["status"] == "UNAUTHENTICATED"
