"""Every answer in contract_fixtures/openai_images: OpenAI's SDK gets what it expects, and it conforms to the spec."""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import spec
from tests.contract_fixtures.patient_clients import Noted, ask_openai
from tests.spec.spec_validators import answer_complaints, complaints, events, operation, request_complaints
from tests.support.upstream import Answer, ScriptedUpstream

FOLDER = Path(__file__).resolve().parents[2] / "contract_fixtures" / "openai_images"
FILES = sorted(FOLDER.rglob("*.json"))
DOCUMENT = spec.load("openai_images")
KEY = "sk-key-of-a-reader"
NOT_DESCRIBED = {"gif_preview", "null_fields"}  # which other servers may answer, but our spec does not describe
ERROR_FIELDS = ("code", "type", "param")


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(""))


def load(path: Path) -> dict[str, Any]:
    fixture: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fixture


def text_of(response: dict[str, Any]) -> str:
    """The body as it is sent."""
    text = response["body_text"] if "body_text" in response else json.dumps(response["body"], indent=2)
    return str(text).replace("[[key]]", KEY)


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """The server that plays OpenAI."""
    with ScriptedUpstream() as upstream:
        yield upstream


def play(upstream: ScriptedUpstream, fixture: dict[str, Any], kind: str, **options: Any) -> tuple[Any, Noted]:
    """The result of the SDK's call, which the upstream answers with the fixture."""
    response = fixture["response"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    content_type = headers.pop("content-type", "application/json")
    body = text_of(response).encode()
    cut = len(body) if response.get("cut") else None
    upstream.answers(
        Answer(body, response["status"], content_type=content_type, headers=tuple(headers.items()), cut_after=cut)
    )
    return ask_openai(kind, f"{upstream.url}/v1", KEY, lambda client: ask(client, fixture["request"]), **options)


def ask(client: Any, request: dict[str, Any]) -> Any:
    """Make the call of a fixture's request; parameters go into `extra_body`, so that the SDK need not know them."""
    path = request["path"].removeprefix("/v1")
    if path == "/models":
        return client.models.list()
    if path.startswith("/models/"):
        return client.models.retrieve(path.removeprefix("/models/"))
    fields = dict(request.get("body") or request.get("form") or {})
    if path == "/images/generations":
        return client.images.generate(prompt=fields.pop("prompt", "a hill"), **streaming(fields), extra_body=fields)
    if path == "/images/edits":
        image = base64.b64decode(fields.pop("image", {}).get("$file", ""))
        return client.images.edit(image=image, prompt=fields.pop("prompt"), **streaming(fields), extra_body=fields)
    if path == "/images/variations":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            image = base64.b64decode(fields.pop("image")["$file"])
            return client.images.create_variation(image=image, extra_body=fields)
    return client.post(path, body=fields, cast_to=object)


def streaming(fields: dict[str, Any]) -> dict[str, bool]:
    return {"stream": True} if fields.pop("stream", False) else {}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_sdk_gets_what_the_fixture_expects(upstream: ScriptedUpstream, path: Path) -> None:
    kind = ("sync", "async")[FILES.index(path) % 2]  # the two clients take turns
    fixture = load(path)
    expect = fixture["expect"]
    result, noted = play(upstream, fixture, kind)
    sdk = expect.get("sdk", {})
    if "exception" in sdk:
        assert type(result).__name__ == sdk["exception"], result
        found = {name: getattr(result, name) for name in ERROR_FIELDS if name in sdk}
        assert found == {name: sdk[name] for name in found}
        assert getattr(result, "status_code", None) == sdk.get("status")
    elif isinstance(result, Exception):
        raise result
    else:
        check_answer(result, expect, text_of(fixture["response"]))
    assert noted.attempts == len(upstream.calls) == sdk.get("attempts", 1)
    if "retry_after" in expect:
        assert noted.delays == [expect["retry_after"]] * (noted.attempts - 1)


def check_answer(answer: Any, expect: dict[str, Any], body: str) -> None:
    """The fields of an answer."""
    if "models" in expect:
        assert [one.id for one in getattr(answer, "data", [answer])] == expect["models"]
        return
    if isinstance(answer, list):
        whole = [event for event in answer if event.type.endswith(".completed")]
        assert len(answer) - len(whole) == expect.get("partial_pictures", 0)
        usages = [event.usage for event in whole]
    else:
        whole, usages = answer.data, [answer.usage] if answer.usage else []
        for name in ("size", "quality", "background", "output_format"):
            assert name not in expect or getattr(answer, name) == expect[name]
    assert [shown(one, body) for one in whole] == expect.get("pictures", [])
    assert summed(usages) == expect.get("usage")


def shown(item: Any, body: str) -> dict[str, Any]:
    """A picture as a fixture describes it; its base64 must be unchanged."""
    picture: dict[str, Any] = {"url": item.url} if getattr(item, "url", None) else {}
    if item.b64_json:
        assert f'"{item.b64_json}"' in body
        with Image.open(io.BytesIO(base64.b64decode(item.b64_json, validate=True))) as image:
            image.load()
            picture = {"mime_type": Image.MIME[str(image.format)], "width": image.width, "height": image.height}
    if getattr(item, "revised_prompt", None):
        picture["revised_prompt"] = item.revised_prompt
    return picture


def summed(usages: list[Any]) -> dict[str, int] | None:
    """The tokens of all answers; output tokens without details are of pictures."""
    if not usages:
        return None
    total = {"input_text_tokens": 0, "input_image_tokens": 0, "output_text_tokens": 0, "output_image_tokens": 0}
    for usage in usages:
        details = getattr(usage, "output_tokens_details", None)
        total["input_text_tokens"] += usage.input_tokens_details.text_tokens
        total["input_image_tokens"] += usage.input_tokens_details.image_tokens
        total["output_text_tokens"] += details.text_tokens if details else 0
        total["output_image_tokens"] += details.image_tokens if details else usage.output_tokens
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    return total


ANSWERS = [path for path in FILES if "exception" not in load(path)["expect"].get("sdk", {})]


@pytest.mark.parametrize("path", ANSWERS, ids=name_of)
def test_the_sdk_accepts_it_in_its_strict_mode(upstream: ScriptedUpstream, path: Path) -> None:
    result, _ = play(upstream, load(path), "sync", _strict_response_validation=True)
    assert not isinstance(result, Exception), result


@pytest.mark.parametrize("path", [path for path in FILES if path.stem not in NOT_DESCRIBED], ids=name_of)
def test_it_conforms_to_the_spec(path: Path) -> None:
    fixture = load(path)
    request, response = fixture["request"], fixture["response"]
    method = "GET" if request.get("body", ...) is None else "POST"
    text = text_of(response)
    try:
        described = operation(DOCUMENT, method, request["path"])
    except LookupError:
        assert response["status"] == 404
        return
    if "body" in request and method == "POST" and response["status"] == 200:
        assert request_complaints(DOCUMENT, method, request["path"], request["body"]) == []
    if fixture["expect"].get("error") in ("UPSTREAM_BROKEN", "NO_IMAGE") or path.stem == "bare_error":
        return  # meant to be a broken answer
    content_type = str(response["headers"].get("content-type"))
    if content_type.startswith("text/event-stream"):
        schema = spec.resolve(described["responses"]["200"]["content"]["text/event-stream"]["schema"], DOCUMENT)
        data = schema["properties"]["data"]["contentSchema"]
        sent = [event for event in events(text.replace("data: [DONE]\n\n", "")) if "partial" not in event["type"]]
        assert [found for event in sent for found in complaints(DOCUMENT, data, event)] == []
        return
    found = answer_complaints(DOCUMENT, method, request["path"], response["status"], response["headers"], text)
    assert found == []


def test_each_fixture_explains_itself() -> None:
    for path in FILES:
        fixture = load(path)
        assert fixture.keys() == {"situation", "origin", "request", "response", "expect"}, path
        assert re.match(r"(written|recorded) \d{4}-\d\d-\d\d", fixture["origin"]), path
        assert len(path.read_bytes()) < 4096, f"{path}: pictures are a few hundred bytes"
    names = [path.stem for path in FILES]
    assert len(set(names)) == len(names), "no name occurs twice"


# The errors of OpenAI that must have a fixture, as status and code.
ERRORS = {
    *((400, code) for code in ("missing_required_parameter", "invalid_type", "integer_above_max_value")),
    *((400, code) for code in ("integer_below_min_value", "string_above_max_length", "invalid_value")),
    *((400, code) for code in ("unknown_parameter", None, "invalid_image_file", "moderation_blocked")),
    *((400, code) for code in ("content_policy_violation", "billing_hard_limit_reached", "unsupported_file_mimetype")),
    *((401, code) for code in ("invalid_api_key", None)),
    *((403, code) for code in ("unsupported_country_region_territory", None)),
    *((404, code) for code in ("model_not_found", None)),
    *((status, None) for status in (408, 409, 413, 422)),
    (405, "method_not_supported"),
    *((429, code) for code in ("rate_limit_exceeded", "slow_down", "insufficient_quota", "credit_balance_exhausted")),
    *((429, code) for code in ("organization_spend_limit_exceeded", "project_spend_limit_exceeded")),
    *((429, code) for code in ("organization_usage_limit_exceeded", "billing_hard_limit_reached")),
    *((500, code) for code in (None, "image_generation_failed")),
    (502, None),
    (503, "server_is_overloaded"),
}


def test_every_known_error_has_a_fixture() -> None:
    raised = [load(path)["expect"].get("sdk", {}) for path in FILES]
    assert {(one["status"], one["code"]) for one in raised if "status" in one} >= ERRORS
