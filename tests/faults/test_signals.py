"""A worker that is killed, a server that is stopped or reloaded, all of it while callers wait."""

import base64
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
import requests
from google import genai

from tests.faults.calls import MODEL, generate, generate_content
from tests.support import pictures
from tests.support.leftovers import Leftovers, in_flight, unfinished, until
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import SSE, Answer, Call, ScriptedUpstream, Wire, wait

PICTURE = pictures.plain_png()
HEAVY = pictures.heavy_png()
DRAWN = {picture: pictures.drawn(pictures.picture_part(picture)) for picture in (PICTURE, HEAVY)}
BODIES = {pictures.as_google_writes(body): picture for picture, body in DRAWN.items()}
BODY, HEAVY_BODY = BODIES


@pytest.fixture
def mortal(google: ScriptedUpstream, tmp_path: Path) -> Iterator[ProxyServer]:
    """A proxy with two workers that a test may stop."""
    with ProxyServer(tmp_path, GEMINI_BASE_URL=google.url, WEB_CONCURRENCY="2") as server:
        yield server


class HeldAnswers:
    """Every answer waits until the test lets it go."""

    def __init__(self, upstream: ScriptedUpstream, picture: bytes = PICTURE):
        self.let_go = threading.Event()
        self.picture = picture
        upstream.answers(self.answer)

    def answer(self, request: Call) -> Wire:
        self.let_go.wait(30)
        last = [("Connection", "close")]  # so that no idle connection is counted among what is left over
        if "alt=sse" in request.target:
            return Answer(pictures.as_events(DRAWN[self.picture]), content_type=SSE, headers=last)
        return Answer(pictures.as_google_writes(DRAWN[self.picture]), headers=last)


# Ways to ask for pictures. Each raises what its caller would see.


def natively(server: ProxyServer, key: str) -> list[bytes]:
    answer = generate_content(server, key)
    answer.raise_for_status()
    return [BODIES[answer.content]]


def by_url(server: ProxyServer, key: str) -> list[bytes]:
    answer = generate(server, key, response_format="url")
    answer.raise_for_status()
    name = answer.json()["data"][0]["url"].rpartition("/")[2]
    return [(server.pictures / name).read_bytes()]


def as_base64(server: ProxyServer, key: str, **parameters: int) -> list[bytes]:
    answer = generate(server, key, response_format="b64_json", **parameters)
    answer.raise_for_status()
    return [base64.b64decode(item["b64_json"], validate=True) for item in answer.json()["data"]]


def two_at_once(server: ProxyServer, key: str) -> list[bytes]:
    return as_base64(server, key, n=2)


def as_a_stream(server: ProxyServer, key: str) -> list[bytes]:
    answer = generate(server, key, stream=True)
    answer.raise_for_status()
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return [base64.b64decode(event["b64_json"], validate=True) for event in events]


def with_openais_sdk(server: ProxyServer, key: str) -> list[bytes]:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    answer = client.images.generate(prompt="a cat", response_format="b64_json")
    return [base64.b64decode(item.b64_json or "") for item in answer.data or []]


def with_openais_sdk_as_a_stream(server: ProxyServer, key: str) -> list[bytes]:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    events = client.images.generate(prompt="a cat", stream=True)
    return [base64.b64decode(event.b64_json) for event in events if event.type == "image_generation.completed"]


def with_googles_sdk(server: ProxyServer, key: str) -> list[bytes]:
    client = genai.Client(api_key=key, http_options={"base_url": server.url})
    answer = client.models.generate_content(model=MODEL, contents="a cat")
    return [part.inline_data.data for part in answer.parts or [] if part.inline_data and part.inline_data.data]


def with_googles_sdk_as_a_stream(server: ProxyServer, key: str) -> list[bytes]:
    client = genai.Client(api_key=key, http_options={"base_url": server.url})
    chunks = client.models.generate_content_stream(model=MODEL, contents="a cat")
    parts = [part for chunk in chunks for part in chunk.parts or []]
    return [part.inline_data.data for part in parts if part.inline_data and part.inline_data.data]


Way = Callable[[ProxyServer, str], list[bytes]]
PLAIN_WAYS: list[Way] = [natively, by_url, as_base64]
OPENAIS_SDK: list[Way] = [with_openais_sdk, with_openais_sdk_as_a_stream]
GOOGLES_SDK: list[Way] = [with_googles_sdk, with_googles_sdk_as_a_stream]
ALL_WAYS = [*PLAIN_WAYS, two_at_once, as_a_stream, *OPENAIS_SDK, *GOOGLES_SDK]

Asked = Future[list[bytes]]


def ask(pool: ThreadPoolExecutor, server: ProxyServer, key: str, count: int, ways: list[Way]) -> list[Asked]:
    """So many callers, who ask in these ways by turns."""
    return [pool.submit(ways[number % len(ways)], server, key) for number in range(count)]


def outcome_of(callers: list[Asked]) -> tuple[list[bytes], list[BaseException]]:
    """Pictures and errors, when all callers have one."""
    errors = [error for caller in callers if (error := caller.exception(40))]
    return [picture for caller in callers if not caller.exception() for picture in caller.result()], errors


@pytest.mark.parametrize(
    ("count", "calls", "ways", "picture"),
    [(200, 200, PLAIN_WAYS, PICTURE), (36, 40, ALL_WAYS, HEAVY)],  # 40 for those who ask for two at once
    ids=["200 calls", "calls of every kind"],
)
def test_sigterm_with_calls_in_flight_answers_them_all_and_exits_with_0(
    mortal: ProxyServer, upstream: ScriptedUpstream, key: str, count: int, calls: int, ways: list[Way], picture: bytes
) -> None:
    held = HeldAnswers(upstream, picture)
    with ThreadPoolExecutor(count) as pool:
        callers = ask(pool, mortal, key, count, ways)
        upstream.wait_for(calls, 40)
        mortal.terminate()
        time.sleep(1)
        held.let_go.set()
        drawn, errors = outcome_of(callers)
    assert not errors
    assert drawn == [picture] * calls
    assert mortal.exit_code(10) == 0
    assert len(upstream.calls) == calls
    assert not mortal.has_left_processes()
    assert not unfinished(mortal)
    assert "Traceback" not in mortal.output()


def test_sighup_under_load_costs_no_call(
    mortal: ProxyServer, upstream: ScriptedUpstream, key: str, nothing_is_left: Leftovers
) -> None:
    nothing_is_left.kept = 40
    with ThreadPoolExecutor(36) as pool:
        upstream.answers(Answer(BODY))
        outcome_of(ask(pool, mortal, key, 8, PLAIN_WAYS))
        old = mortal.workers()
        held = HeldAnswers(upstream)
        callers = ask(pool, mortal, key, 18, ALL_WAYS)
        upstream.wait_for(20, 40)
        assert mortal.process
        mortal.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        callers += ask(pool, mortal, key, 18, ALL_WAYS)
        upstream.wait_for(40, 40)
        held.let_go.set()
        drawn, errors = outcome_of(callers)
    assert not errors
    assert drawn == [PICTURE] * 40
    assert len(upstream.calls) == 40
    until(lambda: not set(old) & set(mortal.workers()), "old workers", 30)
    until(lambda: len(mortal.workers()) == 2, "new workers", 30)
    assert natively(mortal, key) == [PICTURE]
    assert "Traceback" not in mortal.output()


def test_only_calls_of_the_worker_that_is_killed_fail(
    mortal: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    held = HeldAnswers(upstream, HEAVY)
    with ThreadPoolExecutor(40) as pool:
        callers = ask(pool, mortal, key, 40, PLAIN_WAYS)
        upstream.wait_for(40, 40)
        victim, survivor = mortal.workers()
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.3)
        held.let_go.set()
        drawn, errors = outcome_of(callers)
        assert all(isinstance(error, requests.ConnectionError) for error in errors), errors
        assert drawn or len(errors) == 40, "the other worker goes on, if it had any of them"
        assert drawn == [HEAVY] * (40 - len(errors)), "a picture that was announced is there, whole"
        until(lambda: len(mortal.workers()) == 2 and victim not in mortal.workers(), "a gap among the workers", 30)
        assert survivor in mortal.workers()
        drawn, errors = outcome_of(ask(pool, mortal, key, 20, PLAIN_WAYS))
    assert not errors
    assert drawn == [HEAVY] * 20
    until(lambda: in_flight(mortal) == 0, "places of the killed worker")


def kill_all(server: ProxyServer) -> None:
    """Ends every worker as a lack of memory does. The master starts others."""
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)


def test_a_worker_that_is_killed_within_a_picture_shortens_none(
    mortal: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(HEAVY_BODY, cut_after=len(HEAVY_BODY) // 2, then=wait))
    with ThreadPoolExecutor(6) as pool:
        callers = ask(pool, mortal, key, 6, PLAIN_WAYS)
        upstream.wait_for(6, 40)
        time.sleep(0.3)
        kill_all(mortal)
        drawn, errors = outcome_of(callers)
    assert not drawn
    assert len(errors) == 6
    until(lambda: len(mortal.workers()) == 2, "a gap among the workers", 30)
    upstream.answers(Answer(HEAVY_BODY))
    assert natively(mortal, key) == [HEAVY]
    assert not list(mortal.pictures.iterdir()), "a picture has a name only when it is whole"


@pytest.mark.parametrize("in_the_picture", [False, True], ids=["before the answer", "in the picture"])
def test_calls_of_a_killed_worker_are_retried_by_openais_sdk_only(
    mortal: ProxyServer, upstream: ScriptedUpstream, in_the_picture: bool
) -> None:
    """A connection that breaks has no header that forbids a retry: README, "What it does not do"."""
    held = HeldAnswers(upstream, HEAVY)
    if in_the_picture:
        upstream.answers(*[Answer(HEAVY_BODY, cut_after=len(HEAVY_BODY) // 2, then=wait)] * 4, held.answer)
    ways = [*OPENAIS_SDK, *GOOGLES_SDK]
    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(way, mortal, f"a-key-{number}") for number, way in enumerate(ways)]
        upstream.wait_for(4, 40)
        time.sleep(0.3)
        kill_all(mortal)
        held.let_go.set()
        drawn, errors = outcome_of(callers)
    assert drawn == [HEAVY] * 2, "both calls of OpenAI's SDK"
    assert [type(error).__name__ for error in errors] == ["RemoteProtocolError"] * 2, "what Google's SDK passes on"
    bought = Counter(request.all("x-goog-api-key")[0] for request in upstream.calls)
    assert bought == {"a-key-0": 2, "a-key-1": 2, "a-key-2": 1, "a-key-3": 1}
