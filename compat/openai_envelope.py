"""The errors of OpenAI's APIs: one object with four keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compat.errors import ApiError, ErrorKind

INVALID = "invalid_request_error"

ENVELOPES: Mapping[ErrorKind, tuple[int, str, str | None]] = {  # kind -> HTTP status, error.type, error.code
    ErrorKind.MISSING_KEY: (401, INVALID, None),
    ErrorKind.INVALID_KEY: (401, INVALID, "invalid_api_key"),
    ErrorKind.OPERATOR_KEY_REFUSED: (502, "server_error", "operator_key_refused"),
    ErrorKind.PERMISSION_DENIED: (403, INVALID, "permission_denied"),
    ErrorKind.LOCATION_NOT_SUPPORTED: (403, INVALID, "unsupported_country_region_territory"),
    ErrorKind.INVALID_ARGUMENT: (400, INVALID, None),
    ErrorKind.INVALID_JSON: (400, INVALID, None),
    ErrorKind.MISSING_PARAMETER: (400, INVALID, "missing_required_parameter"),
    ErrorKind.INVALID_TYPE: (400, INVALID, "invalid_type"),
    ErrorKind.INVALID_VALUE: (400, INVALID, "invalid_value"),
    ErrorKind.INVALID_SIZE: (400, "image_generation_user_error", "invalid_value"),
    ErrorKind.INVALID_IMAGE: (400, "image_generation_user_error", "invalid_image_file"),
    ErrorKind.NUMBER_TOO_LARGE: (400, INVALID, "integer_above_max_value"),
    ErrorKind.NUMBER_TOO_SMALL: (400, INVALID, "integer_below_min_value"),
    ErrorKind.STRING_TOO_LONG: (400, INVALID, "string_above_max_length"),
    ErrorKind.STRING_EMPTY: (400, INVALID, "empty_string"),
    ErrorKind.ARRAY_TOO_LONG: (400, INVALID, "array_above_max_length"),
    ErrorKind.ARRAY_TOO_SHORT: (400, INVALID, "array_below_min_length"),
    ErrorKind.MODEL_NOT_FOUND: (404, INVALID, "model_not_found"),
    ErrorKind.NOT_FOUND: (404, INVALID, None),
    ErrorKind.METHOD_NOT_ALLOWED: (405, INVALID, "method_not_supported"),
    ErrorKind.BODY_TOO_SLOW: (408, INVALID, "request_timeout"),
    ErrorKind.BODY_TOO_LARGE: (413, INVALID, "request_too_large"),
    ErrorKind.UNSUPPORTED_MEDIA_TYPE: (415, INVALID, "unsupported_media_type"),
    ErrorKind.CONTENT_BLOCKED: (400, "image_generation_user_error", "moderation_blocked"),
    ErrorKind.NO_IMAGE: (400, "image_generation_user_error", "no_image_generated"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.BUDGET_EXHAUSTED: (429, "insufficient_quota", "insufficient_quota"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.OVERLOADED: (503, "service_unavailable_error", "server_is_overloaded"),
    ErrorKind.UPSTREAM_REJECTED: (400, INVALID, None),
    ErrorKind.UPSTREAM_INTERNAL: (500, "server_error", "server_error"),
    ErrorKind.UPSTREAM_UNAVAILABLE: (503, "service_unavailable_error", "service_unavailable"),
    ErrorKind.UPSTREAM_TIMEOUT: (504, "server_error", "upstream_timeout"),
    ErrorKind.UPSTREAM_BROKEN: (502, "server_error", "upstream_error"),
    ErrorKind.IDEMPOTENCY_KEY_REUSED: (422, INVALID, "idempotency_key_reused"),
    ErrorKind.OUTCOME_UNKNOWN: (502, "server_error", "outcome_unknown"),
    ErrorKind.STATE_UNAVAILABLE: (503, "service_unavailable_error", "state_unavailable"),
    ErrorKind.INTERNAL: (500, "server_error", "internal_error"),
}
MISSING_KEY = (  # the message
    "You didn't provide an API key. Give your Google API key in an Authorization header using Bearer auth "
    "(Authorization: Bearer YOUR_KEY)."
)


def build_error(error: ApiError) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body of an error."""
    status, kind, code = ENVELOPES[error.kind]
    return error.status or status, {
        "error": {"message": error.message, "type": kind, "param": error.param, "code": code}
    }
