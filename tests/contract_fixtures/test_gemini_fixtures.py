"""Every answer in contract_fixtures/gemini_content, summoned through the running proxy by both real SDKs."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from google.genai import errors
from PIL import Image

from sandbox.__main__ import make_server, server_url
from tests.contract_fixtures.patient_clients import Noted, ask_google, ask_openai
from tests.support.proxy_server import ProxyServer

FOLDER = Path(__file__).resolve().parents[2] / "contract_fixtures" / "gemini_content"
MODEL = "gemini-2.5-flash-image"
KEY = "sandbox"
PRICES = {"input": 0.30, "text": 2.50, "image": 30.0}  # USD per million tokens
LONGEST_WAIT = 60.0  # seconds that a caller is told to wait
USAGE = ("input_text_tokens", "input_image_tokens", "output_text_tokens", "output_image_tokens")

# What OpenAI's SDK raises, as the README says: exception, code, and how often the SDK asks in all.
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


@dataclass(frozen=True)
class Fixture:
    """One file."""

    path: Path

    def __str__(self) -> str:
        return self.path.stem

    @cached_property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return found

    @property
    def expect(self) -> dict[str, Any]:
        return dict(self.content["expect"])

    @property
    def status(self) -> int:
        return int(self.content["response"]["status"])

    @property
    def cut(self) -> bool:
        return bool(self.content["response"].get("cut"))

    @property
    def prompt(self) -> str:
        """The words that summon it."""
        return f"please [[{self.path.stem}]]"

    @cached_property
    def answers(self) -> list[Any]:
        """The JSON of the answer, or of each of its events."""
        response = self.content["response"]
        if "body" in response:
            found = response["body"]
        elif response["body_text"].startswith("data:"):
            lines = re.split(r"[\r\n]+", response["body_text"])
            return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]
        else:
            found = json.loads(response["body_text"])
        return found if isinstance(found, list) else [found]

    def all_parts(self) -> Iterator[dict[str, Any]]:
        """What the model said, drew and thought."""
        for answer in self.answers:
            for candidate in answer.get("candidates", []):
                yield from (candidate.get("content") or {}).get("parts") or []

    def parts(self) -> list[dict[str, Any]]:
        """What the model said and drew, its thoughts left out."""
        return [part for part in self.all_parts() if not part.get("thought")]

    def thoughts(self) -> list[dict[str, Any]]:
        """What the model thought."""
        return [part for part in self.all_parts() if part.get("thought")]

    def pictures(self) -> list[bytes]:
        """The bytes of its pictures."""
        blobs = [part.get("inlineData") or part.get("inline_data") for part in self.parts()]
        return [decoded(blob["data"]) for blob in blobs if blob]


def decoded(text: str) -> bytes:
    """Base64 in either alphabet, padded or not."""
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4))


ALL = [Fixture(path) for path in sorted(FOLDER.glob("*/*.json"))]
GENERATED = [one for one in ALL if one.path.parent.name in ("generate_content", "stream_generate_content")]
FOR_GOOGLE = [one for one in GENERATED if one.path.stem != "finish_continuation"]  # which the SDK follows for ever
COUNTED = [one for one in ALL if one.path.parent.name == "count_tokens"]
LISTED = [one for one in ALL if one.path.parent.name == "models"]

# How OpenAI's SDK asks: the client, and what it wishes for.
WISHES: dict[str, tuple[str, dict[str, Any]]] = {
    "url": ("sync", {"response_format": "url"}),
    "base64": ("async", {"response_format": "b64_json"}),
    "two at once": ("sync", {"n": 2, "response_format": "b64_json"}),
    "stream": ("async", {"stream": True}),
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """The whole service, with its sandbox."""
    with ProxyServer(tmp_path_factory.mktemp("proxy"), SANDBOX="1") as server:
        yield server


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("fixture", GENERATED, ids=str)
def test_openais_sdk_makes_of_it_what_the_fixture_says(proxy: ProxyServer, fixture: Fixture, wish: str) -> None:
    kind, wishes = WISHES[wish]
    told, noted = ask_openai(
        kind,
        f"{proxy.url}/v1",
        KEY,
        lambda client: client.images.generate(model=MODEL, prompt=fixture.prompt, **wishes),
    )
    if "error" in fixture.expect:
        check_raised(fixture, wish, told, noted)
    elif wish == "base64" and breaks_while_it_flows(fixture):
        assert isinstance(told, openai.APIConnectionError), told
    elif isinstance(told, Exception):
        raise told
    else:
        check_pictures(fixture, told, wishes.get("n", 1))
        assert noted.attempts == 1


def breaks_while_it_flows(fixture: Fixture) -> bool:
    """Whether a picture that is already on its way turns out to be a draft: the transfer is cut."""
    return any("inlineData" in part and list(part).index("thought") > 0 for part in fixture.thoughts())


def check_raised(fixture: Fixture, wish: str, told: Any, noted: Noted) -> None:
    """The exception, its code, and how often and after how long the SDK asked again."""
    kind = fixture.expect["error"]
    flows = kind == "UPSTREAM_BROKEN" or breaks_while_it_flows(fixture)
    if wish == "base64" and flows and isinstance(told, openai.APIConnectionError):
        assert fixture.status == 200, "only a picture that flows may be cut off"
        return
    name, code, attempts = RAISED.get(kind) or REJECTED.get(fixture.status, ("APIStatusError", None, 1))
    if kind == "UPSTREAM_UNAVAILABLE" and "Deadline expired" in json.dumps(fixture.answers):
        attempts = 1
    if wish == "stream" and isinstance(told, openai.APIError) and not isinstance(told, openai.APIStatusError):
        name, attempts = "APIError", 1  # told within the stream
    assert (type(told).__name__, told.code) == (name, code), told
    assert noted.attempts == attempts
    if kind == "UPSTREAM_REJECTED":
        assert told.status_code == fixture.status
    if "retry_after" in fixture.expect:
        seconds = min(LONGEST_WAIT, math.ceil(fixture.expect["retry_after"] * 1000) / 1000)
        assert noted.delays == [seconds] * (attempts - 1)


def check_pictures(fixture: Fixture, told: Any, times: int) -> None:
    """The bytes, the sizes, the words and the tokens of an answer, which is one body or a list of events."""
    items = told if isinstance(told, list) else told.data
    expected = fixture.expect["pictures"] * times
    assert [bytes_of(item) for item in items] == fixture.pictures() * times
    assert [looked_at(bytes_of(item)) for item in items] == expected
    texts = [(item.model_extra or {}).get("text", "") for item in items]
    assert "".join(texts) == fixture.expect.get("text", "") * times
    pixels = [f"{one['width']}x{one['height']}" for one in expected]
    if isinstance(told, list):
        assert [event.size for event in told] == pixels
        assert [event.output_format for event in told] == [format_of(one) for one in expected]
        usages = [event.usage for event in told]
    else:
        assert [(item.model_extra or {}).get("size", told.size) for item in items] == pixels
        assert told.output_format == format_of(expected[0])
        usages = [told.usage] if told.usage else []
    check_usage(fixture, usages, times)


def bytes_of(item: Any) -> bytes:
    if item.b64_json:
        return base64.b64decode(item.b64_json, validate=True)
    return requests.get(item.url, timeout=10).content


def looked_at(picture: bytes) -> dict[str, Any]:
    """What a picture really is."""
    with Image.open(io.BytesIO(picture)) as image:
        return {"mime_type": Image.MIME[str(image.format)], "width": image.width, "height": image.height}


def format_of(picture: dict[str, Any]) -> str:
    return str(picture["mime_type"]).removeprefix("image/")


def check_usage(fixture: Fixture, usages: list[Any], times: int) -> None:
    """The tokens by kind, their sums, and what they cost."""
    if "usage" not in fixture.expect:
        assert not [usage for usage in usages if usage.total_tokens]
        return
    expected = [fixture.expect["usage"][name] * times for name in USAGE]
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
    """Text and pictures that came out; events know the details as an extra."""
    details = getattr(usage, "output_tokens_details", None)
    told = details if isinstance(details, dict) else details.model_dump()
    return told["text_tokens"], told["image_tokens"]


# Google's own SDK: the client and the version of the address it asks at.
CALLS = {
    "whole": ("sync", "v1", "generate_content"),
    "whole, async": ("async", "v1beta", "generate_content"),
    "stream": ("sync", "v1beta", "generate_content_stream"),
    "stream, async": ("async", "v1", "generate_content_stream"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fixture", FOR_GOOGLE, ids=str)
def test_googles_sdk_makes_of_it_what_the_fixture_says(proxy: ProxyServer, fixture: Fixture, call: str) -> None:
    kind, version, method = CALLS[call]
    if method == "generate_content_stream" and fixture.path.stem == "streamed_line_feeds":
        pytest.skip("the SDK does not read comments between events")
    told, noted = ask_google(
        kind,
        proxy.url,
        KEY,
        lambda models: getattr(models, method)(model=MODEL, contents=fixture.prompt),
        version,
    )
    assert noted.attempts == 1, "Google's SDK does not ask again by itself"
    broken = fixture.expect.get("error") == "UPSTREAM_BROKEN"
    if fixture.status >= 400 or (is_error_event(fixture) and method == "generate_content_stream"):
        check_google_error(fixture, told)
    elif fixture.cut:
        assert isinstance(told, Exception), "a broken transfer must not look whole"
    elif not broken and not is_error_event(fixture):
        if isinstance(told, Exception):
            raise told
        check_google_answer(fixture, told if isinstance(told, list) else [told])


def is_error_event(fixture: Fixture) -> bool:
    """Whether an error comes in the course of a stream."""
    return fixture.expect.get("error") not in (None, "UPSTREAM_BROKEN") and '"error"' in raw_text(fixture)


def raw_text(fixture: Fixture) -> str:
    response = fixture.content["response"]
    return json.dumps(response["body"]) if "body" in response else str(response["body_text"])


def check_google_error(fixture: Fixture, told: Any) -> None:
    """Google's own error in Google's own words, but for the key."""
    assert isinstance(told, errors.APIError), told
    error = error_of(fixture)
    if error is None:
        assert told.code == fixture.status
        return
    assert isinstance(told, errors.ClientError if error["code"] < 500 else errors.ServerError)
    assert (told.code, told.status) == (error["code"], error["status"])
    assert told.message == error["message"].replace("[[key]]", "[key]")


def error_of(fixture: Fixture) -> dict[str, Any] | None:
    """The error object of an answer; None for a web page."""
    found = re.search(r"\{\s*\"error\".*\}", raw_text(fixture), re.DOTALL)
    if not found:
        return None
    error: dict[str, Any] = json.JSONDecoder().raw_decode(found[0])[0]["error"]
    return error


def check_google_answer(fixture: Fixture, answers: list[Any]) -> None:
    """Pictures, words, tokens and reasons of an answer, as Google's SDK hands them on."""
    candidates = [one for answer in answers for one in answer.candidates or []]
    parts = [part for one in candidates for part in (one.content.parts if one.content else None) or []]
    shown = [part for part in parts if not part.thought]
    blobs = [part.inline_data for part in shown if part.inline_data]
    sent = [blob for part in fixture.parts() if (blob := part.get("inlineData") or part.get("inline_data"))]
    assert [blob.data for blob in blobs] == [decoded(blob["data"]) for blob in sent]
    assert [blob.mime_type for blob in blobs] == [blob.get("mimeType") or blob["mime_type"] for blob in sent]
    if "error" not in fixture.expect:
        assert "".join(part.text or "" for part in shown) == fixture.expect.get("text", "")
    reasons = [
        one["finishReason"]
        for answer in fixture.answers
        for one in answer.get("candidates", [])
        if "finishReason" in one
    ]
    assert [one.finish_reason.value for one in candidates if one.finish_reason] == reasons
    blocked = [answer["promptFeedback"]["blockReason"] for answer in fixture.answers if "promptFeedback" in answer]
    assert [one.prompt_feedback.block_reason.value for one in answers if one.prompt_feedback] == blocked
    counted = [answer["usageMetadata"] for answer in fixture.answers if "usageMetadata" in answer]
    if counted:
        usage = answers[-1].usage_metadata
        assert (usage.prompt_token_count, usage.total_token_count) == (
            counted[-1].get("promptTokenCount"),
            counted[-1].get("totalTokenCount"),
        )


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("fixture", COUNTED, ids=str)
def test_googles_sdk_counts_what_the_fixture_says(proxy: ProxyServer, fixture: Fixture, kind: str) -> None:
    told, _ = ask_google(kind, proxy.url, KEY, lambda models: models.count_tokens(model=MODEL, contents=fixture.prompt))
    if "error" in fixture.expect:
        check_google_error(fixture, told)
    else:
        assert told.total_tokens == fixture.expect["total_tokens"]


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    """The sandbox by itself: the proxy tells its own models, so a list of Google's can be seen only here."""
    server = make_server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server_url(server)
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("fixture", LISTED, ids=str)
def test_googles_sdk_lists_what_the_fixture_says(sandbox_url: str, fixture: Fixture) -> None:
    summoned = {"page_token": f"[[{fixture}]]", "query_base": True}
    told, _ = ask_google("sync", sandbox_url, KEY, lambda models: models.list(config=summoned).page)
    if "error" in fixture.expect:
        check_google_error(fixture, told)
    elif fixture.path.stem != "one_model":
        assert [model.name for model in told] == fixture.expect["models"]


def test_every_kind_of_error_is_known_here() -> None:
    kinds = {fixture.expect.get("error") for fixture in ALL} - {None, "UPSTREAM_REJECTED"}
    assert kinds <= RAISED.keys()
