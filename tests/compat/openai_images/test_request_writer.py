"""compat/openai_images/request_writer.py: requests for servers that speak OpenAI's API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import ImageRequest, InputImage
from compat.input_images import from_bytes
from compat.openai_images.request_writer import split, unsupported_fields, write_request
from tests.compat.openai_servers import ALL_FIELDS, PLAIN, WITH_TIERS, received, served
from tests.compat.pictures import draw

PNG, JPEG, WEBP = draw("PNG", 4, 3), draw("JPEG", 4, 3), draw("WEBP", 5, 4, quality=5)
MASK = draw("PNG", 4, 3, "RGBA")
PNG_INPUT, JPEG_INPUT, WEBP_INPUT, MASK_INPUT = (from_bytes(picture, "image") for picture in (PNG, JPEG, WEBP, MASK))
ADDRESS_INPUT = InputImage("image/jpeg", uri="https://example.com/a.jpg")
SUN = ImageRequest("a red sun")


def generation(model: ServedModel = PLAIN, stream: bool = False, **given: Any) -> dict[str, Any]:
    """The JSON of a generation."""
    request = write_request(replace(SUN, **given), model, stream=stream)
    assert (request.path, request.content_type) == ("images/generations", "application/json")
    body: dict[str, Any] = json.loads(b"".join(request.body))
    return body


def edit_texts(model: ServedModel = PLAIN, **given: Any) -> dict[str, str]:
    """The text parts of an edit."""
    texts, _ = received(write_request(replace(SUN, input_images=(PNG_INPUT,), **given), model))
    return dict(texts)


def test_a_generation_uses_the_servers_name_of_the_model() -> None:
    assert generation() == {"model": "flux", "prompt": "a red sun", "response_format": "b64_json"}


@pytest.mark.parametrize(
    ("model", "given", "fields"),
    [
        (PLAIN, {"count": 3}, {"n": 3}),
        (PLAIN, {"count": 1}, {"n": None}),
        (PLAIN, {"aspect_ratio": "16:9"}, {"size": "1344x768"}),
        (PLAIN, {"image_size": "2K"}, {"size": None}),
        (WITH_TIERS, {"aspect_ratio": "16:9"}, {"size": "1376x768"}),
        (WITH_TIERS, {"aspect_ratio": "16:9", "image_size": "2K"}, {"size": "2752x1536"}),
        (WITH_TIERS, {"aspect_ratio": "16:9", "image_size": "9K"}, {"size": "1376x768"}),
        (WITH_TIERS, {"image_size": "2K"}, {"size": "2048x2048"}),
        (WITH_TIERS, {"aspect_ratio": "7:5"}, {"size": None}),
        (WITH_TIERS, {"seed": 3, "temperature": 0.5}, {"seed": None, "temperature": None, "size": None}),
        (
            ALL_FIELDS,
            {"seed": 0, "temperature": 0.0, "aspect_ratio": "1:1", "image_size": "4K"},
            {"seed": 0, "temperature": 0.0, "aspect_ratio": "1:1", "image_size": "4K", "size": "4096x4096"},
        ),
        (ALL_FIELDS, {"image_size": "4K"}, {"image_size": "4K", "size": None}),
        (served(response_format=False), {}, {"response_format": None}),
        (PLAIN, {"openai": {"quality": "high", "size": "9x9", "n": 2}}, {"quality": "high", "size": "9x9", "n": 2}),
        (PLAIN, {"openai": {"image": "x", "images": [], "mask": "y"}}, {"image": None, "images": None, "mask": None}),
    ],
)
def test_fields(model: ServedModel, given: dict[str, Any], fields: dict[str, Any]) -> None:
    body = generation(model, **given)
    assert {name: body.get(name) for name in fields} == fields
    assert all(name in body for name, value in fields.items() if value is not None)


def test_a_stream_is_requested() -> None:
    assert generation(stream=True)["stream"] is True


@pytest.mark.parametrize(
    ("model", "given", "names"),
    [
        (PLAIN, {"seed": 3, "temperature": 0.5, "image_size": "1K"}, ("image_size", "seed", "temperature")),
        (PLAIN, {"aspect_ratio": "16:9"}, ()),
        (PLAIN, {"aspect_ratio": "7:5"}, ("aspect_ratio",)),
        (PLAIN, {"gemini": {"generationConfig": {"topK": 3}}}, ("google",)),
        (WITH_TIERS, {"image_size": "2K"}, ()),
        (WITH_TIERS, {"image_size": "9K", "aspect_ratio": "16:9"}, ("image_size",)),
        (WITH_TIERS, {"image_size": "2K", "input_images": (PNG_INPUT,)}, ("image_size",)),
        (WITH_TIERS, {"image_size": "2K", "aspect_ratio": "1:1", "input_images": (PNG_INPUT,)}, ()),
        (ALL_FIELDS, {"image_size": "2K", "input_images": (PNG_INPUT,), "seed": 3, "temperature": 0.5}, ()),
        (PLAIN, {"seed": 3, "openai": {"seed": 4}}, ()),
    ],
)
def test_unsupported_fields_are_named(model: ServedModel, given: dict[str, Any], names: tuple[str, ...]) -> None:
    assert unsupported_fields(replace(SUN, **given), model) == names


def test_an_edit_without_a_ratio_keeps_the_shape_of_its_picture() -> None:
    assert "size" not in edit_texts(WITH_TIERS, image_size="2K")


def test_a_request_for_a_gemini_server_is_not_written() -> None:
    with pytest.raises(ValueError, match="does not speak"):
        write_request(SUN, ModelCatalogue().resolve(None))


# Edits


@pytest.mark.parametrize(
    ("pictures", "files"),
    [
        ((PNG_INPUT,), [("image", "image-1.png", "image/png", PNG)]),
        (
            (JPEG_INPUT, PNG_INPUT, WEBP_INPUT),
            [
                ("image[]", "image-1.jpeg", "image/jpeg", JPEG),
                ("image[]", "image-2.png", "image/png", PNG),
                ("image[]", "image-3.webp", "image/webp", WEBP),
            ],
        ),
    ],
    ids=["one", "several"],
)
@pytest.mark.parametrize("mask", [None, MASK_INPUT], ids=["no mask", "mask"])
def test_an_edit_is_a_form(
    pictures: tuple[InputImage, ...], files: list[tuple[str, str, str, bytes]], mask: InputImage | None
) -> None:
    request = write_request(replace(SUN, input_images=pictures, mask=mask, count=2), PLAIN)
    assert request.path == "images/edits"
    texts, found = received(request)
    assert texts == [("model", "flux"), ("prompt", "a red sun"), ("n", "2"), ("response_format", "b64_json")]
    expected = files + ([("mask", "mask.png", "image/png", MASK)] if mask else [])
    assert [(name, file.filename, file.mimetype, file.read()) for name, file in found] == expected


def test_form_values_are_written_as_text() -> None:
    own = {"quality": "high", "flag": True, "steps": 4, "none": None, "nested": {"a": [1, "é"]}, 'a"\r\nb': "odd"}
    texts = edit_texts(ALL_FIELDS, seed=3, temperature=0.5, openai=own)
    assert {name: texts.get(name) for name in ("quality", "flag", "steps", "seed", "temperature", "none")} == {
        "quality": "high",
        "flag": "true",
        "steps": "4",
        "seed": "3",
        "temperature": "0.5",
        "none": None,
    }
    assert json.loads(texts["nested"]) == own["nested"]
    assert "odd" in texts.values()


def test_a_form_is_deterministic_and_does_not_copy_pictures() -> None:
    request = replace(SUN, input_images=(PNG_INPUT, JPEG_INPUT))
    one, other = write_request(request, PLAIN), write_request(request, PLAIN)
    assert one == other
    assert PNG in one.body and JPEG in one.body
    assert write_request(request, PLAIN, boundary="x").content_type == "multipart/form-data; boundary=x"


def test_a_boundary_within_a_picture_does_not_end_a_part() -> None:
    request = replace(SUN, input_images=(PNG_INPUT,))
    boundary = write_request(request, PLAIN).content_type.partition("boundary=")[2]
    odd = PNG + f"\r\n--{boundary}--\r\n".encode()
    request = replace(request, prompt=f"\r\n--{boundary}\r\n", input_images=(from_bytes(odd, "image"),))
    texts, files = received(write_request(request, PLAIN))
    assert dict(texts)["prompt"] == request.prompt
    assert [file.read() for _, file in files] == [odd]


@given(st.text())
def test_any_prompt_survives_a_form(prompt: str) -> None:
    request = write_request(ImageRequest(prompt, input_images=(PNG_INPUT,)), PLAIN)
    assert dict(received(request)[0])["prompt"] == prompt.encode("utf-8", "replace").decode()


@given(st.text(alphabet=st.characters()))
def test_any_prompt_survives_json(prompt: str) -> None:
    assert generation(prompt=prompt)["prompt"] == prompt


@pytest.mark.parametrize("mask", [None, MASK_INPUT, ADDRESS_INPUT], ids=["no mask", "mask", "mask at an address"])
def test_an_edit_with_an_address_is_json(mask: InputImage | None) -> None:
    request = write_request(
        replace(SUN, input_images=(PNG_INPUT, ADDRESS_INPUT), mask=mask, openai={"quality": "low"}),
        PLAIN,
        stream=True,
    )
    assert (request.path, request.content_type) == ("images/edits", "application/json")

    def reference(image: InputImage) -> dict[str, str | None]:
        return {"image_url": image.uri or f"data:{image.mime_type};base64,{(image.data or b'').decode()}"}

    assert json.loads(b"".join(request.body)) == {
        "model": "flux",
        "prompt": "a red sun",
        "response_format": "b64_json",
        "stream": True,
        "quality": "low",
        "images": [reference(PNG_INPUT), reference(ADDRESS_INPUT)],
        **({"mask": reference(mask)} if mask else {}),
    }


def test_an_address_is_refused_if_the_server_does_not_open_it() -> None:
    with pytest.raises(ApiError, match="own-model") as caught:
        write_request(replace(SUN, input_images=(ADDRESS_INPUT,)), served(image_urls=False))
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_VALUE, "image")


def test_an_edit_is_refused_if_the_server_has_none() -> None:
    with pytest.raises(ApiError, match="own-model") as caught:
        write_request(replace(SUN, input_images=(PNG_INPUT,)), served(edits=False))
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_VALUE, "image")
    assert write_request(SUN, served(edits=False)).path == "images/generations"


# Many pictures


@pytest.mark.parametrize(
    ("count", "most", "counts"), [(1, 1, [1]), (3, 10, [3]), (4, 2, [2, 2]), (7, 3, [3, 3, 1]), (3, 1, [1, 1, 1])]
)
def test_more_pictures_than_one_call_allows_are_several_requests(count: int, most: int, counts: list[int]) -> None:
    requests = split(replace(SUN, count=count), most)
    assert requests == [replace(SUN, count=one) for one in counts]


@pytest.mark.parametrize(("seed", "seeds"), [(5, [5, 7, 9]), (0, [0, 2, 4]), (-1, [-1, -1, -1]), (None, [None] * 3)])
def test_each_request_has_the_seed_of_its_first_picture(seed: int | None, seeds: list[int | None]) -> None:
    assert [one.seed for one in split(replace(SUN, count=5, seed=seed), 2)] == seeds
