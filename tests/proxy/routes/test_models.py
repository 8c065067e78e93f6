"""Lists of models over HTTP, in the form of the caller's API."""

import pytest
from flask.testing import FlaskClient

from tests.proxy.conftest import MODEL, MakeApp
from tests.support.dialects import google_error, openai_error

BEARER = {"Authorization": "Bearer k"}
GOOGLE = {"x-goog-api-key": "k"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1beta/openai/models"])
def test_openais_list(client: FlaskClient, path: str):
    body = client.get(path, headers=BEARER).get_json()
    assert (body["object"], [model["id"] for model in body["data"]]) == ("list", [MODEL])
    assert body["data"][0]["object"] == "model"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        *[("/v1/models", GOOGLE), ("/v1beta/models", GOOGLE), ("/v1/models?key=k", {}), ("/v1beta/models", BEARER)],
        *[("/v1alpha/models", GOOGLE), ("/v1alpha/models", BEARER), ("/models", GOOGLE), ("/models?key=k", {})],
    ],
)
def test_googles_list(client: FlaskClient, path: str, headers: dict[str, str]):
    body = client.get(path, headers=headers).get_json()
    assert [model["name"] for model in body["models"]] == [f"models/{MODEL}"]
    assert "generateContent" in body["models"][0]["supportedGenerationMethods"]


def test_a_google_credential_decides_where_both_are_given(client: FlaskClient):
    assert "models" in client.get("/v1/models", headers={**BEARER, **GOOGLE}).get_json()
    assert "models" in client.get("/v1/models?key=k", headers=BEARER).get_json()


def test_the_compatibility_path_is_openais_whatever_the_credential(client: FlaskClient):
    assert "data" in client.get("/v1beta/openai/models", headers={**BEARER, **GOOGLE}).get_json()
    openai_error(client.get("/v1beta/openai/models", headers=GOOGLE), 401, None)


@pytest.mark.parametrize("name", [MODEL, f"models/{MODEL}", f"google/{MODEL}", f"google%2F{MODEL}"])
def test_a_model_is_found_by_any_of_its_names(client: FlaskClient, name: str):
    assert client.get(f"/v1/models/{name}", headers=BEARER).get_json()["id"] == MODEL
    assert client.get(f"/v1beta/openai/models/{name}", headers=BEARER).get_json()["id"] == MODEL
    assert client.get(f"/v1/models/{name}", headers=GOOGLE).get_json()["name"] == f"models/{MODEL}"
    assert client.get(f"/v1beta/models/{name}", headers=GOOGLE).get_json()["name"] == f"models/{MODEL}"


def test_an_alias_is_a_model_too(make_app: MakeApp):
    client = make_app(MODEL_ALIASES="dall-e-3=gemini-2.5-flash-image").test_client()
    assert client.get("/v1/models/dall-e-3", headers=BEARER).get_json()["id"] == "dall-e-3"


def test_an_unknown_model_is_not_found_in_either_api(client: FlaskClient):
    openai_error(client.get("/v1/models/gpt-5", headers=BEARER), 404, "model_not_found")
    google_error(client.get("/v1/models/gpt-5", headers=GOOGLE), 404, "NOT_FOUND")
    google_error(client.get("/v1beta/models/gpt-5", headers=BEARER), 404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1/models", f"/v1/models/{MODEL}", "/v1/models/gpt-5"])
def test_a_key_is_required(client: FlaskClient, path: str):
    openai_error(client.get(path), 401, None)
    google_error(client.get(path.replace("/v1/", "/v1beta/")), 403, "PERMISSION_DENIED")
    google_error(client.get(f"{path}?key="), 403, "PERMISSION_DENIED")


@pytest.mark.parametrize("query", ["pageSize=1", "pageSize=0", "pageSize=99999", "pageToken=", "pageSize=&pageToken="])
def test_pages_of_one_model(client: FlaskClient, query: str):
    body = client.get(f"/v1beta/models?{query}", headers=GOOGLE).get_json()
    assert len(body["models"]) == 1
    assert "nextPageToken" not in body


@pytest.mark.parametrize("query", ["pageSize=x", "pageSize=-1", "pageToken=zz", "pageSize=1.5", "pageSize=٣"])
def test_a_malformed_page_is_refused(client: FlaskClient, query: str):
    google_error(client.get(f"/v1beta/models?{query}", headers=GOOGLE), 400, "INVALID_ARGUMENT")


def test_a_list_takes_no_place_and_makes_no_call(make_app: MakeApp):
    client = make_app(MAX_IN_FLIGHT="1", GEMINI_BASE_URL="http://127.0.0.1:9").test_client()
    for _ in range(3):
        assert client.get("/v1/models", headers=BEARER).status_code == 200


def test_head_is_answered_without_a_body(client: FlaskClient):
    response = client.head("/v1/models", headers=BEARER)
    assert (response.status_code, response.data) == (200, b"")
