"""`python -m sandbox` as a server that speaks OpenAI's Images API, and OpenAI's own SDK against it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from sandbox.openai_images.pictures import KEPT_PICTURES, Gallery, commissioned
from sandbox.openai_images.request import Order
from tests.sandbox.openai_clients import OPENAI_KEY, PROMPT, opened, picture
from tests.sandbox.sandbox_clients import Client, png

openai = pytest.importorskip("openai")


@pytest.fixture
def sdk(served: Client) -> Iterator[Any]:
    """OpenAI's SDK, which complains about any answer that is not as it was promised."""
    with openai.OpenAI(
        api_key="sandbox", base_url=f"{served.base_url}/v1", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def size_of(item: Any) -> tuple[int, int]:
    return opened({"b64_json": item.b64_json}).size


def test_pictures(sdk: Any) -> None:
    answer = sdk.images.generate(
        model="flux-1-schnell", prompt=PROMPT, n=3, size="144x80", quality="low", extra_body={"seed": 5, "steps": 4}
    )
    assert [size_of(item) for item in answer.data] == [(144, 80)] * 3
    assert len({item.b64_json for item in answer.data}) == 3
    assert (answer.size, answer.quality, answer.output_format, answer.background) == ("144x80", "low", "png", "opaque")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_an_address(sdk: Any) -> None:
    (item,) = sdk.images.generate(prompt=PROMPT, size="64x48", response_format="url", output_format="jpeg").data
    with Image.open(io.BytesIO(requests.get(item.url, timeout=20).content)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))


def test_streams(sdk: Any) -> None:
    drawn = list(sdk.images.generate(prompt=PROMPT, size="64x48", stream=True, partial_images=2))
    assert [event.type for event in drawn] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    changed = list(sdk.images.edit(image=picture(png()), prompt="in blue", stream=True, partial_images=1, n=2))
    assert [event.type for event in changed] == ["image_edit.partial_image", "image_edit.completed"] * 2
    assert {size_of(event) for event in changed} == {(64, 64)}


def test_edits_and_variations(sdk: Any) -> None:
    hidden = picture(png((64, 64), "RGBA"))
    (item,) = sdk.images.edit(image=[picture(png()), picture(png((20, 30)))], mask=hidden, prompt="make it night").data
    assert size_of(item) == (64, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        varied = sdk.images.create_variation(image=picture(png()), n=2, size="256x256", response_format="b64_json")
    assert [size_of(item) for item in varied.data] == [(256, 256)] * 2


def test_raw_bytes_are_no_picture_yet(sdk: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.images.edit(image=png(), prompt="in blue")
    assert refused.value.code == "unsupported_file_mimetype"


def test_models(sdk: Any) -> None:
    assert "gpt-image-2" in [model.id for model in sdk.models.list()]
    assert sdk.models.retrieve("some-lab/some-model").id == "some-lab/some-model"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("missing-model")


@pytest.mark.parametrize(
    ("situation", "exception", "code"),
    [
        ("moderation_blocked", "BadRequestError", "moderation_blocked"),
        ("rate_limited", "RateLimitError", "rate_limit_exceeded"),
        ("insufficient_quota", "RateLimitError", "insufficient_quota"),
        ("server_error", "InternalServerError", None),
        ("html_502", "InternalServerError", None),
        ("no_such_thing", "BadRequestError", "invalid_value"),
    ],
)
def test_refusals(sdk: Any, situation: str, exception: str, code: str | None) -> None:
    with pytest.raises(getattr(openai, exception)) as refused:
        sdk.images.generate(prompt=f"[[{situation}]]")
    assert refused.value.code == code


def test_an_error_in_the_middle_of_a_stream(sdk: Any) -> None:
    seen = []
    with pytest.raises(openai.APIError) as refused:
        seen.extend(sdk.images.generate(prompt="[[error_mid_stream]]", stream=True))
    assert refused.value.code == "image_generation_failed"


def test_keys(served: Client) -> None:
    with (
        openai.OpenAI(api_key="sk-invalid", base_url=f"{served.base_url}/v1") as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.images.generate(prompt=PROMPT)
    assert refused.value.code == "invalid_api_key"


def test_a_body_that_comes_in_chunks(served: Client) -> None:
    body = requests.Request("POST", "http://x", data={"prompt": "in blue"}, files={"image": picture(png())}).prepare()
    pieces = (body.body[i : i + 700] for i in range(0, len(body.body), 700))
    headers = {**OPENAI_KEY, "content-type": body.headers["content-type"]}
    url = f"{served.base_url}/v1/images/edits"
    answer = served.session.post(url, data=pieces, headers=headers)
    assert opened(answer.json()["data"][0]).size == (64, 64)


def test_the_gallery_forgets_the_oldest_and_keeps_as_many_as_one_answer_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.openai_images.pictures.KEPT_BYTES", 1)
    gallery = Gallery()
    commission = commissioned(Order("generations", "any", PROMPT, size=(16, 16)))
    names = [gallery.picture(commission, index)[0] for index in range(KEPT_PICTURES + 2)]
    assert [gallery.kept(name) is None for name in names] == [True] * 2 + [False] * KEPT_PICTURES
    assert gallery.picture(commission, 0)[0] == names[0]
    assert gallery.kept(names[0]) is not None
