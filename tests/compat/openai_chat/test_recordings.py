"""Real chats of OpenRouter with Gemini, where they lie beside the project. Without them these tests are skipped."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from compat.formats import read_header
from compat.gemini_content.request import build_request
from compat.image_models import ModelCatalogue
from compat.images import Event, Finish, ImageData, ImageEnd, ImageStart, Text, Usage
from compat.openai_chat.messages import StoredPictures
from compat.openai_chat.request import parse_chat
from compat.openai_chat.response import Heading, write_answer, write_event_stream

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "recordings"
RECORDINGS = sorted(FOLDER.glob("openrouter_chat_*.json"))
PREVIEW = ModelCatalogue(aliases={"gemini-2.5-flash-image-preview": "gemini-2.5-flash-image"})
THEIR_OWN = {  # of OpenRouter's, or what has no meaning here
    *("provider", "system_fingerprint", "service_tier", "reasoning", "annotations", "is_byok", "cost_details"),
    *("cache_write_tokens", "audio_tokens", "video_tokens"),
}
pytestmark = pytest.mark.skipif(not RECORDINGS, reason="there are no recordings in ../shared/recordings")


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The bodies of the request and of the answer."""
    recording = json.loads(path.read_text(encoding="utf-8"))
    return recording["request"]["body"], json.loads(recording["response"]["body_text"])


def events_of(answer: dict[str, Any]) -> list[Event]:
    """What the upstream must have said."""
    message, usage = answer["choices"][0]["message"], answer["usage"]
    events: list[Event] = [Text(message["content"])] if message["content"] else []
    for image in message["images"]:
        data = base64.b64decode(image["image_url"]["url"].partition(",")[2])
        header = read_header(data)
        assert header
        events += [ImageStart(header.format.mime_type, header.width, header.height), ImageData(data), ImageEnd()]
    drawn = usage["completion_tokens_details"]["image_tokens"]
    counted = Usage(usage["prompt_tokens"], 0, usage["completion_tokens"] - drawn, drawn)
    return [*events, Finish(counted, answer["choices"][0]["native_finish_reason"])]


def without(value: Any, names: set[str]) -> Any:
    if isinstance(value, list):
        return [without(one, names) for one in value]
    if isinstance(value, dict):
        return {name: without(one, names) for name, one in value.items() if name not in names}
    return value


def shared(ours: Any, theirs: Any) -> Any:
    """What we answer, without the members that we have beside theirs."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return [shared(one, other) for one, other in zip(ours, theirs, strict=True)]
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return {name: shared(ours[name], theirs[name]) for name in ours if name in theirs}
    return ours


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_request_is_understood(path: Path) -> None:
    body, _ = load(path)
    asked = parse_chat(body, PREVIEW, StoredPictures())
    assert build_request(asked.image_request) == {
        "contents": [{"role": "user", "parts": [{"text": body["messages"][0]["content"]}]}],
        "generationConfig": {"responseModalities": ["IMAGE", "TEXT"]},
    }
    assert asked.ignored == ()


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_answer_is_written_as_it_was(path: Path) -> None:
    _, theirs = load(path)
    heading = Heading(theirs["id"], theirs["created"], theirs["model"])
    prices = ModelCatalogue().resolve(None).upstream.prices
    written = write_answer(events_of(theirs), heading, prices=prices)
    ours = json.loads(b"".join(written))
    theirs["choices"][0]["message"]["content"] = theirs["choices"][0]["message"]["content"] or ""  # null, from 2026-03
    assert shared(ours, theirs) == without(theirs, THEIR_OWN)
    [image] = ours["choices"][0]["message"]["images"]
    assert image["index"] == 0


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_answer_can_be_streamed(path: Path) -> None:
    _, theirs = load(path)
    heading = Heading(theirs["id"], theirs["created"], theirs["model"])
    body = b"".join(write_event_stream(events_of(theirs), heading, prices=None))
    *lines, done = [line for line in body.decode().split("\n\n") if line]
    assert done == "data: [DONE]"
    deltas = [json.loads(line.removeprefix("data: "))["choices"][0]["delta"] for line in lines]
    message = theirs["choices"][0]["message"]
    assert "".join(delta.get("content", "") for delta in deltas) == (message["content"] or "")
    [image] = [image for delta in deltas for image in delta.get("images", ())]
    assert image["image_url"] == message["images"][0]["image_url"]
