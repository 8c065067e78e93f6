"""Pictures as jobs: accepted at once, asked for later, on either API, on every worker and machine."""

import base64
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from google import genai
from google.genai import types
from standardwebhooks.webhooks import Webhook

from tests.money.conftest import CONFIGURATION, MODEL, Google, Service
from tests.support import pictures
from tests.support.keys import new_key
from tests.support.nginx import Nginx, running_nginx
from tests.support.object_store import BUCKET, object_store
from tests.support.postgres import PostgresServer
from tests.support.processes import free_port
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import Answer, Call, Reply, ScriptedUpstream

ASYNC = {"Prefer": "respond-async"}
SECRET = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()
MAX_JOBS = 20
JOBS = 80  # submitted at once
ROWS = """
[[model]]
name = "ours"
upstream = "gemini"
upstream_name = "gemini-2.5-flash-image"
pixels = "gemini-2.5-flash-image"
key = "env:OUR_KEY"
"""


class Receiver(ThreadingHTTPServer):
    """The operator's receiver of events: it verifies each, and refuses as many as it shall."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.refusing = 0
        self.tries = 0
        self.events: dict[str, dict[str, Any]] = {}  # by their id
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, job: str, seconds: float = 20) -> dict[str, Any]:
        """The event of a job."""
        until = time.monotonic() + seconds
        while f"msg_{job.rpartition('_')[2]}" not in self.events and time.monotonic() < until:
            time.sleep(0.05)
        return self.events[f"msg_{job.rpartition('_')[2]}"]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        event = Webhook(SECRET).verify(body, dict(self.headers))
        self.server.tries += 1
        refused = self.server.refusing > 0
        self.server.refusing -= refused
        if not refused:
            self.server.events[self.headers["webhook-id"]] = event
        self.send_response(500 if refused else 204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
        receiver.shutdown()


@pytest.fixture(scope="module")
def everything(receiver: Receiver) -> Iterator[tuple[Google, dict[str, str]]]:
    """One Google for all tests of this module, and the settings of the services."""
    with ScriptedUpstream() as upstream:
        address = f"http://127.0.0.1:{receiver.server_port}/hook"
        yield Google(upstream), {"WEBHOOK_URL": address, "WEBHOOK_SECRET": SECRET, "MAX_JOBS": str(MAX_JOBS)}


@pytest.fixture(scope="module")
def running_machine(start: Start, everything: Any, tmp_path_factory: pytest.TempPathFactory) -> list[ProxyServer]:
    """Two workers with a file as their database."""
    google, settings = everything
    settings = {"GEMINI_BASE_URL": google.upstream.url, "WEB_CONCURRENCY": "2", **settings}
    return [start(tmp_path_factory.mktemp("one"), CONFIGURATION, **settings)]


@pytest.fixture(scope="module")
def running_machines(
    start: Start, everything: Any, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[ProxyServer]]:
    """Two services that share a PostgreSQL and a bucket, and a model with a key of the operator's."""
    google, settings = everything
    folder = tmp_path_factory.mktemp("two")
    (folder / "models.toml").write_text(ROWS)
    postgres_server.execute("CREATE DATABASE jobs")
    with object_store(folder / "s3") as bucket:
        shared = {
            **bucket,
            **settings,
            "IMAGE_STORE_URL": f"s3://{BUCKET}/twinlens",
            "DATABASE_URL": postgres_server.url("jobs"),
            "GEMINI_BASE_URL": google.upstream.url,
            "MODELS_FILE": str(folder / "models.toml"),
            "OUR_KEY": new_key(),
            "MAX_JOBS": "2",
        }
        yield [start(folder / name, CONFIGURATION, **shared) for name in ("one", "other")]


@pytest.fixture
def google(everything: Any) -> Google:
    """As it is at first."""
    found: Google = everything[0]
    found.seconds, found.first, found.made, found.sold = 0.2, [], [], 0
    found.upstream.answers(found.answer)
    return found


@pytest.fixture
def one_machine(running_machine: list[ProxyServer], google: Google) -> Service:
    """Two workers, for a caller with a key of its own."""
    return Service(running_machine, google)


@pytest.fixture
def two_machines(running_machines: list[ProxyServer], google: Google) -> Service:
    return Service(running_machines, google)


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


def test_a_picture_of_three_seconds_through_an_nginx_that_cuts_at_one(
    one_machine: Service, google: Google, tmp_path: Path
):
    google.seconds = 3
    with impatient_nginx(tmp_path, one_machine.servers[0].port) as url:
        body = {"prompt": "a cat", "response_format": "b64_json"}
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=one_machine.key, max_retries=0)
        with pytest.raises(openai.InternalServerError) as cut:
            client.images.generate(**body)
        assert cut.value.status_code == 504
        accepted = client.images.with_raw_response.generate(**body, extra_headers=ASYNC)
        assert accepted.status_code == 202
        name = requests.post(
            f"{url}/v1beta/models/{MODEL}:generateContent",
            json={"contents": [{"parts": [{"text": "a dog"}]}]},
            headers={"x-goog-api-key": one_machine.key, **ASYNC},
            timeout=10,
        ).json()["name"]
        while (job := client.get(accepted.headers["location"].removeprefix("/v1"), cast_to=dict)["status"]) not in (
            "completed",
            "failed",
        ):
            time.sleep(0.2)
        assert job == "completed"
        google_client = genai.Client(api_key=one_machine.key, http_options=types.HttpOptions(base_url=url))
        operation = types.GenerateVideosOperation(name=name)
        while not (operation := google_client.operations.get(operation)).done:
            time.sleep(0.2)
        assert not operation.error
        picture = requests.get(f"{url}/v1beta/{name}", headers={"x-goog-api-key": one_machine.key}, timeout=10).json()
    data = picture["response"]["candidates"][0]["content"]["parts"][0]["inlineData"]["data"]
    assert base64.b64decode(data) in google.made
    assert google.sold == 3  # the picture whose line was cut is bought too, and nobody gets it


@contextmanager
def impatient_nginx(folder: Path, port: int) -> Iterator[str]:
    """An nginx that waits a second for its upstream, as a CDN waits a minute or two."""
    nginx = Nginx(folder, free_port())
    temporary = "".join(
        f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} pid {folder}/pid; events {{}} http {{ access_log off; {temporary} server {{ "
        f"listen 127.0.0.1:{nginx.port}; proxy_read_timeout 1s; "
        f"location / {{ proxy_pass http://127.0.0.1:{port}; }} }} }}"
    )
    with running_nginx(nginx):
        yield f"http://127.0.0.1:{nginx.port}"


def test_many_jobs_at_once_of_which_google_takes_ten(one_machine: Service, google: Google):
    busy = threading.Semaphore(10)
    asked: list[str] = []

    def answer(call: Call) -> Reply:
        asked.append(call.json["contents"][0]["parts"][-1]["text"])
        if not busy.acquire(blocking=False):
            return Answer(pictures.error(429, "RESOURCE_EXHAUSTED", "Slow.", pictures.retry_info("0.2s")), 429)
        time.sleep(0.05)
        busy.release()
        google.sold += 1
        return Answer(pictures.drawn(pictures.picture_part(pictures.plain_png(8, 8))))

    google.upstream.answers(answer)
    ids = []
    with requests.Session() as session:  # one connection, and so one worker
        for number in range(JOBS):
            answer_of = partial(
                session.post,
                f"{one_machine.url()}/v1/images/generations",
                json={"prompt": f"{number:03}", "response_format": "b64_json"},
                headers={"Authorization": f"Bearer {one_machine.key}", **ASYNC},
                timeout=30,
            )
            while (accepted := answer_of()).status_code == 503:  # a busy disk can hold the database for seconds
                assert accepted.json()["error"]["code"] == "state_unavailable"
            assert accepted.status_code == 202, accepted.text
            ids.append(accepted.json()["id"])
    ended = [state(one_machine, id, wait=60) for id in ids]
    assert [job["status"] for job in ended] == ["completed"] * JOBS
    assert google.sold == JOBS
    # Jobs start in order of arrival. Those that run at once may reach Google in any order, and overtake nobody else.
    overtaken = [int(prompt) - position for position, prompt in enumerate(dict.fromkeys(asked))]
    assert max(overtaken) < MAX_JOBS


def test_every_event_arrives_though_the_receiver_refuses_and_is_away(
    service: Service, google: Google, receiver: Receiver
):
    receiver.refusing = 3
    tries = receiver.tries
    job = state(service, submit(service).json()["id"], wait=20)
    event = receiver.wait_for(job["id"])
    assert receiver.tries - tries >= 4
    assert (event["type"], event["data"]["id"], event["data"]["status"]) == (
        "image.job.completed",
        job["id"],
        "completed",
    )
    assert "b64_json" not in str(event) and event["data"]["result"]["usage"] == job["result"]["usage"]
    google.first = [Answer(pictures.refused())]
    assert receiver.wait_for(submit(service, 1).json()["id"])["type"] == "image.job.failed"
    google.seconds = 30
    name = service.native(0, headers=ASYNC).json()["name"]
    google.upstream.wait_for(3)
    headers = {"x-goog-api-key": service.key}
    requests.post(f"{service.url(1)}/v1beta/{name}:cancel", headers=headers, timeout=10).raise_for_status()
    cancelled = receiver.wait_for(name.replace("/", "_"))
    assert (cancelled["type"], cancelled["data"]["name"]) == ("image.job.cancelled", name)


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


def test_machines_that_are_killed_and_stopped_and_a_database_that_restarts(
    two_machines: Service, google: Google, postgres_server: PostgresServer
):
    google.seconds = 2
    ours = {"json": {"model": "ours"}}
    one, _ = two_machines.servers
    mine = [submit(two_machines, 0).json()["id"] for _ in range(2)]
    google.upstream.wait_for(2)  # they run on the first machine, and nothing else can
    others = [submit(two_machines, 0, **ours).json()["id"] for _ in range(4)]
    google.upstream.wait_for(4)  # two of these run on the second machine
    for pid in one.workers():
        os.kill(pid, signal.SIGKILL)
    dead = [state(two_machines, id, 1, wait=30) for id in mine]
    assert {job["error"]["code"] for job in dead} == {"outcome_unknown"}
    assert {state(two_machines, id, 1, wait=30)["status"] for id in others} == {"completed"}
    assert google.asked == 6

    name = two_machines.servers[0].environment["DATABASE_URL"].rpartition("/")[2]
    running = [submit(two_machines, 1).json()["id"] for _ in range(2)]
    google.upstream.wait_for(8)
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    assert submit(two_machines, 1).status_code == 503
    time.sleep(3)
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    until = time.monotonic() + 30
    while time.monotonic() < until and {state(two_machines, id, 1)["status"] for id in running} != {"completed"}:
        time.sleep(0.3)
    assert {state(two_machines, id, 1)["status"] for id in running} == {"completed"}

    jobs = [submit(two_machines, 1).json()["id"] for _ in range(3)]
    google.upstream.wait_for(10)
    waiting = submit(two_machines, 1, **ours).json()["id"]
    two_machines.servers[1].terminate()
    assert two_machines.servers[1].exit_code(30) == 0
    ended = [state(two_machines, id, 0, wait=30) for id in jobs]
    assert [job["status"] for job in ended] == ["completed", "completed", "failed"]
    assert ended[2]["error"]["code"] == "job_lost"
    assert state(two_machines, waiting, 0, wait=30)["status"] == "completed"
    assert google.sold == 11 - 2
