"""What the current request prefers (RFC 7240): not to wait, or to wait for so many seconds."""

from __future__ import annotations

import re

from proxy.limits import LONGEST_JOB_WAIT_SECONDS
from proxy.routes import the_request

SECONDS = re.compile(r"\d{1,9}", re.ASCII)


def preferences() -> dict[str, str]:
    """The preferences by name, in lower case; of one that is there twice the first counts."""
    found: dict[str, str] = {}
    for preference in the_request().environ.get("HTTP_PREFER", "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def prefers_async() -> bool:
    """Whether the caller takes a job instead of an answer."""
    return "HTTP_PREFER" in the_request().environ and "respond-async" in preferences()


def seconds_to_wait() -> float:
    """How long the caller wants to wait for a job's end, at most LONGEST_JOB_WAIT_SECONDS; 0 if it does not say."""
    value = preferences().get("wait", "")
    return min(float(value), LONGEST_JOB_WAIT_SECONDS) if SECONDS.fullmatch(value) else 0.0
