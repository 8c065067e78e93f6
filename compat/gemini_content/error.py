"""Errors as Google writes them: google.rpc.Status, built for our own errors and parsed from upstream answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from compat.dialect import Dialect, seconds_until_retry
from compat.errors import ApiError, Bought, ErrorKind, broken
from compat.json_text import dicts

TYPE = "type.googleapis.com/google.rpc."
OUR_DOMAIN = "twinlens"

ENVELOPES: Mapping[ErrorKind, tuple[int, str]] = {  # kind -> HTTP status, error.status; one row for every kind
    ErrorKind.MISSING_KEY: (403, "PERMISSION_DENIED"),
    ErrorKind.INVALID_KEY: (400, "INVALID_ARGUMENT"),
    ErrorKind.OPERATOR_KEY_REFUSED: (502, "UNAVAILABLE"),
    ErrorKind.PERMISSION_DENIED: (403, "PERMISSION_DENIED"),
    ErrorKind.LOCATION_NOT_SUPPORTED: (400, "FAILED_PRECONDITION"),
    ErrorKind.INVALID_ARGUMENT: (400, "INVALID_ARGUMENT"),
    ErrorKind.INVALID_JSON: (400, "INVALID_ARGUMENT"),
    ErrorKind.MISSING_PARAMETER: (400, "INVALID_ARGUMENT"),
    ErrorKind.INVALID_TYPE: (400, "INVALID_ARGUMENT"),
    ErrorKind.INVALID_VALUE: (400, "INVALID_ARGUMENT"),
    ErrorKind.INVALID_SIZE: (400, "INVALID_ARGUMENT"),
    ErrorKind.INVALID_IMAGE: (400, "INVALID_ARGUMENT"),
    ErrorKind.NUMBER_TOO_LARGE: (400, "INVALID_ARGUMENT"),
    ErrorKind.NUMBER_TOO_SMALL: (400, "INVALID_ARGUMENT"),
    ErrorKind.STRING_TOO_LONG: (400, "INVALID_ARGUMENT"),
    ErrorKind.STRING_EMPTY: (400, "INVALID_ARGUMENT"),
    ErrorKind.ARRAY_TOO_LONG: (400, "INVALID_ARGUMENT"),
    ErrorKind.ARRAY_TOO_SHORT: (400, "INVALID_ARGUMENT"),
    ErrorKind.MODEL_NOT_FOUND: (404, "NOT_FOUND"),
    ErrorKind.NOT_FOUND: (404, "NOT_FOUND"),
    ErrorKind.METHOD_NOT_ALLOWED: (405, "UNIMPLEMENTED"),
    ErrorKind.BODY_TOO_SLOW: (408, "DEADLINE_EXCEEDED"),
    ErrorKind.BODY_TOO_LARGE: (413, "INVALID_ARGUMENT"),
    ErrorKind.UNSUPPORTED_MEDIA_TYPE: (415, "INVALID_ARGUMENT"),
    ErrorKind.CONTENT_BLOCKED: (400, "INVALID_ARGUMENT"),
    ErrorKind.NO_IMAGE: (400, "INVALID_ARGUMENT"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "RESOURCE_EXHAUSTED"),
    ErrorKind.BUDGET_EXHAUSTED: (402, "RESOURCE_EXHAUSTED"),  # as Google's for used-up credit, which no SDK repeats
    ErrorKind.RATE_LIMITED: (429, "RESOURCE_EXHAUSTED"),
    ErrorKind.OVERLOADED: (503, "UNAVAILABLE"),
    ErrorKind.UPSTREAM_REJECTED: (400, "INVALID_ARGUMENT"),
    ErrorKind.UPSTREAM_INTERNAL: (500, "INTERNAL"),
    ErrorKind.UPSTREAM_UNAVAILABLE: (503, "UNAVAILABLE"),
    ErrorKind.UPSTREAM_TIMEOUT: (504, "DEADLINE_EXCEEDED"),
    ErrorKind.UPSTREAM_BROKEN: (502, "UNAVAILABLE"),
    ErrorKind.IDEMPOTENCY_KEY_REUSED: (400, "INVALID_ARGUMENT"),
    ErrorKind.OUTCOME_UNKNOWN: (502, "UNAVAILABLE"),
    ErrorKind.STATE_UNAVAILABLE: (503, "UNAVAILABLE"),
    ErrorKind.INTERNAL: (500, "INTERNAL"),
}
NAMES: Mapping[int, str] = {  # Google's name of a status that is the upstream's own
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
}


def build_error(error: ApiError) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the body of an error of ours."""
    status, name = ENVELOPES[error.kind]
    if error.status:
        status, name = error.status, NAMES.get(error.status, name)
    return status, {
        "error": {"code": status, "message": error.message, "status": name, "details": list(build_details(error))}
    }


def build_details(error: ApiError) -> list[dict[str, Any]]:
    """ErrorInfo says which of our kinds it is; fields and delays have details of their own."""
    reason = "API_KEY_INVALID" if error.kind is ErrorKind.INVALID_KEY else error.kind.name
    details: list[dict[str, Any]] = [{"@type": f"{TYPE}ErrorInfo", "reason": reason, "domain": OUR_DOMAIN}]
    violations = error.violations or (((error.param, error.message),) if error.param else ())
    if violations:
        details.append(
            {
                "@type": f"{TYPE}BadRequest",
                "fieldViolations": [
                    {"field": field, "description": description} if field else {"description": description}
                    for field, description in violations
                ],
            }
        )
    if error.retry_after is not None:
        seconds = f"{error.retry_after:.9f}".rstrip("0").rstrip(".")
        details.append({"@type": f"{TYPE}RetryInfo", "retryDelay": f"{seconds}s"})
    return details


GEMINI = Dialect(
    name="gemini",
    build_error=build_error,
    fields={
        "prompt": ("contents",),
        "input_images": ("contents",),
        "model": ("model",),
        "count": ("generation_config.candidate_count",),
        "aspect_ratio": ("generation_config.image_config.aspect_ratio",),
        "image_size": ("generation_config.image_config.image_size",),
        "seed": ("generation_config.seed",),
        "temperature": ("generation_config.temperature",),
        "gemini": ("generation_config", "safety_settings", "tools", "system_instruction"),
    },
    missing_key=(
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
        "form of API consumer identity to call this API."
    ),
    key_headers=("x-goog-api-key",),
    key_parameters=("key",),
    other_key_headers=("x-api-key",),
)

# What the HTTP status of an upstream error means; `kind_of` has the exceptions.
MEANINGS: Mapping[int, ErrorKind] = {
    400: ErrorKind.INVALID_ARGUMENT,
    401: ErrorKind.INVALID_KEY,
    402: ErrorKind.QUOTA_EXHAUSTED,
    403: ErrorKind.PERMISSION_DENIED,
    404: ErrorKind.MODEL_NOT_FOUND,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.UPSTREAM_INTERNAL,
    503: ErrorKind.UPSTREAM_UNAVAILABLE,
    504: ErrorKind.UPSTREAM_TIMEOUT,
}
NO_HEADERS: Mapping[str, str] = {}
UNKNOWN_OUTCOME = frozenset({408, 499, 504})  # statuses after which the picture may still have been drawn
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
PER_DAY = re.compile(r"per_?day", re.IGNORECASE)
SPENT = re.compile(r"\bcredits?\b.{0,40}\bdepleted|monthly spending cap", re.IGNORECASE)
LIMIT_ZERO = re.compile(r"\blimit: 0\b")
RETRY_IN_MESSAGE = re.compile(r"retry in (\d{1,9}(?:\.\d{1,9})?)s")


def parse_error(status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> ApiError:
    """What an upstream error answer, or an error object within a stream, means. `param` is in Google's names.

    `headers` are the answer's by lower-case name. A delay in the body, which is more exact, wins over Retry-After.
    """
    error = parse_body(status, body)
    if error.kind is not ErrorKind.QUOTA_EXHAUSTED:
        delay = retry_delay_of(body)
        error.retry_after = seconds_until_retry(headers) if delay is None else delay
    return error


def parse_body(status: int, body: bytes) -> ApiError:
    """What an error answer means, without its delay."""
    content = error_object(body)
    if content is None:
        if status in (401, 402, 429):
            return ApiError(MEANINGS[status], f"The upstream answered with status {status}.")
        if 400 <= status < 500:
            message = f"The upstream answered with status {status}."
            return ApiError(ErrorKind.UPSTREAM_REJECTED, message, bought=bought_by(status), status=status)
        return broken(f"The upstream answered with status {status} and no error that can be read.")
    message = str(content.get("message") or f"The upstream answered with status {status}.")
    details = details_of(content)
    kind = kind_of(status, message, content.get("status"), details)
    error = ApiError(kind, message, bought=bought_by(status))
    if kind is ErrorKind.UPSTREAM_BROKEN or message.startswith("Deadline expired"):
        error.bought = Bought.UNKNOWN
    if kind is ErrorKind.INVALID_ARGUMENT:
        error.param = field_of(details)
    elif kind is ErrorKind.MODEL_NOT_FOUND:
        error.param = "model"
    elif kind is ErrorKind.UPSTREAM_REJECTED:
        error.status = status
    return error


def bought_by(status: int) -> Bought:
    """Whether an error answer may have been billed. Google bills neither 400 nor 500 (billing FAQ, 2026-09-20)."""
    return Bought.UNKNOWN if status in UNKNOWN_OUTCOME else Bought.NO


def error_object(body: bytes) -> dict[str, Any] | None:
    """The `error` object of a body; None if it has none. Google sends some in a list of one."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, list) and content:
        content = content[0]
    error = content.get("error") if isinstance(content, dict) else None
    return error if isinstance(error, dict) else None


def kind_of(status: int, message: str, name: object, details: list[dict[str, Any]]) -> ErrorKind:
    """Which of our kinds an upstream error is."""
    if status == HTTPStatus.BAD_REQUEST:
        if any(detail.get("reason") == "API_KEY_INVALID" for detail in details):
            return ErrorKind.INVALID_KEY
        if name == "FAILED_PRECONDITION" and "location" in message.lower():
            return ErrorKind.LOCATION_NOT_SUPPORTED
    if status == HTTPStatus.FORBIDDEN and "unregistered callers" in message:
        return ErrorKind.INVALID_KEY
    if status == HTTPStatus.TOO_MANY_REQUESTS and is_spent(message, details):
        return ErrorKind.QUOTA_EXHAUSTED
    if status in MEANINGS:
        return MEANINGS[status]
    return ErrorKind.UPSTREAM_REJECTED if 400 <= status < 500 else ErrorKind.UPSTREAM_BROKEN


def is_spent(message: str, details: list[dict[str, Any]]) -> bool:
    """Whether a quota is used up for the day, or is zero, or there is no money left."""
    for violation in of_type("QuotaFailure", "violations", details):
        if PER_DAY.search(str(violation.get("quotaId", ""))) or str(violation.get("quotaValue")) == "0":
            return True
    return bool(LIMIT_ZERO.search(message) or SPENT.search(message))


def is_out_of_credit(status: int, message: str) -> bool:
    """Whether an error says that there is no money left, which concerns all models of a key."""
    return status == HTTPStatus.PAYMENT_REQUIRED or bool(SPENT.search(message))


def names_model(message: str, name: str) -> bool:
    """Whether a message speaks of the model of this name, and not of one whose name only contains it."""
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", message) is not None


def retry_delay(message: str, details: list[dict[str, Any]]) -> float | None:
    """Seconds to wait, if there is a RetryInfo; the message may name them more exactly."""
    delays = [
        match[1]
        for detail in details
        if detail.get("@type") == f"{TYPE}RetryInfo" and (match := DURATION.fullmatch(str(detail.get("retryDelay"))))
    ]
    if not delays:
        return None
    exact = RETRY_IN_MESSAGE.search(message)
    return max(float(delays[0]), float(exact[1]) if exact else 0.0)


def retry_delay_of(body: bytes) -> float | None:
    """Seconds to wait, as the body of an upstream error says; None if it does not."""
    error = error_object(body)
    return retry_delay(str(error.get("message")), details_of(error)) if error else None


def details_of(error: dict[str, Any]) -> list[dict[str, Any]]:
    """The details of an `error` object."""
    return dicts(error.get("details"))


def field_of(details: list[dict[str, Any]]) -> str | None:
    """The first field that Google complains about and that one of ours corresponds to."""
    violations = (str(one.get("field", "")) for one in of_type("BadRequest", "fieldViolations", details))
    return next((field for field in violations if GEMINI.field_of(field)), None)


def of_type(name: str, member: str, details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The members of all details of one google.rpc type."""
    return [
        one
        for detail in details
        if detail.get("@type") == TYPE + name and isinstance(detail.get(member), list)
        for one in detail[member]
        if isinstance(one, dict)
    ]
