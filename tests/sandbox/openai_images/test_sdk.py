"""OpenAI's own SDK against `python -m sandbox`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.sandbox.gemini_client import Client, png
from tests.sandbox.openai_client import OPENAI_KEY, PROMPT, image_file, opened

openai = pytest.importorskip("openai")


@pytest.fixture
def sdk(served: Client) -> Iterator[Any]:
    """OpenAI's SDK in its strict mode, in which it refuses an answer of another shape."""
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


def test_streams(sdk: Any) -> None:
    drawn = list(sdk.images.generate(prompt=PROMPT, size="64x48", stream=True, partial_images=2))
    assert [event.type for event in drawn] == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    changed = list(sdk.images.edit(image=image_file(png()), prompt="in blue", stream=True, partial_images=1, n=2))
    assert [event.type for event in changed] == ["image_edit.partial_image", "image_edit.completed"] * 2
    assert {size_of(event) for event in changed} == {(64, 64)}


def test_edits_and_variations(sdk: Any) -> None:
    hidden = image_file(png((64, 64), "RGBA"))
    (item,) = sdk.images.edit(
        image=[image_file(png()), image_file(png((20, 30)))], mask=hidden, prompt="make it night"
    ).data
    assert size_of(item) == (64, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        varied = sdk.images.create_variation(image=image_file(png()), n=2, size="256x256", response_format="b64_json")
    assert [size_of(item) for item in varied.data] == [(256, 256)] * 2


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
        ("html_502", "InternalServerError", None),
    ],
)
def test_errors(sdk: Any, situation: str, exception: str, code: str | None) -> None:
    with pytest.raises(getattr(openai, exception)) as refused:
        sdk.images.generate(prompt=f"[[{situation}]]")
    assert refused.value.code == code


def test_an_error_in_the_middle_of_a_stream(sdk: Any) -> None:
    events = []
    with pytest.raises(openai.APIError) as refused:
        events.extend(sdk.images.generate(prompt="[[error_mid_stream]]", stream=True))
    assert refused.value.code == "image_generation_failed"


def test_a_chunked_body(served: Client) -> None:
    body = requests.Request(
        "POST", "http://x", data={"prompt": "in blue"}, files={"image": image_file(png())}
    ).prepare()
    pieces = (body.body[i : i + 700] for i in range(0, len(body.body), 700))
    headers = {**OPENAI_KEY, "content-type": body.headers["content-type"]}
    url = f"{served.base_url}/v1/images/edits"
    answer = served.session.post(url, data=pieces, headers=headers)
    assert opened(answer.json()["data"][0]).size == (64, 64)
