"""Callers with keys of ours: who gets in, what a key may use, and what it may know of itself."""

import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import spec
from proxy.access.key_format import new_key
from proxy.access.key_records import KeyRecords
from proxy.caller import AccessKey
from proxy.state.database import Database
from proxy.state.migrate import migrate
from tests.proxy.conftest import MODEL, Gemini, MakeApp
from tests.spec.spec_validators import answer_complaints
from tests.support import pictures

GOOGLE_KEY = "AIza-the-operators"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"
COUNT = f"/v1beta/models/{MODEL}:countTokens"
IMAGES = "/v1/images/generations"
CONTENT = {"contents": [{"parts": [{"text": "a cat"}]}]}
OWN_ROWS = """
[[model]]
name = "flat"
upstream = "openai"
base_url = "http://own.test/v1"
key = "none"
pixels = "gemini-2.5-flash-image"
{}
"""


@pytest.fixture
def records(tmp_path: Path) -> KeyRecords:
    url = f"sqlite:///{tmp_path}/twinlens.sqlite3"
    migrate(url)
    return KeyRecords(Database(url))


@pytest.fixture
def client(records: KeyRecords, make_app: MakeApp) -> FlaskClient:
    return make_app(ACCESS="keys", GEMINI_API_KEYS=GOOGLE_KEY, SANDBOX="1").test_client()


def make(records: KeyRecords, **limits: object) -> str:
    key = AccessKey("", f"ann{time.monotonic_ns()}", **{"per": "total", **limits})  # type: ignore[arg-type]
    return records.create(key, time.time())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", ["AIza-a-key-of-google", "twl_x", new_key()], ids=["of Google", "malformed", "unknown"])
@pytest.mark.parametrize("path", [IMAGES, "/v1/models", "/v1/key", GENERATE, COUNT, "/v1beta/models"])
def test_a_key_that_is_not_ours_is_refused_everywhere(client: FlaskClient, gemini: Gemini, path: str, key: str):
    get = path.endswith(("models", "key"))
    answer = client.get(path, headers=bearer(key)) if get else client.post(path, headers=bearer(key), json=CONTENT)
    error = answer.get_json()["error"]
    if path.startswith("/v1/"):
        assert (answer.status_code, error["code"]) == (401, "invalid_api_key")
    else:
        assert (answer.status_code, error["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    assert key not in answer.text
    assert gemini.calls == []


def test_without_a_key_the_message_says_whose_key_is_needed(client: FlaskClient):
    answer = client.get("/v1/key")
    assert answer.status_code == 401
    assert "operator" in answer.get_json()["error"]["message"]


def test_the_operators_key_goes_up_and_nothing_of_the_callers(client: FlaskClient, records: KeyRecords, gemini: Gemini):
    gemini.answers(pictures.drawn(pictures.picture_part(pictures.plain_png(64, 64))))
    gemini.answers({"totalTokens": 2}, method="countTokens")
    key = make(records)
    asked = [
        client.post(IMAGES, headers=bearer(key), json={"prompt": "a cat"}),
        client.post(f"{GENERATE}?key={key}", json=CONTENT),
        client.post(COUNT, headers={"x-goog-api-key": key}, json=CONTENT),
    ]
    assert [answer.status_code for answer in asked] == [200] * 3
    for call in gemini.calls:
        assert call.headers["x-goog-api-key"] == GOOGLE_KEY
        assert key not in f"{call.url}{call.headers}{call.body!r}"


@pytest.mark.parametrize(("path", "body"), [(IMAGES, {"prompt": "a cat"}), (GENERATE, CONTENT), (COUNT, CONTENT)])
def test_a_model_that_a_key_may_not_use(
    client: FlaskClient, records: KeyRecords, gemini: Gemini, path: str, body: dict[str, object]
):
    key = make(records, models=frozenset({"another"}))
    answer = client.post(path, headers=bearer(key), json=body)
    assert answer.status_code == 403
    assert f"may not use the model '{MODEL}'. It may use: another." in answer.get_json()["error"]["message"]
    assert gemini.calls == []
    assert client.get("/v1/models", headers=bearer(key)).get_json()["data"] == []


@pytest.mark.parametrize(
    ("columns", "statuses"),
    [("", (403, 502)), ("price_per_picture = 0.02", (502, 502))],
    ids=["no price", "a price per picture"],
)
def test_a_row_without_a_price_is_closed_to_keys_with_a_budget(
    records: KeyRecords, make_app: MakeApp, gemini: Gemini, tmp_path: Path, columns: str, statuses: tuple[int, int]
):
    file = tmp_path / "models.toml"
    file.write_text(OWN_ROWS.format(columns))
    own = make_app(ACCESS="keys", GEMINI_API_KEYS=GOOGLE_KEY, MODELS_FILE=str(file)).test_client()
    body = {"prompt": "a cat", "model": "flat", "response_format": "b64_json"}
    keys = make(records, budget_micros=1_000_000), make(records)
    assert tuple(own.post(IMAGES, headers=bearer(key), json=body).status_code for key in keys) == statuses


def test_what_a_key_may_know_of_itself(client: FlaskClient, records: KeyRecords, make_app: MakeApp):
    key = make(records, per="day", budget_micros=5_000_000, models=frozenset({MODEL}), expires_at=4_000_000_000.0)
    answer = client.get("/v1/key", headers=bearer(key))
    status = answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (status["budget_usd"], status["left_usd"], status["per"], status["models"]) == (5.0, 5.0, "day", [MODEL])
    assert (status["expires_at"], status["resets_at"][-10:]) == ("2096-10-02T07:06:40Z", "T00:00:00Z")
    without = client.get("/v1/key", headers=bearer(make(records))).get_json()
    assert [without[name] for name in ("budget_usd", "left_usd", "resets_at", "models", "expires_at")] == [None] * 5
    sandbox = client.get("/v1/key", headers=bearer("sandbox")).get_json()
    assert (sandbox["name"], sandbox["budget_usd"]) == ("sandbox", None)
    document = spec.load("openai_images")
    for one in (status, without, sandbox):
        assert not answer_complaints(document, "GET", "/v1/key", 200, {}, one)
    passthrough = make_app().test_client().get("/v1/key", headers=bearer("any"))
    assert passthrough.status_code == 404
    assert "ACCESS=passthrough" in passthrough.get_json()["error"]["message"]


def test_without_its_database_nothing_is_bought(make_app: MakeApp, gemini: Gemini, tmp_path: Path):
    client = make_app(
        ACCESS="keys", GEMINI_API_KEYS=GOOGLE_KEY, DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/a.sqlite3"
    ).test_client()
    answer = client.post(IMAGES, headers=bearer(new_key()), json={"prompt": "a cat"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "state_unavailable")
    assert gemini.calls == []
    assert client.get("/readyz").status_code == 503
