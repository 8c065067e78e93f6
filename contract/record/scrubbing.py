"""Answers that may be published: without the key and the project, with small pictures."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Callable
from typing import Any

from PIL import Image

from contract.scrubbing import spellings

KEY = "[[key]]"
GOOGLE_KEYS = re.compile(r"\b(?:AIza|AQ\.|ya29\.)[\w.-]{10,}")
PROJECT = re.compile(r"((?:projects?|project_number|consumer)\W{1,4}(?:projects\W)?)\d{6,}", re.IGNORECASE)
NO_PROJECT = "000000000000"
LONGEST_SIDE = 16  # pixels
SIGNATURE = "EpG2QAqNtkABEU0yD846iQpl"  # of thoughts: a few bytes in place of megabytes
IDS = {"responseId": "W5rtadjWH43Sz7IPtw1nl3", "turnToken": "dHVybg", "continuationToken": "bmV4dA"}
DATA_LINE = re.compile(r"^(data: ?)(\{.*\})(?=\r?$)", re.MULTILINE)

Picture = tuple[str, int, int]  # MIME type, width and height before it was made small


class KeyLeft(Exception):
    """A text that is to be written contains the key."""


def without_secrets(text: str, key: str) -> str:
    """The text without the key in any spelling, and without project numbers."""
    for spelling in sorted(spellings(key), key=len, reverse=True):
        text = text.replace(spelling, KEY)
    return PROJECT.sub(rf"\g<1>{NO_PROJECT}", GOOGLE_KEYS.sub(KEY, text))


def assert_clean(text: str, key: str) -> None:
    """Raises KeyLeft if the text contains the key in any spelling."""
    if any(spelling in text for spelling in spellings(key)):
        raise KeyLeft


def shrunk(value: Any, found: list[Picture]) -> Any:
    """An answer with small pictures and other ids; its pictures are appended to `found`."""
    if isinstance(value, list):
        return [shrunk(one, found) for one in value]
    if not isinstance(value, dict):
        return value
    made = {name: REPLACED[name](inner) if name in REPLACED else shrunk(inner, found) for name, inner in value.items()}
    for name in ("inlineData", "inline_data"):
        if isinstance(blob := made.get(name), dict) and isinstance(data := blob.get("data"), str):
            made[name] = {**blob, "data": small_picture(data, found)}
    return made


def replaced_by(short: str) -> Callable[[Any], Any]:
    return lambda value: short if isinstance(value, str) else value


REPLACED: dict[str, Callable[[Any], Any]] = {
    **{name: replaced_by(short) for name, short in IDS.items()},
    "thoughtSignature": replaced_by(SIGNATURE),
    "thought_signature": replaced_by(SIGNATURE),
}


def small_picture(data: str, found: list[Picture]) -> str:
    """A picture of the same format and shape in a few hundred bytes; anything else is cut to its first characters."""
    try:
        raw = base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_") + "=" * (-len(data) % 4))
        with Image.open(io.BytesIO(raw)) as image:
            kind = str(image.format)
            found.append((Image.MIME.get(kind, kind), *image.size))
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            file = io.BytesIO()
            pixels = image.convert("RGBA" if image.has_transparency_data else "RGB")
            pixels.convert("RGB" if kind == "JPEG" else pixels.mode).save(file, kind, quality=20, optimize=True)
    except (OSError, ValueError, binascii.Error):
        return data[:60]
    return base64.b64encode(file.getvalue()).decode()


def shrunk_stream(text: str, found: list[Picture]) -> str:
    """Server-sent events with small pictures; the text around their JSON is unchanged."""

    def small(line: re.Match[str]) -> str:
        event = shrunk(json.loads(line[2]), found)
        return line[1] + json.dumps(event, separators=(",", ": "), ensure_ascii=False)

    return DATA_LINE.sub(small, text)
