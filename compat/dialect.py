"""How each API names fields, carries keys and writes errors: one object per API, made in its error.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any

from compat.errors import ApiError

LONGEST_RETRY_SECONDS = 60.0  # openai-python ignores delays above 120 s, openai-node above 60 s


SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


def seconds_until_retry(headers: Mapping[str, str]) -> float | None:
    """The delay of an answer's Retry-After, in seconds or as a time (RFC 9110, 10.2.3), counted from its Date.

    Names of headers are in lower case. None if there is no delay, or none that can be read.
    """
    value = headers.get("retry-after", "").strip()
    if SECONDS.fullmatch(value):
        return float(value)
    try:
        delay = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, delay.total_seconds())


def retry_headers(seconds: float) -> dict[str, str]:
    """A delay as the SDKs of both APIs read it: in whole seconds, rounded up, and in milliseconds; at most a minute."""
    seconds = min(seconds, LONGEST_RETRY_SECONDS)
    return {"Retry-After": str(max(1, ceil(seconds))), "retry-after-ms": str(ceil(seconds * 1000))}


@dataclass(frozen=True, eq=False)  # compared and hashed by identity
class Dialect:
    """The conventions of one API."""

    name: str  # of the surface, in logs and metrics
    build_error: Callable[[ApiError], tuple[int, dict[str, Any]]]  # HTTP status and body
    fields: Mapping[str, tuple[str, ...]]  # field of ImageRequest -> its names in this API, first the one to write
    missing_key: str  # the message of MISSING_KEY
    key_headers: tuple[str, ...] = ()  # headers that hold a key; `Authorization: Bearer` comes after them
    key_parameters: tuple[str, ...] = ()  # query parameters that hold a key
    other_key_headers: tuple[str, ...] = ()  # headers that hold a key if nothing else does, as other APIs have them
    retry_headers: Callable[[float], dict[str, str]] = retry_headers

    def field_of(self, path: str) -> str | None:
        """The field of ImageRequest that a path such as `images[0].image_url` lies in; None if it has none."""
        fitting = [
            (len(name), field)
            for field, names in self.fields.items()
            for name in names
            if path == name or path.startswith((f"{name}.", f"{name}["))
        ]
        return max(fitting, key=lambda found: found[0])[1] if fitting else None

    def name_of(self, field: str | None) -> str | None:
        """What this API calls a field of ImageRequest; None if it has no such field."""
        names = self.fields.get(field) if field else None
        return names[0] if names else None

    def translate(self, path: str | None, other: Dialect) -> str | None:
        """A path in this API's names as the other API names its field; None if the other has none."""
        return path if other is self or path is None else other.name_of(self.field_of(path))
