"""Errors as OpenAI writes them: one object with four keys, built for our own and parsed from upstream answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from compat.dialect import Dialect, seconds_until_retry
from compat.errors import ApiError, Bought, ErrorKind
from compat.openai_envelope import INVALID, MISSING_KEY, build_error

OPENAI = Dialect(
    name="openai",
    build_error=build_error,
    fields={
        "prompt": ("prompt",),
        "input_images": ("image", "images", "url"),  # `url`: of a picture that the server could not open
        "mask": ("mask",),
        "model": ("model",),
        "count": ("n",),
        "aspect_ratio": ("aspect_ratio", "size"),
        "image_size": ("image_size",),
        "seed": ("seed",),
        "temperature": ("temperature",),
        "gemini": ("google",),
    },
    missing_key=MISSING_KEY,
    other_key_headers=("api-key",),  # Azure's
)

# What the error of a server that speaks OpenAI's API means: first by its code, then by its status.
CODES: Mapping[str, ErrorKind] = {
    "invalid_api_key": ErrorKind.INVALID_KEY,
    "operator_key_refused": ErrorKind.OPERATOR_KEY_REFUSED,
    "permission_denied": ErrorKind.PERMISSION_DENIED,
    "unsupported_country_region_territory": ErrorKind.LOCATION_NOT_SUPPORTED,
    "missing_required_parameter": ErrorKind.MISSING_PARAMETER,
    "unknown_parameter": ErrorKind.INVALID_ARGUMENT,
    "invalid_type": ErrorKind.INVALID_TYPE,
    "invalid_value": ErrorKind.INVALID_VALUE,
    "invalid_image_file": ErrorKind.INVALID_IMAGE,
    "unsupported_file_mimetype": ErrorKind.INVALID_IMAGE,
    "integer_above_max_value": ErrorKind.NUMBER_TOO_LARGE,
    "integer_below_min_value": ErrorKind.NUMBER_TOO_SMALL,
    "decimal_above_max_value": ErrorKind.NUMBER_TOO_LARGE,
    "decimal_below_min_value": ErrorKind.NUMBER_TOO_SMALL,
    "string_above_max_length": ErrorKind.STRING_TOO_LONG,
    "string_below_min_length": ErrorKind.INVALID_VALUE,
    "empty_string": ErrorKind.STRING_EMPTY,
    "array_above_max_length": ErrorKind.ARRAY_TOO_LONG,
    "array_below_min_length": ErrorKind.ARRAY_TOO_SHORT,
    "empty_array": ErrorKind.ARRAY_TOO_SHORT,
    "model_not_found": ErrorKind.MODEL_NOT_FOUND,
    "request_too_large": ErrorKind.BODY_TOO_LARGE,
    "moderation_blocked": ErrorKind.CONTENT_BLOCKED,
    "content_policy_violation": ErrorKind.CONTENT_BLOCKED,
    "no_image_generated": ErrorKind.NO_IMAGE,
    "insufficient_quota": ErrorKind.QUOTA_EXHAUSTED,
    "billing_hard_limit_reached": ErrorKind.QUOTA_EXHAUSTED,
    "billing_not_active": ErrorKind.QUOTA_EXHAUSTED,
    "credit_balance_exhausted": ErrorKind.QUOTA_EXHAUSTED,
    "organization_spend_limit_exceeded": ErrorKind.QUOTA_EXHAUSTED,
    "project_spend_limit_exceeded": ErrorKind.QUOTA_EXHAUSTED,
    "organization_usage_limit_exceeded": ErrorKind.QUOTA_EXHAUSTED,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "slow_down": ErrorKind.RATE_LIMITED,
    "server_error": ErrorKind.UPSTREAM_INTERNAL,
    "internal_error": ErrorKind.UPSTREAM_INTERNAL,
    "image_generation_failed": ErrorKind.UPSTREAM_INTERNAL,
    "service_unavailable": ErrorKind.UPSTREAM_UNAVAILABLE,
    "server_is_overloaded": ErrorKind.UPSTREAM_UNAVAILABLE,
    "upstream_timeout": ErrorKind.UPSTREAM_TIMEOUT,
    "upstream_error": ErrorKind.UPSTREAM_BROKEN,
}
MEANINGS: Mapping[int, ErrorKind] = {
    400: ErrorKind.INVALID_ARGUMENT,
    401: ErrorKind.INVALID_KEY,
    402: ErrorKind.QUOTA_EXHAUSTED,
    403: ErrorKind.PERMISSION_DENIED,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.UPSTREAM_INTERNAL,
    503: ErrorKind.UPSTREAM_UNAVAILABLE,
    504: ErrorKind.UPSTREAM_TIMEOUT,
}
STATUSES: Mapping[str, int] = {  # the status of an error that came without one, by its type
    INVALID: 400,
    "image_generation_user_error": 400,
    "rate_limit_error": 429,
    "service_unavailable_error": 503,
}
PAID_REFUSALS = frozenset({ErrorKind.CONTENT_BLOCKED, ErrorKind.NO_IMAGE})  # what was drawn may have been refused
UNKNOWN_OUTCOMES = frozenset({ErrorKind.UPSTREAM_TIMEOUT, ErrorKind.UPSTREAM_BROKEN})
UNKNOWN_MODEL = re.compile(
    r"\bmodel\b.{0,300}?\b(?:does not exist|not found|is not available)", re.IGNORECASE | re.DOTALL
)
NO_HEADERS: Mapping[str, str] = {}
LONGEST_TEXT = 300  # characters of an error that is not in OpenAI's form


def parse_error(status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> ApiError:
    """What an error answer means, with its headers by lower-case name. `param` is in OpenAI's names."""
    content = error_object(body)
    message = message_of(content) or f"The upstream answered with status {status}."
    kind = kind_of(status, message, content)
    error = ApiError(kind, message, param=content["param"] if isinstance(content.get("param"), str) else None)
    if kind is ErrorKind.MODEL_NOT_FOUND:
        error.param = "model"
    elif kind is ErrorKind.UPSTREAM_REJECTED:
        error.status = status
    if kind is not ErrorKind.QUOTA_EXHAUSTED:
        error.retry_after = seconds_until_retry(headers)
    is_unreadable = kind is ErrorKind.UPSTREAM_INTERNAL and not content
    if kind in PAID_REFUSALS:
        error.bought = Bought.YES
    elif kind in UNKNOWN_OUTCOMES or status in (408, 499, 504) or is_unreadable:
        error.bought = Bought.UNKNOWN
    return error


def parse_error_object(document: dict[str, Any]) -> ApiError:
    """What an error within an answer, which has no status of its own, means."""
    nested = document.get("error")
    error = nested if isinstance(nested, dict) else document
    status = error.get("code")
    if not isinstance(status, int) or status not in range(400, 600):
        status = STATUSES.get(str(error.get("type")), 500)
    return parse_error(status, json.dumps(document).encode())


def error_object(body: bytes) -> dict[str, Any]:
    """The error object of a body. Other servers have other forms: `detail`, a bare message, plain text."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return error_of_text(body.decode("utf-8", "replace"))
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict):
        return error_of_text(content)
    error = content.get("error")
    if isinstance(error, dict):
        return error
    if error or "detail" in content:
        return error_of_text(error or content["detail"])
    return content if isinstance(content.get("message"), str) else {}


def error_of_text(text: object) -> dict[str, Any]:
    """The error object of a plain text; empty for HTML."""
    if isinstance(text, list):  # FastAPI's complaints about fields
        text = "; ".join(str(one["msg"]) for one in text if isinstance(one, dict) and "msg" in one)
    if not isinstance(text, str) or not text.strip() or text.lstrip().startswith("<"):
        return {}
    line = " ".join(text.split())
    return {"message": line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + "..."}


def message_of(error: dict[str, Any]) -> str | None:
    message = error.get("message")
    return message if isinstance(message, str) and message.strip() else None


def kind_of(status: int, message: str, error: dict[str, Any]) -> ErrorKind:
    """Which of our kinds an error is."""
    code = error.get("code")
    known = CODES.get(code if isinstance(code, str) else "")
    if error.get("type") == "insufficient_quota":
        known = ErrorKind.QUOTA_EXHAUSTED
    if known in (None, ErrorKind.INVALID_VALUE) and status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
        named = error.get("param") == "model" and (status == HTTPStatus.NOT_FOUND or "does not exist" in message)
        if named or UNKNOWN_MODEL.search(message):
            return ErrorKind.MODEL_NOT_FOUND
    if known:
        return known
    if status in MEANINGS:
        return MEANINGS[status]
    return ErrorKind.UPSTREAM_REJECTED if 400 <= status < 500 else ErrorKind.UPSTREAM_BROKEN
