"""`[[situation]]` for a server that speaks OpenAI's API.

The answer is a contract fixture, or pictures from a server that behaves in its own way. A new fixture needs no code. A
new behaviour is a field of ServerBehaviour and a row of BEHAVIOURS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.openai_images import errors
from sandbox.situations import (
    FIXTURES,
    Replay,
    find_fixture,
    indented_json,
    known_situations,
    recorded_answer,
    unknown_situation,
)

FOLDER = FIXTURES / "openai_images"
OPERATIONS = ("generations", "edits", "variations")
JSON_TYPE = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
OTHER_NAMES = {  # fixtures that have a second name
    "no_pictures": "empty_success",
    "error_mid_stream": "streamed_partial_then_error",
    "url_elsewhere": "url",
}


@dataclass(frozen=True)
class ServerBehaviour:
    """What a server does in its own way while it draws what it was asked for."""

    url_only: bool = False  # answers with URLs, whatever response_format says
    data_url: bool = False  # puts the picture itself into `url`
    no_usage: bool = False  # reports no tokens
    revised_prompt: bool = False  # reports the prompt that was really drawn
    one_picture: bool = False  # draws one picture, however many were asked for
    own_size: bool = False  # always draws the same size
    no_stream: bool = False  # answers a streamed request with one JSON object
    cut_in_picture: bool = False  # breaks the connection in the middle of the last picture


BEHAVIOURS = {
    "url_only": ServerBehaviour(url_only=True),
    "data_url": ServerBehaviour(data_url=True),
    "no_usage": ServerBehaviour(no_usage=True),
    "revised_prompt": ServerBehaviour(revised_prompt=True),
    "one_picture": ServerBehaviour(one_picture=True),
    "own_size": ServerBehaviour(own_size=True),
    "no_stream": ServerBehaviour(no_stream=True),
    "cut_in_picture": ServerBehaviour(cut_in_picture=True),
}


def known_names(operations: Sequence[str] = OPERATIONS) -> list[str]:
    """Every situation that can be named in a request of these operations."""
    more = [*OTHER_NAMES, *BEHAVIOURS] if operations == OPERATIONS else []
    return sorted([*known_situations(FOLDER, operations), *more])


def replay(situation: str, operation: str, *, streamed: bool, key: str) -> Replay:
    """The answer of a situation. Raises OpenAIError if there is none.

    It is sent as it was recorded, but for pictures: those recorded as one JSON object are sent as events to a streamed
    request, and the other way round, if they have that form.
    """
    operations = OPERATIONS if operation in OPERATIONS else (operation,)
    known = find_fixture(OTHER_NAMES.get(situation, situation), operation, FOLDER, operations)
    if known is None:
        raise errors.bad_request(unknown_situation(situation, known_names(operations)), "prompt", "invalid_value")
    answer = recorded_answer(known[1], key, JSON_TYPE)
    was_streamed = answer.headers["content-type"].startswith("text/event-stream")
    if was_streamed and not streamed:
        answer = _as_whole(answer)
    elif streamed and not was_streamed and answer.status == 200:
        answer = _as_stream(answer)
    if operation == "edits":  # a fixture of a generation has a generation's event names
        body = re.sub(r"image_generation\.(partial_image|completed)", r"image_edit.\1", answer.body)
        answer = replace(answer, body=body)
    return answer


def _as_whole(answer: Replay) -> Replay:
    events = [json.loads(line[5:]) for line in answer.body.splitlines() if line.startswith("data: {")]
    done = [event for event in events if str(event.get("type")).endswith(".completed")]
    failed = [event["error"] for event in events if isinstance(event.get("error"), dict)]
    if not done and not failed:
        return answer
    headers = {**answer.headers, "content-type": JSON_TYPE}
    if failed:
        status = 500 if "server_error" in str(failed[0].get("type")) else 400
        return Replay(status, headers, indented_json({"error": failed[0]}))
    body: dict[str, Any] = {"created": done[0]["created_at"]}
    body["data"] = [{"b64_json": event["b64_json"]} for event in done]
    body |= {name: done[0][name] for name in ("background", "output_format", "quality", "size") if name in done[0]}
    if all("usage" in event for event in done):
        body["usage"] = _sum([event["usage"] for event in done])
    return Replay(200, headers, indented_json(body))


def _sum(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tokens of several answers as those of one."""
    return {
        name: _sum([usage[name] for usage in usages])
        if isinstance(value, dict)
        else sum(usage[name] for usage in usages)
        for name, value in usages[0].items()
    }


def _as_stream(answer: Replay) -> Replay:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return answer
    items = body.get("data") or []
    if answer.cut or not items or not all(item.get("b64_json") for item in items):
        return answer  # an event has no URL
    fields = {name: body[name] for name in ("size", "quality", "background", "output_format") if body.get(name)}
    events = [
        {"type": "image_generation.completed", "b64_json": item["b64_json"], "created_at": body["created"], **fields}
        for item in items
    ]
    if body.get("usage"):
        events[-1]["usage"] = body["usage"]
    return Replay(200, {**answer.headers, "content-type": EVENT_STREAM}, "".join(map(event_text, events)))


def event_text(event: Mapping[str, Any]) -> str:
    """A server-sent event as OpenAI writes it: its type as the name, its JSON in one line."""
    return f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n"
