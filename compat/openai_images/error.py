"""Errors as OpenAI tells them: one object with four keys, written for our own and read from upstream answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from compat.errors import ApiError, ErrorKind

INVALID = "invalid_request_error"

ENVELOPES: Mapping[ErrorKind, tuple[int, str, str | None]] = {  # kind -> HTTP status, error.type, error.code
    ErrorKind.MISSING_KEY: (401, INVALID, None),
    ErrorKind.INVALID_KEY: (401, INVALID, "invalid_api_key"),
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
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.OVERLOADED: (503, "service_unavailable_error", "server_is_overloaded"),
    ErrorKind.UPSTREAM_REJECTED: (400, INVALID, None),
    ErrorKind.UPSTREAM_INTERNAL: (500, "server_error", "server_error"),
    ErrorKind.UPSTREAM_UNAVAILABLE: (503, "service_unavailable_error", "service_unavailable"),
    ErrorKind.UPSTREAM_TIMEOUT: (504, "server_error", "upstream_timeout"),
    ErrorKind.UPSTREAM_BROKEN: (502, "server_error", "upstream_error"),
    ErrorKind.INTERNAL: (500, "server_error", "internal_error"),
}


def build_error(error: ApiError) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body of an error."""
    status, kind, code = ENVELOPES[error.kind]
    return error.status or status, {
        "error": {"message": error.message, "type": kind, "param": error.param, "code": code}
    }


# What the error of a server that speaks OpenAI's API means to a caller: first by its code, then by its status.
CODES: Mapping[str, ErrorKind] = {
    "invalid_api_key": ErrorKind.INVALID_KEY,
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
    403: ErrorKind.PERMISSION_DENIED,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.UPSTREAM_INTERNAL,
    503: ErrorKind.UPSTREAM_UNAVAILABLE,
    504: ErrorKind.UPSTREAM_TIMEOUT,
}
STATUSES: Mapping[str, int] = {  # what an error that is told without a status would have had, by its type
    INVALID: 400,
    "image_generation_user_error": 400,
    "rate_limit_error": 429,
    "service_unavailable_error": 503,
}
NOT_TO_REPEAT = (
    ErrorKind.CONTENT_BLOCKED,
    ErrorKind.NO_IMAGE,
    ErrorKind.QUOTA_EXHAUSTED,
    ErrorKind.UPSTREAM_TIMEOUT,
    ErrorKind.UPSTREAM_BROKEN,
)
UNKNOWN_MODEL = re.compile(
    r"\bmodel\b.{0,300}?\b(?:does not exist|not found|is not available)", re.IGNORECASE | re.DOTALL
)
SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
LONGEST_WORDS = 300  # characters of an error that has no form of OpenAI's

# OpenAI's fields in the words of Gemini's.
PARAMS: Mapping[str, str] = {
    "prompt": "contents",
    "image": "contents",
    "images": "contents",
    "url": "contents",  # of a picture that the server could not open
    "model": "model",
    "n": "generation_config.candidate_count",
    "size": "generation_config.image_config.aspect_ratio",
    "aspect_ratio": "generation_config.image_config.aspect_ratio",
    "image_size": "generation_config.image_config.image_size",
    "seed": "generation_config.seed",
    "temperature": "generation_config.temperature",
}


def parse_error(status: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """What an error answer, or an error object in the midst of a stream, means to the caller.

    `retry_after` is the header of this name: it is heeded where it tells seconds.
    """
    told = told_error(body)
    message = words_of(told) or f"The upstream answered with status {status}."
    kind = kind_of(status, message, told)
    error = ApiError(kind, message, param=told["param"] if isinstance(told.get("param"), str) else None)
    if kind is ErrorKind.MODEL_NOT_FOUND:
        error.param = "model"
    elif kind is ErrorKind.UPSTREAM_REJECTED:
        error.status = status
    elif kind in (ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_UNAVAILABLE):
        error.retry_after = float(retry_after) if retry_after and SECONDS.fullmatch(retry_after.strip()) else None
    if kind in NOT_TO_REPEAT or (kind is ErrorKind.UPSTREAM_INTERNAL and not told):
        error.may_repeat = False
    return error


def parse_told_error(document: dict[str, Any]) -> ApiError:
    """What an error in the midst of an answer, which has no status of its own, means to the caller."""
    nested = document.get("error")
    told = nested if isinstance(nested, dict) else document
    status = told.get("code")
    if not isinstance(status, int) or status not in range(400, 600):
        status = STATUSES.get(str(told.get("type")), 500)
    return parse_error(status, json.dumps(document).encode())


def told_error(body: bytes) -> dict[str, Any]:
    """The error object of a body. Own servers tell theirs in other forms too: `detail`, a bare message, a text."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return worded(body.decode("utf-8", "replace"))
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict):
        return worded(content)
    error = content.get("error")
    if isinstance(error, dict):
        return error
    if error or "detail" in content:
        return worded(error or content["detail"])
    return content if isinstance(content.get("message"), str) else {}


def worded(words: object) -> dict[str, Any]:
    """An error that is nothing but words; a page of HTML is none."""
    if isinstance(words, list):  # FastAPI's complaints about fields
        words = "; ".join(str(one["msg"]) for one in words if isinstance(one, dict) and "msg" in one)
    if not isinstance(words, str) or not words.strip() or words.lstrip().startswith("<"):
        return {}
    line = " ".join(words.split())
    return {"message": line if len(line) <= LONGEST_WORDS else line[:LONGEST_WORDS] + "..."}


def words_of(told: dict[str, Any]) -> str | None:
    message = told.get("message")
    return message if isinstance(message, str) and message.strip() else None


def kind_of(status: int, message: str, told: dict[str, Any]) -> ErrorKind:
    """Which of our kinds an error is."""
    code = told.get("code")
    known = CODES.get(code if isinstance(code, str) else "")
    if told.get("type") == "insufficient_quota":
        known = ErrorKind.QUOTA_EXHAUSTED
    if known in (None, ErrorKind.INVALID_VALUE) and status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
        named = told.get("param") == "model" and (status == HTTPStatus.NOT_FOUND or "does not exist" in message)
        if named or UNKNOWN_MODEL.search(message):
            return ErrorKind.MODEL_NOT_FOUND
    if known:
        return known
    if status in MEANINGS:
        return MEANINGS[status]
    return ErrorKind.UPSTREAM_REJECTED if 400 <= status < 500 else ErrorKind.UPSTREAM_BROKEN


def googles_word(field: str | None) -> str | None:
    """What a caller of Gemini's calls a field such as `size` or `images[0].image_url`, where it can be told."""
    return PARAMS.get(re.split(r"[.\[]", field)[0]) if field else None
