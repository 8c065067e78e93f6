"""Every contract fixture of the Gemini API, read as an answer. A new file is a new test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.errors import ErrorKind, broken
from compat.gemini_content.error import parse_error
from compat.gemini_content.response import read_answer
from compat.images import Event, Finish, ImageStart, Text, Usage
from tests.compat.errors import error_of
from tests.compat.pictures import without_drafts
from tests.support.chunks import cut_every

FOLDER = Path(__file__).resolve().parents[3] / "contract_fixtures" / "gemini_content"
FIXTURES = sorted(FOLDER.rglob("*.json"))
ANSWERS = [path for path in FIXTURES if path.parent.name in ("generate_content", "stream_generate_content")]
LENGTHS = [1, 11, 10_000_000]


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(""))


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """What is expected of the response, the response, and its bytes."""
    fixture = json.loads(path.read_text(encoding="utf-8"))
    response = fixture["response"]
    body = response["body_text"] if "body_text" in response else json.dumps(response["body"], indent=2) + "\n"
    return fixture["expect"], response, body.encode()


def arriving(response: dict[str, Any], body: bytes, length: int) -> Iterator[bytes]:
    """The body in pieces, and the error if the connection breaks after it."""
    yield from cut_every(body, length)
    if response.get("cut"):
        raise broken("The connection broke.")


def read(response: dict[str, Any], body: bytes, length: int) -> list[Event]:
    """The events without drafts. Raises ApiError."""
    if response["status"] >= 300:
        raise parse_error(response["status"], body, response["headers"])
    content_type = next(
        (value for name, value in response["headers"].items() if name.lower() == "content-type"), "application/json"
    )
    return without_drafts(read_answer(arriving(response, body, length), content_type))


@pytest.mark.parametrize("path", ANSWERS, ids=name_of)
@pytest.mark.parametrize("length", LENGTHS)
def test_an_answer_is_what_the_fixture_expects(path: Path, length: int) -> None:
    expect, response, body = load(path)
    if "error" in expect:
        error = error_of(read, response, body, length)
        assert error.kind is ErrorKind[expect["error"]], error
        assert error.retry_after == expect.get("retry_after")
    else:
        events = read(response, body, length)
        finish = events[-1]
        assert isinstance(finish, Finish)
        assert pictures_of(events) == [(one["mime_type"], one["width"], one["height"]) for one in expect["pictures"]]
        assert "".join(event.text for event in events if isinstance(event, Text)) == expect.get("text", "")
        assert finish.usage == (Usage(**expect["usage"]) if "usage" in expect else None)


def pictures_of(events: list[Event]) -> list[tuple[str, int, int]]:
    return [(event.mime_type, event.width, event.height) for event in events if isinstance(event, ImageStart)]


@pytest.mark.parametrize("path", [path for path in FIXTURES if path not in ANSWERS], ids=name_of)
def test_an_error_of_another_method_is_what_the_fixture_expects(path: Path) -> None:
    expect, response, body = load(path)
    if "error" in expect:
        assert parse_error(response["status"], body, response["headers"]).kind is ErrorKind[expect["error"]]
    else:
        assert response["status"] == 200


def test_every_refusal_and_every_error_of_the_upstream_has_a_fixture() -> None:
    """Without a fixture, a kind that only the upstream causes would be untested."""
    shown = {load(path)[0].get("error") for path in ANSWERS}
    ours = {
        "MISSING_KEY", "INVALID_JSON", "MISSING_PARAMETER", "INVALID_TYPE", "INVALID_VALUE", "INVALID_SIZE",
        "INVALID_IMAGE", "NUMBER_TOO_LARGE", "NUMBER_TOO_SMALL", "STRING_TOO_LONG", "STRING_EMPTY", "ARRAY_TOO_LONG",
        "ARRAY_TOO_SHORT", "NOT_FOUND", "METHOD_NOT_ALLOWED", "BODY_TOO_SLOW", "BODY_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE", "OVERLOADED", "IDEMPOTENCY_KEY_REUSED", "OUTCOME_UNKNOWN", "STATE_UNAVAILABLE",
        "INTERNAL", "OPERATOR_KEY_REFUSED", "JOB_LOST", "JOB_CANCELLED", "BUDGET_EXHAUSTED",
    }  # fmt: skip
    assert {kind.name for kind in ErrorKind} - ours <= shown
