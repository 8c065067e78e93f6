"""How an answer differs in structure from the existing fixture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from contract.record.recording import Fixture, Recorded, answers_of, known_fixture

# Members whose values are words of the API, so that a new value is a difference.
ENUMERATED = {
    "finishReason",
    "blockReason",
    "mimeType",
    "modality",
    "role",
    "status",
    "reason",
    "@type",
    "domain",
    "code",
}
NUMBERS = re.compile(r"\d+(\.\d+)?")
TYPES = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}


def drift(recorded: Sequence[Recorded]) -> str:
    """The report: for each call what is new (+), gone (-) or different (~), and the calls that are unchanged."""
    lines, same = [], []
    for one in recorded:
        found = list(differences(known_fixture(one.call), one.fixture))
        if found:
            lines += [f"{one.call.operation}/{one.call.name}", *(f"  {line}" for line in found)]
        else:
            same.append(one.call.name)
    sizes = [f"  {one.call.name}: {shown(one)}" for one in recorded if one.pictures]
    return "\n".join(
        [
            *(lines or ["No answer differs in structure from its fixture."]),
            *(["", f"Unchanged: {', '.join(same)}."] if same and lines else []),
            *(["", "Sizes of the pictures:", *sizes] if sizes else []),
        ]
    )


def shown(one: Recorded) -> str:
    return ", ".join(f"{mime_type} {width}x{height}" for mime_type, width, height in one.pictures)


def differences(known: Fixture, found: Fixture) -> Iterator[str]:
    """A line for each difference."""
    before, now = known["response"], found["response"]
    if before["status"] != now["status"]:
        yield f"~ status {before['status']} is now {now['status']}"
    types = [content_type(response) for response in (before, now)]
    if types[0] != types[1]:
        yield f"~ content-type {types[0]} is now {types[1]}"
    kinds = [kind_of(fixture) for fixture in (known, found)]
    if kinds[0] != kinds[1]:
        yield f"~ {kinds[0]} is now {kinds[1]}"
    shapes = [shape(answers_of(fixture)) for fixture in (known, found)]
    yield from (f"+ {place}: {words(shapes[1][place])}" for place in shapes[1] if place not in shapes[0])
    yield from (f"- {place}: {words(shapes[0][place])}" for place in shapes[0] if place not in shapes[1])
    for place in shapes[0].keys() & shapes[1].keys():
        if shapes[0][place] != shapes[1][place]:
            yield f"~ {place}: {words(shapes[0][place])} is now {words(shapes[1][place])}"


def kind_of(fixture: Fixture) -> str:
    """The form of the body."""
    if str(fixture["response"].get("body_text", "")).startswith("data:"):
        return "a stream of events"
    return "JSON" if answers_of(fixture) else "a text that is not JSON"


def content_type(response: Fixture) -> str:
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return str(headers.get("content-type", "none"))


def shape(value: Any, place: str = "") -> dict[str, set[str]]:
    """The types at every place of a JSON value, or the values of enumerated members."""
    found: dict[str, set[str]] = {}
    for path, leaf in leaves(value, place):
        found.setdefault(path, set()).add(leaf)
    return found


def leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    name = place.rpartition(".")[2]
    if isinstance(value, dict):
        for inner, member in value.items():
            yield from leaves(member, f"{place}.{inner}" if place else inner)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member, f"{place}[]" if place else "")
    elif name in ENUMERATED:
        yield place, str(value)
    elif place == "error.message":
        yield place, NUMBERS.sub("0", str(value).partition("\n")[0])
    else:
        yield place, TYPES[type(value)]


def words(found: set[str]) -> str:
    return " or ".join(sorted(found))
