"""What an error means: which end of a call it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bench.soak.connection import Received
from bench.soak.faults import End

ERRORS = {  # by status and code, or Google's reason
    (502, "upstream_error"): End.BROKEN,
    (504, "upstream_timeout"): End.LATE,
    (429, "rate_limit_exceeded"): End.QUOTA,
    (400, "moderation_blocked"): End.REFUSED,
    (502, "UPSTREAM_BROKEN"): End.BROKEN,
    (504, "UPSTREAM_TIMEOUT"): End.LATE,
    (429, "RATE_LIMITED"): End.QUOTA,
    (502, "outcome_unknown"): End.UNKNOWN,
    (502, "OUTCOME_UNKNOWN"): End.UNKNOWN,
}
CODES = {code: end for (_, code), end in ERRORS.items()}


def end_of(received: Received) -> str:
    """The end that an error means; its text if it is none that may occur."""
    try:
        error = json.loads(received.body)["error"]
        word = error["code"] if "type" in error else error["details"][0]["reason"]
    except (ValueError, LookupError, TypeError):
        word = None
    return ERRORS.get((received.status, word)) or f"{received.status} {received.content_type} {received.body[:200]!r}"


def failure_of(error: Mapping[str, Any]) -> str:
    """The end that a failure beside pictures means."""
    return CODES.get(error["code"]) or str(error)
