"""Real answers of OpenAI, in a folder beside the project. Without it these tests are skipped."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from compat.errors import ErrorKind
from compat.gemini_content.error import GEMINI
from compat.images import Finish, ImageStart, LinkedImage, RevisedPrompt
from compat.openai_images.error import OPENAI, parse_error
from compat.openai_images.response_reader import find_usage, read_answer
from tests.compat.errors import error_of
from tests.compat.pictures import content_in
from tests.support.chunks import cut_every

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "recordings"
RECORDINGS = sorted(path for path in FOLDER.glob("openai_*.json") if "_responses_" not in path.stem)  # another API

# The error of a recording without pictures, by its name, with the field as a Gemini caller gets it
ERRORS: dict[str, tuple[ErrorKind, str | None]] = {
    "gpt-image-1-mini_generate_jpeg_usage": (ErrorKind.UPSTREAM_BROKEN, None),  # a note instead of the picture
    "err_400_edit_json_image_url_404": (ErrorKind.INVALID_VALUE, "contents"),
    "err_400_edit_json_invalid_image_file": (ErrorKind.INVALID_IMAGE, "contents"),
    "err_400_edit_unsupported_mimetype": (ErrorKind.INVALID_IMAGE, "contents"),
    "err_401_invalid_api_key": (ErrorKind.INVALID_KEY, None),
    "err_additional_params_invalid_background_is_rejected": (ErrorKind.INVALID_VALUE, None),
    "err_additional_params_invalid_output_format_is_rejected": (ErrorKind.INVALID_VALUE, None),
    "err_additional_params_invalid_quality_is_rejected": (ErrorKind.INVALID_VALUE, None),
    "err_additional_params_override_model": (ErrorKind.MODEL_NOT_FOUND, "model"),
    "err_additional_params_override_prompt": (ErrorKind.STRING_EMPTY, "contents"),
    "err_additional_params_override_size": (
        ErrorKind.INVALID_VALUE,
        "generation_config.image_config.aspect_ratio",
    ),
    "err_caller_can_reinstate_response_format": (ErrorKind.INVALID_ARGUMENT, None),
    "err_response_format_is_rejected_before_the_model_is_looked_at": (ErrorKind.INVALID_ARGUMENT, None),
    "err_retired_model_reaches_model_validation": (ErrorKind.MODEL_NOT_FOUND, "model"),
    "err_unlisted_dated_snapshot_reaches_its_own_validation": (
        ErrorKind.INVALID_VALUE,
        "generation_config.image_config.aspect_ratio",
    ),
}


def name_of(path: Path) -> str:
    return path.stem.removeprefix("openai_")


def load(path: Path) -> tuple[int, dict[str, Any], bytes]:
    """The status, the body, and the bytes it was or may have been."""
    response = json.loads(path.read_text(encoding="utf-8"))["response"]
    text = response["body_text"] if "body_text" in response else json.dumps(response["body"], indent=2)
    return response["status"], json.loads(text), text.encode()


@pytest.mark.skipif(not RECORDINGS, reason="there are no recordings in ../shared/recordings")
@pytest.mark.parametrize("path", [path for path in RECORDINGS if "err_" in path.stem], ids=name_of)
def test_a_recorded_error_is_understood(path: Path) -> None:
    status, content, body = load(path)
    error = parse_error(status, body)
    assert (error.kind, OPENAI.translate(error.param, GEMINI)) == ERRORS[name_of(path)]
    assert error.message == content["error"]["message"]


@pytest.mark.skipif(not RECORDINGS, reason="there are no recordings in ../shared/recordings")
@pytest.mark.parametrize("path", [path for path in RECORDINGS if "err_" not in path.stem], ids=name_of)
@pytest.mark.parametrize("length", [997, 65536])
def test_a_recorded_answer_is_read(path: Path, length: int) -> None:
    _, content, body = load(path)
    events = read_answer(cut_every(body, length))
    if name_of(path) in ERRORS:
        error = error_of(list, events)
        assert error.kind is ERRORS[name_of(path)][0]
        return
    found = list(events)
    pictures = [base64.b64decode(item["b64_json"]) for item in content["data"] if "b64_json" in item]
    assert content_in(found) == b"".join(pictures)
    assert len([event for event in found if isinstance(event, ImageStart)]) == len(pictures)
    assert [event.url for event in found if isinstance(event, LinkedImage)] == [
        item["url"] for item in content["data"] if "url" in item
    ]
    assert [event.prompt for event in found if isinstance(event, RevisedPrompt)] == [
        item["revised_prompt"] for item in content["data"] if "revised_prompt" in item
    ]
    sizes = [f"{event.width}x{event.height}" for event in found if isinstance(event, ImageStart)]
    assert sizes == [content.get("size", size) for size in sizes]
    check_usage(found[-1], content, body)


def check_usage(finish: object, content: dict[str, Any], body: bytes) -> None:
    assert isinstance(finish, Finish)
    assert finish.usage == find_usage(body[-2000:])
    assert (finish.usage is not None) == ("usage" in content)
    if finish.usage:
        usage = content["usage"]
        inputs, outputs = usage["input_tokens_details"], usage.get("output_tokens_details")
        assert finish.usage.input_text_tokens == inputs["text_tokens"]
        assert finish.usage.input_image_tokens == inputs["image_tokens"]
        assert finish.usage.output_text_tokens == (outputs["text_tokens"] if outputs else 0)
        assert finish.usage.output_image_tokens == (outputs["image_tokens"] if outputs else usage["output_tokens"])


@pytest.mark.skipif(not RECORDINGS, reason="there are no recordings in ../shared/recordings")
def test_every_expected_error_has_a_recording() -> None:
    assert set(ERRORS) <= {name_of(path) for path in RECORDINGS}
