"""Who asks: the surface that a request belongs to, and the key that it brings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from proxy.caller import REQUEST_ID, google_key, is_googles, openai_key, patience

GOOGLE_HEADER = {"x-goog-api-key": "k"}
BEARER = {"authorization": "Bearer k"}

SURFACES = [
    # path, headers, query, whether it is Google's
    ("/v1/images/generations", {}, {}, False),
    ("/v1/images/generations", GOOGLE_HEADER, {"key": "k"}, False),
    ("/v1/images", GOOGLE_HEADER, {}, False),
    ("/v1/images/nowhere", GOOGLE_HEADER, {}, False),
    ("/v1beta/openai", GOOGLE_HEADER, {}, False),
    ("/v1beta/openai/models", GOOGLE_HEADER, {"key": "k"}, False),
    ("/v1beta/openai/images/generations", {}, {}, False),
    ("/v1beta", {}, {}, True),
    ("/v1beta/models", BEARER, {}, True),
    ("/v1beta/openaimodels", BEARER, {}, True),
    ("/v1beta/v1/models/m:generateContent", BEARER, {}, True),
    ("/v1/models/m:generateContent", BEARER, {}, True),
    ("/v1/models/google/m:countTokens", {}, {}, True),
    ("/v1/models/m:generateContent/", BEARER, {}, True),
    ("/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", BEARER, {}, True),
    ("/v1/projects/p/models/m:predict", BEARER, {}, True),
    ("/v1/models", BEARER, {}, False),
    ("/v1/models", GOOGLE_HEADER, {}, True),
    ("/v1/models", {"X-Goog-Api-Key": ""}, {}, True),
    ("/v1/models", {}, {"key": "k"}, True),
    ("/v1/models", {}, {"key": ""}, True),
    ("/v1/models", {**GOOGLE_HEADER, **BEARER}, {}, True),
    ("/v1/models", BEARER, {"Key": "k"}, False),
    ("/v1/models/m", BEARER, {}, False),
    ("/v1betamodels", BEARER, {}, False),
    ("/v1/imagesx", GOOGLE_HEADER, {}, True),
    ("/images/x.png", {}, {}, False),
    ("/", {}, {}, False),
    ("", {}, {}, False),
]


@pytest.mark.parametrize(("path", "headers", "query", "expected"), SURFACES)
def test_a_request_belongs_to_the_surface_that_its_path_or_its_credential_names(
    path: str, headers: dict[str, str], query: dict[str, str], expected: bool
):
    assert is_googles(path, Headers(headers), lambda: query) is expected


@given(st.text(max_size=60))
def test_every_path_belongs_to_one_surface(path: str):
    assert is_googles(path, Headers(), dict) in (True, False)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer k", "k"),
        ("bearer k", "k"),
        ("BEARER  k ", "k"),
        ("Bearer a b", "a b"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearerk", None),
        ("Basic k", None),
        ("k", None),
        ("", None),
    ],
)
def test_an_openai_key_is_a_bearer_token(header: str, expected: str | None):
    assert openai_key(Headers({"Authorization": header})) == expected


def test_an_openai_key_comes_no_other_way():
    assert openai_key(Headers({"x-goog-api-key": "k", "api-key": "k"})) is None


def test_a_google_key_is_taken_from_the_header_then_the_query_then_a_bearer_token():
    bearer = Headers({"authorization": "Bearer b"})
    header = Headers({"x-goog-api-key": "h", **dict(bearer)})
    assert google_key(header, {"key": "q"}) == "h"
    assert google_key(bearer, {"key": "q"}) == "q"
    assert google_key(bearer, {}) == "b"
    assert google_key(Headers(), {}) is None


def test_an_empty_key_is_none():
    assert google_key(Headers({"x-goog-api-key": ""}), {"key": ""}) is None


@pytest.mark.parametrize("shape", ["AIzaSyA", "sk-proj-x", "ya29.a0", "x", "ü", "'; drop table", "a" * 5000])
def test_the_shape_of_a_key_is_not_judged(shape: str):
    assert google_key(Headers({"x-goog-api-key": shape}), {}) == shape
    assert openai_key(Headers({"authorization": f"Bearer {shape}"})) == shape


@pytest.mark.parametrize("sane", ["a", "req_123", "0b1f8c2e-1111-4a6b-9d5e-000000000000", "A.b_c-d", "x" * 128])
def test_a_sane_request_id(sane: str):
    assert REQUEST_ID.fullmatch(sane)


@pytest.mark.parametrize("odd", ["", " ", "a b", "a\n", "a\r\nx: y", "ü", "x" * 129, "<script>", "a,b", "a:b"])
def test_an_odd_request_id(odd: str):
    assert not REQUEST_ID.fullmatch(odd)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"x-stainless-read-timeout": "600"}, 600),
        ({"x-stainless-read-timeout": "0.5"}, 0.5),
        ({"x-stainless-timeout": "60"}, 60),
        ({"x-stainless-read-timeout": "5", "x-stainless-timeout": "60"}, 5),
        ({"x-stainless-read-timeout": "NOT_GIVEN", "x-stainless-timeout": "60"}, 60),
        *(({"x-stainless-read-timeout": odd}, None) for odd in ("", "0", "-1", "nan", "inf", "-inf", "None", "1e999")),
    ],
    ids=str,
)
def test_patience_is_what_an_sdk_says_of_itself(headers: dict[str, str], expected: float | None):
    assert patience(Headers(headers)) == expected
