"""JSON as we write it: without spaces, its characters beyond ASCII escaped."""

from __future__ import annotations

import json
from typing import Any

ENCODER = json.JSONEncoder(separators=(",", ":"))  # made once: `json.dumps` would make one for each call


def dumps(value: Any) -> bytes:
    """The bytes of a value that JSON can hold."""
    return ENCODER.encode(value).encode()
