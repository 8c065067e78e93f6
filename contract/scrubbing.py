"""Texts without the caller's key."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

SHORTEST_KEY = 8  # characters; a shorter key could be an ordinary word
START, END = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))", r"(?![A-Za-z0-9])"  # of a token


def spellings(key: str) -> set[str]:
    """The key as it is, in JSON, in a URL, and in base64."""
    if not key:
        return set()
    return {key, json.dumps(key)[1:-1], quote(key, safe=""), base64.b64encode(key.encode()).decode().rstrip("=")}


def without_key(text: str, key: str, replacement: str = "[key]") -> str:
    """The text with the key replaced where it is a whole token, and where the text was cut within the key."""
    for spelling in sorted(spellings(key), key=len, reverse=True):
        text = re.sub(f"{START}{re.escape(spelling)}{END}", replacement, text)
    for length in range(len(key) - 1, SHORTEST_KEY - 1, -1):
        text = text.replace(f"{key[:length]}…", f"{replacement}…")
    return text
