"""Addresses that are nearly right: the answer says what to write, in the dialect of the caller's API."""

import pytest
from flask.testing import FlaskClient

from tests.proxy.conftest import MODEL
from tests.support.dialects import google_error, openai_error

GOOGLE = {"x-goog-api-key": "k"}
BEARER = {"Authorization": "Bearer k"}
END_IN_V1 = "The base URL must end in /v1"
TAKE_OFF = "take it off the base URL"

OPENAI_PATHS = [
    ("POST", "/images/generations", f"{END_IN_V1}: the address is /v1/images/generations."),
    ("GET", "/images/generations", END_IN_V1),
    ("POST", "/images/edits", END_IN_V1),
    ("POST", "/images/variations", END_IN_V1),
    ("GET", "/models", f"{END_IN_V1}: the address is /v1/models."),
    ("GET", "/models/", END_IN_V1),
    ("GET", f"/models/{MODEL}", f"{END_IN_V1}: the address is /v1/models/{MODEL}."),
    ("POST", "/v1//images/generations", "Did you mean /v1/images/generations?"),
    ("GET", "/v1//models", "Did you mean /v1/models?"),
    ("POST", "/V1/images/generations", "Did you mean /v1/images/generations?"),
    ("POST", "/v1/Images/Generations", "Did you mean /v1/images/generations?"),
    ("GET", "/V1/models", "Did you mean /v1/models?"),
    ("POST", "/v1/images/generations/", "Did you mean /v1/images/generations?"),
    ("GET", "/v1/models/", "Did you mean /v1/models?"),
    ("POST", "/v1/images/edit", "Did you mean /v1/images/edits?"),
    ("POST", "/v1/image/generate", "Did you mean /v1/images/generations?"),
    ("POST", "/v1/v1/images/generations", TAKE_OFF),
    ("POST", "/v1beta/openai/v1/images/edits", TAKE_OFF),
    ("POST", "/v1/images/generations/images/generations", f"{END_IN_V1} instead of /v1/images/generations"),
    ("POST", "/api/v1/images/generations", "Take /api off the base URL: the address is /v1/images/generations."),
    ("POST", "/openai/deployments/x/images/generation", "Did you mean /openai/deployments/x/images/generations?"),
    ("POST", "/v1/responses", "POST /v1/images/generations"),
    ("POST", "/v1/completions", "POST /v1/images/generations"),
    ("POST", "/embeddings", "POST /v1/images/generations"),
]
GOOGLE_PATHS = [
    ("POST", f"/v1/v1beta/models/{MODEL}:generateContent", TAKE_OFF),
    ("POST", f"/v1alpha/v1/models/{MODEL}:generateContent", TAKE_OFF),
    ("GET", "/v1beta/v1/models", TAKE_OFF),
    ("POST", f"/v1beta/models/{MODEL}:generateContent/", f"Did you mean /v1beta/models/{MODEL}:generateContent?"),
    ("POST", f"/V1BETA/models/{MODEL}:generateContent", f"Did you mean /v1beta/models/{MODEL}:generateContent?"),
    ("POST", "/v1beta/images/generations", f"{END_IN_V1} instead of /v1beta"),
    ("GET", "/models/", "Did you mean /models?"),
]


@pytest.mark.parametrize(("method", "path", "words"), OPENAI_PATHS)
def test_a_wrong_address_of_openais_api_is_a_404_that_says_which_is_right(
    client: FlaskClient, method: str, path: str, words: str
):
    error = openai_error(client.open(path=path, base_url="http://h", method=method, json={}, headers=BEARER), 404, None)
    assert words in error["message"]
    assert path in error["message"]


@pytest.mark.parametrize(("method", "path", "words"), GOOGLE_PATHS)
def test_a_wrong_address_of_googles_api_is_a_404_that_says_which_is_right(
    client: FlaskClient, method: str, path: str, words: str
):
    assert words in google_error(client.open(path, method=method, json={}, headers=GOOGLE), 404, "NOT_FOUND")["message"]


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/v1beta", "/images/x.png", "/v1" + "/x" * 2000, "/a/b/c"])
def test_nothing_is_guessed_about_other_addresses(client: FlaskClient, path: str):
    message = client.get(path, headers=BEARER).get_json()["error"]["message"]
    assert message == f"Invalid URL (GET {path})."


def test_an_address_that_is_served_keeps_its_405(client: FlaskClient):
    for method, path in (("GET", "/v1/images/generations"), ("POST", "/v1/models"), ("PUT", "/images/generations")):
        assert client.open(path, method=method, headers=BEARER).status_code == 405


def test_a_chat_needs_the_version_too(client: FlaskClient):
    for path in ("/chat/completions", "/openai/deployments/x/chat/completions"):
        error = openai_error(client.post(path, json={}, headers=BEARER), 404, None)
        assert END_IN_V1 in error["message"]
        assert "/v1/chat/completions" in error["message"]
