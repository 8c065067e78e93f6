"""What browsers learn about pages of other origins."""

import pytest

PATH = "/v1/images/generations"
ASKS = {
    "Origin": "https://app.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, x-stainless-os",
}


def test_no_origin_is_allowed_by_default(make_app):
    client = make_app().test_client()
    assert client.options(PATH, headers=ASKS).status_code == 405
    response = client.post(PATH, json={}, headers=ASKS)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("origins", ["https://app.example", "https://other.example,https://app.example", "*"])
def test_an_allowed_origin_can_send_requests_and_read_answers(make_app, origins: str):
    client = make_app(CORS_ORIGINS=origins).test_client()
    preflight = client.options(PATH, headers=ASKS)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert preflight.headers["Access-Control-Allow-Headers"] == ASKS["Access-Control-Request-Headers"]
    answer = client.post(PATH, json={}, headers=ASKS)
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "x-request-id" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/healthz", "/", "/v1/models", "/images/x.png", "/nowhere"])
def test_every_answer_depends_on_the_origin_where_one_is_allowed(make_app, path: str):
    with_origins, without = make_app(CORS_ORIGINS="https://app.example").test_client(), make_app().test_client()
    assert "Origin" in with_origins.get(path).headers["Vary"]
    assert "Origin" not in without.get(path).headers.get("Vary", "")


def test_another_origin_is_not_allowed(make_app):
    client = make_app(CORS_ORIGINS="https://other.example").test_client()
    assert client.options(PATH, headers=ASKS).status_code == 405
    assert "Access-Control-Allow-Origin" not in client.post(PATH, json={}, headers=ASKS).headers
