"""Chat completions over HTTP."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import gevent
import pytest
import responses
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from proxy.pictures.store import FolderStore
from proxy.routes import openai_chat
from tests.proxy.conftest import Gemini, MakeApp
from tests.support import pictures
from tests.support.gemini_answers import (
    DRAWN,
    INVALID_KEY,
    PICTURE,
    PICTURE_BASE64,
    answer,
    error,
    picture_part,
    quota_detail,
    retry_detail,
)
from tests.support.models_file import models_file

KEY = "AIzaSy-a-key-that-nobody-may-see"
PATH = "/v1/chat/completions"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}
SAID_AND_DRAWN = answer({"text": "Here:"}, picture_part(PICTURE), {"text": " Enjoy."})
WORDS = answer({"text": "Which flag?"})
REFUSED = answer(reason="IMAGE_SAFETY")
MARKDOWN = re.compile(r"!\[image\]\((http://localhost)(/images/[^)]+)\)")
USER = {"role": "user", "content": "a sun"}
RED = {"role": "user", "content": "make it red"}


def chat(
    client: FlaskClient, *messages: dict[str, Any], headers: dict[str, str] | None = None, **fields: Any
) -> TestResponse:
    """A chat, by default of one message."""
    body = {"messages": [*messages] or [USER], **fields}
    return client.post(PATH, json=body, headers={**WITH_KEY, **(headers or {})})


def message_of(response: TestResponse) -> dict[str, Any]:
    """The message of the only choice."""
    assert response.status_code == 200, response.get_data(as_text=True)
    [choice] = response.get_json()["choices"]
    message: dict[str, Any] = choice["message"]
    return message


def events_of(response: TestResponse) -> list[Any]:
    """The data of a stream's events, without its end."""
    frames = response.get_data(as_text=True).split("\n\n")
    data = [frame.removeprefix("data: ") for frame in frames if frame and not frame.startswith(":")]
    assert data.pop() == "[DONE]"
    return [json.loads(one) for one in data]


def error_of(response: TestResponse, status: int = 400) -> dict[str, Any]:
    assert response.status_code == status, response.get_data(as_text=True)
    found: dict[str, Any] = response.get_json()["error"]
    return found


def contents_of(gemini: Gemini) -> list[Any]:
    """What went up last."""
    contents: list[Any] = json.loads(gemini.calls[-1].body)["contents"]
    return contents


def in_markdown(response: TestResponse) -> str:
    """The path of the only picture in the words."""
    [(_, path)] = MARKDOWN.findall(message_of(response)["content"])
    return str(path)


# Answers


def test_words_and_a_picture(client: FlaskClient, gemini: Gemini):
    gemini.answers(SAID_AND_DRAWN)
    response = chat(client, model="google/gemini-2.5-flash-image", size="1792x1024", max_tokens=100)
    body = response.get_json()
    assert response.mimetype == "application/json"
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{24}", body["id"])
    assert (body["object"], body["model"]) == ("chat.completion", "gemini-2.5-flash-image")
    assert abs(body["created"] - time.time()) < 60
    assert message_of(response) == {
        "role": "assistant",
        "images": [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE_BASE64}"}, "index": 0},
        ],
        "content": "Here: Enjoy.",
        "refusal": None,
    }
    assert body["usage"]["completion_tokens_details"] == {"reasoning_tokens": 0, "image_tokens": 1290}
    assert body["usage"]["cost"] == pytest.approx((5 * 0.30 + 1290 * 30) / 1e6)
    assert response.headers["x-twinlens-ignored"] == "max_tokens"
    assert response.headers["x-twinlens-aspect-ratio"] == "16:9"


def test_it_is_served_below_googles_compatibility_path(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    response = client.post("/v1beta/openai/chat/completions", json={"messages": [USER]}, headers=WITH_KEY)
    assert len(message_of(response)["images"]) == 1


def test_a_stream(client: FlaskClient, gemini: Gemini):
    gemini.answers(SAID_AND_DRAWN)
    response = chat(client, stream=True, stream_options={"include_usage": True})
    assert response.mimetype == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    *chunks, usage = events_of(response)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert [set(delta) for delta in deltas] == [
        {"role", "content"},
        {"content"},
        {"content", "images"},
        {"content"},
        set(),
    ]
    assert [delta.get("content") for delta in deltas] == ["", "Here:", "", " Enjoy.", None]
    assert deltas[2]["images"][0]["image_url"]["url"].endswith(PICTURE_BASE64)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, None, "stop"]
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 1290)


@pytest.mark.parametrize("stream", [True, False])
def test_words_alone_are_an_answer_unless_a_picture_is_demanded(client: FlaskClient, gemini: Gemini, stream: bool):
    gemini.answers(WORDS)
    response = chat(client, stream=stream)
    said = (
        "".join(event["choices"][0]["delta"].get("content", "") for event in events_of(response))
        if stream
        else message_of(response)["content"]
    )
    assert said == "Which flag?"
    demanded = chat(client, stream=stream, modalities=["image"])
    assert error_of(demanded)["code"] == "no_image_generated"
    assert demanded.headers["x-should-retry"] == "false"


def test_each_of_n_is_a_choice_and_failures_stand_beside_them(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    gemini.answers(REFUSED)
    gemini.answers(DRAWN)
    body = chat(client, n=3).get_json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert [failed["code"] for failed in body["errors"]] == ["moderation_blocked"]
    assert len(gemini.calls) == 3


@pytest.mark.parametrize(
    ("upstream", "status"),
    [
        (REFUSED, 200),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, 200),
        (answer({"text": "I will not."}, reason="SAFETY"), 200),
        (INVALID_KEY, 400),
        (error(429, "RESOURCE_EXHAUSTED", "Slow down.", [retry_detail("7s")]), 429),
        (error(429, "RESOURCE_EXHAUSTED", "Enough.", [quota_detail("GenerateRequestsPerDayPerProject")]), 429),
        (error(503, "UNAVAILABLE", "Overloaded."), 503),
        (b"<html>", 502),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_an_error_is_that_of_the_images_api(
    client: FlaskClient, gemini: Gemini, upstream: Any, status: int, stream: bool
):
    gemini.answers(upstream, status)
    drawn = client.post("/v1/images/generations", json={"prompt": "a sun", "stream": stream}, headers=WITH_KEY)
    said = chat(client, stream=stream)
    assert said.status_code >= 400
    assert (said.status_code, said.get_json()) == (drawn.status_code, drawn.get_json())
    mine = {"Retry-After", "retry-after-ms", "x-should-retry"}
    assert {name: said.headers.get(name) for name in mine} == {name: drawn.headers.get(name) for name in mine}


def test_trouble_after_the_first_byte_is_an_event(client: FlaskClient, gemini: Gemini, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(openai_chat, "SILENCE_SECONDS", 0.05)

    def slowly(_: Any) -> tuple[int, dict[str, str], str]:
        gevent.sleep(0.2)
        return 503, {}, json.dumps(error(503, "UNAVAILABLE", "Overloaded."))

    gemini.does(slowly)
    response = chat(client, stream=True)
    text = response.get_data(as_text=True)
    assert (response.status_code, text.startswith(": ")) == (200, True)
    [event] = events_of(response)
    assert event["error"]["code"] == "service_unavailable"


# Conversations


def test_what_was_drawn_goes_up_in_the_users_turn(client: FlaskClient, gemini: Gemini):
    gemini.answers(SAID_AND_DRAWN)
    message = message_of(chat(client))
    chat(client, {"role": "system", "content": "In oil."}, USER, message, RED)
    sent = json.loads(gemini.calls[-1].body)
    assert sent["systemInstruction"] == {"parts": [{"text": "In oil."}]}
    assert sent["contents"] == [
        {"role": "user", "parts": [{"text": "a sun"}]},
        {
            "role": "model",
            "parts": [{"text": "Here: Enjoy.", "thoughtSignature": "skip_thought_signature_validator"}],
        },
        {
            "role": "user",
            "parts": [
                {"inlineData": {"mimeType": "image/png", "data": PICTURE_BASE64}},
                {"text": "make it red"},
            ],
        },
    ]


def test_pictures_that_no_model_reads_are_converted_in_every_turn(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    stream = io.BytesIO()
    Image.new("RGB", (5, 4), "teal").save(stream, "GIF")
    gif = f"data:image/gif;base64,{base64.b64encode(stream.getvalue()).decode()}"
    old = {"role": "user", "content": [{"type": "text", "text": "this"}, image(gif), image(data_url(PICTURE))]}
    chat(client, old, {"role": "assistant", "content": None, "images": [image(gif)]}, RED)
    first, last = contents_of(gemini)
    for blob in (first["parts"][1]["inlineData"], last["parts"][0]["inlineData"]):
        assert blob["mimeType"] == "image/png"
        assert base64.b64decode(blob["data"]).startswith(b"\x89PNG")
    assert first["parts"][2] == {"inlineData": {"mimeType": "image/png", "data": PICTURE_BASE64}}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def data_url(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def test_a_server_of_the_images_api_gets_one_request(make_app: MakeApp, tmp_path: Path):
    client = make_app(MODELS_FILE=models_file(tmp_path, "https://images.test/v1", 'key = "none"')).test_client()
    with responses.RequestsMock() as mock:
        for operation in ("generations", "edits"):
            body = {"created": 1, "data": [{"b64_json": PICTURE_BASE64}]}
            mock.add("POST", f"https://images.test/v1/images/{operation}", json=body)
        message = message_of(chat(client, quality="high"))
        again = message_of(chat(client, USER, message, RED))
        drawn, edited = (call.request for call in mock.calls)
    assert message["content"] == again["content"] == ""
    assert json.loads(b"".join(drawn.body)) | {"model": ""} == {
        "model": "",
        "prompt": "a sun",
        "quality": "high",
        "response_format": "b64_json",
    }
    form = b"".join(edited.body)
    assert PICTURE in form
    assert b"make it red" in form
    assert b"a sun" not in form


# Pictures in words


def test_chat_images_is_what_a_request_does_not_say(make_app: MakeApp, gemini: Gemini):
    gemini.answers(SAID_AND_DRAWN)
    client = make_app(CHAT_IMAGES="markdown").test_client()
    response = chat(client)
    message, path = message_of(response), in_markdown(response)
    assert "images" not in message
    assert message["content"] == f"Here:\n\n![image](http://localhost{path})\n\n Enjoy."
    fetched = client.get(path)
    assert (fetched.mimetype, fetched.data) == ("image/png", PICTURE)
    assert len(message_of(chat(client, image_output="images"))["images"]) == 1


def test_markdown_is_streamed(client: FlaskClient, gemini: Gemini):
    gemini.answers(SAID_AND_DRAWN)
    events = events_of(chat(client, stream=True, image_output="markdown"))
    said = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    [(_, path)] = MARKDOWN.findall(said)
    assert said == f"Here:\n\n![image](http://localhost{path})\n\n Enjoy."
    assert client.get(path).data == PICTURE


def test_a_stored_picture_is_read_from_the_store_in_either_role(make_app: MakeApp, gemini: Gemini):
    gemini.answers(DRAWN)
    client = make_app(PUBLIC_BASE_URL="https://pictures.example/twinlens").test_client()
    content = message_of(chat(client, image_output="markdown"))["content"]
    url = content.removeprefix("![image](").removesuffix(")")
    assert url.startswith("https://pictures.example/twinlens/images/")
    here = f"http://localhost/images/{url.rpartition('/')[2]}?download=1"
    blob = {"inlineData": {"mimeType": "image/png", "data": PICTURE_BASE64}}
    for messages in (
        [USER, {"role": "assistant", "content": content}, RED],
        [USER, {"role": "assistant", "content": "", "images": [image(url)]}, RED],
        [USER, {"role": "user", "content": [image(here), {"type": "text", "text": "make it red"}]}],
    ):
        chat(client, *messages)
        assert contents_of(gemini)[-1]["parts"] == [blob, {"text": "make it red"}]


def test_other_addresses_go_up_as_they_are(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    chat(client, {"role": "user", "content": [image("https://example.com/images/cat.webp")]})
    assert contents_of(gemini)[0]["parts"] == [
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/images/cat.webp"}}
    ]


@pytest.mark.parametrize("name", ["00000001-" + "a" * 32 + ".png", "../secret", "cat.png", ""])
def test_a_stored_picture_that_is_gone_is_a_clear_400(client: FlaskClient, gemini: Gemini, name: str):
    gemini.answers(DRAWN)
    url = f"http://localhost/images/{name}"
    found = error_of(chat(client, USER, {"role": "assistant", "content": "", "images": [image(url)]}, RED))
    assert (found["code"], found["param"]) == ("invalid_image_file", "messages[1].images[0].image_url.url")
    assert "expired" in found["message"]
    assert not gemini.calls


def test_stored_pictures_count_as_a_part_of_the_body(make_app: MakeApp, gemini: Gemini):
    gemini.answers(answer(picture_part(pictures.heavy_png())))
    client = make_app(MAX_REQUEST_BYTES=str(len(pictures.heavy_png()) * 2)).test_client()
    path = in_markdown(chat(client, image_output="markdown"))
    gemini.answers(DRAWN)
    several = [image(f"http://localhost{path}")] * 3
    assert chat(client, {"role": "user", "content": several[:2]}).status_code == 200
    assert error_of(chat(client, {"role": "user", "content": several}), 413)["code"] == "request_too_large"


def test_a_store_that_cannot_be_read_is_an_error_that_may_be_repeated(
    client: FlaskClient, gemini: Gemini, monkeypatch: pytest.MonkeyPatch
):
    gemini.answers(DRAWN)
    path = in_markdown(chat(client, image_output="markdown"))

    def fail(*_: Any) -> None:
        raise OSError(5, "it is away")

    monkeypatch.setattr(FolderStore, "find", fail)
    response = chat(client, {"role": "user", "content": f"![image](http://localhost{path})"})
    assert error_of(response, 500)["message"] == "A stored picture of the messages could not be read."
    assert "x-should-retry" not in response.headers


def test_an_odd_host_does_not_matter_where_nothing_is_stored(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    assert chat(client, headers={"Host": "my$service:8000"}).status_code == 200
    assert chat(client, headers={"Host": "my$service:8000"}, image_output="markdown").status_code == 400


# The rest of the service


def test_it_is_counted_as_a_surface_of_its_own(client: FlaskClient, gemini: Gemini):
    gemini.answers(DRAWN)
    labels = 'model="gemini-2.5-flash-image",surface="openai_chat"'

    def drawn() -> float:
        found = re.search(rf"twinlens_pictures_total{{{labels}}} (\S+)", client.get("/metrics").text)
        return float(found[1]) if found else 0

    before = drawn()
    chat(client).close()
    assert drawn() == before + 1


@pytest.mark.parametrize("headers", [{}, {"x-goog-api-key": KEY}])
def test_errors_are_openais_whatever_the_key_is_called(client: FlaskClient, headers: dict[str, str]):
    assert error_of(client.post(PATH, json={"messages": [USER]}, headers=headers), 401)["code"] is None
    assert error_of(client.get(PATH, headers=headers), 405)["code"] == "method_not_supported"
    assert "message" in error_of(client.post("/v1/chat/other", headers=headers), 404)
    assert error_of(client.post(PATH, json={"messages": [USER], "model": "gpt-9"}, headers=WITH_KEY), 404)["param"] == (
        "model"
    )
