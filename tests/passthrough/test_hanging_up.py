"""When the caller goes away, the upstream sees its connection closed within a second, and the place is free again."""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.pictures.store import new_name
from tests.support import pictures
from tests.support.proxy_server import ProxyServer, Start
from tests.support.raw_caller import A_CAT, Reply, call, left_hanging, read_at_least
from tests.support.upstream import JSON, SILENCE, SSE, Answer, ScriptedUpstream, Wire, chunk, wait

MODEL = "gemini-2.5-flash-image"
SECONDS = 1.0
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(pictures.heavy_png())))
IN_THE_PICTURE = len(BODY) // 2
IMPATIENT = Path(__file__).parent.parent / "end_to_end" / "impatient_gunicorn.conf.py"


@pytest.fixture(scope="module")
def server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy with one worker and a place for one caller."""
    return start(tmp_path_factory.mktemp("hanging_up"), GEMINI_BASE_URL=google.url, MAX_IN_FLIGHT="1")


class Asked:
    """A path, a body, and how many calls upstream become of it."""

    def __init__(self, path: str, body: bytes, calls: int = 1, content_type: str = "application/json") -> None:
        self.path, self.body, self.calls, self.content_type = path, body, calls, content_type

    def headers(self, key: str) -> list[tuple[str, str]]:
        """One credential that both surfaces take, and the body's type."""
        return [("Authorization", f"Bearer {key}"), ("Content-Type", self.content_type)]


def generation(path: str = "/v1/images/generations", **parameters: object) -> Asked:
    """A call of OpenAI's surface."""
    return Asked(path, json.dumps({"prompt": "a cat", **parameters}).encode(), int(str(parameters.get("n", 1))))


def an_edit() -> Asked:
    """A form with a picture."""
    body = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nblue\r\n--x\r\n'
    body += b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body += pictures.plain_png(64, 64) + b"\r\n--x--\r\n"
    return Asked("/v1/images/edits", body, content_type="multipart/form-data; boundary=x")


ASKED = {
    "generateContent": Asked(f"/v1beta/models/{MODEL}:generateContent", A_CAT),
    "streamGenerateContent as events": Asked(f"/v1/models/{MODEL}:streamGenerateContent?alt=sse", A_CAT),
    "streamGenerateContent as an array": Asked(f"/v1beta/models/{MODEL}:streamGenerateContent", A_CAT),
    "countTokens": Asked(f"/v1beta/models/{MODEL}:countTokens", A_CAT),
    "a generation as base64": generation(response_format="b64_json"),
    "a generation as URL": generation(response_format="url"),
    "four generations": generation(n=4),
    "four generations as base64": generation(n=4, response_format="b64_json"),
    "a streamed generation": generation(stream=True),
    "four streamed generations": generation(stream=True, n=4),
    "an edit": an_edit(),
    "a generation below Google's own path": generation("/v1beta/openai/images/generations", response_format="b64_json"),
}
FLOWING = ("generateContent", "streamGenerateContent as events")  # the caller sees bytes
HELD = [name for name in ASKED if name not in (*FLOWING, "countTokens")]


def close(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close_half(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)


HangUp = Callable[[socket.socket], None]
HANG_UPS = pytest.mark.parametrize("hang_up", [close, reset, close_half])


def assert_the_next_is_served(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    """The one place is free."""
    upstream.answers(Answer(BODY))
    until = time.monotonic() + SECONDS
    reply: Reply | None = None
    while reply is None or (reply.status == 503 and time.monotonic() < until):
        reply = call(server, f"/v1beta/models/{MODEL}:generateContent", A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.body) == (200, BODY)


@HANG_UPS
@pytest.mark.parametrize("name", ASKED)
def test_hanging_up_before_an_answer_ends_every_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, hang_up: HangUp
) -> None:
    asked = ASKED[name]
    upstream.answers(SILENCE)
    with left_hanging(server, asked.path, asked.body, asked.headers(key)) as connection:
        requests = upstream.wait_for(asked.calls)
        time.sleep(0.05)
        assert not any(request.gone.is_set() for request in requests)
        hung_up_at = time.monotonic()
        hang_up(connection)
        for request in requests:
            assert request.end_within(SECONDS, since=hung_up_at) < SECONDS
    assert len(upstream.calls) == asked.calls, "what was given up is not asked for again"
    assert_the_next_is_served(server, upstream, key)


@HANG_UPS
@pytest.mark.parametrize("name", FLOWING)
def test_hanging_up_within_a_picture_ends_the_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, hang_up: HangUp
) -> None:
    asked = ASKED[name]
    content_type = SSE if "events" in name else JSON
    upstream.answers(Answer(BODY, content_type=content_type, cut_after=IN_THE_PICTURE, then=wait))
    with left_hanging(server, asked.path, asked.body, asked.headers(key)) as connection:
        (request,) = upstream.wait_for(1)
        read_at_least(connection, IN_THE_PICTURE // 2)
        assert not request.gone.is_set()
        hung_up_at = time.monotonic()
        hang_up(connection)
        assert request.end_within(SECONDS, since=hung_up_at) < SECONDS
    assert_the_next_is_served(server, upstream, key)


@HANG_UPS
@pytest.mark.parametrize("name", HELD)
def test_hanging_up_while_a_picture_is_held_ends_every_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, hang_up: HangUp
) -> None:
    asked = ASKED[name]
    upstream.answers(Answer(BODY, cut_after=IN_THE_PICTURE, then=wait))
    with left_hanging(server, asked.path, asked.body, asked.headers(key)) as connection:
        requests = upstream.wait_for(asked.calls)
        time.sleep(0.2)
        hung_up_at = time.monotonic()
        hang_up(connection)
        for request in requests:
            assert request.end_within(SECONDS, since=hung_up_at) < SECONDS
    assert_the_next_is_served(server, upstream, key)
    assert not list(server.pictures.rglob("*.part")), "half a picture was left behind"


@pytest.mark.parametrize("hang_up", [close, reset])
def test_a_caller_that_stops_reading_and_then_hangs_up_ends_the_call_upstream(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, hang_up: HangUp
) -> None:
    asked = ASKED["generateContent"]
    upstream.answers(Answer(BODY * 20))
    with left_hanging(server, asked.path, asked.body, asked.headers(key), receive_buffer=4096) as connection:
        (request,) = upstream.wait_for(1)
        read_at_least(connection, 1)
        time.sleep(0.5)
        assert request.sent < len(BODY) * 20
        hung_up_at = time.monotonic()
        hang_up(connection)
        assert request.end_within(SECONDS, since=hung_up_at) < SECONDS
    assert_the_next_is_served(server, upstream, key)


def test_two_of_four_pictures_do_not_extend_the_time_of_the_others(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    asked = ASKED["four generations"]
    upstream.answers(Answer(BODY), Answer(BODY), SILENCE)
    with left_hanging(server, asked.path, asked.body, asked.headers(key)):
        requests = upstream.wait_for(4)
        time.sleep(0.3)
        hung_up_at = time.monotonic()
    silent = [request for request in requests if not request.sent]
    assert len(silent) == 2
    for request in silent:
        assert request.end_within(SECONDS, since=hung_up_at) < SECONDS
    assert_the_next_is_served(server, upstream, key)


def test_a_caller_that_sends_its_next_request_early_has_not_hung_up(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    asked = ASKED["generateContent"]
    upstream.answers(Answer(BODY))
    with left_hanging(server, asked.path, asked.body, asked.headers(key)) as connection:
        head = f"POST {asked.path} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {key}\r\nContent-Length: {len(A_CAT)}\r\n\r\n"
        connection.sendall(head.encode() + A_CAT)
        received = b""
        while received.count(b"0\r\n\r\n") < 2:
            received += read_at_least(connection, 1)
    assert received.count(b"HTTP/1.1 200") == 2


def test_fifty_hang_ups_leave_nothing_behind(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(SILENCE)
    asked = ASKED["generateContent"]
    for number in range(1, 51):
        with left_hanging(server, asked.path, asked.body, asked.headers(key)):
            *_, request = upstream.wait_for(number)
        assert request.gone.wait(SECONDS)
    assert_the_next_is_served(server, upstream, key)
    assert "Traceback" not in server.output()


@pytest.fixture(scope="module")
def impatient_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """The same, and a caller has a second to read what was sent."""
    folder = tmp_path_factory.mktemp("impatient")
    environment = {"GEMINI_BASE_URL": google.url, "MAX_IN_FLIGHT": "1", "IMAGE_STORE_URL": str(folder)}
    return start(folder, str(IMPATIENT), **environment)


@pytest.mark.parametrize("name", FLOWING)
def test_a_caller_that_reads_nothing_is_dropped(
    impatient_server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
):
    asked = ASKED[name]
    upstream.answers(lambda _: Wire(without_end(BODY[:IN_THE_PICTURE])))
    with left_hanging(impatient_server, asked.path, asked.body, asked.headers(key), receive_buffer=64 * 1024) as caller:
        (request,) = upstream.wait_for(1)
        assert request.gone.wait(8), "the upstream was still asked for more"
        assert_the_next_is_served(impatient_server, upstream, key)
        assert rest_until_the_reset(caller) < 10_000_000
    assert "too slow to read it" in impatient_server.output()


def test_a_caller_that_reads_nothing_of_a_stored_picture_is_dropped(impatient_server: ProxyServer):
    name = new_name("image/png", int(time.time()) + 60)
    with (Path(impatient_server.environment["IMAGE_STORE_URL"]) / name).open("wb") as file:
        file.truncate(50_000_000)
    asked = f"GET /images/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", impatient_server.port)) as caller:
        caller.sendall(asked)
        time.sleep(3)
        assert rest_until_the_reset(caller) < 50_000_000
    assert name not in impatient_server.output(), "a name is a permission"


def rest_until_the_reset(caller: socket.socket) -> int:
    """How many bytes can still be read before the connection is reset."""
    received = 0
    try:
        while piece := caller.recv(1024 * 1024):
            received += len(piece)
    except ConnectionResetError:
        return received
    pytest.fail("the answer ended as if it were whole")


def without_end(begin: bytes) -> Iterator[bytes]:
    """An answer whose picture goes on and on."""
    yield Answer(content_type=JSON).head()
    yield chunk(begin)
    while True:
        yield chunk(b"AAAA" * 16 * 1024)
