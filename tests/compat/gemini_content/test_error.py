"""compat/gemini_content/error.py: Google's errors, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import build_error, parse_error, retry_delay_of

TYPE = "type.googleapis.com/google.rpc."
QUOTA_MESSAGE = "You exceeded your current quota. \n* Quota exceeded for metric: m, limit: {}, model: x"
MISSING_KEY = "Method doesn't allow unregistered callers (callers without established identity)."
HTML = b"<html><title>502</title></html>"


def parsed(status: int, message: str = "A message.", name: str = "", *details: dict[str, Any]) -> ApiError:
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return parse_error(status, json.dumps({"error": error}, indent=2).encode())


def quota(quota_id: str, value: str = "100") -> dict[str, Any]:
    violation = {"quotaMetric": "m", "quotaId": quota_id, "quotaDimensions": {"model": "x"}, "quotaValue": value}
    return {"@type": f"{TYPE}QuotaFailure", "violations": [violation]}


def retry(delay: str) -> dict[str, Any]:
    return {"@type": f"{TYPE}RetryInfo", "retryDelay": delay}


API_KEY_INVALID = {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
PER_MINUTE = quota("GenerateContentPaidTierInputTokensPerModelPerMinute")
PER_DAY = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")

# What came, its kind, and what it says about asking again
MEANINGS = {
    "invalid key": (parsed(400, "API key expired.", "INVALID_ARGUMENT", API_KEY_INVALID), ErrorKind.INVALID_KEY, True),
    "unauthenticated": (parsed(401, name="UNAUTHENTICATED"), ErrorKind.INVALID_KEY, True),
    "missing key": (parsed(403, MISSING_KEY, "PERMISSION_DENIED"), ErrorKind.INVALID_KEY, True),
    "denied": (parsed(403, "Your API key was reported as leaked."), ErrorKind.PERMISSION_DENIED, True),
    "invalid argument": (parsed(400, name="INVALID_ARGUMENT"), ErrorKind.INVALID_ARGUMENT, True),
    "location": (
        parsed(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
        ErrorKind.LOCATION_NOT_SUPPORTED,
        True,
    ),
    "another precondition": (
        parsed(400, "Billing is not enabled.", "FAILED_PRECONDITION"),
        ErrorKind.INVALID_ARGUMENT,
        True,
    ),
    "an argument about a location": (
        parsed(400, "Unknown location.", "INVALID_ARGUMENT"),
        ErrorKind.INVALID_ARGUMENT,
        True,
    ),
    "not found": (parsed(404, name="NOT_FOUND"), ErrorKind.MODEL_NOT_FOUND, True),
    "quota per day": (parsed(429, "Quota.", "RESOURCE_EXHAUSTED", PER_DAY), ErrorKind.QUOTA_EXHAUSTED, False),
    "quota per day, and a delay": (parsed(429, "Quota.", "", retry("9s"), PER_DAY), ErrorKind.QUOTA_EXHAUSTED, False),
    "quota per minute and per day": (parsed(429, "Quota.", "", PER_MINUTE, PER_DAY), ErrorKind.QUOTA_EXHAUSTED, False),
    "limit 0 in the message": (parsed(429, QUOTA_MESSAGE.format(0)), ErrorKind.QUOTA_EXHAUSTED, False),
    "limit 0 in a violation": (parsed(429, "Quota.", "", quota("PerMinute", "0")), ErrorKind.QUOTA_EXHAUSTED, False),
    "limit 10 per minute": (parsed(429, QUOTA_MESSAGE.format(10), "", PER_MINUTE), ErrorKind.RATE_LIMITED, True),
    "quota per minute, and a delay": (parsed(429, "Quota.", "", PER_MINUTE, retry("9s")), ErrorKind.RATE_LIMITED, True),
    "too many requests": (parsed(429), ErrorKind.RATE_LIMITED, True),
    "internal": (parsed(500, name="INTERNAL"), ErrorKind.UPSTREAM_INTERNAL, True),
    "unavailable": (parsed(503, "The model is overloaded."), ErrorKind.UPSTREAM_UNAVAILABLE, True),
    "deadline expired": (
        parsed(503, "Deadline expired before operation could complete."),
        ErrorKind.UPSTREAM_UNAVAILABLE,
        False,
    ),
    "timeout": (parsed(504, name="DEADLINE_EXCEEDED"), ErrorKind.UPSTREAM_TIMEOUT, False),
    "unimplemented": (parsed(501), ErrorKind.UPSTREAM_BROKEN, False),
    "bad gateway": (parsed(502), ErrorKind.UPSTREAM_BROKEN, False),
    "another 5xx": (parsed(529), ErrorKind.UPSTREAM_BROKEN, False),
    "a redirection": (parse_error(302, b""), ErrorKind.UPSTREAM_BROKEN, False),
    "conflict": (parsed(409), ErrorKind.UPSTREAM_REJECTED, True),
    "HTML 500": (parse_error(500, HTML), ErrorKind.UPSTREAM_BROKEN, False),
    "HTML 503": (parse_error(503, HTML), ErrorKind.UPSTREAM_BROKEN, False),
    "broken JSON": (parse_error(500, b'{"error": {"code": 500'), ErrorKind.UPSTREAM_BROKEN, False),
    "an error that is a string": (parse_error(503, b'{"error": "no"}'), ErrorKind.UPSTREAM_BROKEN, False),
    "HTML 413": (parse_error(413, HTML), ErrorKind.UPSTREAM_REJECTED, True),
    "a list of one": (
        parse_error(503, b'[{"error": {"message": "A message."}}]'),
        ErrorKind.UPSTREAM_UNAVAILABLE,
        True,
    ),
}


@pytest.mark.parametrize(("error", "kind", "may_repeat"), MEANINGS.values(), ids=MEANINGS.keys())
def test_what_an_upstream_error_means(error: ApiError, kind: ErrorKind, may_repeat: bool) -> None:
    assert (error.kind, error.may_repeat) == (kind, may_repeat)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503, 504])
def test_the_message_of_an_upstream_error_is_kept(status: int) -> None:
    assert parsed(status, "Google's own\nmessage.").message == "Google's own\nmessage."


@pytest.mark.parametrize("status", [406, 409, 412, 413, 415, 418, 422, 499])
def test_another_4xx_keeps_its_status(status: int) -> None:
    for error in (parsed(status), parse_error(status, HTML)):
        assert (error.kind, error.status) == (ErrorKind.UPSTREAM_REJECTED, status)


DELAYS = {
    "whole": (("Quota.", retry("48s")), 48),
    "with a fraction": (("Quota.", retry("48.939935699s")), 48.939935699),
    "more exact in the message": (("Please retry in 48.939935699s.", retry("48s")), 48.939935699),
    "milliseconds in the message": (("Please retry in 591.208735ms.", retry("0s")), 0),
    "hours in the message": (("Please retry in 21h24m43.4s.", retry("77083s")), 77083),
    "long": (("Quota.", retry("3600.5s")), 3600.5),
    "only in the message": (("Please retry in 9s.",), None),
    "unreadable": (("Quota.", retry("soon")), None),
    "of another type": (("Quota.", {"@type": f"{TYPE}Help", "retryDelay": "9s"}), None),
    "none": (("Quota.",), None),
}


@pytest.mark.parametrize(("error_content", "delay"), DELAYS.values(), ids=DELAYS.keys())
def test_the_delay_of_a_rate_limit(error_content: tuple[Any, ...], delay: float | None) -> None:
    message, *details = error_content
    error = parsed(429, message, "RESOURCE_EXHAUSTED", *details)
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, delay)
    body = json.dumps({"error": {"message": message, "details": details}}).encode()
    assert retry_delay_of(body) == delay


@pytest.mark.parametrize("status", [400, 429, 500, 503, 504])
def test_a_delay_is_kept_whatever_the_status(status: int) -> None:
    assert parsed(status, "A message.", "", retry("9s")).retry_after == 9


def test_a_used_up_quota_has_no_delay() -> None:
    assert parsed(429, "Quota.", "", PER_DAY, retry("9s")).retry_after is None


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("body", [b"", HTML, b'{"error": {"message": "No."}}'])
def test_a_delay_may_be_in_a_header(status: int, body: bytes) -> None:
    assert parse_error(status, body, {"retry-after": "17"}).retry_after == 17


def test_a_delay_in_the_body_wins_over_the_header() -> None:
    body = json.dumps({"error": {"message": "No.", "details": [retry("9s")]}}).encode()
    assert parse_error(429, body, {"retry-after": "17"}).retry_after == 9


NO_MONEY = (
    "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects.",
    "Your Prepay credit balance is depleted.",
    "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend.",
)


@pytest.mark.parametrize(
    "error", [*(parsed(429, message) for message in NO_MONEY), parsed(402), parse_error(402, HTML)]
)
def test_without_money_waiting_does_not_help(error: ApiError) -> None:
    assert (error.kind, error.retry_after, error.may_repeat) == (ErrorKind.QUOTA_EXHAUSTED, None, False)


@pytest.mark.parametrize("body", [b"", HTML, b"{}", b"[]", b'{"error": {}}', b'{"error": {"details": 5}}'])
def test_a_body_may_have_no_delay(body: bytes) -> None:
    assert retry_delay_of(body) is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (["generation_config.seed"], "generation_config.seed"),
        (["contents[0].parts[0]", "tools"], "contents[0].parts[0]"),
        (["something_else", "contents"], "contents"),
        (["contentsx"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_param_is_the_first_field_that_we_know(fields: list[str], param: str | None) -> None:
    violations = [
        {"description": "no field"},
        *({"field": field, "description": "Cannot find it."} for field in fields),
    ]
    details = {"@type": f"{TYPE}BadRequest", "fieldViolations": violations}
    error = parsed(400, "Invalid.", "INVALID_ARGUMENT", details)
    assert (error.kind, error.param) == (ErrorKind.INVALID_ARGUMENT, param)


def test_a_model_that_is_not_found_is_the_param() -> None:
    assert parsed(404).param == "model"


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
odd_details = st.one_of(
    any_json,
    st.lists(
        st.one_of(
            any_json,
            st.fixed_dictionaries(
                {"@type": st.sampled_from([f"{TYPE}{name}" for name in ("QuotaFailure", "RetryInfo", "BadRequest")])},
                optional=dict.fromkeys(("violations", "retryDelay", "fieldViolations", "reason"), any_json),
            ),
        ),
        max_size=3,
    ),
)
odd_errors = st.fixed_dictionaries(
    {}, optional={"code": any_json, "message": any_json, "status": any_json, "details": odd_details}
)


@given(st.integers(300, 599), st.one_of(any_json, odd_errors))
@settings(max_examples=500)
def test_any_error_object_has_a_meaning(status: int, error: Any) -> None:
    body = json.dumps({"error": error}).encode()
    assert isinstance(parse_error(status, body), ApiError)
    retry_delay_of(body)


@given(st.integers(300, 599), st.binary(max_size=50))
def test_any_body_has_a_meaning(status: int, body: bytes) -> None:
    kind = parse_error(status, body).kind
    by_status = {401: ErrorKind.INVALID_KEY, 402: ErrorKind.QUOTA_EXHAUSTED, 429: ErrorKind.RATE_LIMITED}
    others = ErrorKind.UPSTREAM_REJECTED if 400 <= status < 500 else ErrorKind.UPSTREAM_BROKEN
    assert kind is by_status.get(status, others)


# Errors of our own


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_is_written_as_a_google_rpc_status(kind: ErrorKind) -> None:
    status, body = build_error(ApiError(kind, "The message."))
    error = body["error"]
    assert (error["code"], error["message"]) == (status, "The message.")
    assert error["status"].isupper()
    (info,) = error["details"]
    assert info["@type"] == f"{TYPE}ErrorInfo"
    assert info["reason"] == ("API_KEY_INVALID" if kind is ErrorKind.INVALID_KEY else kind.name)


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        (ErrorKind.MISSING_KEY, 403, "PERMISSION_DENIED"),
        (ErrorKind.INVALID_KEY, 400, "INVALID_ARGUMENT"),
        (ErrorKind.MODEL_NOT_FOUND, 404, "NOT_FOUND"),
        (ErrorKind.LOCATION_NOT_SUPPORTED, 400, "FAILED_PRECONDITION"),
        (ErrorKind.QUOTA_EXHAUSTED, 429, "RESOURCE_EXHAUSTED"),
        (ErrorKind.RATE_LIMITED, 429, "RESOURCE_EXHAUSTED"),
        (ErrorKind.UPSTREAM_INTERNAL, 500, "INTERNAL"),
        (ErrorKind.UPSTREAM_UNAVAILABLE, 503, "UNAVAILABLE"),
        (ErrorKind.UPSTREAM_TIMEOUT, 504, "DEADLINE_EXCEEDED"),
        (ErrorKind.UPSTREAM_BROKEN, 502, "UNAVAILABLE"),
        (ErrorKind.INTERNAL, 500, "INTERNAL"),
    ],
)
def test_statuses_are_those_of_google(kind: ErrorKind, status: int, name: str) -> None:
    actual, body = build_error(ApiError(kind, "The message."))
    assert (actual, body["error"]["status"]) == (status, name)


def test_an_upstream_status_of_its_own_is_kept() -> None:
    status, body = build_error(ApiError(ErrorKind.UPSTREAM_REJECTED, "No.", status=418))
    assert (status, body["error"]["code"]) == (418, 418)


def test_a_wrong_field_and_a_delay_are_details() -> None:
    _, body = build_error(ApiError(ErrorKind.RATE_LIMITED, "No.", param="contents", retry_after=1.5))
    assert body["error"]["details"][1:] == [
        {"@type": f"{TYPE}BadRequest", "fieldViolations": [{"field": "contents", "description": "No."}]},
        {"@type": f"{TYPE}RetryInfo", "retryDelay": "1.5s"},
    ]


def test_several_wrong_fields_are_all_named() -> None:
    error = ApiError(ErrorKind.INVALID_ARGUMENT, "No.", violations=(("", "root"), ("contents[0]", "first")))
    _, body = build_error(error)
    assert body["error"]["details"][1]["fieldViolations"] == [
        {"description": "root"},
        {"field": "contents[0]", "description": "first"},
    ]


@pytest.mark.parametrize("delay", [0.5, 7, 48.939935699, 1_000_000.0])
def test_a_delay_reads_back(delay: float) -> None:
    _, body = build_error(ApiError(ErrorKind.RATE_LIMITED, "No.", retry_after=delay))
    assert parse_error(429, json.dumps(body).encode()).retry_after == pytest.approx(delay)


@pytest.mark.parametrize(
    ("status", "name"),
    [(401, "UNAUTHENTICATED"), (402, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (422, "INVALID_ARGUMENT")],
)
def test_a_status_of_the_upstream_has_the_name_that_google_gives_it(status: int, name: str) -> None:
    code, body = build_error(ApiError(ErrorKind.UPSTREAM_REJECTED, "No.", status=status))
    assert (code, body["error"]["code"], body["error"]["status"]) == (status, status, name)
