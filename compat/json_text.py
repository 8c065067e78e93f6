"""Small JSON: written compactly, and read from answers in which anything may stand anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

ENCODER = json.JSONEncoder(separators=(",", ":"))  # made once: `json.dumps` would make one for each call
DECODER = json.JSONDecoder()


def dumps(value: Any) -> bytes:
    """The JSON of a value, without spaces and with its characters beyond ASCII escaped."""
    return ENCODER.encode(value).encode()


def with_member(value: dict[str, Any], name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON of an object, whose last member is JSON that comes in chunks and is not looked at."""
    yield dumps(value)[:-1] + (b"," if value else b"") + dumps(name) + b":"
    yield from chunks
    yield b"}"


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count(value: Any) -> int:
    """A number of things: an integer of at least 0; 0 for anything else."""
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def last_object(name: re.Pattern[bytes], tail: bytes) -> dict[str, Any] | None:
    """The last object in a piece of JSON whose name and opening brace a pattern matches; None if it is cut off."""
    found = list(name.finditer(tail))
    if not found:
        return None
    try:
        value, _ = DECODER.raw_decode(tail[found[-1].end() - 1 :].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
