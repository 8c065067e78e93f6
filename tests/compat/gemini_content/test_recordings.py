"""Real answers of Google, in a folder beside the project. Without it these tests are skipped."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from compat.errors import ErrorKind
from compat.gemini_content.error import parse_error
from compat.gemini_content.response import read_answer
from compat.images import Finish, ImageStart, Text
from tests.compat.errors import error_of
from tests.compat.pictures import content_in
from tests.support.chunks import cut_every

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "recordings"
RECORDINGS = sorted(path for path in FOLDER.glob("gemini_*.json") if "_interactions_" not in path.stem)  # another API

# The error of a recording without pictures, by the longest prefix of its name
ERRORS = {
    "200_no_image_reason_IMAGE_OTHER": ErrorKind.NO_IMAGE,
    "200_no_image_reason_IMAGE_PROHIBITED_CONTENT": ErrorKind.CONTENT_BLOCKED,
    "200_no_image_reason_NO_IMAGE": ErrorKind.NO_IMAGE,
    "200_prompt_blocked": ErrorKind.CONTENT_BLOCKED,
    "20fpig_stream_sse_text_only": ErrorKind.NO_IMAGE,
    "25fi_preview_default_modalities_or_text_1": ErrorKind.NO_IMAGE,
    "25fi_text_only_vs_image_2": ErrorKind.UPSTREAM_BROKEN,  # the recorder put a note instead of the picture
    "3pi_preview_stream_sse": ErrorKind.UPSTREAM_BROKEN,  # the same
    "err_400": ErrorKind.INVALID_ARGUMENT,
    "err_400_api_key_invalid": ErrorKind.INVALID_KEY,
    "err_400_location_not_supported": ErrorKind.LOCATION_NOT_SUPPORTED,
    "err_401": ErrorKind.INVALID_KEY,
    "err_403": ErrorKind.PERMISSION_DENIED,
    "err_403_missing_key": ErrorKind.INVALID_KEY,
    "err_404": ErrorKind.MODEL_NOT_FOUND,
    "err_429_free_tier": ErrorKind.QUOTA_EXHAUSTED,
    "err_429_generic": ErrorKind.RATE_LIMITED,
    "err_429_quota_paid_tier": ErrorKind.RATE_LIMITED,
    "err_500": ErrorKind.UPSTREAM_INTERNAL,
    "err_503": ErrorKind.UPSTREAM_UNAVAILABLE,
}


def load(path: Path) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["response"]
    return response


def is_answer(path: Path) -> bool:
    return re.match(r"gemini_(countTokens|list_models)", path.name) is None


def expected_error(path: Path) -> ErrorKind | None:
    name = path.stem.removeprefix("gemini_")
    start = max((start for start in ERRORS if name.startswith(start)), key=len, default=None)
    return ERRORS[start] if start else None


@pytest.mark.skipif(not RECORDINGS, reason="there are no recordings in ../shared/recordings")
@pytest.mark.parametrize("path", [path for path in RECORDINGS if is_answer(path)], ids=lambda path: path.stem)
def test_a_recorded_answer_is_read(path: Path) -> None:
    response, kind = load(path), expected_error(path)
    text = response["body_text"] if "body_text" in response else json.dumps(response["body"], indent=2)
    if response["status"] >= 300:
        assert parse_error(response["status"], text.encode()).kind is kind
        return
    events = read_answer(cut_every(text.encode(), 65536), response["headers"].get("content-type", "application/json"))
    if kind:
        error = error_of(list, events)
        assert error.kind is kind
        return
    found = list(events)
    parts = [part for one in responses_in(text) for part in parts_of(one) if not part.get("thought")]
    assert content_in(found) == b"".join(
        base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part
    )
    assert "".join(event.text for event in found if isinstance(event, Text)) == "".join(
        part.get("text", "") for part in parts
    )
    sizes = [(event.width, event.height) for event in found if isinstance(event, ImageStart)]
    recorded = [(one["width"], one["height"]) for one in response.get("response_images", [])]
    assert sizes == (recorded or sizes)
    assert isinstance(found[-1], Finish)
    assert (found[-1].usage is not None) == ("usageMetadata" in text)


def responses_in(text: str) -> list[dict[str, Any]]:
    lines = re.findall(r"^data: (.*)$", text, re.MULTILINE)
    return [json.loads(line) for line in lines or [text]]


def parts_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        part
        for candidate in response.get("candidates", [])
        for part in (candidate.get("content") or {}).get("parts") or []
    ]
