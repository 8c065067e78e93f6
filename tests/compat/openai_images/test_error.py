"""compat/openai_images/error.py: errors in OpenAI's words."""

from __future__ import annotations

import pytest

from compat.errors import ApiError, ErrorKind
from compat.gemini_content import error as google_dialect
from compat.openai_images import error as openai_dialect
from compat.openai_images.error import build_error

# As DESIGN.md and OpenAI's documentation tell them: kind, status, type, code
TOLD = [
    (ErrorKind.MISSING_KEY, 401, "invalid_request_error", None),
    (ErrorKind.INVALID_KEY, 401, "invalid_request_error", "invalid_api_key"),
    (ErrorKind.PERMISSION_DENIED, 403, "invalid_request_error", "permission_denied"),
    (ErrorKind.LOCATION_NOT_SUPPORTED, 403, "invalid_request_error", "unsupported_country_region_territory"),
    (ErrorKind.INVALID_ARGUMENT, 400, "invalid_request_error", None),
    (ErrorKind.INVALID_JSON, 400, "invalid_request_error", None),
    (ErrorKind.MISSING_PARAMETER, 400, "invalid_request_error", "missing_required_parameter"),
    (ErrorKind.INVALID_TYPE, 400, "invalid_request_error", "invalid_type"),
    (ErrorKind.INVALID_VALUE, 400, "invalid_request_error", "invalid_value"),
    (ErrorKind.INVALID_SIZE, 400, "image_generation_user_error", "invalid_value"),
    (ErrorKind.INVALID_IMAGE, 400, "image_generation_user_error", "invalid_image_file"),
    (ErrorKind.NUMBER_TOO_LARGE, 400, "invalid_request_error", "integer_above_max_value"),
    (ErrorKind.NUMBER_TOO_SMALL, 400, "invalid_request_error", "integer_below_min_value"),
    (ErrorKind.STRING_TOO_LONG, 400, "invalid_request_error", "string_above_max_length"),
    (ErrorKind.STRING_EMPTY, 400, "invalid_request_error", "empty_string"),
    (ErrorKind.MODEL_NOT_FOUND, 404, "invalid_request_error", "model_not_found"),
    (ErrorKind.NOT_FOUND, 404, "invalid_request_error", None),
    (ErrorKind.METHOD_NOT_ALLOWED, 405, "invalid_request_error", "method_not_supported"),
    (ErrorKind.CONTENT_BLOCKED, 400, "image_generation_user_error", "moderation_blocked"),
    (ErrorKind.NO_IMAGE, 400, "image_generation_user_error", "no_image_generated"),
    (ErrorKind.QUOTA_EXHAUSTED, 429, "insufficient_quota", "insufficient_quota"),
    (ErrorKind.RATE_LIMITED, 429, "rate_limit_error", "rate_limit_exceeded"),
    (ErrorKind.UPSTREAM_INTERNAL, 500, "server_error", "server_error"),
    (ErrorKind.UPSTREAM_UNAVAILABLE, 503, "service_unavailable_error", "service_unavailable"),
    (ErrorKind.UPSTREAM_TIMEOUT, 504, "server_error", "upstream_timeout"),
    (ErrorKind.UPSTREAM_BROKEN, 502, "server_error", "upstream_error"),
]


@pytest.mark.parametrize("dialect", [openai_dialect, google_dialect], ids=["openai", "google"])
def test_every_kind_of_error_has_a_row_in_both_dialects(dialect: object) -> None:
    assert set(dialect.ENVELOPES) == set(ErrorKind)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "status", "error_type", "code"), TOLD)
def test_errors_are_told_as_openai_tells_them(kind: ErrorKind, status: int, error_type: str, code: str | None) -> None:
    assert build_error(ApiError(kind, "Words.", param="size")) == (
        status,
        {"error": {"message": "Words.", "type": error_type, "param": "size", "code": code}},
    )


@pytest.mark.parametrize("kind", ErrorKind)
def test_all_four_keys_are_there_and_code_is_text_or_null(kind: ErrorKind) -> None:
    status, body = build_error(ApiError(kind, "Words."))
    assert 400 <= status < 600
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["param"] is None
    assert isinstance(body["error"]["code"], str | None)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind is not ErrorKind.BODY_TOO_SLOW])
def test_no_error_has_a_status_that_clients_repeat_for_no_reason(kind: ErrorKind) -> None:
    status, _ = build_error(ApiError(kind, "Words."))
    assert status not in (408, 409)


def test_an_upstream_status_of_its_own_is_kept() -> None:
    status, body = build_error(ApiError(ErrorKind.UPSTREAM_REJECTED, "No.", status=418))
    assert (status, body["error"]["type"], body["error"]["code"]) == (418, "invalid_request_error", None)
