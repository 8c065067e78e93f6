"""A job as an object of OpenAI's surface. OpenAI's Images API has none; the fields are those of its videos."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from compat.jobs import Job
from compat.json_text import dumps, with_member

PREFIX = "imgjob_"
ID = re.compile(rf"{PREFIX}([0-9a-f]{{32}})")


def job_id(job: Job) -> str:
    """The id that callers see."""
    return PREFIX + job.id


def read_id(text: str) -> str | None:
    """The id of a record in an id that a caller sends; None if it is none."""
    match = ID.fullmatch(text)
    return match[1] if match else None


def write_job(job: Job, result: Iterable[bytes] | None = None, error: dict[str, Any] | None = None) -> Iterator[bytes]:
    """The JSON of a job. `result` is the body that the synchronous call would have had, `error` such a call's error."""
    body: dict[str, Any] = {
        "id": job_id(job),
        "object": "image.job",
        "status": job.status,
        "created_at": int(job.created_at),
        "completed_at": None if job.completed_at is None else int(job.completed_at),
        "expires_at": None if job.expires_at is None else int(job.expires_at),
        "error": error,
    }
    if result is None:
        yield dumps({**body, "result": None})
    else:
        yield from with_member(body, "result", result)


def error_of(body: Any, status: int) -> dict[str, Any]:
    """The error object in the body of an error."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return error
    return {
        "message": f"The upstream answered with status {status}.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
