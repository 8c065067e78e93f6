"""Google's fixtures in the form that a request asks for: whole, as events, or as an array of events."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandbox.gemini_content import errors
from sandbox.situations import (
    FIXTURES,
    Replay,
    escaped_lines,
    find_fixture,
    indented_json,
    known_situations,
    recorded_answer,
    unknown_situation,
)

FOLDER = FIXTURES / "gemini_content"
OPERATIONS = ("generate_content", "stream_generate_content", "count_tokens", "models")
JSON_TYPE = "application/json; charset=UTF-8"
EVENT_STREAM = "text/event-stream"
SUCCESSOR = "successor"  # no fixture: every model has been retired but the newest, which draws
_EVENT_END = re.compile(r"\r\n\r\n|\n\n|\r\r")


def known_names() -> list[str]:
    """Every situation that a prompt can name."""
    return known_situations(FOLDER, OPERATIONS)


def replay(situation: str, operation: str, *, sse: bool, key: str) -> Replay:
    """The answer of a situation, in the form that the operation asks for. Raises GoogleError if there is none.

    A fixture of the same operation is sent as it stands. An answer recorded for the other way of generating is brought
    into the form of this one; anything else is sent as it stands.
    """
    known = find_fixture(situation, operation, FOLDER, OPERATIONS)
    if known is None:
        raise errors.invalid_argument(unknown_situation(situation, [*known_names(), SUCCESSOR]))
    found, fixture = known
    recorded = recorded_answer(fixture, key, JSON_TYPE)
    generating = {found, operation} == {"generate_content", "stream_generate_content"}
    if operation == "stream_generate_content" and (generating or _is_sse(recorded) != sse):
        return _as_stream(recorded, sse)
    return _as_whole(recorded) if generating else recorded


def _is_sse(answer: Replay) -> bool:
    return answer.headers["content-type"].startswith(EVENT_STREAM)


def _as_stream(answer: Replay, sse: bool) -> Replay:
    headers = dict(answer.headers)
    if sse or _is_sse(answer):
        headers["content-type"] = EVENT_STREAM if sse else JSON_TYPE
    events = _events(answer.body)
    if answer.status != 200 or events is None:
        return replace(answer, headers=headers)
    if sse:
        headers["content-disposition"] = "attachment"
        return replace(answer, headers=headers, body="".join(event_text(event) for event in events))
    return replace(answer, headers=headers, body=array_text(events))


def _as_whole(answer: Replay) -> Replay:
    """A stream's text as one answer; an error in the middle of the stream decides the status."""
    headers = {**answer.headers, "content-type": JSON_TYPE}
    headers.pop("content-disposition", None)
    events = _events(answer.body)
    if not events:
        return replace(answer, headers=headers)
    whole = _merged(events)
    status = whole["error"]["code"] if "error" in whole else answer.status
    return replace(answer, status=status, headers=headers, body=indented_json(whole))


def _events(text: str) -> list[dict[str, Any]] | None:
    """The answers that a body holds, however they are framed; None if it holds no JSON."""
    try:
        if text.lstrip().startswith("data:"):
            frames = [frame for frame in _EVENT_END.split(text) if frame.strip() and not frame.startswith(":")]
            return [json.loads(frame.removeprefix("data:")) for frame in frames]
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else [value]


def _merged(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One answer out of a stream's: parts in order, everything else as the last event has it; an error wins."""
    for event in events:
        if "error" in event:
            return event
    whole: dict[str, Any] = {}
    parts: dict[int, list[Any]] = {}
    candidates: dict[int, dict[str, Any]] = {}
    for event in events:
        whole.update(event)
        for candidate in event.get("candidates", []):
            index = candidate.get("index", 0)
            parts.setdefault(index, []).extend(candidate.get("content", {}).get("parts", []))
            candidates.setdefault(index, {}).update(candidate)
    for index, candidate in candidates.items():
        kept = [part for part in parts[index] if part != {"text": ""}]
        if kept:
            candidate["content"] = {"parts": kept, "role": "model"}
        else:
            candidate.pop("content", None)
    if candidates:
        whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    return whole


def event_text(event: Any) -> str:
    """A server-sent event as Google writes it: one line, a space after each colon."""
    return f"data: {escaped_lines(json.dumps(event, separators=(',', ': '), ensure_ascii=False))}\r\n\r\n"


def array_text(events: Sequence[Any]) -> str:
    """A stream without alt=sse: one JSON array, an element for each event."""
    return "[" + ",\r\n".join(indented_json(event) for event in events) + "]"
