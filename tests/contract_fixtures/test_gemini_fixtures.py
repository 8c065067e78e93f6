"""Every answer in contract_fixtures/gemini_content, requested from the running proxy as a stream of OpenAI's SDK.

The contract suite does the same for `b64_json`, and through Google's SDK; tests/passthrough compares bytes.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

from contract.replay import pictures_of
from contract.suite.situations import FOLDER, GENERATE, STREAM, Situation, situations
from tests.contract_fixtures.patient_clients import Noted, ask_openai
from tests.support.proxy_server import QUICK, ProxyServer

MODEL = "gemini-2.5-flash-image"
KEY = "sandbox"
PRICES = {"input": 0.30, "text": 2.50, "image": 30.0}  # USD per million tokens
LONGEST_WAIT = 60.0  # seconds, the longest Retry-After
USAGE = ("input_text_tokens", "input_image_tokens", "output_text_tokens", "output_image_tokens")

# What OpenAI's SDK raises, as the README says: exception, code, and the number of attempts.
RAISED: dict[str, tuple[str, str | None, int]] = {
    "CONTENT_BLOCKED": ("BadRequestError", "moderation_blocked", 1),
    "NO_IMAGE": ("BadRequestError", "no_image_generated", 1),
    "INVALID_KEY": ("AuthenticationError", "invalid_api_key", 1),
    "PERMISSION_DENIED": ("PermissionDeniedError", "permission_denied", 1),
    "LOCATION_NOT_SUPPORTED": ("PermissionDeniedError", "unsupported_country_region_territory", 1),
    "INVALID_ARGUMENT": ("BadRequestError", None, 1),
    "MODEL_NOT_FOUND": ("NotFoundError", "model_not_found", 1),
    "QUOTA_EXHAUSTED": ("RateLimitError", "insufficient_quota", 1),
    "RATE_LIMITED": ("RateLimitError", "rate_limit_exceeded", 3),
    "UPSTREAM_INTERNAL": ("InternalServerError", "server_error", 3),
    "UPSTREAM_UNAVAILABLE": ("InternalServerError", "service_unavailable", 3),
    "UPSTREAM_TIMEOUT": ("InternalServerError", "upstream_timeout", 1),
    "UPSTREAM_BROKEN": ("InternalServerError", "upstream_error", 1),
}
REJECTED = {409: ("ConflictError", None, 3)}  # any other 4xx keeps its status
ALL = [*situations(GENERATE), *situations(STREAM)]


def name_of(situation: Situation) -> str:
    return situation.name


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """The whole service with its sandbox."""
    with ProxyServer(tmp_path_factory.mktemp("proxy"), QUICK, SANDBOX="1") as server:
        yield server


@pytest.mark.parametrize("situation", ALL, ids=name_of)
def test_openais_sdk_gets_what_the_fixture_expects(proxy: ProxyServer, situation: Situation) -> None:
    prompt = f"please [[{situation.name}]]"
    result, noted = ask_openai(
        "async",
        f"{proxy.url}/v1",
        KEY,
        lambda client: client.images.generate(model=MODEL, prompt=prompt, stream=True),
    )
    if "error" in situation.expect:
        check_error(situation, result, noted)
    elif isinstance(result, Exception):
        raise result
    else:
        check_pictures(situation, result)
        assert noted.attempts == 1


def check_error(situation: Situation, error: Any, noted: Noted) -> None:
    """The exception, its code, and how often and after how long the SDK retried."""
    kind = situation.expect["error"]
    name, code, attempts = RAISED.get(kind) or REJECTED.get(situation.status, ("APIStatusError", None, 1))
    if kind == "UPSTREAM_UNAVAILABLE" and "Deadline expired" in situation.text:
        attempts = 1
    if isinstance(error, openai.APIError) and not isinstance(error, openai.APIStatusError):
        name, attempts = "APIError", 1  # an event of the stream
    assert (type(error).__name__, error.code) == (name, code), error
    assert noted.attempts == attempts
    if kind == "UPSTREAM_REJECTED":
        assert error.status_code == situation.status
    if "retry_after" in situation.expect:
        seconds = min(LONGEST_WAIT, math.ceil(situation.expect["retry_after"] * 1000) / 1000)
        assert noted.delays == [seconds] * (attempts - 1)


def check_pictures(situation: Situation, events: list[Any]) -> None:
    """The bytes, sizes, text and tokens of the events of an answer."""
    expected = situation.expect["pictures"]
    pictures = [base64.b64decode(event.b64_json, validate=True) for event in events]
    assert pictures == pictures_of(situation)
    assert [properties_of(picture) for picture in pictures] == expected
    assert "".join((event.model_extra or {}).get("text", "") for event in events) == situation.expect.get("text", "")
    pixels = [f"{one['width']}x{one['height']}" for one in expected]
    formats = [one["mime_type"].removeprefix("image/") for one in expected]
    assert [(event.size, event.output_format) for event in events] == list(zip(pixels, formats, strict=True))
    check_usage(situation, [event.usage for event in events])


def properties_of(picture: bytes) -> dict[str, Any]:
    """The MIME type and size that the bytes of a picture have."""
    with Image.open(io.BytesIO(picture)) as image:
        return {"mime_type": Image.MIME[str(image.format)], "width": image.width, "height": image.height}


def check_usage(situation: Situation, usages: list[Any]) -> None:
    """The tokens by kind, their sums, and their cost."""
    if "usage" not in situation.expect:
        assert not [usage for usage in usages if usage.total_tokens]
        return
    expected = [situation.expect["usage"][name] for name in USAGE]
    kinds = [
        (one.input_tokens_details.text_tokens, one.input_tokens_details.image_tokens, *output_kinds(one))
        for one in usages
    ]
    assert [sum(column) for column in zip(*kinds, strict=True)] == expected
    for usage in usages:
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    text_in, image_in, text_out, image_out = expected
    cost = (text_in + image_in) * PRICES["input"] + text_out * PRICES["text"] + image_out * PRICES["image"]
    assert sum(usage.model_extra["cost"] for usage in usages) == pytest.approx(cost / 1e6, abs=2e-9)


def output_kinds(usage: Any) -> tuple[int, int]:
    """Output tokens of text and of pictures; in events the details are an extra."""
    details = getattr(usage, "output_tokens_details", None)
    members = details if isinstance(details, dict) else details.model_dump()
    return members["text_tokens"], members["image_tokens"]


def test_every_kind_of_error_is_known_here() -> None:
    kinds = {json.loads(path.read_text())["expect"].get("error") for path in Path(FOLDER).rglob("*.json")}
    assert kinds - {None, "UPSTREAM_REJECTED"} <= RAISED.keys()
