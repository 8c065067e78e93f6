"""`[[situation]]` in a prompt: the contract fixture of that name is the answer.

Of several, `[[picture|overloaded]]`, each call of the same prompt gets the next one.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from sandbox import errors

FOLDER = Path(__file__).resolve().parent.parent / "contract_fixtures" / "gemini_content"
OPERATIONS = ("generate_content", "stream_generate_content", "count_tokens", "models")
KEY_PLACEHOLDER = "[[key]]"
MISSING_BYTES = 1000  # promised beyond what a cut answer holds
REMEMBERED_PROMPTS = 1000  # whose calls are counted
_FRAME_END = re.compile(r"\r\n\r\n|\n\n|\r\r")
_SITUATION = re.compile(r"\[\[\s*([\w.|-]+)\s*\]\]")


@dataclass(frozen=True)
class Replay:
    """A fixture's answer, ready to be sent. A cut one promises more bytes than it has."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut: bool


def situation_in(text: str) -> str | None:
    """The name between double brackets, if a text has one."""
    found = _SITUATION.search(text)
    return found[1] if found else None


class Turns:
    """Which of several situations a call gets; safe to use from several threads."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def situation(self, prompt: str) -> str | None:
        """The situation that a prompt names; of several, the one whose turn it is."""
        named = situation_in(prompt)
        if named is None or "|" not in named:
            return named
        several = named.split("|")
        return several[self._calls_before(prompt) % len(several)]

    def _calls_before(self, prompt: str) -> int:
        with self._lock:
            before = self._calls.pop(prompt, 0)
            self._calls[prompt] = before + 1
            if len(self._calls) > REMEMBERED_PROMPTS:
                self._calls.popitem(last=False)
            return before


def known_situations(folder: Path = FOLDER, operations: Sequence[str] = OPERATIONS) -> list[str]:
    """Every name that can be asked for."""
    return sorted({path.stem for operation in operations for path in (folder / operation).glob("*.json")})


def find_fixture(
    situation: str, operation: str, folder: Path = FOLDER, operations: Sequence[str] = OPERATIONS
) -> tuple[str, dict[str, Any]] | None:
    """A situation's fixture and the operation it was written for: the one asked for, else any that has the name."""
    for found in sorted(operations, key=lambda name: name != operation):
        path = folder / found / f"{situation}.json"
        if path.is_file():
            return found, json.loads(path.read_text(encoding="utf-8"))
    return None


def recorded(response: dict[str, Any], key: str, content_type: str) -> tuple[str, dict[str, str]]:
    """A fixture's body and headers as they are sent to the owner of a key."""
    body_text = _body_text(response).replace(KEY_PLACEHOLDER, json.dumps(key)[1:-1])
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    headers.setdefault("content-type", content_type)
    return body_text, headers


def replay(situation: str, operation: str, *, sse: bool, key: str, folder: Path = FOLDER) -> Replay:
    """The answer of a situation, in the form that the operation asks for.

    A fixture of the same operation is sent as it stands. An answer recorded for the other way of generating is brought
    into the form of this one; anything else is sent as it stands.
    """
    known = find_fixture(situation, operation, folder)
    if known is None:
        raise errors.invalid_argument(unknown_situation(situation, known_situations(folder)))
    found, response = known[0], known[1]["response"]
    body_text, headers = recorded(response, key, "application/json; charset=UTF-8")
    status = response["status"]
    generating = {found, operation} == {"generate_content", "stream_generate_content"}
    if operation == "stream_generate_content" and (generating or _is_sse(headers) != sse):
        body_text, headers = _as_stream(body_text, headers, status, sse)
    elif generating:
        body_text, headers, status = _as_whole(body_text, headers, status)
    cut = bool(response.get("cut"))
    return Replay(status, tuple(headers.items()), body_text.encode(), cut)


def unknown_situation(situation: str, known: Sequence[str]) -> str:
    """What is said to who asks for a situation that nobody wrote."""
    return f"No situation is called '{situation}'. Known situations: {', '.join(known)}"


def _body_text(response: dict[str, Any]) -> str:
    if "body_text" in response:
        return str(response["body_text"])
    return pretty(response["body"])


def pretty(value: Any) -> str:
    """JSON as both write it: two spaces, a newline at the end, text unescaped but for line separators."""
    return _plain_lines(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def compact(value: Any) -> str:
    """JSON as Google writes it in an event: one line, a space after each colon."""
    return _plain_lines(json.dumps(value, separators=(",", ": "), ensure_ascii=False))


def _plain_lines(text: str) -> str:
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\u0085", "\\u0085")


def _is_sse(headers: dict[str, str]) -> bool:
    return headers["content-type"].startswith("text/event-stream")


def _as_stream(text: str, headers: dict[str, str], status: int, sse: bool) -> tuple[str, dict[str, str]]:
    headers = {**headers, "content-type": "text/event-stream" if sse else headers["content-type"]}
    if not sse and headers["content-type"].startswith("text/event-stream"):
        headers["content-type"] = "application/json; charset=UTF-8"
    events = _events(text)
    if status != 200 or events is None:
        return text, headers
    if sse:
        headers["content-disposition"] = "attachment"
        return "".join(f"data: {compact(event)}\r\n\r\n" for event in events), headers
    return array_text(events), headers


def _as_whole(text: str, headers: dict[str, str], status: int) -> tuple[str, dict[str, str], int]:
    """A stream's text as one answer; an error in its middle has the status that it tells."""
    headers = {name: value for name, value in headers.items() if name != "content-disposition"}
    headers["content-type"] = "application/json; charset=UTF-8"
    events = _events(text)
    if not events:
        return text, headers, status
    whole = _merged(events)
    return pretty(whole), headers, whole["error"]["code"] if "error" in whole else status


def _events(text: str) -> list[dict[str, Any]] | None:
    """The answers that a body holds, however they are framed; None where it holds no JSON."""
    try:
        if text.lstrip().startswith("data:"):
            frames = [frame for frame in _FRAME_END.split(text) if frame.strip() and not frame.startswith(":")]
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
        shown = [part for part in parts[index] if part != {"text": ""}]
        if shown:
            candidate["content"] = {"parts": shown, "role": "model"}
        else:
            candidate.pop("content", None)
    if candidates:
        whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    return whole


def array_text(events: Sequence[Any]) -> str:
    """A stream without alt=sse: one JSON array, an element for each event."""
    return "[" + ",\r\n".join(pretty(event) for event in events) + "]"
