"""A job as a long-running operation of Google's (google/longrunning/operations.proto, read on 2026-11-30)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from compat.jobs import CANCELLED, Job
from compat.json_text import dumps, with_member

ID = re.compile(r"[0-9a-f]{32}")
CODES = {  # google/rpc/code.proto
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}


def operation_name(job: Job, model: str) -> str:
    """The name below which the operation is found."""
    return f"models/{model}/operations/{job.id}"


def read_id(text: str) -> str | None:
    """The id of a record in the last part of a name; None if it is none."""
    return text if ID.fullmatch(text) else None


def write_operation(
    job: Job, model: str, result: Iterable[bytes] | None = None, error: dict[str, Any] | None = None
) -> Iterator[bytes]:
    """The JSON of an operation. `result` is the body that generateContent would have answered with."""
    times = {"createTime": job.created_at, "endTime": job.completed_at, "expireTime": job.expires_at}
    metadata = {"state": job.status, "model": f"models/{model}"}
    body: dict[str, Any] = {
        "name": operation_name(job, model),
        "metadata": metadata | {name: timestamp(time) for name, time in times.items() if time is not None},
    }
    if job.is_over:
        body["done"] = True
    if job.status == CANCELLED and error is None:
        error = {"code": CODES["CANCELLED"], "message": "The operation was cancelled."}
    if error is not None:
        yield dumps({**body, "error": error})
    elif result is not None:
        yield from with_member(body, "response", result)
    else:
        yield dumps(body)


def timestamp(seconds: float) -> str:
    """A time as protobuf's JSON writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_of(body: Any, status: int) -> dict[str, Any]:
    """The google.rpc.Status of an operation, from the body of an HTTP error: its code is another number there."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return {"code": CODES["UNKNOWN"], "message": f"The upstream answered with status {status}."}
    found = {"code": CODES.get(str(error.get("status")), CODES["UNKNOWN"]), "message": str(error.get("message", ""))}
    return {**found, "details": error["details"]} if error.get("details") else found
