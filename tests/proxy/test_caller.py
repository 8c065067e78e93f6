"""Who sends a request: the API that it belongs to, and the key that it brings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from compat.dialect import Dialect
from compat.gemini_content.error import GEMINI
from compat.openai_chat.error import CHAT
from compat.openai_images.error import OPENAI
from proxy.caller import dialect_of, identify, key_of, without_key

GOOGLE_HEADER = {"x-goog-api-key": "k"}
BEARER = {"authorization": "Bearer k"}

DIALECTS = [
    # path, headers, query, the API
    ("/v1/images/generations", {}, {}, OPENAI),
    ("/v1/images/generations", GOOGLE_HEADER, {"key": "k"}, OPENAI),
    ("/v1/images", GOOGLE_HEADER, {}, OPENAI),
    ("/v1/images/nowhere", GOOGLE_HEADER, {}, OPENAI),
    ("/v1/chat/completions", GOOGLE_HEADER, {}, CHAT),
    ("/v1/chat", {}, {}, CHAT),
    ("/v1/chats", {}, {}, OPENAI),
    ("/v1beta/openai/chat/completions", GOOGLE_HEADER, {"key": "k"}, CHAT),
    ("/v1beta/openai", GOOGLE_HEADER, {}, OPENAI),
    ("/v1beta/openai/models", GOOGLE_HEADER, {"key": "k"}, OPENAI),
    ("/v1beta/openai/images/generations", {}, {}, OPENAI),
    ("/v1beta", {}, {}, GEMINI),
    ("/v1beta/models", BEARER, {}, GEMINI),
    ("/v1beta/openaimodels", BEARER, {}, GEMINI),
    ("/v1beta/v1/models/m:generateContent", BEARER, {}, GEMINI),
    ("/v1/models/m:generateContent", BEARER, {}, GEMINI),
    ("/v1/models/google/m:countTokens", {}, {}, GEMINI),
    ("/v1/models/m:generateContent/", BEARER, {}, GEMINI),
    ("/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", BEARER, {}, GEMINI),
    ("/v1/projects/p/models/m:predict", BEARER, {}, GEMINI),
    ("/v1/models", BEARER, {}, OPENAI),
    ("/v1/models", GOOGLE_HEADER, {}, GEMINI),
    ("/v1/models", {"X-Goog-Api-Key": ""}, {}, GEMINI),
    ("/v1/models", {}, {"key": "k"}, GEMINI),
    ("/v1/models", {}, {"key": ""}, GEMINI),
    ("/v1/models", {**GOOGLE_HEADER, **BEARER}, {}, GEMINI),
    ("/v1/models", BEARER, {"Key": "k"}, OPENAI),
    ("/v1/models/m", BEARER, {}, OPENAI),
    ("/v1betamodels", BEARER, {}, OPENAI),
    ("/v1alpha/models", BEARER, {}, GEMINI),
    ("/models/m:generateContent", BEARER, {}, GEMINI),
    ("/models", GOOGLE_HEADER, {}, GEMINI),
    ("/models", BEARER, {}, OPENAI),
    ("/v1/models", {"x-api-key": "k"}, {}, OPENAI),
    ("/openai/deployments/m/images/generations", GOOGLE_HEADER, {}, OPENAI),
    ("/openai/v1/images/generations", {"api-key": "k"}, {}, OPENAI),
    ("/v1/imagesx", GOOGLE_HEADER, {}, GEMINI),
    ("/images/x.png", {}, {}, OPENAI),
    ("/", {}, {}, OPENAI),
    ("", {}, {}, OPENAI),
]


@pytest.mark.parametrize(("path", "headers", "query", "dialect"), DIALECTS)
def test_a_request_belongs_to_the_api_that_its_path_or_its_credential_names(
    path: str, headers: dict[str, str], query: dict[str, str], dialect: Dialect
):
    assert dialect_of(path, Headers(headers), lambda: query) is dialect
    assert identify(path, Headers(headers), lambda: query, "").dialect is dialect


@given(st.text(max_size=60))
def test_every_path_belongs_to_one_api(path: str):
    assert dialect_of(path, Headers(), dict) in (OPENAI, GEMINI)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer k", "k"),
        ("bearer k", "k"),
        ("BEARER  k ", "k"),
        ("Bearer a b", "a b"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Bearerk", ""),
        ("Basic k", ""),
        ("k", ""),
        ("", ""),
    ],
)
def test_a_bearer_token_is_a_key_of_both_apis(header: str, key: str):
    for dialect in (OPENAI, GEMINI):
        assert key_of(dialect, Headers({"Authorization": header}), dict) == key


def test_an_openai_key_comes_no_other_way():
    assert key_of(OPENAI, Headers({"x-goog-api-key": "k", "x-api-key": "k"}), lambda: {"key": "k"}) == ""


def test_a_header_of_another_api_has_the_key_if_nothing_else_has():
    bearer = {"authorization": "Bearer b"}
    assert key_of(OPENAI, Headers({"api-key": "azure"}), dict) == "azure"
    assert key_of(OPENAI, Headers({"api-key": "azure", **bearer}), dict) == "b"
    assert key_of(GEMINI, Headers({"x-api-key": "x"}), dict) == "x"
    assert key_of(GEMINI, Headers({"x-api-key": "x", "x-goog-api-key": "h"}), dict) == "h"
    assert key_of(GEMINI, Headers({"x-api-key": "x"}), lambda: {"key": "q"}) == "q"
    assert key_of(GEMINI, Headers({"x-api-key": "x", **bearer}), dict) == "b"


def test_a_gemini_key_is_taken_from_the_header_then_the_query_then_a_bearer_token():
    bearer = Headers({"authorization": "Bearer b"})
    header = Headers({"x-goog-api-key": "h", **dict(bearer)})
    assert key_of(GEMINI, header, lambda: {"key": "q"}) == "h"
    assert key_of(GEMINI, bearer, lambda: {"key": "q"}) == "q"
    assert key_of(GEMINI, bearer, dict) == "b"
    assert key_of(GEMINI, Headers(), dict) == ""


def test_an_empty_key_is_none():
    assert key_of(GEMINI, Headers({"x-goog-api-key": ""}), lambda: {"key": ""}) == ""


@pytest.mark.parametrize("shape", ["AIzaSyA", "sk-proj-x", "ya29.a0", "x", "ü", "'; drop table", "a" * 5000])
def test_the_shape_of_a_key_is_not_checked(shape: str):
    assert key_of(GEMINI, Headers({"x-goog-api-key": shape}), dict) == shape
    assert key_of(OPENAI, Headers({"authorization": f"Bearer {shape}"}), dict) == shape


def test_a_caller_without_a_key_has_no_fingerprint():
    caller = identify("/v1/models", Headers(), dict, "salt")
    assert (caller.key, caller.fingerprint) == ("", "")


def test_a_fingerprint_depends_on_key_and_salt_and_shows_neither():
    def fingerprint(key: str, salt: str) -> str:
        return identify("/v1/models", Headers({"authorization": f"Bearer {key}"}), dict, salt).fingerprint

    assert fingerprint("a-key", "salt") == fingerprint("a-key", "salt")
    assert len({fingerprint("a-key", "salt"), fingerprint("a-key", "other"), fingerprint("another", "salt")}) == 3
    assert "a-key" not in fingerprint("a-key", "salt")
    assert len(fingerprint("a" * 5000, "x" * 5000)) == 12


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("Key abcdef leaked.", "abcdef", "Key [key] leaked."),
        ('{"a": "x\\"yabc"}', 'x"yabc', '{"a": "[key]"}'),
        ("abcde", "abcde", "abcde"),
        ("nothing", None, "nothing"),
        ("nothing", "", "nothing"),
    ],
)
def test_a_key_is_replaced_unless_it_is_too_short_to_be_one(text: str, key: str | None, expected: str):
    assert without_key(text, key) == expected
