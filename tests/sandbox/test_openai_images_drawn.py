"""The sandbox as a server that speaks OpenAI's Images API: what it draws, and in which form."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageChops

import spec
from tests.sandbox.openai_clients import (
    OPENAI_KEY,
    PROMPT,
    data_url,
    edit,
    error_of,
    events_of,
    generate,
    opened,
    picture,
    pictures,
    post,
)
from tests.sandbox.sandbox_clients import KEY, Client, png
from tests.spec.spec_validators import answer_complaints, complaints, operation

DOCUMENT = spec.load("openai_images")


def bytes_of(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def painted(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A picture in which every place has a colour of its own."""
    image = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (image, image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), Image.new("L", size, 90)))


@pytest.mark.parametrize("size", ["16x16", "1000x37", "37x1000", "16x4096", "1344x768", "320x200"])
def test_the_size_is_the_one_that_was_asked_for(adapted: Client, size: str) -> None:
    answer = generate(adapted, size=size)
    (image,) = pictures(answer)
    assert f"{image.width}x{image.height}" == answer.json()["size"] == size


@pytest.mark.parametrize("size", [{}, {"size": "auto"}, {"size": None}])
def test_a_size_of_its_own(adapted: Client, size: dict[str, Any]) -> None:
    answer = post(adapted, "generations", json={"prompt": PROMPT, **size}, headers=OPENAI_KEY)
    assert [image.size for image in pictures(answer)] == [(1024, 1024)]


def test_the_largest_picture(adapted: Client) -> None:
    (image,) = pictures(generate(adapted, size="4096x3906", output_format="jpeg"))
    assert image.size == (4096, 3906)


@pytest.mark.parametrize(
    "options",
    [{}, {"seed": 3}, {"output_format": "webp"}, {"stream": True}],
    ids=["as it comes", "seed", "webp", "stream"],
)
def test_ten_pictures_each_different_and_always_the_same_ten(adapted: Client, options: dict[str, Any]) -> None:
    def ten() -> list[str]:
        answer = generate(adapted, n=10, **options)
        items = events_of(answer) if options.get("stream") else answer.json()["data"]
        return [item["b64_json"] for item in items]

    first = ten()
    assert len(set(first)) == len(first) == 10
    assert ten() == first
    assert generate(adapted, n=2, seed=4).json()["data"][0]["b64_json"] not in first


def test_the_same_words_draw_the_same_picture_wherever_it_is_served(adapted: Client, served: Client) -> None:
    assert generate(adapted).json()["data"] == generate(served).json()["data"]
    assert generate(adapted, prompt="a forest").json()["data"] != generate(served).json()["data"]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_formats(adapted: Client, kind: str) -> None:
    answer = generate(adapted, output_format=kind)
    assert pictures(answer)[0].format == kind.upper()
    assert answer.json()["output_format"] == kind


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_compression(adapted: Client, kind: str) -> None:
    sizes = [len(generate(adapted, output_format=kind, output_compression=c).content) for c in (0, 40, 100)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2


def test_a_transparent_background(adapted: Client) -> None:
    answer = generate(adapted, background="transparent", output_format="webp")
    (image,) = pictures(answer)
    assert answer.json()["background"] == "transparent"
    assert image.getpixel((0, 0))[3] == 0 and image.getpixel((48, 32))[3] == 255


@pytest.mark.parametrize(
    ("quality", "drawn"), [(None, "medium"), ("auto", "medium"), ("standard", "medium"), ("hd", "high"), ("max", "max")]
)
def test_what_was_left_open_is_told_as_it_was_drawn(adapted: Client, quality: str | None, drawn: str) -> None:
    body = generate(adapted, quality=quality, background="auto", size="64x64").json()
    assert {name: body[name] for name in ("quality", "background", "output_format", "size")} == {
        **{"quality": drawn, "background": "opaque"},
        **{"output_format": "png", "size": "64x64"},
    }


def test_tokens(client: Client) -> None:
    usage = generate(client, prompt="turn the logo to green", size="1024x1024", quality="low", n=2).json()["usage"]
    assert usage == {
        "input_tokens": 6,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 6},
        "output_tokens": 544,
        "total_tokens": 550,
        "output_tokens_details": {"image_tokens": 544, "text_tokens": 0},
    }
    changed = edit(client, picture(png()), picture(png())).json()["usage"]
    assert changed["input_tokens_details"]["image_tokens"] == 2 * 323


def test_any_model_any_key_none_at_all_and_unknown_fields(client: Client) -> None:
    for model in ("gpt-image-2", "black-forest-labs/FLUX.1-schnell", "sdxl:turbo", None, ""):
        assert len(pictures(generate(client, headers={}, model=model, steps=4, cfg={"scale": 2}))) == 1


def test_answers_are_as_the_spec_describes_them(client: Client) -> None:
    answers = {
        "/v1/images/generations": generate(client, n=2, safety_identifier="reader"),
        "/v1/images/edits": edit(client, picture(png())),
        "/v1/images/variations": post(client, "variations", files={"image": picture(png())}, headers=OPENAI_KEY),
    }
    for path, answer in answers.items():
        assert answer_complaints(DOCUMENT, "POST", path, 200, dict(answer.headers), answer.text) == []
    assert answers["/v1/images/generations"].json()["safety_identifier"] == "reader"
    assert list(answers["/v1/images/variations"].json()) == ["created", "data"]
    for path in ("/v1/models", "/v1/models/gpt-image-2"):
        shown = client.get(path, OPENAI_KEY)
        assert answer_complaints(DOCUMENT, "GET", path, 200, dict(shown.headers), shown.text) == []


def test_headers(client: Client) -> None:
    headers = generate(client).headers
    assert headers["openai-version"] == "2020-10-01"
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-processing-ms"].isdigit()
    assert "x-gemini-service-tier" not in headers


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_pictures_at_an_address(client: Client, kind: str) -> None:
    data = generate(client, n=2, response_format="url", output_format=kind).json()["data"]
    assert all(list(item) == ["url"] for item in data)
    shown = [client.session.get(item["url"]) for item in data]
    assert [one.headers["content-type"] for one in shown] == [f"image/{kind}"] * 2
    assert [Image.open(io.BytesIO(one.content)).size for one in shown] == [(96, 64)] * 2
    assert shown[0].content != shown[1].content
    for item in data:
        assert item["url"].startswith(f"{client.base_url}/sandbox-images/")
        assert item["url"].endswith(f".{kind}")


def test_an_address_that_leads_nowhere(client: Client) -> None:
    for path in ("/sandbox-images/nothing.png", "/sandbox-images/nothing.gif", "/sandbox-images/"):
        error_of(client.get(path), 404)


@pytest.mark.parametrize(("partial", "changes"), [(0, False), (1, False), (3, True)])
def test_a_stream(client: Client, partial: int, changes: bool) -> None:
    options = {"stream": True, "partial_images": partial, "n": 2}
    if changes:
        told = events_of(edit(client, picture(png()), **{**options, "stream": "true"}))
    else:
        told = events_of(generate(client, **options))
    kind = "image_edit" if changes else "image_generation"
    assert [(event["type"], event.get("partial_image_index")) for event in told] == [
        *((f"{kind}.partial_image", step) for step in range(partial)),
        (f"{kind}.completed", None),
    ] * 2
    schema = spec.resolve(
        operation(DOCUMENT, "POST", f"/v1/images/{'edits' if changes else 'generations'}")["responses"]["200"][
            "content"
        ]["text/event-stream"]["schema"],
        DOCUMENT,
    )["properties"]["data"]["contentSchema"]
    whole = [event for event in told if event["type"].endswith("completed")]
    assert [found for event in whole for found in complaints(DOCUMENT, schema, event)] == []
    assert all({*event, "usage"} == {*whole[0], "partial_image_index"} for event in told if event not in whole)
    assert {opened(event).size for event in told} == {(64, 64) if changes else (96, 64)}
    assert all(event["usage"]["output_tokens"] == whole[0]["usage"]["output_tokens"] for event in whole)


def test_a_drawing_grows_clearer(adapted: Client) -> None:
    *steps, whole = [opened(event) for event in events_of(generate(adapted, stream=True, partial_images=3))]

    def distance(image: Image.Image) -> float:
        gray = ImageChops.difference(image.convert("RGB"), whole.convert("RGB")).convert("L")
        return sum(value * count for value, count in enumerate(gray.histogram()))

    told = [distance(step) for step in steps]
    assert told == sorted(told, reverse=True) and told[-1] > 0


def test_the_whole_picture_of_a_stream_is_the_one_without(adapted: Client) -> None:
    (event,) = events_of(generate(adapted, stream=True, response_format="url"))
    assert event["b64_json"] == generate(adapted).json()["data"][0]["b64_json"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_edit_keeps_the_size_of_the_first_picture(client: Client, kind: str) -> None:
    first = picture(bytes_of(painted((70, 50)), kind), f"image/{kind.lower()}")
    assert [image.size for image in pictures(edit(client, first))] == [(70, 50)]
    assert [image.size for image in pictures(edit(client, first, picture(png((20, 90))), size="auto"))] == [(70, 50)]
    assert [image.size for image in pictures(edit(client, first, size="33x120"))] == [(33, 120)]


def test_a_picture_beyond_the_limits_is_brought_within_them(adapted: Client) -> None:
    sizes = {(5000, 100): (4096, 81), (8, 64): (16, 64), (5000, 4000): (4096, 3276)}
    for own, drawn in sizes.items():
        given = picture(bytes_of(Image.new("RGB", own), "JPEG"), "image/jpeg")
        assert [image.size for image in pictures(edit(adapted, given, output_format="jpeg"))] == [drawn]


def test_changed_pictures_differ_from_what_was_given_and_from_each_other(adapted: Client) -> None:
    given = painted()
    shown = pictures(edit(adapted, picture(bytes_of(given)), n=4))
    seen = {image.convert("RGB").tobytes() for image in [given, *shown]}
    assert len(seen) == 5
    with_a_seed = pictures(edit(adapted, picture(bytes_of(given)), n=4, seed=5))
    assert {image.tobytes() for image in with_a_seed}.isdisjoint(seen)


@pytest.mark.parametrize("count", [1, 3])
def test_a_mask_protects_what_it_covers(client: Client, count: int) -> None:
    given = painted()
    mask = Image.new("RGBA", given.size, "white")
    hole = (10, 10, 40, 30)
    mask.paste((0, 0, 0, 0), hole)
    answer = edit(client, picture(bytes_of(given)), mask=picture(bytes_of(mask)), n=count)
    for image in pictures(answer):
        left, top, right, bottom = ImageChops.difference(image.convert("RGB"), given).getbbox() or (0, 0, 0, 0)
        assert hole[0] <= left and hole[1] <= top and right <= hole[2] and bottom <= hole[3]
        assert (right - left) * (bottom - top) > 400
    assert len({image.tobytes() for image in pictures(answer)}) == count


def test_a_mask_and_another_size(adapted: Client) -> None:
    mask = Image.new("RGBA", (60, 40))
    answer = edit(adapted, picture(bytes_of(painted())), mask=picture(bytes_of(mask)), size="90x90")
    assert [image.size for image in pictures(answer)] == [(90, 90)]


def test_an_edit_asked_for_in_json_is_the_one_of_the_form(client: Client) -> None:
    given, mask = bytes_of(painted()), bytes_of(Image.new("RGBA", (60, 40)))
    body = {
        "prompt": "make it night",
        "images": [{"image_url": data_url(given)}],
        "mask": {"image_url": data_url(mask)},
        "n": 2,
    }
    answer = post(client, "edits", json=body, headers=OPENAI_KEY)
    assert answer.json()["data"] == edit(client, picture(given), mask=picture(mask), n=2).json()["data"]


def test_a_picture_at_an_address_is_imagined(adapted: Client) -> None:
    body = {"prompt": "in blue", "images": [{"image_url": "https://example.com/cat.png"}], "size": "64x64"}
    one, same = (post(adapted, "edits", json=body, headers=OPENAI_KEY).json()["data"] for _ in range(2))
    body["images"] = [{"image_url": "https://example.com/lake.png"}]
    assert one == same != post(adapted, "edits", json=body, headers=OPENAI_KEY).json()["data"]
    assert [image.size for image in pictures(post(adapted, "edits", json={**body, "size": None}))] == [(1024, 1024)]


def test_variations(client: Client) -> None:
    given = painted((64, 64))
    answer = post(
        client, "variations", files={"image": picture(bytes_of(given))}, data={"n": "3", "size": "256x256"}, headers={}
    )
    shown = pictures(answer)
    assert [image.size for image in shown] == [(256, 256)] * 3
    assert len({image.tobytes() for image in shown}) == 3
    assert "usage" not in answer.json()


def test_the_lists_of_models_are_told_apart_by_the_credential(client: Client) -> None:
    openai = client.get("/v1/models", OPENAI_KEY).json()
    assert openai["object"] == "list" and "gpt-image-2" in [model["id"] for model in openai["data"]]
    assert client.get("/v1/models/some-lab/some-model", OPENAI_KEY).json()["id"] == "some-lab/some-model"
    assert "models" in client.get("/v1/models", KEY).json()
    assert "models" in client.get("/v1/models", {"authorization": "Bearer ya29.token"}).json()
    assert client.get("/v1/models", {}).json()["error"]["status"] == "PERMISSION_DENIED"
    assert client.get("/v1/models", {**KEY, **OPENAI_KEY}).json()["error"]["status"] == "INVALID_ARGUMENT"
    assert client.get("/v1beta/models", OPENAI_KEY).json()["error"]["status"] == "UNAUTHENTICATED"
