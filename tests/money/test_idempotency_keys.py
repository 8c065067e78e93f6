"""A request with an Idempotency-Key is bought once, whatever happens to its caller, its worker and its machine."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from google import genai
from google.genai import types
from sqlalchemy import text

from proxy.state.database import Database
from tests.money.conftest import MODEL, Google, Service
from tests.support import pictures
from tests.support.upstream import SSE, Answer

RATE_LIMITED = Answer(pictures.error(429, "RESOURCE_EXHAUSTED", "Slow down.", pictures.retry_info("1s")), 429)
BROKEN = Answer(pictures.drawn(pictures.picture_part(pictures.heavy_png())), cut_after=300_000)


def same(one: requests.Response, other: requests.Response) -> None:
    """Both are the same answer, but for its date and its id."""
    differ = {"date", "x-request-id", "idempotent-replayed", "connection"}
    assert (one.status_code, one.content) == (other.status_code, other.content)
    kept = {name.lower(): value for name, value in one.headers.items() if name.lower() not in differ}
    assert kept == {name.lower(): value for name, value in other.headers.items() if name.lower() not in differ}


@pytest.mark.parametrize("way", ["generate", "native"])
def test_the_same_key_gets_the_same_answer_on_every_machine(service: Service, google: Google, way: str):
    ask = getattr(service, way)
    first = ask(0, key="one")
    assert first.status_code == 200, first.text
    for number in range(4):
        again = ask(number, key="one")
        same(again, first)
        assert again.headers["idempotent-replayed"] == "true"
    assert (google.asked, google.sold) == (1, 1)
    assert service.saved() >= 2


def test_a_stream_that_is_replayed_is_a_stream(service: Service, google: Google):
    event = b"data: " + json.dumps(pictures.drawn(pictures.picture_part(pictures.plain_png()))).encode() + b"\n\n"
    google.first = [Answer(event, content_type=SSE)]
    method = "streamGenerateContent?alt=sse"
    first, again = service.native(0, key="s", method=method), service.native(1, key="s", method=method)
    same(again, first)
    assert again.headers["content-type"].startswith("text/event-stream")
    assert google.asked == 1


@pytest.mark.parametrize("way", ["generate", "native"])
def test_ten_callers_at_once_get_one_picture(service: Service, google: Google, way: str):
    google.seconds = 1
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: getattr(service, way)(number, key="ten"), range(10)))
    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {200}
    assert (google.asked, google.sold) == (1, 1)


@pytest.mark.parametrize("way", ["generate", "native"])
def test_a_caller_that_is_killed_comes_back_on_another_machine(service: Service, google: Google, way: str):
    google.seconds = 1.5
    with pytest.raises(requests.Timeout):
        getattr(service, way)(0, key="gone", timeout=0.5)
    answer = getattr(service, way)(1, key="gone", timeout=30)
    assert answer.status_code == 200
    assert (google.asked, google.sold) == (1, 1)


def test_url_answers_keep_their_pictures(service: Service, google: Google):
    first = service.generate(0, key="url", json={"response_format": "url"})
    same(service.generate(1, key="url", json={"response_format": "url"}), first)
    assert requests.get(first.json()["data"][0]["url"], timeout=10).content == google.made[0]


def test_the_key_of_googles_sdk(one_machine: Service, google: Google):
    options = types.HttpOptions(base_url=one_machine.url(), headers={"Idempotency-Key": "genai"})
    client = genai.Client(api_key=one_machine.key, http_options=options)
    for _ in range(2):
        answer = client.models.generate_content(model=MODEL, contents="a cat")
        assert answer.parts and answer.parts[0].inline_data
        assert answer.parts[0].inline_data.data == google.made[0]
    assert google.asked == 1


def test_a_rate_limit_is_forgotten_and_a_picture_is_kept(service: Service, google: Google):
    google.first = [RATE_LIMITED, Answer(pictures.error(500, "INTERNAL", "Oh."), 500)]
    assert [service.generate(number, key="retry").status_code for number in range(4)] == [429, 500, 200, 200]
    assert (google.asked, google.sold) == (3, 1)


def test_a_refusal_is_kept(service: Service, google: Google):
    google.first = [Answer(pictures.refused())]
    first = service.generate(0, key="no")
    assert (first.status_code, first.json()["error"]["code"]) == (400, "moderation_blocked")
    same(service.generate(1, key="no"), first)
    assert google.asked == 1


@pytest.mark.parametrize("way", ["generate", "native"])
def test_an_answer_that_broke_off_is_an_error_for_good(service: Service, google: Google, way: str):
    google.first = [BROKEN]
    try:
        getattr(service, way)(0, key="broken")
    except requests.exceptions.ChunkedEncodingError:
        assert way == "native", "OpenAI answers begin when they are whole"
    again = getattr(service, way)(1, key="broken")
    assert (again.status_code, again.headers["x-should-retry"]) == (502, "false")
    assert "a new one makes a new purchase" in again.text
    assert google.asked == 1


@pytest.mark.parametrize(("way", "status"), [("generate", 422), ("native", 400)])
def test_another_request_with_the_same_key_is_refused(one_machine: Service, google: Google, way: str, status: int):
    one_machine.generate(key="used")
    one_machine.native(key="native")
    if way == "generate":
        answer = one_machine.generate(key="used", json={"prompt": "a dog"})
    else:
        answer = one_machine.native(key="native", params={"alt": "json"})
    assert answer.status_code == status
    assert google.asked == 2


def test_the_same_key_of_another_caller_is_another_purchase(one_machine: Service, google: Google):
    other = Service(one_machine.servers, google)
    assert one_machine.generate(key="mine").content != other.generate(key="mine").content
    assert google.asked == 2


@pytest.mark.parametrize("key", ["", "a" * 256, "with space", "k\u00e9y", '""'])
def test_a_key_that_is_none_is_refused(one_machine: Service, google: Google, key: str):
    answer = one_machine.generate(headers={"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert google.asked == 0


def kill_workers(service: Service) -> None:
    for pid in service.servers[0].workers():
        os.kill(pid, signal.SIGKILL)


def test_a_worker_that_is_killed_leaves_an_unknown_outcome_and_never_a_second_purchase(
    service: Service, google: Google
):
    google.seconds = 60
    with ThreadPoolExecutor(1) as pool:
        dying = pool.submit(lambda: service.generate(0, key="killed"))
        google.upstream.wait_for(1)
        kill_workers(service)
        assert isinstance(dying.exception(), requests.RequestException)
    google.seconds = 0.1
    for _ in range(2):
        answer = service.generate(1, key="killed", timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "outcome_unknown")
        assert answer.headers["x-should-retry"] == "false"
    assert google.asked == 1


def test_a_stop_waits_for_calls_whose_callers_are_gone(own_machine: Service, google: Google):
    google.seconds = 2
    [server] = own_machine.servers
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda number: leave(own_machine, number), range(50)))
    google.upstream.wait_for(50, 30)
    began = time.monotonic()
    server.terminate()
    assert server.exit_code(30) == 0
    assert time.monotonic() - began < 20
    assert (google.asked, google.sold) == (50, 50)
    database = Database(own_machine.database)
    with database.read() as connection:
        states = connection.execute(text("SELECT state, count(*) FROM purchases GROUP BY state")).all()
    database.close()
    assert list(map(tuple, states)) == [("done", 50)], "those who come back find their pictures"


def leave(service: Service, number: int) -> None:
    """A caller that goes away, with a key or with an SDK that counts its tries."""
    marks = {"key": f"key-{number}"} if number % 2 else {"headers": {"x-stainless-retry-count": "0"}}
    with pytest.raises(requests.RequestException):
        service.generate(**marks, json={"prompt": f"cat {number}"}, timeout=1.5)
