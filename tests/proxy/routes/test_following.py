"""A model that its server has ended: the same request goes to its successor, on both APIs."""

import json
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from compat.image_models import SUCCESSOR
from tests.proxy.conftest import MODEL, UPSTREAM, MakeApp
from tests.support.dialects import openai_error
from tests.support.gemini_answers import DRAWN, PICTURE_BASE64, error

KEY = "AIzaSy-a-key-that-nobody-may-see"
GONE = error(404, "NOT_FOUND", f"This model models/{MODEL} is no longer available to new users.")
SUCCESSOR_GONE = error(404, "NOT_FOUND", f"models/{SUCCESSOR} is not found for API version v1beta.")
BODY = {"contents": [{"parts": [{"text": "a cat"}]}], "generationConfig": {"seed": 7}}


class Upstream:
    """Google, which has some models."""

    def __init__(self, mock: responses.RequestsMock):
        self.mock = mock

    def has(self, model: str, body: Any, status: int = 200, method: str = "generateContent") -> None:
        """How it answers for a model."""
        self.mock.upsert("POST", f"{UPSTREAM}/v1beta/models/{model}:{method}", json=body, status=status)

    @property
    def asked(self) -> list[str]:
        """The models of the calls so far, in short: the old one, the new one."""
        names = [str(call.request.url).rpartition("/")[2].partition(":")[0] for call in self.mock.calls]
        return ["new" if name == SUCCESSOR else "old" for name in names]

    def sent(self, index: int) -> dict[str, Any]:
        """The body of a call."""
        body = self.mock.calls[index].request.body
        sent: dict[str, Any] = json.loads(b"".join(body) if isinstance(body, tuple) else body)
        return sent


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        one = Upstream(mock)
        one.has(MODEL, GONE, 404)
        one.has(SUCCESSOR, DRAWN)
        yield one


def draw(client: FlaskClient, key: str = KEY, **fields: Any) -> TestResponse:
    body = {"prompt": "a cat", "response_format": "b64_json", **fields}
    return client.post("/v1/images/generations", json=body, headers={"Authorization": f"Bearer {key}"})


def generate(client: FlaskClient, key: str = KEY, method: str = "generateContent") -> TestResponse:
    return client.post(f"/v1beta/models/{MODEL}:{method}", json=BODY, headers={"x-goog-api-key": key})


def test_openais_api_asks_the_successor_as_its_row_says(client: FlaskClient, upstream: Upstream):
    first = draw(client, size="2048x2048", seed=7, temperature=1)
    assert first.status_code == 200
    assert upstream.asked == ["old", "new"]
    old, new = upstream.sent(0)["generationConfig"], upstream.sent(1)["generationConfig"]
    assert (old["seed"], old["imageConfig"]) == (7, {"aspectRatio": "1:1"})
    assert new == {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1", "imageSize": "2K"}}
    later = draw(client, size="2048x2048", seed=7, temperature=1)
    assert upstream.asked == ["old", "new", "new"]
    assert upstream.sent(2) == upstream.sent(1)
    for answer in (first, later):
        assert answer.headers["x-twinlens-model"] == SUCCESSOR
        assert answer.headers["x-twinlens-ignored"] == "seed, temperature"
        assert "x-twinlens-retires" not in answer.headers
        usage = answer.get_json()["usage"]
        assert usage["cost"] == pytest.approx((usage["input_tokens"] * 1.5 + usage["output_tokens"] * 30) / 1e6)


def test_googles_api_sends_the_body_as_it_is(client: FlaskClient, upstream: Upstream):
    first, later = generate(client), generate(client)
    assert upstream.asked == ["old", "new", "new"]
    assert upstream.sent(0) == upstream.sent(1) == BODY
    for answer in (first, later):
        assert (answer.status_code, answer.get_json()) == (200, DRAWN)
        assert answer.headers["x-twinlens-model"] == SUCCESSOR


def test_the_refusal_of_a_successor_is_the_answer(client: FlaskClient, upstream: Upstream):
    upstream.has(SUCCESSOR, error(400, "INVALID_ARGUMENT", "seed is not supported"), 400)
    answer = generate(client)
    assert "seed" in answer.get_json()["error"]["message"]
    assert answer.headers["x-twinlens-model"] == SUCCESSOR
    assert draw(client, "another").status_code == 400
    assert upstream.asked == ["old", "new"] * 2


def test_what_one_api_has_learned_the_other_knows_but_no_other_key(client: FlaskClient, upstream: Upstream):
    draw(client)
    generate(client)
    assert upstream.asked == ["old", "new", "new"]
    generate(client, "another key")
    draw(client, "another key")
    assert upstream.asked == ["old", "new", "new", "old", "new", "new"]


@pytest.mark.parametrize("fields", [{"n": 3}, {"stream": True}, {"image": PICTURE_BASE64}, {"response_format": "url"}])
def test_every_kind_of_order_is_followed(client: FlaskClient, upstream: Upstream, fields: dict[str, Any]):
    answer = draw(client, **fields)
    assert answer.status_code == 200, answer.get_data()
    count = fields.get("n", 1)
    assert upstream.asked == ["old"] * count + ["new"] * count
    assert answer.headers["x-twinlens-model"] == SUCCESSOR
    if "image" in fields:
        assert upstream.sent(1)["contents"] == upstream.sent(0)["contents"]


def test_a_form_is_followed_with_its_pictures(client: FlaskClient, upstream: Upstream):
    form = {"prompt": "bluer", "seed": "3", "image": (BytesIO(b64decode(PICTURE_BASE64)), "cat.png")}
    answer = client.post("/v1/images/edits", data=form, headers={"Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    assert upstream.sent(1)["contents"] == upstream.sent(0)["contents"]
    assert answer.headers["x-twinlens-ignored"] == "seed"


def test_a_chat_is_followed(client: FlaskClient, upstream: Upstream):
    chat = {"messages": [{"role": "user", "content": "a cat"}], "size": "2048x2048", "seed": 7}
    for _ in range(2):
        answer = client.post("/v1/chat/completions", json=chat, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200, answer.get_data()[:300]
        assert (answer.headers["x-twinlens-model"], answer.headers["x-twinlens-ignored"]) == (SUCCESSOR, "seed")
        assert answer.get_json()["choices"][0]["message"]["images"]
    assert upstream.asked == ["old", "new", "new"]
    assert upstream.sent(1)["generationConfig"]["imageConfig"]["imageSize"] == "2K"


@pytest.mark.parametrize(
    "body",
    [
        error(404, "NOT_FOUND", "Requested entity was not found."),
        error(404, "NOT_FOUND", f"models/{MODEL}-preview is not found."),
        error(403, "PERMISSION_DENIED", f"{MODEL} is not for you."),
    ],
)
def test_an_error_that_is_not_about_the_model_is_not_followed(client: FlaskClient, upstream: Upstream, body: Any):
    status = body["error"]["code"]
    upstream.has(MODEL, body, status)
    assert (draw(client).status_code, generate(client).status_code) == (status, status)
    assert generate(client).get_json() == body
    assert upstream.asked == ["old"] * 3


def test_where_the_successor_is_gone_too_the_first_404_is_the_answer(client: FlaskClient, upstream: Upstream):
    upstream.has(SUCCESSOR, SUCCESSOR_GONE, 404)
    for _ in range(2):
        answer = draw(client)
        message = openai_error(answer, 404, "model_not_found")["message"]
        assert message.startswith(GONE["error"]["message"])
        assert SUCCESSOR in message
        assert answer.headers["x-twinlens-model"] == MODEL
        answer = generate(client)
        assert (answer.status_code, answer.get_json()) == (404, GONE)
        assert answer.headers["x-twinlens-model"] == MODEL
    assert upstream.asked == ["old", "new"] * 4


def test_it_can_be_turned_off(make_app: MakeApp, upstream: Upstream):
    client = make_app(FOLLOW_SUCCESSORS="0").test_client()
    message = openai_error(draw(client), 404, "model_not_found")["message"]
    assert f"UPSTREAM_MODELS={MODEL}={SUCCESSOR}" in message
    assert generate(client).get_json() == GONE
    assert upstream.asked == ["old", "old"]


def test_a_model_that_the_operator_has_chosen_stays(make_app: MakeApp, upstream: Upstream):
    client = make_app(UPSTREAM_MODELS=f"{MODEL}={MODEL}").test_client()
    assert (draw(client).status_code, generate(client).status_code) == (404, 404)
    assert upstream.asked == ["old", "old"]


def test_counting_tokens_is_followed_and_says_nothing_of_drawing(client: FlaskClient, upstream: Upstream):
    upstream.has(MODEL, GONE, 404, "countTokens")
    upstream.has(SUCCESSOR, {"totalTokens": 3}, method="countTokens")
    for _ in range(2):
        assert generate(client, method="countTokens").get_json() == {"totalTokens": 3}
    upstream.has(MODEL, DRAWN)
    generate(client)
    assert upstream.asked == ["old", "new", "old", "new", "old"]


def test_the_metrics_count_it(client: FlaskClient, upstream: Upstream):
    def followed() -> float:
        page = client.get("/metrics").get_data(as_text=True)
        name = f'twinlens_followed_successors_total{{model="{MODEL}",successor="{SUCCESSOR}"}} '
        return sum(float(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name))

    before = followed()
    draw(client)
    generate(client)
    assert followed() == before + 1


def test_the_model_is_named_in_every_answer_once_it_is_known(make_app: MakeApp, upstream: Upstream):
    upstream.has(MODEL, error(429, "RESOURCE_EXHAUSTED", "slowly"), 429)
    client = make_app(CORS_ORIGINS="*").test_client()
    for answer in (draw(client), generate(client)):
        assert (answer.status_code, answer.headers["x-twinlens-model"]) == (429, MODEL)
        assert answer.headers["x-twinlens-retires"] == "2026-10-02"
    assert "x-twinlens-model" not in draw(client, model="unknown").headers
    odd = make_app(UPSTREAM_MODELS=f"{MODEL}=한 이름").test_client()
    upstream.mock.add("POST", "https://gemini.test/v1beta/models/한 이름:generateContent", json=DRAWN)
    named = draw(odd).headers["x-twinlens-model"]
    assert named.isascii()
    exposed = client.get("/healthz", headers={"Origin": "https://a.test"}).headers["Access-Control-Expose-Headers"]
    assert "x-twinlens-model" in exposed
