"""Google's generateContent over HTTP: requests and answers pass as they are."""

import gzip
import json
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proxy.conftest import MODEL, UPSTREAM, Gemini, MakeApp
from tests.support.dialects import google_error, openai_error
from tests.support.gemini_answers import (
    DRAWN,
    INVALID_KEY,
    answer,
    as_bytes,
    error,
    picture_part,
    png,
    retry_detail,
)
from tests.support.upstream import and_hang_up, and_wait_for_goodbye, chunk, head, http, upstream_that

KEY = "AIzaSy-a-key-that-nobody-may-see"
WITH_KEY = {"x-goog-api-key": KEY}
PATH = f"/v1beta/models/{MODEL}:generateContent"
BODY = {"contents": [{"parts": [{"text": "a cat"}]}]}
METHODS = ("generateContent", "streamGenerateContent", "countTokens")


def upstream_url(method: str = "generateContent") -> str:
    return f"{UPSTREAM}/v1beta/models/{MODEL}:{method}"


# Requests


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize(
    "name",
    [MODEL, f"google/{MODEL}", f"models/{MODEL}", f"google%2F{MODEL}", f"publishers/google/models/{MODEL}"],
)
def test_every_spelling_of_a_path_reaches_the_same_model(
    client: FlaskClient, gemini: Gemini, version: str, name: str, method: str
):
    gemini.answers({"totalTokens": 1}, method=method)
    response = client.post(f"/{version}/models/{name}:{method}", json=BODY, headers=WITH_KEY)
    assert response.status_code == 200, response.get_data()
    assert gemini.calls[0].url == upstream_url(method)


def test_an_encoded_colon_is_a_colon(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    assert client.post(f"/v1beta/models/{MODEL}%3AgenerateContent", json=BODY, headers=WITH_KEY).status_code == 200


def test_aliases_and_upstream_models_are_followed(make_app: MakeApp, gemini: Gemini):
    app = make_app(MODEL_ALIASES="banana=gemini-2.5-flash-image", UPSTREAM_MODELS=f"{MODEL}=gemini-9-image")
    gemini.mock.add("POST", f"{UPSTREAM}/v1beta/models/gemini-9-image:generateContent", json=DRAWN)
    for name in (MODEL, "banana"):
        path = f"/v1beta/models/{name}:generateContent"
        assert app.test_client().post(path, json=BODY, headers=WITH_KEY).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"contents":[{"parts":[{"text":"a cat"}]}]}',
        b' {\n"contents" : { "parts": {"text": "\\u0061 \xea\xb3\xa0"}} , "someday": [1.0, 1e3, null] }\n',
        b'\xef\xbb\xbf{"contents":[{"parts":[{"text":"a"}]}]}',
        b'{"contents":[{"parts":[{"text":"a"}]}],"contents":[{"parts":[{"text":"b"}]}]}',
        b'{"contents":[{"parts":[{"text":"' + b"x" * 3_000_000 + b'"}]}]}',
    ],
    ids=["plain", "spaces", "a mark", "twice", "long"],
)
def test_a_body_passes_byte_for_byte(client: FlaskClient, gemini: Gemini, body: bytes):
    gemini.answers(DRAWN)
    response = client.post(PATH, data=body, content_type="application/json", headers=WITH_KEY)
    assert response.status_code == 200, response.get_data()
    assert gemini.calls[0].body == body


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("alt=sse", "?alt=sse"),
        ("key=K&alt=sse", "?alt=sse"),
        ("alt=sse&key=K&%24fields=a,b(c)", "?alt=sse&%24fields=a,b(c)"),
        ("key=K", ""),
        ("%6Bey=K&ke%79=L&key=M", ""),
        ("key", ""),
        ("Key=K&keys=L&api_key=M", "?Key=K&keys=L&api_key=M"),
        ("alt=%EA%B3%A0%20x+y", "?alt=%EA%B3%A0%20x+y"),
        ("", ""),
    ],
)
def test_a_query_passes_as_it_is_without_the_key(client: FlaskClient, gemini: Gemini, query: str, expected: str):
    gemini.answers(DRAWN)
    assert client.post(f"{PATH}?{query}", json=BODY, headers=WITH_KEY).status_code == 200
    assert gemini.calls[0].url == upstream_url() + expected


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40))
def test_no_query_causes_an_error_of_ours(client: FlaskClient, gemini: Gemini, query: str):
    gemini.mock.reset()
    gemini.answers(DRAWN)
    response = client.open(PATH, method="POST", query_string=query, json=BODY, headers=WITH_KEY)
    assert response.status_code == 200, response.get_data()


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"x-goog-api-key": "K"}, ""),
        ({}, "?key=K"),
        ({"Authorization": "Bearer K"}, ""),
        ({"x-goog-api-key": "K"}, "?key=L"),
        ({"x-goog-api-key": "K", "Authorization": "Bearer L"}, ""),
        ({"Authorization": "Bearer L"}, "?key=K"),
        ({"x-goog-api-key": "K", "Authorization": "Bearer L"}, "?key=M&key=N"),
        ({"x-goog-api-key": "", "Authorization": "Bearer L"}, "?key=K"),
        ({"Authorization": "Basic L"}, "?key=K"),
    ],
    ids=str,
)
def test_of_several_keys_one_goes_up(client: FlaskClient, gemini: Gemini, headers: dict[str, str], query: str):
    gemini.answers(DRAWN)
    assert client.post(PATH + query, json=BODY, headers=headers).status_code == 200
    [call] = gemini.calls
    assert call.headers["x-goog-api-key"] == "K"
    assert "Authorization" not in call.headers
    assert call.url == upstream_url()


@pytest.mark.parametrize("headers", [{}, {"x-goog-api-key": ""}, {"Authorization": "Basic K"}], ids=str)
@pytest.mark.parametrize("query", ["", "?key=", "?alt=sse"])
def test_without_a_key_there_is_no_call(client: FlaskClient, gemini: Gemini, headers: dict[str, str], query: str):
    error = google_error(client.post(PATH + query, json=BODY, headers=headers), 403, "PERMISSION_DENIED")
    assert "unregistered callers" in error["message"]
    assert not gemini.calls


@pytest.mark.parametrize("key", ["%E2%82%AC", "%ED%95%9C", "%20leading", "in%0Aside", "end%0A", "%0D%0Ax-evil:%201"])
def test_a_key_that_no_header_can_hold_is_an_invalid_key(make_app: MakeApp, key: str, caplog: pytest.LogCaptureFixture):
    with upstream_that(http(as_bytes(DRAWN))) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(f"{PATH}?key={key}", json=BODY)
    error = google_error(response, 400, "INVALID_ARGUMENT")
    assert error["details"][0]["reason"] == "API_KEY_INVALID"
    assert not upstream.calls
    assert "unexpected error" not in caplog.text


def test_only_headers_that_describe_the_sdk_go_up(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    described = {
        "user-agent": "google-genai-sdk/3.4.0 gl-python/3.11",
        "x-goog-api-client": "google-genai-sdk/3.4.0",
        "x-server-timeout": "30",
    }
    private = {
        "Cookie": "session=1",
        "Authorization": "Bearer another",
        "Proxy-Authorization": "Basic x",
        "X-Forwarded-For": "192.0.2.1",
        "X-Real-IP": "192.0.2.1",
        "Forwarded": "for=192.0.2.1",
        "Via": "1.1 x",
        "Origin": "https://app.test",
        "Referer": "https://app.test/?key=secret",
        "Accept-Encoding": "gzip, br",
        "X-Goog-User-Project": "other",
        "X-Custom": "1",
        "Connection": "X-Custom",
        "TE": "trailers",
    }
    client.post(PATH, json=BODY, headers={**WITH_KEY, **described, **private})
    headers = {name.lower(): value for name, value in gemini.calls[0].headers.items()}
    assert headers.items() >= described.items()
    assert headers["accept-encoding"] == "identity"
    allowed = {*described, "x-goog-api-key", "content-type", "content-length", "accept", "accept-encoding", "host"}
    assert headers.keys() <= allowed


def test_with_upstream_gzip_accept_encoding_goes_up_and_the_answer_stays_compressed(make_app: MakeApp):
    packed = gzip.compress(as_bytes(DRAWN))
    with upstream_that(http(packed, "200 OK", "Content-Encoding: gzip")) as upstream:
        client = make_app(GEMINI_BASE_URL=upstream.url, UPSTREAM_GZIP="1").test_client()
        response = client.post(PATH, json=BODY, headers={**WITH_KEY, "Accept-Encoding": "gzip"})
    assert upstream.calls[0].headers["accept-encoding"] == "gzip"
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.data == packed


# Answers


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (as_bytes(DRAWN), "application/json; charset=UTF-8"),
        (b'data: {"a": 1}\r\n\r\ndata: {"b": 2}\r\n\r\n', "text/event-stream"),
        (b"[{},\r\n{}]", "application/json"),
        (b"no json at all \xff\x00", "text/plain"),
        (as_bytes(answer(picture_part(png(weight=1_000_000)))), "application/json"),
    ],
    ids=range(5),
)
def test_an_answer_passes_byte_for_byte(client: FlaskClient, gemini: Gemini, body: bytes, content_type: str):
    gemini.answers(body, 200, {"Content-Type": content_type}, "streamGenerateContent")
    response = client.post(f"/v1/models/{MODEL}:streamGenerateContent?alt=sse", json=BODY, headers=WITH_KEY)
    assert (response.status_code, response.data) == (200, body)
    assert response.headers["Content-Type"] == content_type


def test_headers_of_the_answer_come_back_except_those_of_its_connection(make_app: MakeApp):
    public = {
        "Server-Timing": "gfet4t7; dur=5301",
        "X-Gemini-Service-Tier": "standard",
        "Content-Disposition": "attachment",
        "Vary": "Origin, X-Origin, Referer",
        "X-Something-New": "1",
    }
    private = {
        "Set-Cookie": "a=b",
        "Connection": "keep-alive",
        "Keep-Alive": "timeout=5",
        "Server": "scaffolding on HTTPServer2",
        "Date": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Alt-Svc": 'h3=":443"',
        "Strict-Transport-Security": "max-age=1",
        "Trailer": "x",
        "Upgrade": "h2c",
        "X-Request-Id": "google's own",
    }
    lines = [f"{name}: {value}" for name, value in {**public, **private}.items()]
    body = as_bytes(DRAWN)
    with upstream_that(head("200 OK", "Transfer-Encoding: chunked", *lines) + chunk(body) + b"0\r\n\r\n") as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
        assert response.data == body
    assert all(response.headers[name] == value for name, value in public.items())
    assert not {name for name in private if name != "X-Request-Id"} & set(response.headers.keys())
    assert "Transfer-Encoding" not in response.headers
    assert response.headers["x-request-id"] != "google's own"


@pytest.mark.parametrize("line", ["X-Folded: a\r\n  b", "X-Control: a\x01b", "X Spaced: 1", "X-Latin: \xe9"], ids=repr)
def test_a_strange_header_of_the_upstream_does_not_spoil_its_answer(make_app: MakeApp, line: str):
    body = as_bytes(DRAWN)
    with upstream_that(http(body, "200 OK", line)) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
    assert (response.status_code, response.data) == (200, body)
    assert all(value.isprintable() for value in response.headers.values())


UPSTREAM_ERRORS = {
    "an invalid key": (INVALID_KEY, 400),
    "no permission": (error(403, "PERMISSION_DENIED", "No."), 403),
    "no model": (error(404, "NOT_FOUND", "No."), 404),
    "another one": (error(409, "ABORTED", "No."), 409),
    "too many": (error(429, "RESOURCE_EXHAUSTED", "No."), 429),
    "a fault": (error(500, "INTERNAL", "No."), 500),
    "too busy": (error(503, "UNAVAILABLE", "No."), 503),
    "too late": (error(504, "DEADLINE_EXCEEDED", "No."), 504),
}


@pytest.mark.parametrize("name", UPSTREAM_ERRORS)
def test_an_error_of_the_upstream_comes_back_as_it_is(client: FlaskClient, gemini: Gemini, name: str):
    body, status = UPSTREAM_ERRORS[name]
    content = as_bytes(body)
    gemini.answers(content, status, {"x-more": "1"})
    response = client.post(PATH, json=BODY, headers=WITH_KEY)
    assert (response.status_code, response.data, response.headers["x-more"]) == (status, content, "1")
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert "Retry-After" not in response.headers
    assert len(gemini.calls) == 1


def test_html_of_the_upstream_comes_back_as_it_is(client: FlaskClient, gemini: Gemini):
    gemini.answers(b"<html>502</html>", 502, {"Content-Type": "text/html"})
    response = client.post(PATH, json=BODY, headers=WITH_KEY)
    assert (response.status_code, response.data, response.mimetype) == (502, b"<html>502</html>", "text/html")


def test_a_delay_in_the_body_becomes_a_header_too(client: FlaskClient, gemini: Gemini):
    gemini.answers(error(429, "RESOURCE_EXHAUSTED", "Later.", [retry_detail("7.2s")]), 429)
    assert client.post(PATH, json=BODY, headers=WITH_KEY).headers["Retry-After"] == "8"


def test_a_delay_in_a_header_of_the_upstream_is_kept(client: FlaskClient, gemini: Gemini):
    gemini.answers(error(429, "RESOURCE_EXHAUSTED", "Later.", [retry_detail("7.2s")]), 429, {"Retry-After": "3"})
    assert client.post(PATH, json=BODY, headers=WITH_KEY).headers.getlist("Retry-After") == ["3"]


@pytest.mark.parametrize("key", [KEY, 'with"one"quote', "with\\one\\slash", "ü-and-한글", "ya29.a/b+c=="])
def test_an_error_that_repeats_the_key_comes_back_without_it(make_app: MakeApp, key: str):
    body = json.dumps(error(400, "INVALID_ARGUMENT", f"Key {key} of {key}."), ensure_ascii=False).encode()
    with upstream_that(http(body, "400 Bad Request")) as upstream:
        client = make_app(GEMINI_BASE_URL=upstream.url).test_client()
        response = client.post(PATH, json=BODY, headers={"x-goog-api-key": key.encode().decode("latin-1")})
    assert response.get_json()["error"]["message"] == "Key [key] of [key]."
    assert int(response.headers.get("Content-Length", len(response.data))) == len(response.data)


def test_a_compressed_error_that_repeats_the_key_comes_back_without_it(make_app: MakeApp):
    packed = gzip.compress(as_bytes(error(400, "INVALID_ARGUMENT", f"Key {KEY} leaked.")))
    with upstream_that(http(packed, "400 Bad Request", "Content-Encoding: gzip")) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
    assert response.get_json()["error"]["message"] == "Key [key] leaked."
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    ("trouble", "status", "name"),
    [
        (requests.ConnectionError("reset"), 502, "UNAVAILABLE"),
        (requests.ConnectTimeout("no"), 502, "UNAVAILABLE"),
        (requests.ReadTimeout("late"), 504, "DEADLINE_EXCEEDED"),
        (requests.exceptions.SSLError("no"), 502, "UNAVAILABLE"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("method", METHODS)
def test_no_answer_is_an_error_of_googles_api(
    client: FlaskClient, gemini: Gemini, trouble: Exception, status: int, name: str, method: str
):
    gemini.answers(trouble, method=method)
    google_error(client.post(f"/v1/models/{MODEL}:{method}", json=BODY, headers=WITH_KEY), status, name)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error(client: FlaskClient, gemini: Gemini, status: int):
    gemini.answers(b"", status, {"Location": f"https://elsewhere.test/?key={KEY}"})
    response = client.post(PATH, json=BODY, headers=WITH_KEY)
    google_error(response, 502, "UNAVAILABLE")
    assert "Location" not in response.headers


def test_an_answer_that_breaks_off_is_a_cut_transfer(make_app: MakeApp):
    cut = and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(b"data: 1\r\n"))
    with upstream_that(cut) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
        assert response.status_code == 200
        with pytest.raises(ConnectionResetError):
            response.get_data()
        response.close()


def test_an_answer_that_breaks_off_before_its_first_byte_is_an_error(make_app: MakeApp):
    with upstream_that(and_hang_up(head("200 OK", "Content-Length: 99"))) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
    google_error(response, 502, "UNAVAILABLE")


def test_an_error_that_breaks_off_is_an_error(make_app: MakeApp):
    with upstream_that(and_hang_up(head("500 S", "Content-Length: 99"), b"half")) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
    google_error(response, 502, "UNAVAILABLE")


def test_a_caller_that_leaves_ends_the_call_upstream(make_app: MakeApp):
    with upstream_that(and_wait_for_goodbye(head("200 OK", "Transfer-Encoding: chunked"), chunk(b"x"))) as upstream:
        response = make_app(GEMINI_BASE_URL=upstream.url).test_client().post(PATH, json=BODY, headers=WITH_KEY)
        assert next(iter(response.response)) == b"x"
        response.close()
        assert upstream.hung_up.acquire(timeout=2)


# Refusals of our own


@pytest.mark.parametrize("body", [b"", b"{", b"contents", b'{"contents": NaN}', b'{"contents": "\xff"}', b"[" * 99_999])
def test_bad_json_is_refused(client: FlaskClient, gemini: Gemini, body: bytes):
    response = client.post(PATH, data=body, content_type="application/json", headers=WITH_KEY)
    google_error(response, 400, "INVALID_ARGUMENT")
    assert not gemini.calls


@pytest.mark.parametrize("body", [{}, {"contents": []}, {"contents": None}, [], "x", None, 5], ids=str)
@pytest.mark.parametrize("method", METHODS[:2])
def test_a_body_without_contents_is_refused(client: FlaskClient, gemini: Gemini, body: Any, method: str):
    response = client.post(f"/v1beta/models/{MODEL}:{method}", json=body, headers=WITH_KEY)
    google_error(response, 400, "INVALID_ARGUMENT")
    assert not gemini.calls


def test_a_wrong_field_is_named_in_details(client: FlaskClient, gemini: Gemini):
    body = {**BODY, "generationConfig": {"temperature": []}}
    error = google_error(client.post(PATH, json=body, headers=WITH_KEY), 400, "INVALID_ARGUMENT")
    [bad_request] = [one for one in error["details"] if one["@type"].endswith("BadRequest")]
    assert [one["field"] for one in bad_request["fieldViolations"]] == ["generation_config.temperature"]
    assert not gemini.calls


def test_json_is_read_whatever_its_declared_type(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    for claimed in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded", None):
        response = client.post(PATH, data=json.dumps(BODY), content_type=claimed, headers=WITH_KEY)
        assert response.status_code == 200


@pytest.mark.parametrize("has_length", [True, False], ids=["Content-Length", "chunked"])
def test_a_body_that_is_too_large_is_refused(make_app: MakeApp, gemini: Gemini, has_length: bool):
    options: dict[str, Any] = {"environ_overrides": {"wsgi.input_terminated": True}}
    if not has_length:
        options["environ_overrides"]["CONTENT_LENGTH"] = ""
    client = make_app(MAX_REQUEST_BYTES="2000").test_client()
    response = client.post(PATH, data=b'"' + b"x" * 3000 + b'"', headers=WITH_KEY, **options)
    assert "MAX_REQUEST_BYTES" in google_error(response, 413, "INVALID_ARGUMENT")["message"]
    assert not gemini.calls


@pytest.mark.parametrize("name", ["gemini-1.5-pro", "gpt-4o", "models/models", "..", "%00", "한글"])
def test_the_error_about_an_unknown_model_names_the_served_ones(client: FlaskClient, gemini: Gemini, name: str):
    response = client.post(f"/v1beta/models/{name}:generateContent", json=BODY, headers=WITH_KEY)
    assert MODEL in google_error(response, 404, "NOT_FOUND")["message"]
    assert not gemini.calls


@pytest.mark.parametrize("method", ["predict", "generatecontent", "batchGenerateContent", "embedContent"])
def test_the_error_about_an_unknown_method_names_the_served_ones(client: FlaskClient, gemini: Gemini, method: str):
    response = client.post(f"/v1beta/models/{MODEL}:{method}", json=BODY, headers=WITH_KEY)
    message = google_error(response, 404, "NOT_FOUND")["message"]
    assert all(served in message for served in METHODS)


def test_an_error_of_ours_has_a_plain_message(client: FlaskClient, gemini: Gemini):
    gemini.answers(RuntimeError(f"{KEY} in /etc/secret"))
    error = google_error(client.post(PATH, json=BODY, headers=WITH_KEY), 500, "INTERNAL")
    assert error["message"] == "The server had an error while processing your request."


# Places

ENDS = {
    "an answer": (DRAWN, 200, BODY, True),
    "an answer nobody reads": (DRAWN, 200, BODY, False),
    "an upstream error": (error(500, "INTERNAL", "x"), 500, BODY, True),
    "a redirect": (b"", 302, BODY, True),
    "no content": (b"", 204, BODY, True),
    "no connection": (requests.ConnectionError("x"), 0, BODY, True),
    "a fault of ours": (RuntimeError("x"), 0, BODY, True),
    "a bad body": (DRAWN, 200, {}, True),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_place_is_free_after_every_kind_of_end(make_app: MakeApp, gemini: Gemini, end: str):
    body, status, asked, is_read = ENDS[end]
    gemini.answers(body, status)
    client = make_app(MAX_IN_FLIGHT="1").test_client()
    for _ in range(3):
        response = client.post(PATH, json=asked, headers=WITH_KEY)
        if is_read:
            response.get_data()
        assert response.status_code != 503, "the place is lost"
        response.close()


def test_too_many_calls_in_flight_are_refused(make_app: MakeApp, gemini: Gemini):
    client = make_app(MAX_IN_FLIGHT="1").test_client()
    gemini.answers(DRAWN)
    held = client.post(PATH, json=BODY, headers=WITH_KEY)
    refused = client.post(PATH, json=BODY, headers=WITH_KEY)
    error = google_error(refused, 503, "UNAVAILABLE")
    assert refused.headers["Retry-After"] == "1"
    assert any(detail.get("retryDelay") == "1s" for detail in error["details"])
    openai_error(
        client.post("/v1/images/generations", json={"prompt": "x"}, headers={"Authorization": "Bearer k"}),
        503,
        "server_is_overloaded",
        "service_unavailable_error",
    )
    assert client.get("/healthz").status_code == 200
    held.close()
    assert client.post(PATH, json=BODY, headers=WITH_KEY).status_code == 200


def test_the_key_is_in_no_log_whatever_happens(client: FlaskClient, gemini: Gemini, caplog: pytest.LogCaptureFixture):
    caplog.set_level(0)
    for body, status in [*UPSTREAM_ERRORS.values(), (requests.ConnectionError("x"), 0), (DRAWN, 200)]:
        gemini.answers(body, status)
        client.post(f"{PATH}?key={KEY}", json=BODY)
    assert KEY not in caplog.text
