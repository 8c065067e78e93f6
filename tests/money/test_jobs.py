"""Pictures as jobs: accepted at once, asked for later, on either API, on every worker and machine."""

import base64
import json
import time
from typing import Any

import openai
import pytest
import requests
from google import genai
from google.genai import types

from tests.money.conftest import MODEL, Google, Service
from tests.support import pictures
from tests.support.keys import new_key
from tests.support.upstream import Answer

ASYNC = {"Prefer": "respond-async"}


def submit(service: Service, number: int = 0, key: str | None = None, **options: Any) -> requests.Response:
    """A job on OpenAI's surface."""
    return service.generate(number, key, headers={**ASYNC, **options.pop("headers", {})}, **options)


def state(service: Service, id: str, number: int = 0, wait: int | None = None, key: str | None = None) -> dict[str, Any]:
    """The job as it is now, or when it is over."""
    headers = {"Authorization": f"Bearer {key or service.key}", **({"Prefer": f"wait={wait}"} if wait else {})}
    answer = requests.get(f"{service.url(number)}/v1/images/jobs/{id}", headers=headers, timeout=70)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def test_a_job_of_openais_surface_from_beginning_to_end(service: Service, google: Google):
    google.seconds = 1
    began = time.monotonic()
    accepted = submit(service)
    assert (accepted.status_code, time.monotonic() - began < 1) == (202, True), accepted.text
    job = accepted.json()
    assert accepted.headers["Preference-Applied"] == "respond-async"
    assert accepted.headers["Location"] == f"/v1/images/jobs/{job['id']}"
    assert int(accepted.headers["Retry-After"]) > 0
    assert (job["object"], job["status"], job["result"], job["error"]) == ("image.job", "queued", None, None)
    google.upstream.wait_for(1)
    assert state(service, job["id"], 1)["status"] == "in_progress"
    done = state(service, job["id"], 1, wait=30)
    assert (done["status"], done["error"]) == ("completed", None)
    assert done["created_at"] <= done["completed_at"] < done["expires_at"]
    assert base64.b64decode(done["result"]["data"][0]["b64_json"]) == google.made[0]
    assert state(service, job["id"]) == done
    assert (google.asked, google.sold) == (1, 1)
