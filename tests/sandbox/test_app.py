"""The sandbox behind the proxy's own surfaces."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from proxy.settings import Settings
from tests.sandbox.gemini_client import FLASH, KEY, body_of, parts_of
from tests.sandbox.openai_client import OPENAI_KEY, PROMPT


@pytest.fixture
def proxy(tmp_path: Path) -> FlaskClient:
    """A client of the proxy with its sandbox on."""
    return create_app(Settings.from_environ({"IMAGE_STORE_URL": str(tmp_path), "SANDBOX": "1"})).test_client()


def test_n_pictures_of_one_request_differ(proxy: FlaskClient) -> None:
    body = {"prompt": PROMPT, "n": 4, "response_format": "b64_json"}
    answer = proxy.post("/v1/images/generations", json=body, headers=OPENAI_KEY).get_json()
    assert len({item["b64_json"] for item in answer["data"]}) == 4


def test_two_equal_calls_get_two_pictures_and_with_a_seed_the_same(proxy: FlaskClient) -> None:
    def draw(**config: int) -> str:
        path = f"/v1beta/models/{FLASH}:generateContent"
        answer = proxy.post(path, json=body_of(PROMPT, **config), headers=KEY).get_json()
        return str(parts_of(answer)[-1]["inlineData"]["data"])

    assert draw() != draw()
    assert draw(seed=1) == draw(seed=1)
