"""Errors of every kind, from every path, in the dialect of the caller; never HTML, never a secret."""

import re
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from compat.errors import HOPELESS, ApiError, Bought, ErrorKind
from tests.proxy.conftest import MODEL, MakeApp
from tests.support.dialects import google_error, openai_error

KEY = "AIzaSy-a-key-that-nobody-may-see"
GOOGLE = {"x-goog-api-key": KEY}
BEARER = {"Authorization": f"Bearer {KEY}"}


# Unknown paths


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/nowhere", {}),
        ("/v1/nowhere", BEARER),
        ("/v1/images", GOOGLE),
        ("/v1/images/nowhere", GOOGLE),
        ("/v1beta/openai/nowhere", GOOGLE),
        ("/v1/images/generations/", BEARER),
        ("/v1//models", BEARER),
        ("/V1/models", BEARER),
        ("/v1/chat/nowhere", GOOGLE),
    ],
)
def test_an_unknown_path_is_a_404_of_openais_api(client: FlaskClient, path: str, headers: dict[str, str]):
    for method in ("GET", "POST"):
        error = openai_error(client.open(path, method=method, headers=headers), 404, None)
        assert path in error["message"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/nowhere", GOOGLE),
        (f"/nowhere?key={KEY}", {}),
        ("/v1/nowhere", GOOGLE),
        ("/v1beta/nowhere", BEARER),
        ("/v1beta/", {}),
        ("/v1/nothing/x:generateContent", BEARER),
        (f"/v1/nothing/x:generateContent?key={KEY}", {}),
    ],
)
def test_an_unknown_path_is_a_404_of_googles_api(client: FlaskClient, path: str, headers: dict[str, str]):
    for method in ("GET", "POST"):
        response = client.open(path, method=method, headers=headers)
        google_error(response, 404, "NOT_FOUND")
        assert KEY not in response.get_data(as_text=True)


@pytest.mark.parametrize("first", ["v1", "v1beta"])
@pytest.mark.parametrize("second", ["v1", "v1beta"])
def test_a_doubled_version_is_explained(client: FlaskClient, first: str, second: str):
    path = f"/{first}/{second}/models/{MODEL}:generateContent"
    message = google_error(client.post(path, json={}, headers=GOOGLE), 404, "NOT_FOUND")["message"]
    assert "base URL" in message
    response = client.post(f"/{first}/{second}/images/generations", json={}, headers=BEARER)
    assert response.status_code == 404
    assert "base URL" in response.get_json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        f"/v1beta1/projects/p/locations/l/publishers/google/models/{MODEL}:generateContent",
        f"/v1beta1/publishers/google/models/{MODEL}:generateContent",
        f"/v1/projects/p/locations/l/publishers/google/models/{MODEL}:generateContent",
        f"/v1/publishers/google/models/{MODEL}:streamGenerateContent",
    ],
)
def test_vertex_paths_are_explained(client: FlaskClient, path: str):
    for headers in (GOOGLE, BEARER, {}):
        assert "Vertex" in google_error(client.post(path, json={}, headers=headers), 404, "NOT_FOUND")["message"]


# Wrong methods


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/images/generations"),
        ("PUT", "/v1/images/edits"),
        ("DELETE", f"/v1/models/{MODEL}"),
        ("POST", "/healthz"),
        ("PATCH", "/v1/models"),
        ("TRACE", "/v1/models"),
        ("PROPFIND", "/v1/models"),
    ],
)
def test_a_wrong_method_gets_the_allowed_ones(client: FlaskClient, method: str, path: str):
    response = client.open(path, method=method, headers=BEARER)
    openai_error(response, 405, "method_not_supported")
    assert method not in response.headers["Allow"].split(", ")
    google_error(client.open("/v1beta/models", method=method if method != "GET" else "PUT"), 405, "UNIMPLEMENTED")


# Every kind


@pytest.fixture
def raising(app: Flask) -> Any:
    """Makes two paths that raise an error, one for each API."""

    def make(error: BaseException) -> tuple[FlaskClient, str, str]:
        def fail() -> None:
            raise error

        app.add_url_rule("/v1/images/fail", "openai_fail", fail)
        app.add_url_rule("/v1beta/fail", "google_fail", fail)
        return app.test_client(), "/v1/images/fail", "/v1beta/fail"

    return make


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_an_answer_in_both_dialects(raising: Any, kind: ErrorKind):
    client, openai_path, google_path = raising(ApiError(kind, "What it is.", param="size", retry_after=1.5))
    for path in (openai_path, google_path):
        response = client.get(path)
        assert response.get_json()["error"]["message"] == "What it is."
        assert 400 <= response.status_code < 600
        assert (response.headers["Retry-After"], response.headers["retry-after-ms"]) == ("2", "1500")
        assert ("x-should-retry" in response.headers) == (kind in HOPELESS)
    assert client.get(openai_path).get_json()["error"]["param"] == "size"


@pytest.mark.parametrize(("bought", "header"), [(Bought.NO, None), (Bought.YES, "false"), (Bought.UNKNOWN, "false")])
def test_what_may_have_been_bought_is_not_to_be_asked_for_again(raising: Any, bought: Bought, header: str | None):
    client, *paths = raising(ApiError(ErrorKind.INTERNAL, "x", bought=bought))
    assert [client.get(path).headers.get("x-should-retry") for path in paths] == [header, header]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 409, 410, 413, 414, 415, 416, 417, 422, 428, 429, 431])
def test_werkzeugs_own_errors_keep_their_status(app: Flask, status: int):
    app.add_url_rule("/v1/images/fail", "openai_fail", lambda: abort(status))
    app.add_url_rule("/v1beta/fail", "google_fail", lambda: abort(status))
    for path in ("/v1/images/fail", "/v1beta/fail"):
        response = app.test_client().get(path)
        assert (response.status_code, response.mimetype) == (status, "application/json")
        assert set(response.get_json()) == {"error"}
        assert not re.search(r"<\w+>", response.get_data(as_text=True))


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504])
def test_werkzeugs_server_errors_are_json(app: Flask, status: int):
    app.add_url_rule("/v1/images/fail", "openai_fail", lambda: abort(status))
    response = app.test_client().get("/v1/images/fail")
    assert (response.status_code, response.mimetype) == (status, "application/json")


@pytest.mark.parametrize("error", [RuntimeError, KeyError, OSError, AssertionError, MemoryError, RecursionError])
def test_an_unexpected_error_has_a_plain_message_and_a_traceback_in_the_log(
    raising: Any, error: type[Exception], caplog: pytest.LogCaptureFixture
):
    client, openai_path, google_path = raising(error("the secret of line 7"))
    errors = [
        openai_error(client.get(openai_path), 500, "internal_error", "server_error"),
        google_error(client.get(google_path), 500, "INTERNAL"),
    ]
    assert all("secret" not in str(one) and error.__name__ not in str(one) for one in errors)
    assert "the secret of line 7" in caplog.text
    assert "Traceback" in caplog.text


def test_an_unexpected_error_is_logged_without_the_query(raising: Any, caplog: pytest.LogCaptureFixture):
    client, _, path = raising(RuntimeError("x"))
    client.get(f"{path}?key={KEY}", headers=GOOGLE)
    assert "/v1beta/fail" in caplog.text
    assert KEY not in caplog.text


def test_debugging_and_testing_change_nothing(make_app: MakeApp):
    app = make_app()
    app.add_url_rule("/v1/images/fail", "fail", lambda: 1 / 0)
    app.config.update(TESTING=True, DEBUG=True)
    openai_error(app.test_client().get("/v1/images/fail"), 500, "internal_error", "server_error")


# Request ids


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/models", "/v1beta/models", "/images/x"])
def test_every_answer_has_a_request_id_of_its_own(client: FlaskClient, path: str):
    ids = {client.get(path).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,128}", one) for one in ids)


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/images/generations"])
def test_a_well_formed_id_of_the_caller_is_kept(client: FlaskClient, path: str):
    for method in ("GET", "POST"):
        response = client.open(path, method=method, headers={"X-Request-ID": "req_My.own-1"})
        assert response.headers.getlist("x-request-id") == ["req_My.own-1"]


@pytest.mark.parametrize("odd", ["", "a b", "ü", "x" * 129, "<script>", "a,b"])
def test_a_malformed_id_is_replaced(client: FlaskClient, odd: str):
    [given] = client.get("/healthz", headers={"x-request-id": odd}).headers.getlist("x-request-id")
    assert given != odd
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", given)


# Anything at all


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    prefix=st.sampled_from(["/", "/v1/", "/v1beta/", "/v1/models/", "/v1beta/models/", "/images/", "/v1/images/"]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "X"]),
    body=st.binary(max_size=40),
    content_type=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/html", "a/b/c", ""]),
)
def test_no_request_causes_an_error_of_ours_or_html(
    client: FlaskClient, prefix: str, path: str, method: str, body: bytes, content_type: str
):
    path = path.replace("?", "")
    assume(not f"{prefix}{path}".startswith("//"))  # Flask's test client reads what follows as a host
    response = client.open(path=prefix + path, method=method, data=body, content_type=content_type, headers=BEARER)
    assert response.status_code < 500, (prefix, path, method, body)
    if response.status_code >= 400:
        assert response.mimetype == "application/json"
        assert set(response.get_json()) == {"error"}


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(host=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30))
def test_no_host_causes_an_error_of_ours(client: FlaskClient, host: str):
    for path in ("/healthz", "/v1/models", "/nowhere"):
        response = client.get(path, headers={**BEARER, "Host": host})
        assert response.status_code < 500
        assert response.mimetype == "application/json"
