"""A bucket that hangs, dies, refuses or forbids while pictures are on their way: an error in time, once, and no trace.

Calls that need no bucket are served meanwhile.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.faults.calls import CUT, GENERATIONS, code, generate, generate_content
from tests.support import pictures
from tests.support.keys import new_key
from tests.support.leftovers import in_flight, until
from tests.support.proxy_server import ProxyServer, proxies
from tests.support.upstream import SILENCE, Answer, ScriptedUpstream, Wire, and_hang_up, hang_up, head, reset

SECRETS = ("the-id-of-the-key", "the-secret-of-the-key")
PICTURE = pictures.heavy_png()
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(PICTURE)))
ANSWER_SECONDS = 1.5  # the timeout of impatient_store_gunicorn.conf.py
RANDOM_PART = "A" * 32  # of the name of a stored picture

pytestmark = pytest.mark.usefixtures("nothing_is_left")


DENIED = f"<Error><Code>AccessDenied</Code><AWSAccessKeyId>{SECRETS[0]}</AWSAccessKeyId></Error>".encode()
HALF_A_PICTURE = head(
    "200 OK",
    f"Content-Length: {len(PICTURE)}",
    "Last-Modified: Sat, 28 Nov 2026 00:00:00 GMT",
    content_type="image/png",
)
FAULTS: dict[str, Wire | Answer | None] = {
    "hangs": SILENCE,
    "dies during an upload": Wire(then=reset, early=True),
    "forbids, in words that repeat what was sent": Answer(
        DENIED, 403, "application/xml", [("Connection", "close")], then=hang_up
    ),
    "refuses connections": None,
}


@contextmanager
def fault(bucket: ScriptedUpstream, name: str) -> Iterator[None]:
    """The bucket has this fault within the block."""
    if (answer := FAULTS[name]) is None:
        with bucket.away():
            yield
    else:
        bucket.answers(answer)
        yield


@pytest.fixture(scope="module")
def bucket() -> Iterator[ScriptedUpstream]:
    """What listens at the address of the bucket."""
    with ScriptedUpstream() as bucket:
        yield bucket


@pytest.fixture
def stored() -> str:
    """The name of a picture that has not expired."""
    return f"{int(time.time()) + 1000:08x}-{RANDOM_PART}.png"


@pytest.fixture(scope="module")
def server(
    bucket: ScriptedUpstream, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyServer]:
    """A proxy with two threads for its bucket, and a Google whose name has to be looked up."""
    environment = {
        "AWS_ACCESS_KEY_ID": SECRETS[0],
        "AWS_SECRET_ACCESS_KEY": SECRETS[1],
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket.port}",
        "AWS_TIMEOUT": "500ms",
        "IMAGE_STORE_URL": "s3://the-bucket",
        "GEMINI_BASE_URL": google.url.replace("127.0.0.1", "localhost"),
    }
    configuration = str(Path(__file__).with_name("impatient_store_gunicorn.conf.py"))
    # Neither the credentials nor a name, which is the permission to see a picture, nor gevent's own trace, which is no
    # line of our log.
    with proxies(*SECRETS, "/the-bucket/", RANDOM_PART, "ThreadPoolWorker") as start:
        server = start(tmp_path_factory.mktemp("bucket"), configuration, **environment)
        google.answers(Answer(BODY))
        generate(server, new_key())
        yield server


def assert_not_stored(answer: requests.Response) -> None:
    """A fault of ours that must not be bought again, in time."""
    assert code(answer) == (500, "internal_error")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.elapsed.total_seconds() < ANSWER_SECONDS + 1


@pytest.mark.parametrize("parameters", [{}, {"n": 2}], ids=str)
@pytest.mark.parametrize("name", FAULTS)
def test_a_picture_that_a_bucket_does_not_take_is_an_error_in_time(
    server: ProxyServer,
    bucket: ScriptedUpstream,
    upstream: ScriptedUpstream,
    key: str,
    name: str,
    parameters: dict[str, Any],
) -> None:
    upstream.answers(Answer(BODY))
    with fault(bucket, name):
        assert_not_stored(generate(server, key, **parameters))
    assert len(upstream.calls) == parameters.get("n", 1)


@pytest.mark.parametrize("name", ["dies during an upload", "refuses connections"])
def test_openais_sdk_does_not_retry_when_a_picture_could_not_be_stored(
    server: ProxyServer, bucket: ScriptedUpstream, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    upstream.answers(Answer(BODY))
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    with fault(bucket, name), pytest.raises(openai.InternalServerError, match="could not be stored"):
        client.images.generate(prompt="a cat", response_format="url")
    assert len(upstream.calls) == 1


def test_other_calls_are_served_while_a_bucket_hangs(
    server: ProxyServer, bucket: ScriptedUpstream, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY, headers=[("Connection", "close")]))
    many = 15  # more than the threads of the bucket, and of gevent's own pool
    with fault(bucket, "hangs"), ThreadPoolExecutor(many) as pool:
        waiting = [pool.submit(generate, server, key) for _ in range(many)]
        upstream.wait_for(many)
        until(lambda: in_flight(server) == many, "callers who wait")
        started = time.monotonic()
        assert requests.get(f"{server.url}/healthz", timeout=5).ok
        picture = generate(server, key, response_format="b64_json").json()["data"][0]["b64_json"]
        assert picture == pictures.base64_of(PICTURE)
        assert generate_content(server, key).content == BODY
        jpeg = generate(server, key, response_format="b64_json", output_format="jpeg").json()
        assert jpeg["output_format"] == "jpeg"
        assert "event: image_generation.completed" in generate(server, key, stream=True).text
        assert time.monotonic() - started < 1.2
        assert not any(answer.done() for answer in waiting), "they were served after it, not meanwhile"
        for answer in waiting:
            assert_not_stored(answer.result())


def test_hanging_up_while_a_bucket_hangs_ends_the_call(
    server: ProxyServer, bucket: ScriptedUpstream, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY))
    body, headers = {"prompt": "a cat"}, {"Authorization": f"Bearer {key}"}
    with fault(bucket, "hangs"):
        with pytest.raises(requests.ReadTimeout):
            requests.post(server.url + GENERATIONS, json=body, headers=headers, timeout=0.5)
        until(lambda: in_flight(server) == 0, "a place", 0.5)


@pytest.mark.parametrize("name", FAULTS)
def test_a_picture_that_a_bucket_does_not_hand_out_is_an_error_in_time(
    server: ProxyServer, bucket: ScriptedUpstream, stored: str, name: str
) -> None:
    with fault(bucket, name):
        assert_not_stored(requests.get(f"{server.url}/images/{stored}", timeout=10))


def test_a_picture_that_a_bucket_hands_out_in_part_is_cut(
    server: ProxyServer, bucket: ScriptedUpstream, stored: str
) -> None:
    bucket.answers(and_hang_up(HALF_A_PICTURE, PICTURE[: len(PICTURE) // 2]))
    with pytest.raises(CUT):
        requests.get(f"{server.url}/images/{stored}", timeout=10)
