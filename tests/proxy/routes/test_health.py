"""Whether the process answers."""

from flask.testing import FlaskClient

from tests.proxy.conftest import MakeApp


def test_healthz_needs_no_key_and_no_upstream(make_app: MakeApp):
    client = make_app(GEMINI_BASE_URL="http://127.0.0.1:9").test_client()
    response = client.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_healthz_is_only_read(client: FlaskClient):
    assert client.head("/healthz").status_code == 200
    response = client.post("/healthz")
    assert (response.status_code, response.mimetype) == (405, "application/json")
