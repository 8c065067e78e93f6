"""A bucket that hangs, dies, refuses or forbids while pictures are on their way: an error in time, once, and no trace.

Whoever needs no bucket is served meanwhile as if nothing were wrong.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from tests.support.upstream import Answer, ScriptedUpstream

SECRETS = ("the-id-of-the-key", "the-secret-of-the-key")
PICTURE = pictures.heavy_png()
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(PICTURE)))
ANSWER_SECONDS = 1.5  # the patience of impatient_store_gunicorn.conf.py
STORED = f"{int(time.time()) + 1000:08x}-{'A' * 32}.png"

pytestmark = pytest.mark.usefixtures("nothing_is_left")


Fault = Callable[[socket.socket], None] | None


def hangs(connection: socket.socket) -> None:
    """Takes all and answers nothing."""
    while connection.recv(65536):
        pass


def dies(connection: socket.socket) -> None:
    """Is gone in the midst of an upload."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def forbids(connection: socket.socket) -> None:
    """Refuses in S3's words, which repeat what was sent."""
    connection.recv(65536)
    body = f"<Error><Code>AccessDenied</Code><AWSAccessKeyId>{SECRETS[0]}</AWSAccessKeyId></Error>".encode()
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    connection.shutdown(socket.SHUT_WR)
    hangs(connection)


def breaks_off(connection: socket.socket) -> None:
    """Begins to hand out a picture."""
    connection.recv(65536)
    head = f"Content-Length: {len(PICTURE)}\r\nLast-Modified: Sat, 28 Nov 2026 00:00:00 GMT\r\n\r\n"
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + head.encode() + PICTURE[: len(PICTURE) // 2])


class Bucket:
    """What listens at the address of the bucket, and what it does to each connection; None is a refusal."""

    def __init__(self) -> None:
        self.does: Callable[[socket.socket], None] | None = dies
        self.port = 0
        self.listen()

    def listen(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(listener.accept()[0],), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        assert self.does
        with connection, contextlib.suppress(OSError):
            self.does(connection)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self.listener.close()

    @contextlib.contextmanager
    def doing(self, what: Callable[[socket.socket], None] | None) -> Iterator[None]:
        """It does this to whoever comes within the block."""
        self.does = what
        if what is None:
            self.close()
        try:
            yield
        finally:
            if what is None:
                self.listen()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """The bucket of all tests."""
    bucket = Bucket()
    yield bucket
    bucket.close()


@pytest.fixture(scope="module")
def server(bucket: Bucket, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy with two threads for its bucket, and a Google whose name has to be looked up."""
    environment = {
        "AWS_ACCESS_KEY_ID": SECRETS[0],
        "AWS_SECRET_ACCESS_KEY": SECRETS[1],
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{bucket.port}",
        "AWS_TIMEOUT": "500ms",
        "IMAGE_STORE_URL": "s3://pictures",
        "GEMINI_BASE_URL": google.url.replace("127.0.0.1", "localhost"),
    }
    configuration = str(Path(__file__).with_name("impatient_store_gunicorn.conf.py"))
    # Neither the credentials nor a name, which is the permission to see a picture, nor gevent's own trace, which is no
    # line of our log.
    with proxies(*SECRETS, "/pictures/", STORED, "ThreadPoolWorker") as start:
        server = start(tmp_path_factory.mktemp("bucket"), configuration, **environment)
        google.answers(Answer(BODY))
        generate(server, new_key())
        yield server


def assert_told(answer: requests.Response) -> None:
    """A fault of ours that must not be bought again, in time."""
    assert code(answer) == (500, "internal_error")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.elapsed.total_seconds() < ANSWER_SECONDS + 1


@pytest.mark.parametrize("wishes", [{}, {"n": 2}], ids=str)
@pytest.mark.parametrize("fault", [hangs, dies, forbids, None])
def test_a_picture_that_a_bucket_does_not_take_is_an_error_in_time(
    server: ProxyServer, bucket: Bucket, upstream: ScriptedUpstream, key: str, fault: Fault, wishes: dict[str, Any]
) -> None:
    upstream.answers(Answer(BODY))
    with bucket.doing(fault):
        assert_told(generate(server, key, **wishes))
    assert len(upstream.calls) == wishes.get("n", 1)


@pytest.mark.parametrize("fault", [dies, None])
def test_openais_sdk_does_not_buy_again_what_could_not_be_stored(
    server: ProxyServer, bucket: Bucket, upstream: ScriptedUpstream, key: str, fault: Fault
) -> None:
    upstream.answers(Answer(BODY))
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)
    with bucket.doing(fault), pytest.raises(openai.InternalServerError, match="could not be stored"):
        client.images.generate(prompt="a cat", response_format="url")
    assert len(upstream.calls) == 1


def test_while_a_bucket_hangs_everybody_else_is_served(
    server: ProxyServer, bucket: Bucket, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY, headers=[("Connection", "close")]))
    many = 15  # more than the threads of the bucket, and of gevent's own pool
    with bucket.doing(hangs), ThreadPoolExecutor(many) as pool:
        waiting = [pool.submit(generate, server, key) for _ in range(many)]
        upstream.wait_for(many)
        until(lambda: in_flight(server) == many, "callers who wait")
        started = time.monotonic()
        assert requests.get(f"{server.url}/healthz", timeout=5).ok
        picture = generate(server, key, response_format="b64_json").json()["data"][0]["b64_json"]
        assert picture == pictures.base64_of(PICTURE)
        assert generate_content(server, key).content == BODY
        made_anew = generate(server, key, response_format="b64_json", output_format="jpeg").json()
        assert made_anew["output_format"] == "jpeg"
        assert "event: image_generation.completed" in generate(server, key, stream=True).text
        assert time.monotonic() - started < 1.2
        assert not any(answer.done() for answer in waiting), "they were served after it, not meanwhile"
        for answer in waiting:
            assert_told(answer.result())


def test_who_hangs_up_while_a_bucket_hangs_gives_his_place_back(
    server: ProxyServer, bucket: Bucket, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY))
    body, headers = {"prompt": "a cat"}, {"Authorization": f"Bearer {key}"}
    with bucket.doing(hangs):
        with pytest.raises(requests.ReadTimeout):
            requests.post(server.url + GENERATIONS, json=body, headers=headers, timeout=0.5)
        until(lambda: in_flight(server) == 0, "a place", 0.5)


@pytest.mark.parametrize("fault", [hangs, dies, forbids, None])
def test_a_picture_that_a_bucket_does_not_hand_out_is_an_error_in_time(
    server: ProxyServer, bucket: Bucket, fault: Fault
) -> None:
    with bucket.doing(fault):
        assert_told(requests.get(f"{server.url}/images/{STORED}", timeout=10))


def test_a_picture_that_a_bucket_hands_out_in_part_is_cut(server: ProxyServer, bucket: Bucket) -> None:
    with bucket.doing(breaks_off), pytest.raises(CUT):
        requests.get(f"{server.url}/images/{STORED}", timeout=10)
