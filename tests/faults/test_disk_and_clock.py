"""A disk that is full, a store that is read-only or gone, a clock that jumps: a clean error, and no trace."""

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
import requests

from app import create_app
from proxy.settings import Settings
from tests.faults.calls import code, edit, generate, generate_content
from tests.support import pictures
from tests.support.leftovers import Leftovers
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import JSON, Answer, Call, ScriptedUpstream, Wire, chunk

HEAVY = pictures.heavy_png()
LIGHT = pictures.plain_png()
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(HEAVY)))
LIGHT_BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(LIGHT)))

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def assert_not_stored(answer: requests.Response, server: ProxyServer) -> None:
    """An internal error that forbids a retry, and names no path."""
    assert code(answer)[0] == 500
    assert answer.headers["x-should-retry"] == "false"
    assert str(server.pictures) not in answer.text


@pytest.fixture(scope="module")
def small_disk(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose disk takes no file of more than a megabyte."""
    configuration = str(Path(__file__).with_name("small_disk_gunicorn.conf.py"))
    return start(tmp_path_factory.mktemp("small_disk"), configuration, GEMINI_BASE_URL=google.url)


def test_a_full_disk_is_an_error_and_leaves_no_file(
    small_disk: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY))
    for parameters in ({}, {"n": 2}):
        assert_not_stored(generate(small_disk, key, **parameters), small_disk)
    assert not list(small_disk.pictures.iterdir()), "half a picture was left behind"


def test_openais_sdk_does_not_retry_when_the_disk_is_full(
    small_disk: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY))
    client = openai.OpenAI(base_url=f"{small_disk.url}/v1", api_key=key)
    for parameters in ({}, {"n": 2}):
        with pytest.raises(openai.InternalServerError, match="could not be stored") as caught:
            client.images.generate(prompt="a cat", response_format="url", **parameters)
        assert caught.value.code == "internal_error"
    assert len(upstream.calls) == 3


def test_on_a_full_disk_what_needs_no_store_is_served(
    small_disk: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY))
    answer = generate(small_disk, key, response_format="b64_json")
    assert answer.json()["data"][0]["b64_json"] == pictures.base64_of(HEAVY)
    assert generate_content(small_disk, key).content == BODY
    assert edit(small_disk, key, {"image": HEAVY}).status_code == 200, "a form is never spooled to the disk"
    client = openai.OpenAI(base_url=f"{small_disk.url}/v1", api_key=key, max_retries=0)
    [event] = client.images.generate(prompt="a cat", stream=True)
    assert event.type == "image_generation.completed" and event.b64_json == pictures.base64_of(HEAVY)
    upstream.answers(Answer(LIGHT_BODY))
    assert requests.get(generate(small_disk, key).json()["data"][0]["url"], timeout=5).content == LIGHT


@pytest.fixture(scope="module")
def shaky(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose store a test may take away, and which is no mightier as root than as anybody else."""
    configuration = str(Path(__file__).with_name("bound_gunicorn.conf.py"))
    return start(tmp_path_factory.mktemp("shaky"), configuration, GEMINI_BASE_URL=google.url)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The proxy may make no file in the folder."""
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def test_a_read_only_store_is_an_error_until_it_can_be_written_to(
    shaky: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(LIGHT_BODY))
    before = generate(shaky, key).json()["data"][0]["url"]
    with read_only(shaky.pictures):
        assert_not_stored(generate(shaky, key), shaky)
        assert generate(shaky, key, response_format="b64_json").status_code == 200
        assert requests.get(before, timeout=5).content == LIGHT, "what is stored can still be read"
    assert generate(shaky, key).status_code == 200


def test_a_store_that_disappears_is_an_error_or_created_again_and_its_pictures_are_not_found(
    shaky: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(LIGHT_BODY))
    before = generate(shaky, key).json()["data"][0]["url"]
    shutil.rmtree(shaky.pictures)
    gone = requests.get(before, timeout=5)
    assert (gone.status_code, gone.headers["Content-Type"]) == (404, "application/json")
    answer = generate(shaky, key)
    if answer.status_code != 200:
        assert_not_stored(answer, shaky)
        shaky.pictures.mkdir()
        answer = generate(shaky, key)
    assert requests.get(answer.json()["data"][0]["url"], timeout=5).content == LIGHT


def test_a_file_in_the_place_of_the_store_is_an_error(shaky: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(Answer(LIGHT_BODY))
    shutil.rmtree(shaky.pictures, ignore_errors=True)
    shaky.pictures.write_bytes(b"")
    try:
        assert_not_stored(generate(shaky, key), shaky)
        assert requests.get(f"{shaky.url}/healthz", timeout=5).status_code == 200
    finally:
        shaky.pictures.unlink()
        shaky.pictures.mkdir()
    assert generate(shaky, key).status_code == 200


# A clock that jumps

DAY = 86400.0
TTL = 60


@pytest.fixture(scope="module")
def jumping(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose clock, master's and worker's, shows what `jump` says, and which waits a second for an answer."""
    configuration, folder = str(Path(__file__).with_name("jumping_gunicorn.conf.py")), tmp_path_factory.mktemp("clock")
    (folder / "jump").write_text("0")
    limits = {"UPSTREAM_TIMEOUT_SECONDS": "1", "IMAGE_TTL_SECONDS": str(TTL)}
    return start(folder, configuration, GEMINI_BASE_URL=google.url, **limits)


def jump(server: ProxyServer, seconds: float) -> None:
    """From now on the server's clock is so many seconds ahead of the true time."""
    (server.folder / "next").write_text(str(seconds))
    (server.folder / "next").rename(server.folder / "jump")


def status_of(url: str) -> int:
    return requests.get(url, timeout=5).status_code


@pytest.mark.parametrize("far", [DAY, -DAY], ids=["forward", "back"])
def test_a_call_in_flight_is_answered_though_the_clock_jumps(
    jumping: ProxyServer, upstream: ScriptedUpstream, key: str, far: float, nothing_is_left: Leftovers
) -> None:
    nothing_is_left.kept = 6
    let_go = threading.Event()

    def held(_: Call) -> Wire:
        let_go.wait(5)
        return Answer(LIGHT_BODY)

    jump(jumping, 0)
    upstream.answers(Answer(LIGHT_BODY))
    before = generate(jumping, key).json()["data"][0]["url"]
    upstream.answers(held)
    with ThreadPoolExecutor() as pool:
        by_url, two = pool.submit(generate, jumping, key), pool.submit(generate, jumping, key, n=2)
        flowing = pool.submit(generate, jumping, key, response_format="b64_json")
        stream, native = pool.submit(generate, jumping, key, stream=True), pool.submit(generate_content, jumping, key)
        upstream.wait_for(6)
        jump(jumping, far)
        assert status_of(before) == (404 if far > TTL else 200), "the picture does obey the clock"
        time.sleep(0.2)
        let_go.set()
        assert flowing.result().json()["data"][0]["b64_json"] == pictures.base64_of(LIGHT)
        assert pictures.base64_of(LIGHT) in stream.result().text
        assert native.result().content == LIGHT_BODY
        urls = [item["url"] for answer in (by_url, two) for item in answer.result().json()["data"]]
    assert len(urls) == 3
    assert [requests.get(url, timeout=5).content == LIGHT for url in urls] == [True] * 3

    # A picture lives for IMAGE_TTL_SECONDS by the clock that was there when it was stored.
    jump(jumping, far + TTL - 10)
    assert {status_of(url) for url in urls} == {200}
    jump(jumping, far + TTL + 1)
    assert {status_of(url) for url in urls} == {404}
    jump(jumping, 0)
    assert {status_of(url) for url in urls} == {200 if far > 0 else 404}


def dripping(_: Call) -> Wire:
    """An answer of which something comes all the time, so that only its limit as a whole can end it."""

    def send() -> Iterator[bytes]:
        yield Answer(content_type=JSON).head()
        for at in range(100):
            yield chunk(BODY[at : at + 1])
            time.sleep(0.05)

    return Wire(send())


@pytest.mark.parametrize("far", [DAY, -DAY], ids=["forward", "back"])
def test_a_clock_that_jumps_moves_no_limit(
    jumping: ProxyServer, upstream: ScriptedUpstream, key: str, far: float
) -> None:
    jump(jumping, 0)
    upstream.answers(dripping)
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(generate, jumping, key, **parameters) for parameters in ({}, {"n": 2})]
        upstream.wait_for(3)
        jump(jumping, far)
        answers = [call.result() for call in calls]
    for answer in answers:
        assert code(answer) == (504, "upstream_timeout")
        assert 0.9 < answer.elapsed.total_seconds() < 2.5


def test_the_sweep_obeys_a_clock_that_jumps(
    tmp_path: Path, google: ScriptedUpstream, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(image_store_url=str(tmp_path), gemini_base_url=google.url, image_ttl_seconds=TTL))
    store, true_time, ahead = app.extensions["twinlens"].store, time.time, 0.0
    monkeypatch.setattr(store, "clock", lambda: true_time() + ahead)
    client, headers = app.test_client(), {"Authorization": "Bearer some-key"}
    upstream.answers(Answer(LIGHT_BODY))

    def stored() -> str:
        answer = client.post("/v1/images/generations", json={"prompt": "a"}, headers=headers)
        return str(answer.json["data"][0]["url"]).removeprefix("http://localhost")

    earlier, ahead = stored(), DAY
    later = stored()
    assert store.sweep() == 1, "what expired in between is swept"
    assert [client.get(name).status_code for name in (earlier, later)] == [404, 200]
    ahead = 0.0
    assert store.sweep() == 0
    assert [client.get(name).status_code for name in (earlier, later)] == [404, 200], "it only lives longer"
