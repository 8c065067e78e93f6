"""`[[situation]]` for a server that speaks OpenAI's API: a fixture is its answer, or it draws and has a habit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.openai_images import errors
from sandbox.situations import Replay, find_fixture, known_situations, pretty, recorded, unknown_situation

FOLDER = Path(__file__).resolve().parents[2] / "contract_fixtures" / "openai_images"
PICTURES = ("generations", "edits", "variations")
OTHER_NAMES = {  # fixtures that are known by a second name
    "no_pictures": "empty_success",
    "error_mid_stream": "streamed_partial_then_error",
    "url_elsewhere": "url",
}


@dataclass(frozen=True)
class Habit:
    """What a server does in its own way while it draws as it was asked."""

    url_only: bool = False  # addresses, whatever was asked for
    data_url: bool = False  # the picture itself where an address belongs
    no_usage: bool = False  # counts no tokens
    revised_prompt: bool = False  # tells the prompt that was really drawn
    one_picture: bool = False  # one, however many were asked for
    own_size: bool = False  # always the same size
    no_stream: bool = False  # a whole answer to who asked for events
    cut_in_picture: bool = False  # the connection breaks in the middle of the last picture


HABITS = {
    "url_only": Habit(url_only=True),
    "data_url": Habit(data_url=True),
    "no_usage": Habit(no_usage=True),
    "revised_prompt": Habit(revised_prompt=True),
    "one_picture": Habit(one_picture=True),
    "own_size": Habit(own_size=True),
    "no_stream": Habit(no_stream=True),
    "cut_in_picture": Habit(cut_in_picture=True),
}


def known_names(operations: Sequence[str] = PICTURES) -> list[str]:
    """Every name that can be asked for."""
    more = [*OTHER_NAMES, *HABITS] if operations == PICTURES else []
    return sorted([*known_situations(FOLDER, operations), *more])


def replay(situation: str, operation: str, *, streamed: bool, key: str) -> Replay:
    """The answer of a situation.

    It is sent as it was recorded. Only pictures that were recorded whole and are wanted as events, or the other way
    round, are brought into the form that was asked for, where they have one.
    """
    operations = PICTURES if operation in PICTURES else (operation,)
    known = find_fixture(OTHER_NAMES.get(situation, situation), operation, FOLDER, operations)
    if known is None:
        raise errors.refused(unknown_situation(situation, known_names(operations)), "prompt", "invalid_value")
    response = known[1]["response"]
    body, headers = recorded(response, key, "application/json")
    shown = Replay(response["status"], tuple(headers.items()), body.encode(), bool(response.get("cut")))
    was_streamed = headers["content-type"].startswith("text/event-stream")
    if was_streamed and not streamed:
        shown = _as_whole(shown, body)
    elif streamed and not was_streamed and shown.status == 200:
        shown = _as_stream(shown, body)
    if operation == "edits":
        return Replay(shown.status, shown.headers, _of_an_edit(shown.body), shown.cut)
    return shown


def _as_whole(shown: Replay, text: str) -> Replay:
    events = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data: {")]
    done = [event for event in events if str(event.get("type")).endswith(".completed")]
    failed = [event["error"] for event in events if isinstance(event.get("error"), dict)]
    if not done and not failed:
        return shown
    headers = tuple({**dict(shown.headers), "content-type": "application/json"}.items())
    if failed:
        status = 500 if "server_error" in str(failed[0].get("type")) else 400
        return Replay(status, headers, pretty({"error": failed[0]}).encode(), cut=False)
    body: dict[str, Any] = {"created": done[0]["created_at"]}
    body["data"] = [{"b64_json": event["b64_json"]} for event in done]
    body |= {name: done[0][name] for name in ("background", "output_format", "quality", "size") if name in done[0]}
    if all("usage" in event for event in done):
        body["usage"] = _summed([event["usage"] for event in done])
    return Replay(200, headers, pretty(body).encode(), cut=False)


def _summed(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tokens of several answers as those of one."""
    return {
        name: _summed([usage[name] for usage in usages])
        if isinstance(value, dict)
        else sum(usage[name] for usage in usages)
        for name, value in usages[0].items()
    }


def _as_stream(shown: Replay, text: str) -> Replay:
    try:
        body = json.loads(text)
    except ValueError:
        return shown
    items = body.get("data") or []
    if shown.cut or not items or not all(item.get("b64_json") for item in items):
        return shown  # a stream knows no addresses
    told = {name: body[name] for name in ("size", "quality", "background", "output_format") if body.get(name)}
    events = [
        {"type": "image_generation.completed", "b64_json": item["b64_json"], "created_at": body["created"], **told}
        for item in items
    ]
    if body.get("usage"):
        events[-1]["usage"] = body["usage"]
    headers = {**dict(shown.headers), "content-type": "text/event-stream; charset=utf-8"}
    frames = [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events]
    return Replay(200, tuple(headers.items()), "".join(frames).encode(), cut=False)


def _of_an_edit(body: bytes) -> bytes:
    """Events of a drawing under the names that those of an edit have."""
    return re.sub(rb"image_generation\.(partial_image|completed)", rb"image_edit.\1", body)
