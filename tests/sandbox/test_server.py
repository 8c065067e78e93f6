"""`python -m sandbox`, and Google's own SDK against it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.sandbox.gemini_client import FLASH, KEY, Client, body_of, png

PROJECT = Path(__file__).resolve().parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_help() -> None:
    text, _ = start("--help").communicate(timeout=20)
    assert all(word in text for word in ("--host", "--port", "--latency", "[[situation]]"))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_address_logs_no_secret_and_stops_cleanly(stop: signal.Signals) -> None:
    process = start("--port", "0", "--latency", "0.3")
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    started = time.monotonic()
    path = f"{url}/v1beta/models/{FLASH}:generateContent?key=top-secret-key"
    assert requests.post(path, json=body_of("a secret prompt"), timeout=20).status_code == 200
    assert time.monotonic() - started >= 0.3
    assert requests.post(path, data="{", headers={"x-goog-api-key": "other-secret"}, timeout=20).status_code == 400
    process.send_signal(stop)
    printed, logged = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "POST" in logged
    assert "Traceback" not in logged
    assert not any(secret in printed + logged for secret in ("top-secret", "other-secret", "secret prompt", "?"))


def test_a_port_that_is_taken(served: Client) -> None:
    process = start("--port", served.base_url.rpartition(":")[2])
    _, logged = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "cannot listen" in logged
    assert "Traceback" not in logged


def test_many_callers_at_once(served: Client) -> None:
    def draw(number: int) -> bytes:
        url = f"{served.base_url}/v1/models/{FLASH}:generateContent"
        response = requests.post(url, json=body_of(f"lake {number % 3}", seed=1), headers=KEY, timeout=30)
        parts = response.json()["candidates"][0]["content"]["parts"]
        return parts[1]["inlineData"]["data"]

    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(draw, range(12)))
    assert drawn == drawn[:3] * 4
    assert len(set(drawn)) == 3


def test_a_cut_answer_breaks_the_transfer(served: Client) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        served.call(body_of("[[truncated]]"))


def test_googles_sdk(served: Client) -> None:
    genai = pytest.importorskip("google.genai")
    from google.genai import errors, types

    with genai.Client(api_key="sandbox", http_options={"base_url": served.base_url}) as google:
        answer = google.models.generate_content(
            model=FLASH,
            contents="a lake in the hills",
            config=types.GenerateContentConfig(
                response_modalities=["TEXT", "IMAGE"], image_config=types.ImageConfig(aspect_ratio="16:9")
            ),
        )
        text, picture = answer.candidates[0].content.parts
        assert text.text
        assert picture.inline_data.mime_type == "image/png"
        assert answer.usage_metadata.candidates_tokens_details[0].token_count == 1290

        edited = google.models.generate_content(
            model=FLASH, contents=["in blue", types.Part.from_bytes(data=png(), mime_type="image/png")]
        )
        assert edited.usage_metadata.prompt_token_count == 258 + 3

        chunks = list(google.models.generate_content_stream(model=FLASH, contents="a lake in the hills"))
        assert [bool(chunk.parts and chunk.parts[0].inline_data) for chunk in chunks].count(True) == 1
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP

        assert google.models.count_tokens(model=FLASH, contents="turn the logo to green").total_tokens == 6
        assert FLASH in [model.name.removeprefix("models/") for model in google.models.list(config={"page_size": 2})]
        assert google.models.get(model=FLASH).display_name == "Nano Banana"

        with pytest.raises(errors.ClientError) as refused:
            google.models.generate_content(model=FLASH, contents="[[quota_per_minute]]")
        assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")
        with pytest.raises(errors.ServerError):
            list(google.models.generate_content_stream(model=FLASH, contents="[[overloaded]]"))
