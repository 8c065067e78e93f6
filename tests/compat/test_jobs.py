"""Jobs in the words of both APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compat.gemini_content import operation
from compat.jobs import CANCELLED, COMPLETED, FAILED, IN_PROGRESS, QUEUED, Job
from compat.openai_images import job as image_job

ID = "0123456789abcdef" * 2


def a_job(status: str) -> Job:
    over = status not in (QUEUED, IN_PROGRESS)
    return Job(ID, status, 1796058000.9, 1796058060.5 if over else None, 1796144460.5 if over else None)


@pytest.mark.parametrize("status", [QUEUED, IN_PROGRESS, CANCELLED])
def test_a_job_without_an_outcome(status: str) -> None:
    shown = json.loads(b"".join(image_job.write_job(a_job(status))))
    assert (shown["id"], shown["object"], shown["status"]) == (f"imgjob_{ID}", "image.job", status)
    assert (shown["created_at"], shown["error"], shown["result"]) == (1796058000, None, None)
    assert (shown["completed_at"] is None) == (status != CANCELLED)
    operation_shown = json.loads(b"".join(operation.write_operation(a_job(status), "m")))
    assert operation_shown["name"] == f"models/m/operations/{ID}"
    assert operation_shown["metadata"]["createTime"] == "2026-11-30T17:00:00.900Z"
    assert operation_shown.get("done") == (True if status == CANCELLED else None)
    assert operation_shown.get("error", {}).get("code") == (1 if status == CANCELLED else None)


def test_a_result_is_passed_as_it_is() -> None:
    chunks = [b'{"data": [', b"1e2]}"]
    assert b"".join(image_job.write_job(a_job(COMPLETED), chunks)).endswith(b',"result":{"data": [1e2]}}')
    assert b"".join(operation.write_operation(a_job(COMPLETED), "m", chunks)).endswith(b',"response":{"data": [1e2]}}')


@pytest.mark.parametrize(
    ("body", "openai", "google"),
    [
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "No."}}, 429, 8),
        ({"error": "text"}, None, 2),
        (None, None, 2),
    ],
)
def test_the_error_of_a_body(body: Any, openai: int | None, google: int) -> None:
    assert image_job.error_of(body, 503)["code"] == openai
    found = operation.error_of(body, 503)
    assert found["code"] == google
    assert found["message"] in ("No.", "The upstream answered with status 503.")
    shown = json.loads(b"".join(operation.write_operation(a_job(FAILED), "m", None, found)))
    assert (shown["done"], shown["error"]) == (True, found)


@pytest.mark.parametrize("text", ["", "imgjob_", "imgjob_x", f"imgjob_{ID}0", ID.upper(), f"imgjob_{ID}\n"])
def test_what_is_no_id(text: str) -> None:
    assert image_job.read_id(text) is None
    assert operation.read_id(text) is None


def test_ids_are_read_as_they_are_written() -> None:
    assert image_job.read_id(image_job.job_id(a_job(QUEUED))) == ID
    assert operation.read_id(operation.operation_name(a_job(QUEUED), "a/b").rpartition("/")[2]) == ID
