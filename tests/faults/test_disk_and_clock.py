"""A disk that is full, a store that is read-only or gone, a clock that jumps: a clean error, and no trace."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from app import create_app
from proxy.settings import Settings
from tests.end_to_end import pictures
from tests.end_to_end.proxy_server import ProxyServer
from tests.faults.calls import code, edit, generate, generate_content
from tests.faults.conftest import until
from tests.rig import Start
from tests.window.raw_upstream import RawUpstream, http_answer

HEAVY = pictures.heavy_png()
LIGHT = pictures.plain_png()
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(HEAVY)))
LIGHT_BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(LIGHT)))


def assert_not_stored(answer: requests.Response, server: ProxyServer) -> None:
    """A fault of ours that must not be bought again, and that tells no path."""
    assert code(answer)[0] == 500
    assert answer.headers["x-should-retry"] == "false"
    assert str(server.pictures) not in answer.text


@pytest.fixture(scope="module")
def small_disk(start: Start, google: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose disk takes no file of more than a megabyte."""
    configuration = str(Path(__file__).with_name("small_disk_gunicorn.conf.py"))
    return start(tmp_path_factory.mktemp("small_disk"), configuration, GEMINI_BASE_URL=google.url)


def test_a_full_disk_is_an_error_and_leaves_no_file(small_disk: ProxyServer, upstream: RawUpstream, key: str) -> None:
    upstream.answers(http_answer(BODY))
    for wishes in ({}, {"n": 2}):
        assert_not_stored(generate(small_disk, key, **wishes), small_disk)
    assert not list(small_disk.pictures.iterdir()), "half a picture was left behind"


def test_on_a_full_disk_what_needs_no_store_is_served(small_disk: ProxyServer, upstream: RawUpstream, key: str) -> None:
    upstream.answers(http_answer(BODY))
    answer = generate(small_disk, key, response_format="b64_json")
    assert answer.json()["data"][0]["b64_json"] == pictures.base64_of(HEAVY)
    assert generate_content(small_disk, key).content == BODY
    assert edit(small_disk, key, {"image": HEAVY}).status_code == 200, "a form is never spooled to the disk"
    upstream.answers(http_answer(LIGHT_BODY))
    assert requests.get(generate(small_disk, key).json()["data"][0]["url"], timeout=5).content == LIGHT


@pytest.fixture(scope="module")
def shaky(start: Start, google: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy whose store a test may take away."""
    return start(tmp_path_factory.mktemp("shaky"), GEMINI_BASE_URL=google.url)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may make a file in the folder, not even root."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
    elif not shutil.which("chattr") or subprocess.run(["chattr", "+i", folder], capture_output=True).returncode:
        pytest.skip("root may write everywhere here")
    try:
        yield
    finally:
        if os.geteuid() != 0:
            folder.chmod(0o755)
        else:
            subprocess.run(["chattr", "-i", folder], check=True)


def test_a_read_only_store_is_an_error_until_it_can_be_written_to(
    shaky: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    upstream.answers(http_answer(LIGHT_BODY))
    before = generate(shaky, key).json()["data"][0]["url"]
    with read_only(shaky.pictures):
        assert_not_stored(generate(shaky, key), shaky)
        assert generate(shaky, key, response_format="b64_json").status_code == 200
        assert requests.get(before, timeout=5).content == LIGHT, "what is stored can still be read"
    assert generate(shaky, key).status_code == 200


def test_a_store_that_disappears_is_an_error_or_made_anew_and_its_pictures_are_not_found(
    shaky: ProxyServer, upstream: RawUpstream, key: str
) -> None:
    upstream.answers(http_answer(LIGHT_BODY))
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


def test_a_file_in_the_place_of_the_store_is_an_error(shaky: ProxyServer, upstream: RawUpstream, key: str) -> None:
    upstream.answers(http_answer(LIGHT_BODY))
    shutil.rmtree(shaky.pictures, ignore_errors=True)
    shaky.pictures.write_bytes(b"")
    try:
        assert_not_stored(generate(shaky, key), shaky)
        assert requests.get(f"{shaky.url}/healthz", timeout=5).status_code == 200
    finally:
        shaky.pictures.unlink()
        shaky.pictures.mkdir()
    assert generate(shaky, key).status_code == 200


def test_a_picture_obeys_a_clock_that_jumps_and_no_call_does(
    tmp_path: Path, google: RawUpstream, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(image_store_url=str(tmp_path), gemini_base_url=google.url, image_ttl_seconds=60)
    app = create_app(settings)
    store, true_time, jump = app.extensions["twinlens"].store, time.time, 0.0
    monkeypatch.setattr(store, "clock", lambda: true_time() + jump)
    client, headers = app.test_client(), {"Authorization": "Bearer some-key"}
    upstream.answers(http_answer(LIGHT_BODY))

    def stored() -> str:
        answer = client.post("/v1/images/generations", json={"prompt": "a"}, headers=headers)
        return str(answer.json["data"][0]["url"]).removeprefix("http://localhost")

    name = stored()
    for far, status in ((30.0, 200), (61.0, 404), (-86400.0, 200), (0.0, 200)):
        jump = far
        assert client.get(name).status_code == status
    jump = 86400.0
    later = stored()
    assert client.get(later).data == LIGHT
    assert store.sweep() >= 1, "what expired in between is swept"
    assert client.get(later).status_code == 200
    jump = 0.0
    until(lambda: client.get(later).status_code == 200, "a picture whose clock was set back")
