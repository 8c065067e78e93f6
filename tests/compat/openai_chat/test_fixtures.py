"""Every exchange in contract_fixtures/openai_chat, from the caller's body to the caller's answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spec
from compat.errors import ApiError
from compat.gemini_content.response import read_answer
from compat.image_models import ModelCatalogue
from compat.images import Event, ImageData, ImageEnd, ImageStart, StoredImage
from compat.openai_chat.messages import StoredPictures
from compat.openai_chat.request import ChatRequest, parse_chat
from compat.openai_chat.response import Heading, write_answer, write_event_stream
from compat.openai_envelope import build_error
from tests.compat.gemini_requests import sent
from tests.spec.spec_validators import answer_complaints, complaints, request_complaints

FOLDER = Path(__file__).resolve().parents[3] / "contract_fixtures" / "openai_chat"
FIXTURES = sorted(FOLDER.glob("*.json"))
OURS = "https://pictures.example/images/"
DOCUMENT = spec.load("openai_chat")
parametrize_fixtures = pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    fixture: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fixture


def parse(fixture: dict[str, Any]) -> ChatRequest:
    stored = {url: base64.b64decode(data) for url, data in fixture.get("stored", {}).items()}
    return parse_chat(fixture["request"]["body"], ModelCatalogue(), StoredPictures((OURS,), stored.get))


def events_of(answers: list[dict[str, Any]], asked: ChatRequest) -> Iterator[Event]:
    """The events of all answers of the upstream, with pictures as the caller wants them."""
    number = 0
    for answer in answers:
        text_suffices = "TEXT" in asked.image_request.modalities
        for event in read_answer([json.dumps(answer).encode()], text_suffices=text_suffices):
            if asked.image_output == "markdown" and isinstance(event, ImageStart):
                yield StoredImage(f"{OURS}new-{number}", event.mime_type, event.width, event.height)
                number += 1
            elif asked.image_output != "markdown" or not isinstance(event, ImageData | ImageEnd):
                yield event


def respond(fixture: dict[str, Any]) -> dict[str, Any]:
    """Status and body of what the caller gets, or the events of a stream."""
    try:
        asked = parse(fixture)
        heading = Heading("chatcmpl-example", 1790000000, asked.model.requested_name)
        prices = asked.model.upstream.prices
        events = events_of(fixture["upstream"]["answers"], asked)
        if not asked.stream:
            body = b"".join(write_answer(events, heading, prices=prices))
            return {"status": 200, "body": json.loads(body)}
        chunks = write_event_stream(events, heading, prices=prices, include_usage=asked.include_usage)
        lines = [line.removeprefix("data: ") for line in b"".join(chunks).decode().split("\n\n") if line]
    except ApiError as error:
        status, content = build_error(error)
        return {"status": status, "body": content}
    return {"status": 200, "events": [line if line == "[DONE]" else json.loads(line) for line in lines]}


@parametrize_fixtures
def test_what_goes_up_is_what_the_fixture_says(path: Path) -> None:
    fixture = load(path)
    if "upstream" in fixture:
        assert sent(parse(fixture).image_request) == fixture["upstream"]["request"]
    else:
        with pytest.raises(ApiError):
            parse(fixture)


@parametrize_fixtures
def test_what_comes_back_is_what_the_fixture_says(path: Path) -> None:
    fixture = load(path)
    assert {**fixture["response"], "headers": None} == {**respond(fixture), "headers": None}


@parametrize_fixtures
def test_a_fixture_is_described(path: Path) -> None:
    fixture = load(path)
    request, response = fixture["request"], fixture["response"]
    allowed = path.stem not in ("tool_demanded", "sound_in_a_message")
    assert (request_complaints(DOCUMENT, "POST", request["path"], request["body"]) == []) == allowed
    if "events" in response:
        chunk = {"$ref": "#/components/schemas/ChatChunk"}
        assert [found for event in response["events"][:-1] for found in complaints(DOCUMENT, chunk, event)] == []
    else:
        headers, body = response["headers"], response["body"]
        assert answer_complaints(DOCUMENT, "POST", request["path"], response["status"], headers, body) == []
