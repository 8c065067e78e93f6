"""Pictures as jobs: accepted at once, asked for later, on either API, on every worker and machine."""

import base64
import time
from typing import Any

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


def state(
    service: Service, id: str, number: int = 0, wait: int | None = None, key: str | None = None
) -> dict[str, Any]:
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


def test_an_operation_of_googles_surface_is_polled_by_its_sdk(service: Service, google: Google):
    google.seconds = 1
    started = service.native(0, headers=ASYNC)
    assert started.status_code == 200, started.text
    operation = started.json()
    assert operation["name"].startswith(f"models/{MODEL}/operations/")
    assert "done" not in operation and operation["metadata"]["state"] == "queued"
    assert started.headers["Location"] == f"/v1beta/{operation['name']}"
    client = genai.Client(api_key=service.key, http_options=types.HttpOptions(base_url=service.url(1)))
    polled = types.GenerateVideosOperation(name=operation["name"])
    until = time.monotonic() + 20
    while not polled.done and time.monotonic() < until:
        time.sleep(0.2)
        polled = client.operations.get(polled)
    assert (polled.done, polled.error) == (True, None)
    url = f"{service.url()}/v1beta/{operation['name']}"
    done = requests.get(url, headers={"x-goog-api-key": service.key}, timeout=10).json()
    answer = types.GenerateContentResponse.model_validate(done["response"])
    assert answer.parts and answer.parts[0].inline_data
    assert answer.parts[0].inline_data.data == google.made[0]
    assert google.asked == 1


def test_the_idempotency_key_of_a_job(service: Service, google: Google):
    google.seconds = 1
    first = submit(service, 0, "a").json()
    again = submit(service, 1, "a")
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first["id"], "true")
    joined = service.generate(1, "a", timeout=30)  # without a preference it waits for what the job brings
    assert joined.status_code == 200
    assert state(service, first["id"], wait=10)["result"] == joined.json()
    assert submit(service, 0, "a", json={"prompt": "a dog"}).status_code == 422
    assert google.asked == 1
    kept = service.generate(0, "b")
    job = submit(service, 1, "b").json()
    assert (job["status"], job["result"]) == ("completed", kept.json())
    assert google.asked == 2


def test_a_job_is_its_callers_alone(one_machine: Service, google: Google):
    id = submit(one_machine).json()["id"]
    url = f"{one_machine.url()}/v1/images/jobs/{id}"
    theirs = {"Authorization": f"Bearer {new_key()}"}
    assert requests.get(url, headers=theirs, timeout=10).status_code == 404
    assert requests.delete(url, headers=theirs, timeout=10).status_code == 404
    assert requests.get(url, timeout=10).status_code == 401
    operation = f"{one_machine.url()}/v1beta/models/{MODEL}/operations/{id.removeprefix('imgjob_')}"
    assert requests.get(operation, headers={"x-goog-api-key": one_machine.key}, timeout=10).status_code == 404
    assert state(one_machine, id, wait=10)["status"] == "completed"


@pytest.mark.parametrize(
    ("body", "param"), [({"n": 11}, "n"), ({"stream": True}, "stream"), ({"size": "3000x1000"}, "size")]
)
def test_a_bad_request_is_refused_at_once(one_machine: Service, google: Google, body: dict[str, Any], param: str):
    answer = submit(one_machine, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert google.asked == 0


def test_what_fails_shows_its_error(one_machine: Service, google: Google):
    exhausted = pictures.error(
        429, "RESOURCE_EXHAUSTED", "Used up.", pictures.quota_failure("GenerateRequestsPerDay-FreeTier")
    )
    google.first = [Answer(exhausted, 429), Answer(pictures.refused()), Answer(exhausted, 429)]
    by_day = state(one_machine, submit(one_machine, key="q").json()["id"], wait=10)
    assert (by_day["status"], by_day["error"]["code"], by_day["result"]) == ("failed", "insufficient_quota", None)
    refused = state(one_machine, submit(one_machine).json()["id"], wait=10)
    assert (refused["status"], refused["error"]["code"]) == ("failed", "moderation_blocked")
    name = one_machine.native(headers=ASYNC).json()["name"]
    until = time.monotonic() + 10
    operation: dict[str, Any] = {}
    while not operation.get("done") and time.monotonic() < until:
        url = f"{one_machine.url()}/v1beta/{name}"
        headers = {"x-goog-api-key": one_machine.key, "Prefer": "wait=5"}
        operation = requests.get(url, headers=headers, timeout=10).json()
    assert (operation["error"]["code"], operation["error"]["message"]) == (8, "Used up.")
    assert google.asked == 3
    assert state(one_machine, submit(one_machine, key="q").json()["id"], wait=10)["status"] == "completed"


def test_a_job_that_is_ended(service: Service, google: Google):
    google.seconds = 30
    id = submit(service).json()["id"]
    google.upstream.wait_for(1)
    url = f"{service.url(1)}/v1/images/jobs/{id}"
    ended = requests.delete(url, headers={"Authorization": f"Bearer {service.key}"}, timeout=10)
    assert (ended.status_code, ended.json()["status"], ended.json()["error"]) == (200, "cancelled", None)
    google.upstream.calls[0].end_within(5, time.monotonic())
    name = service.native(0, headers=ASYNC).json()["name"]
    google.upstream.wait_for(2)
    address, headers = f"{service.url(1)}/v1beta/{name}", {"x-goog-api-key": service.key}
    assert requests.post(f"{address}:cancel", headers=headers, timeout=10).json() == {}
    operation = requests.get(address, headers=headers, timeout=10).json()
    assert (operation["done"], operation["error"]["code"]) == (True, 1)
    assert google.sold == 0
