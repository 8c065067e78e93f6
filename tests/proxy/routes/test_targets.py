"""proxy/routes/targets.py: rows with a key of their own, which pages of other sites and refused keys are kept from."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import responses
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.proxy.conftest import MODEL, MakeApp
from tests.support.dialects import google_error, openai_error
from tests.support.gemini_answers import DRAWN, INVALID_KEY, PICTURE_BASE64, error

HOST = "https://own.test"
GEMINI_URL, OPENAI_URL = f"{HOST}/v1beta/models/{MODEL}", f"{HOST}/v1/images"
OPERATORS_KEY = "the-operators-own-key"
OURS, EVIL, ALLOWED = "http://localhost", "https://evil.example", "https://app.example"
PATHS = {
    "generations": "/v1/images/generations",
    "generateContent": f"/v1beta/models/{MODEL}:generateContent",
    "streamGenerateContent": f"/v1beta/models/{MODEL}:streamGenerateContent",
    "countTokens": f"/v1beta/models/{MODEL}:countTokens",
}
every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())


def open_row(make_app: MakeApp, folder: Path, upstream: str, key: str = "env:OWN_KEY", **settings: str) -> FlaskClient:
    """A client of an app whose only model is drawn with a key of its row's."""
    file = folder / "models.toml"
    row = f'name = "{MODEL}"\nupstream = "{upstream}"\nkey = "{key}"\npixels = "{MODEL}"'
    base_url = HOST if upstream == "gemini" else f"{HOST}/v1"
    file.write_text(f'only = true\n[[model]]\n{row}\nbase_url = "{base_url}"\n')
    return make_app(MODELS_FILE=str(file), OWN_KEY=OPERATORS_KEY, **settings).test_client()


def ask(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    """A request as any page may send it: its key does not matter, and its type needs no preflight."""
    body = b'{"prompt": "a cat", "contents": [{"parts": [{"text": "a cat"}]}]}'
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(
        f"{path}?key=x", data=body, headers={"Authorization": "Bearer x", **named}, content_type="text/plain"
    )


@pytest.fixture
def upstream(request: pytest.FixtureRequest):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("generateContent", "streamGenerateContent", "countTokens"):
            mock.add("POST", f"{GEMINI_URL}:{method}", json=DRAWN)
        mock.add("POST", f"{OPENAI_URL}/generations", json={"created": 1, "data": [{"b64_json": PICTURE_BASE64}]})
        yield mock


def is_refused(response: TestResponse, path: str) -> bool:
    """Whether a request was refused as one of another page."""
    if response.status_code == 200:
        return False
    if path.startswith("/v1/images"):
        message = openai_error(response, 403, "permission_denied")["message"]
    else:
        message = google_error(response, 403, "PERMISSION_DENIED")["message"]
    return "CORS_ORIGINS" in message


OTHER_PAGES = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://localhost:8001"},
    {"Origin": EVIL, "Sec_Fetch_Site": "same-origin"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": EVIL, "Sec_Fetch_Site": "cross-site"},
]
OWN_CALLERS = [
    {},
    {"Origin": OURS},
    {"Origin": OURS, "Sec_Fetch_Site": "same-origin"},
    {"Origin": ALLOWED, "Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "none"},
    {"Origin": "https://localhost"},
    {"Origin": "https://pictures.example"},
]


@every_path
@pytest.mark.parametrize("headers", OTHER_PAGES, ids=str)
def test_a_page_of_another_site_may_not_use_the_operators_key(
    make_app: MakeApp, upstream: responses.RequestsMock, tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    client = open_row(make_app, tmp_path, "gemini", CORS_ORIGINS=ALLOWED)
    assert is_refused(ask(client, path, **headers), path)
    assert not upstream.calls


@every_path
@pytest.mark.parametrize("headers", OWN_CALLERS, ids=str)
def test_other_callers_may(
    make_app: MakeApp, upstream: responses.RequestsMock, tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    client = open_row(make_app, tmp_path, "gemini", CORS_ORIGINS=ALLOWED, PUBLIC_BASE_URL="https://pictures.example")
    assert not is_refused(ask(client, path, **headers), path)
    assert upstream.calls[0].request.headers["x-goog-api-key"] == OPERATORS_KEY


@pytest.mark.parametrize("path", [PATHS["generations"], PATHS["generateContent"]])
def test_a_row_of_an_openai_server_is_protected_too(
    make_app: MakeApp, upstream: responses.RequestsMock, tmp_path: Path, path: str
) -> None:
    client = open_row(make_app, tmp_path, "openai", "none")
    assert is_refused(ask(client, path, Origin=EVIL), path)
    assert not upstream.calls
    assert not is_refused(ask(client, path), path)


@every_path
def test_a_row_with_the_callers_key_is_open_to_every_page(
    make_app: MakeApp, upstream: responses.RequestsMock, tmp_path: Path, path: str
) -> None:
    assert not is_refused(ask(open_row(make_app, tmp_path, "gemini", "caller"), path, Origin=EVIL), path)


def test_the_sandbox_is_open_to_every_page(make_app: MakeApp, tmp_path: Path) -> None:
    client = open_row(make_app, tmp_path, "gemini", SANDBOX="1")
    headers = {"Authorization": "Bearer sandbox", "Origin": EVIL}
    assert client.post(PATHS["generations"], json={"prompt": "x"}, headers=headers).status_code == 200


REFUSED_KEYS = {
    "gemini": [
        (INVALID_KEY, 400),
        (error(401, "UNAUTHENTICATED", "x"), 401),
        (error(403, "PERMISSION_DENIED", "x"), 403),
    ],
    "openai": [
        ({"error": {"message": f"Incorrect API key: {OPERATORS_KEY}", "code": "invalid_api_key"}}, 401),
        ({}, 403),
    ],
}


@pytest.mark.parametrize(
    ("kind", "body", "status"), [(kind, *one) for kind, known in REFUSED_KEYS.items() for one in known]
)
@pytest.mark.parametrize("key", ["env:OWN_KEY", "none"])
@pytest.mark.parametrize("path", [PATHS["generations"], PATHS["generateContent"]])
def test_a_refused_key_of_a_row_is_the_operators_trouble(
    make_app: MakeApp,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    body: dict[str, object],
    status: int,
    key: str,
    path: str,
) -> None:
    client = open_row(make_app, tmp_path, kind, key)
    with responses.RequestsMock() as mock, caplog.at_level(logging.ERROR, "twinlens"):
        url = f"{GEMINI_URL}:generateContent" if kind == "gemini" else f"{OPENAI_URL}/generations"
        mock.add("POST", url, json=body, status=status)
        response = ask(client, path)
    if path == PATHS["generations"]:
        message = openai_error(response, 502, "operator_key_refused", "server_error")["message"]
    else:
        message = google_error(response, 502, "UNAVAILABLE")["message"]
        assert response.get_json()["error"]["details"][0]["reason"] == "OPERATOR_KEY_REFUSED"
    assert response.headers["x-should-retry"] == "false"
    assert MODEL in message and "operator" in message
    assert MODEL in caplog.text and key in caplog.text
    assert OPERATORS_KEY not in message
    assert key == "none" or OPERATORS_KEY not in caplog.text
