"""A worker that is killed, a server that is stopped or reloaded, all of it while callers wait."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.end_to_end import pictures
from tests.end_to_end.proxy_server import ProxyServer
from tests.faults.calls import generate, generate_content
from tests.faults.conftest import in_flight, unfinished, until, workers
from tests.window.raw_upstream import RawAnswer, RawRequest, RawUpstream, http_answer

PICTURE = pictures.plain_png()
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(PICTURE)))
HEAVY = pictures.heavy_png()
HEAVY_BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(HEAVY)))


@pytest.fixture
def mortal(google: RawUpstream, tmp_path: Path) -> Iterator[ProxyServer]:
    """A proxy with two workers that a test may stop."""
    with ProxyServer(tmp_path, GEMINI_BASE_URL=google.url, WEB_CONCURRENCY="2") as server:
        yield server


class HeldAnswers:
    """Every answer waits until the test lets it go."""

    def __init__(self, upstream: RawUpstream, body: bytes = BODY):
        self.let_go = threading.Event()
        self.body = body
        upstream.answers(self.answer)

    def answer(self, _: RawRequest) -> RawAnswer:
        self.let_go.wait(30)
        return http_answer(self.body)


def ask(server: ProxyServer, key: str, number: int) -> bytes:
    """A picture by one of three ways, in turns. Raises what the caller would see."""
    if number % 3 == 0:
        answer = generate_content(server, key)
        answer.raise_for_status()
        return answer.content
    answer = generate(server, key, response_format=("url", "b64_json")[number % 3 - 1])
    answer.raise_for_status()
    item = answer.json()["data"][0]
    return (item.get("url") or item["b64_json"]).encode()


def seen(callers: list[Future[bytes]]) -> tuple[list[bytes], list[BaseException]]:
    """Answers and errors, when all callers have one."""
    errors = [error for caller in callers if (error := caller.exception(40))]
    return [caller.result() for caller in callers if not caller.exception()], errors


def test_sigterm_with_200_calls_in_flight_answers_them_all_and_exits_with_0(
    mortal: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    held = HeldAnswers(upstream)
    with ThreadPoolExecutor(200) as pool:
        callers = [pool.submit(ask, mortal, key, number) for number in range(200)]
        upstream.wait_for(200, 40)
        mortal.terminate()
        time.sleep(1)
        held.let_go.set()
        answers, errors = seen(callers)
    assert not errors
    assert len(answers) == 200
    assert {answer for answer in answers if not answer.startswith(b"http")} == {
        BODY,
        pictures.base64_of(PICTURE).encode(),
    }
    urls = [answer.decode() for answer in answers if answer.startswith(b"http")]
    files = [mortal.pictures / url.rpartition("/")[2] for url in urls]
    assert [file.read_bytes() == PICTURE for file in files] == [True] * 67, "each announced picture is there, whole"
    assert mortal.exit_code(10) == 0
    assert not mortal.has_left_processes()
    assert not unfinished(mortal)
    assert "Traceback" not in mortal.output()


def test_sighup_under_load_costs_no_call(mortal: ProxyServer, upstream: RawUpstream, key: str) -> None:
    old = workers(mortal)
    held = HeldAnswers(upstream)
    with ThreadPoolExecutor(40) as pool:
        callers = [pool.submit(ask, mortal, key, number) for number in range(20)]
        upstream.wait_for(20, 40)
        assert mortal.process
        mortal.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        callers += [pool.submit(ask, mortal, key, number) for number in range(20)]
        upstream.wait_for(40, 40)
        held.let_go.set()
        answers, errors = seen(callers)
    assert not errors
    assert len(answers) == 40
    until(lambda: not set(old) & set(workers(mortal)), "old workers", 30)
    until(lambda: len(workers(mortal)) == 2, "new workers", 30)
    assert len(ask(mortal, key, 0)) == len(BODY)
    until(lambda: in_flight(mortal) == 0, "places in flight")
    assert "Traceback" not in mortal.output()


def test_a_worker_that_is_killed_takes_only_its_own_calls_with_it(
    mortal: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    held = HeldAnswers(upstream, HEAVY_BODY)
    with ThreadPoolExecutor(40) as pool:
        callers = [pool.submit(ask, mortal, key, number) for number in range(40)]
        upstream.wait_for(40, 40)
        victim, survivor = workers(mortal)
        os.kill(victim, signal.SIGKILL)
        time.sleep(0.3)
        held.let_go.set()
        answers, errors = seen(callers)
        assert all(isinstance(error, requests.ConnectionError) for error in errors), errors
        assert answers or len(errors) == 40, "the other worker goes on, if it had any of them"
        for url in (answer.decode() for answer in answers if answer.startswith(b"http")):
            assert requests.get(url, timeout=5).content == HEAVY, "a picture that was announced is there, whole"
        until(lambda: len(workers(mortal)) == 2 and victim not in workers(mortal), "a gap among the workers", 30)
        assert survivor in workers(mortal)
        again = [pool.submit(ask, mortal, key, number) for number in range(20)]
        answers, errors = seen(again)
    assert not errors
    assert len(answers) == 20
    until(lambda: in_flight(mortal) == 0, "places of the killed worker")


def test_a_worker_that_is_killed_in_the_midst_of_a_picture_shortens_none(
    mortal: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    upstream.answers(http_answer(HEAVY_BODY, only=len(HEAVY_BODY) // 2))
    with ThreadPoolExecutor(6) as pool:
        callers = [pool.submit(ask, mortal, key, number) for number in range(6)]
        upstream.wait_for(6, 40)
        time.sleep(0.3)
        for worker in workers(mortal):
            os.kill(worker, signal.SIGKILL)
        answers, errors = seen(callers)
    assert not answers
    assert len(errors) == 6
    until(lambda: len(workers(mortal)) == 2, "a gap among the workers", 30)
    upstream.answers(http_answer(HEAVY_BODY))
    assert ask(mortal, key, 0) == HEAVY_BODY
    assert not [path for path in mortal.pictures.iterdir() if path.suffix == ".png"], "half a picture has a name"
