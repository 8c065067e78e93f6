"""Values as a report shows them: a picture as its format, pixels and size, a long text as its beginning."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.suite.pictures import read_picture

LONGEST_TEXT = 300
LONGEST_LINE = 1500
PICTURE_IN_BASE64 = ("iVBORw0KGgo", "/9j/", "_9j_", "UklGR")


def short(value: Any) -> Any:
    """The same value with pictures described and long texts cut."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(exclude_none=True, warnings=False)
    if isinstance(value, bytes | bytearray):
        return f"<{read_picture(bytes(value))}>"
    if isinstance(value, io.BufferedReader | io.BytesIO):
        return f"<file {Path(str(getattr(value, 'name', 'in memory'))).name}>"
    if isinstance(value, str):
        return short_text(value)
    if isinstance(value, Mapping):
        return {str(name): short(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [short(one) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return short_text(str(value))


def short_text(text: str) -> str:
    """The beginning of a text; for base64 of a picture, a description of it."""
    before, comma, encoded = text.rpartition(",") if text.startswith("data:") else ("", "", text)
    if encoded.startswith(PICTURE_IN_BASE64):
        try:
            return f"{before}{comma}<base64 of {read_picture(base64.b64decode(encoded, altchars=None))}>"
        except (binascii.Error, ValueError):
            return f"{before}{comma}<base64, {len(encoded)} characters>"
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text)} characters)"


def line(value: Any) -> str:
    """A value on one line."""
    shown = short(value)
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


def argument(value: Any) -> str:
    """A value as it is written in a program."""
    return json.dumps(short(value), ensure_ascii=False) if isinstance(value, str) else line(value)


def call_line(path: str, arguments: Mapping[str, Any]) -> str:
    """A call as it is written in a program."""
    shown = ", ".join(f"{name}={argument(value)}" for name, value in arguments.items())
    return f"{path}({shown})"
