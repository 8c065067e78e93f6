"""`[[situation]]` in a prompt: the contract fixture of that name is the answer.

Of several, `[[picture|overloaded]]`, each call of the same prompt gets the next one. A new situation needs no code: it
is a new file below `contract_fixtures/`. How a fixture is brought into the form that a request asks for (a stream or
not) is a matter of each API's own `situations` module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.call_counter import CallCounter
from sandbox.wsgi import Response

FIXTURES = Path(__file__).resolve().parent.parent / "contract_fixtures"
KEY_PLACEHOLDER = "[[key]]"
MISSING_BYTES = 1000  # promised beyond what an answer that is cut off holds
_SITUATION = re.compile(r"\[\[\s*([\w.|-]+)\s*\]\]")


@dataclass(frozen=True)
class Replay:
    """A fixture's answer, ready to be sent. With `cut` the connection breaks before the end that was promised."""

    status: int
    headers: dict[str, str]
    body: str
    cut: bool = False

    def response(self) -> Response:
        """The answer over HTTP."""
        body = self.body.encode()
        length = len(body) + (MISSING_BYTES if self.cut else 0)
        return Response([body], self.status, {**self.headers, "content-length": str(length)})


def situation_in(text: str) -> str | None:
    """The name between double brackets, if a text has one."""
    found = _SITUATION.search(text)
    return found[1] if found else None


def next_situation(prompt: str, calls: CallCounter) -> str | None:
    """The situation that a prompt names; of several, the one whose turn it is."""
    named = situation_in(prompt)
    if named is None or "|" not in named:
        return named
    several = named.split("|")
    return several[calls.before(prompt) % len(several)]


def known_situations(folder: Path, operations: Sequence[str]) -> list[str]:
    """Every name that has a fixture for one of the operations."""
    return sorted({path.stem for operation in operations for path in (folder / operation).glob("*.json")})


def find_fixture(
    situation: str, operation: str, folder: Path, operations: Sequence[str]
) -> tuple[str, dict[str, Any]] | None:
    """A situation's fixture and the operation it was written for: `operation` if possible, else any of the others."""
    for found in sorted(operations, key=lambda name: name != operation):
        path = folder / found / f"{situation}.json"
        if path.is_file():
            return found, json.loads(path.read_text(encoding="utf-8"))
    return None


def recorded_answer(fixture: dict[str, Any], key: str, content_type: str) -> Replay:
    """A fixture's answer as it is sent to the owner of a key. `content_type` is for a fixture that names none."""
    response = fixture["response"]
    body = response["body_text"] if "body_text" in response else indented_json(response["body"])
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    return Replay(
        response["status"],
        {"content-type": content_type, **headers},
        body.replace(KEY_PLACEHOLDER, json.dumps(key)[1:-1]),
        bool(response.get("cut")),
    )


def unknown_situation(situation: str, known: Sequence[str]) -> str:
    """The error message for a situation that has no fixture."""
    return f"No situation is called '{situation}'. Known situations: {', '.join(known)}"


def indented_json(value: Any) -> str:
    """JSON as both APIs write it: two spaces, a newline at the end, text unescaped but for line separators."""
    return escaped_lines(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def escaped_lines(text: str) -> str:
    """JSON in which nothing but a line break ends a line."""
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\u0085", "\\u0085")
