"""compat/openai_images/error.py: errors as OpenAI writes and sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compat.errors import HOPELESS, ApiError, ErrorKind
from compat.openai_envelope import build_error
from compat.openai_images.error import PAID_REFUSALS, UNKNOWN_OUTCOMES, parse_error

# As OpenAI's documentation has them: kind, status, type, code
ENVELOPES = [
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


@pytest.mark.parametrize(("kind", "status", "error_type", "code"), ENVELOPES)
def test_an_error_has_openais_status_type_and_code(
    kind: ErrorKind, status: int, error_type: str, code: str | None
) -> None:
    assert build_error(ApiError(kind, "The message.", param="size")) == (
        status,
        {"error": {"message": "The message.", "type": error_type, "param": "size", "code": code}},
    )


@pytest.mark.parametrize("kind", ErrorKind)
def test_all_four_keys_are_there_and_code_is_text_or_null(kind: ErrorKind) -> None:
    status, body = build_error(ApiError(kind, "The message."))
    assert 400 <= status < 600
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["param"] is None
    assert isinstance(body["error"]["code"], str | None)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind is not ErrorKind.BODY_TOO_SLOW])
def test_no_error_has_a_status_that_clients_repeat_for_no_reason(kind: ErrorKind) -> None:
    status, _ = build_error(ApiError(kind, "The message."))
    assert status not in (408, 409)


def test_an_upstream_status_of_its_own_is_kept() -> None:
    status, body = build_error(ApiError(ErrorKind.UPSTREAM_REJECTED, "No.", status=418))
    assert (status, body["error"]["type"], body["error"]["code"]) == (418, "invalid_request_error", None)


# What the error of a server that speaks OpenAI's API means

RETRYABLE = {ErrorKind.UPSTREAM_INTERNAL, ErrorKind.UPSTREAM_UNAVAILABLE, ErrorKind.RATE_LIMITED}


def answer(message: str = "Oh.", **others: Any) -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": "invalid_request_error", "param": None, **others}}
    ).encode()


MEANT = [
    (400, answer(code="moderation_blocked"), ErrorKind.CONTENT_BLOCKED),
    (400, answer(code="content_policy_violation"), ErrorKind.CONTENT_BLOCKED),
    (400, answer(code="no_image_generated"), ErrorKind.NO_IMAGE),
    (400, answer(code="billing_hard_limit_reached"), ErrorKind.QUOTA_EXHAUSTED),
    (429, answer(type="insufficient_quota", code="insufficient_quota"), ErrorKind.QUOTA_EXHAUSTED),
    (429, answer(type="insufficient_quota"), ErrorKind.QUOTA_EXHAUSTED),
    (429, answer(code="project_spend_limit_exceeded"), ErrorKind.QUOTA_EXHAUSTED),
    (429, answer(code="rate_limit_exceeded"), ErrorKind.RATE_LIMITED),
    (429, answer(code=None), ErrorKind.RATE_LIMITED),
    (401, answer(code="invalid_api_key"), ErrorKind.INVALID_KEY),
    (401, answer(), ErrorKind.INVALID_KEY),
    (403, answer(), ErrorKind.PERMISSION_DENIED),
    (403, answer(code="unsupported_country_region_territory"), ErrorKind.LOCATION_NOT_SUPPORTED),
    (404, answer(code="model_not_found"), ErrorKind.MODEL_NOT_FOUND),
    (404, answer(param="model"), ErrorKind.MODEL_NOT_FOUND),
    (404, answer("The model `x` does not exist.", code=404), ErrorKind.MODEL_NOT_FOUND),
    (400, answer("The model 'x' does not exist.", code="invalid_value", param="model"), ErrorKind.MODEL_NOT_FOUND),
    (400, answer("Invalid model.", code="invalid_value", param="model"), ErrorKind.INVALID_VALUE),
    (404, answer("Invalid URL (POST /v1/foo)"), ErrorKind.UPSTREAM_REJECTED),
    (404, b'{"detail":"Not Found"}', ErrorKind.UPSTREAM_REJECTED),
    (400, answer(), ErrorKind.INVALID_ARGUMENT),
    (400, answer(code="unknown_parameter", param="response_format"), ErrorKind.INVALID_ARGUMENT),
    (400, answer(code="invalid_image_file"), ErrorKind.INVALID_IMAGE),
    (400, answer(code="unsupported_file_mimetype"), ErrorKind.INVALID_IMAGE),
    (400, answer(code="empty_string"), ErrorKind.STRING_EMPTY),
    (413, answer(code="request_too_large"), ErrorKind.BODY_TOO_LARGE),
    (402, answer(), ErrorKind.QUOTA_EXHAUSTED),
    (422, b'{"detail":[{"loc":["body","n"],"msg":"n is odd"}]}', ErrorKind.UPSTREAM_REJECTED),
    (500, answer(code="server_error"), ErrorKind.UPSTREAM_INTERNAL),
    (500, b'{"error":"out of memory"}', ErrorKind.UPSTREAM_INTERNAL),
    (503, b"loading", ErrorKind.UPSTREAM_UNAVAILABLE),
    (504, b"", ErrorKind.UPSTREAM_TIMEOUT),
    (502, b"<html>", ErrorKind.UPSTREAM_BROKEN),
    (520, b"", ErrorKind.UPSTREAM_BROKEN),
]


@pytest.mark.parametrize(("status", "body", "kind"), MEANT)
def test_an_error_of_a_server(status: int, body: bytes, kind: ErrorKind) -> None:
    error = parse_error(status, body)
    assert error.kind is kind
    assert (error.status == status) == (kind is ErrorKind.UPSTREAM_REJECTED)
    final = kind in UNKNOWN_OUTCOMES | PAID_REFUSALS | HOPELESS or status in (408, 499, 504)
    assert error.may_repeat is not final
    if kind in RETRYABLE:
        assert not final


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"{}", b"[]", b"null", b'{"error":{}}', b"\xff\xfe"])
def test_an_internal_error_that_cannot_be_read_may_have_been_paid(body: bytes) -> None:
    error = parse_error(500, body)
    assert error.kind is ErrorKind.UPSTREAM_INTERNAL
    assert error.may_repeat is (body == b"\xff\xfe")


OURS_ALONE = {  # that no server tells as such: what an upstream means with the envelope is another kind
    ErrorKind.MISSING_KEY: ErrorKind.INVALID_KEY,
    ErrorKind.INVALID_JSON: ErrorKind.INVALID_ARGUMENT,
    ErrorKind.INVALID_SIZE: ErrorKind.INVALID_VALUE,
    ErrorKind.NOT_FOUND: ErrorKind.UPSTREAM_REJECTED,
    ErrorKind.METHOD_NOT_ALLOWED: ErrorKind.UPSTREAM_REJECTED,
    ErrorKind.BODY_TOO_SLOW: ErrorKind.UPSTREAM_REJECTED,
    ErrorKind.UNSUPPORTED_MEDIA_TYPE: ErrorKind.UPSTREAM_REJECTED,
    ErrorKind.OVERLOADED: ErrorKind.UPSTREAM_UNAVAILABLE,
    ErrorKind.UPSTREAM_REJECTED: ErrorKind.INVALID_ARGUMENT,
    ErrorKind.INTERNAL: ErrorKind.UPSTREAM_INTERNAL,
    ErrorKind.STATE_UNAVAILABLE: ErrorKind.UPSTREAM_UNAVAILABLE,
    ErrorKind.OUTCOME_UNKNOWN: ErrorKind.UPSTREAM_BROKEN,
    ErrorKind.IDEMPOTENCY_KEY_REUSED: ErrorKind.UPSTREAM_REJECTED,
    ErrorKind.JOB_LOST: ErrorKind.UPSTREAM_UNAVAILABLE,
    ErrorKind.BUDGET_EXHAUSTED: ErrorKind.QUOTA_EXHAUSTED,
    ErrorKind.JOB_CANCELLED: ErrorKind.INVALID_ARGUMENT,
}


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_survives_a_round_trip_to_another_twinlens(kind: ErrorKind) -> None:
    status, body = build_error(ApiError(kind, "Oh."))
    error = parse_error(status, json.dumps(body).encode())
    assert (error.kind, error.message) == (OURS_ALONE.get(kind, kind), "Oh.")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (answer("As it is.\nWith lines."), "As it is.\nWith lines."),
        (b'{"detail": "no\\n such  thing"}', "no such thing"),
        (b'{"detail": [{"msg": "one", "loc": []}, {"msg": "two"}, 3]}', "one; two"),
        (b'{"error": "a bare text"}', "a bare text"),
        (b'{"object": "error", "message": "vLLM", "code": 400}', "vLLM"),
        (b'[{"error": {"message": "in a list"}}]', "in a list"),
        (b"out of\nmemory", "out of memory"),
        (b"x" * 301, "x" * 300 + "..."),
        (b"<html><body>Bad</body></html>", "The upstream answered with status 400."),
        (b'{"error": {"message": 3}}', "The upstream answered with status 400."),
        (b"[" * 100_000, "[" * 300 + "..."),
    ],
)
def test_the_message_is_kept_in_whatever_form_it_comes(body: bytes, message: str) -> None:
    assert parse_error(400, body).message == message


@pytest.mark.parametrize(
    ("param", "parsed"),
    [("images[0].image_url", "images[0].image_url"), ("quality", "quality"), ("", ""), (None, None), (3, None)],
)
def test_the_param_is_kept_as_it_came(param: object, parsed: str | None) -> None:
    assert parse_error(400, answer(param=param)).param == parsed


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "3", 3.0),
        (429, " 1.5 ", 1.5),
        (503, "7", 7.0),
        (429, None, None),
        (429, "", None),
        (429, "-1", None),
        (429, "inf", None),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", 17.0),
        (429, "Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        (429, "Wed, 99 Oct 2026 07:28:00 GMT", None),
        (402, "3", None),
        (400, "3", 3.0),
        (500, "3", 3.0),
    ],
)
def test_the_delay_of_the_header(status: int, header: str | None, seconds: float | None) -> None:
    headers = {"date": "Wed, 21 Oct 2026 07:27:43 GMT", **({} if header is None else {"retry-after": header})}
    assert parse_error(status, answer(), headers).retry_after == seconds
