"""The HTTP client against a real socket: what it sends, what it makes of a bad answer, and what it never does."""

import gzip
import io
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from compat.errors import ApiError, Bought, ErrorKind
from proxy.upstream.client import Upstream
from tests.support.alarm_clock import AlarmLimit
from tests.support.processes import free_port
from tests.support.upstream import (
    Call,
    Script,
    ScriptedUpstream,
    Wire,
    and_hang_up,
    and_reset,
    and_wait_for_goodbye,
    chunk,
    chunked,
    head,
    http,
    read_call,
    reset,
    slowly,
    tls_server,
    upstream_that,
)

KEY = "AIzaSy-a-key-that-nobody-may-see"
PATH = "models/gemini-2.5-flash-image:generateContent"
BODY = b'{"contents": []}'
OK = http(b'{"ok": true}')


def client_of(url: str, **options: object) -> Upstream:
    return Upstream(f"{url}/v1beta", **{"timeout": 5, "max_answer_bytes": 1_000_000, "connections": 10, **options})


def ask(client: Upstream, key: str = KEY, **options: object) -> tuple[int, bytes]:
    """A whole call: status and body."""
    answer = client.call(PATH, BODY, key, **options)
    try:
        return answer.status, b"".join(answer.chunks)
    finally:
        answer.close()


def trouble_of(scene: Script, **options: object) -> tuple[ApiError, ScriptedUpstream]:
    """The error of a call with this script, and the upstream."""
    with upstream_that(scene) as upstream, pytest.raises(ApiError) as caught:
        ask(client_of(upstream.url, **options))
    return caught.value, upstream


# What is sent


def test_the_body_is_posted_byte_for_byte_to_the_operation():
    with upstream_that(OK) as upstream:
        assert ask(client_of(upstream.url)) == (200, b'{"ok": true}')
    [call] = upstream.calls
    assert call.request_line == f"POST /v1beta/{PATH} HTTP/1.1"
    assert call.body == BODY
    assert call.headers["content-type"] == "application/json"
    assert call.headers["accept-encoding"] == "identity"


def test_a_base_url_may_have_a_path_and_a_call_may_have_a_query():
    with upstream_that(OK) as upstream:
        ask(client_of(f"{upstream.url}/gemini"), query="alt=sse&x=%2F")
    assert upstream.calls[0].request_line == f"POST /gemini/v1beta/{PATH}?alt=sse&x=%2F HTTP/1.1"


def test_the_key_is_sent_as_x_goog_api_key_and_nowhere_else():
    with upstream_that(OK) as upstream:
        ask(client_of(upstream.url), headers={"user-agent": "an-sdk/1"})
    [call] = upstream.calls
    assert call.headers["x-goog-api-key"] == KEY
    assert (call.head + call.body).count(KEY.encode()) == 1
    assert not call.headers.keys() & {"authorization", "cookie", "proxy-authorization"}
    assert call.headers["user-agent"] == "an-sdk/1"


def test_a_header_of_the_caller_cannot_replace_the_key():
    with upstream_that(OK) as upstream:
        ask(client_of(upstream.url), headers={"x-goog-api-key": "another"})
    assert upstream.calls[0].headers["x-goog-api-key"] == KEY


def test_netrc_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\ndefault login c password d\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with upstream_that(OK) as upstream:
        ask(client_of(upstream.url))
    assert "authorization" not in upstream.calls[0].headers


def test_cookies_are_not_kept():
    with upstream_that(http(b"{}", "200 OK", "Set-Cookie: a=b; Path=/"), OK) as upstream:
        client = client_of(upstream.url)
        ask(client)
        ask(client)
    assert len(upstream.calls) == 2
    assert all("cookie" not in call.headers for call in upstream.calls)


def test_a_redirect_is_an_answer_and_is_not_followed():
    with upstream_that(OK) as elsewhere, upstream_that(http(b"", "307 T", f"Location: {elsewhere.url}/")) as upstream:
        assert ask(client_of(upstream.url)) == (307, b"")
    assert not elsewhere.calls
    assert len(upstream.calls) == 1


def test_proxies_of_the_environment_are_honoured(monkeypatch: pytest.MonkeyPatch):
    with upstream_that(OK) as http_proxy:
        monkeypatch.setenv("http_proxy", http_proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert ask(client_of("http://gemini.test"))[0] == 200
    assert http_proxy.calls[0].request_line == f"POST http://gemini.test/v1beta/{PATH} HTTP/1.1"


def test_exceptions_from_the_proxies_of_the_environment_are_honoured(monkeypatch: pytest.MonkeyPatch):
    with upstream_that(OK) as http_proxy, upstream_that(OK) as upstream:
        monkeypatch.setenv("http_proxy", http_proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        ask(client_of(upstream.url))
    assert len(upstream.calls) == 1
    assert not http_proxy.calls


def test_a_proxy_that_cannot_be_reached_has_sent_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(ApiError) as caught:
        ask(client_of("http://gemini.test"))
    assert (caught.value.kind, caught.value.bought) == (ErrorKind.UPSTREAM_BROKEN, Bought.NO)


@pytest.mark.parametrize(
    "key",
    [" leading", "in\nside", "end\n", "end\r", "in\r\nx-injected: yes", "한글", "€", "\udce9"],
    ids=ascii,
)
def test_a_key_that_no_header_can_hold_is_an_invalid_key(key: str):
    with upstream_that(OK) as upstream, pytest.raises(ApiError) as caught:
        ask(client_of(upstream.url), key=key)
    assert caught.value.kind is ErrorKind.INVALID_KEY
    assert key.strip() not in str(caught.value)
    assert not upstream.calls


@pytest.mark.parametrize("key", ["k", "with inner space", "ü", 'quote"and\\slash', "[key]"])
def test_any_key_that_a_header_can_hold_is_sent_as_it_is(key: str):
    with upstream_that(OK) as upstream:
        ask(client_of(upstream.url), key=key)
    assert upstream.calls[0].headers["x-goog-api-key"] == key


# What comes back


def test_headers_are_known_by_their_lower_case_names():
    with upstream_that(http(b"{}", "200 OK", "X-Gemini-Service-Tier: standard")) as upstream:
        answer = client_of(upstream.url).call(PATH, BODY, KEY)
        answer.close()
    assert answer.headers["x-gemini-service-tier"] == "standard"
    assert answer.content_type == "application/json"


@pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 429, 500, 503, 529])
def test_every_status_is_an_answer(status: int):
    with upstream_that(http(b"" if status == 204 else b"x", f"{status} S")) as upstream:
        assert ask(client_of(upstream.url))[0] == status
    assert len(upstream.calls) == 1, "an error must not be asked for twice"


def test_a_busy_upstream_is_not_asked_again_by_the_client_itself():
    with upstream_that(http(b"{}", "503 S", "Retry-After: 0"), OK) as upstream:
        assert ask(client_of(upstream.url))[0] == 503
    assert len(upstream.calls) == 1


def test_chunks_come_as_they_arrive():
    arrived = threading.Event()

    def pieces():
        yield head("200 OK", "Transfer-Encoding: chunked") + chunk(b"first")
        arrived.wait(5)
        yield chunk(b"second") + b"0\r\n\r\n"

    with upstream_that(Wire(pieces())) as upstream:
        answer = client_of(upstream.url).call(PATH, BODY, KEY)
        assert next(answer.chunks) == b"first"
        arrived.set()
        assert list(answer.chunks) == [b"second"]


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_a_compressed_answer_is_decompressed_or_left_as_it_is(framing: str):
    packed = gzip.compress(b'{"a": 1}' * 10_000)
    framed = f"Content-Length: {len(packed)}" if framing == "content-length" else "Transfer-Encoding: chunked"
    body = packed if framing == "content-length" else chunk(packed[:100]) + chunk(packed[100:]) + b"0\r\n\r\n"
    with upstream_that(head("200 OK", "Content-Encoding: gzip", framed) + body) as upstream:
        assert ask(client_of(upstream.url))[1] == b'{"a": 1}' * 10_000
        assert ask(client_of(upstream.url), decode=False)[1] == packed


def test_the_size_limit_counts_decompressed_bytes():
    bomb = gzip.compress(b" " * 20_000_000)
    trouble, _ = trouble_of(http(bomb, "200 OK", "Content-Encoding: gzip"))
    assert trouble.kind is ErrorKind.UPSTREAM_BROKEN
    assert "1000000" in trouble.message


def test_an_error_body_is_read_up_to_a_limit_only():
    with upstream_that(http(b"x" * 3_000_000, "500 S")) as upstream:
        answer = client_of(upstream.url, max_answer_bytes=10_000_000).call(PATH, BODY, KEY)
        assert len(answer.read_error()) == 1024 * 1024
        answer.close()


# Connections


@pytest.mark.parametrize("answer", [OK, chunked(b"{", b"}"), http(b""), http(b"no", "500 S")], ids=range(4))
def test_a_connection_is_used_again_after_a_whole_answer(answer: bytes):
    with upstream_that(answer) as upstream:
        client = client_of(upstream.url)
        for _ in range(3):
            ask(client)
    assert (len(upstream.calls), upstream.connections) == (3, 1)


def test_a_connection_is_used_again_although_a_read_answer_was_not_closed():
    with upstream_that(chunked(b"{}")) as upstream:
        client = client_of(upstream.url)
        for _ in range(2):
            assert list(client.call(PATH, BODY, KEY).chunks) == [b"{}"]
    assert upstream.connections == 1


def test_a_connection_is_closed_when_an_answer_is_not_read_to_its_end():
    half = and_wait_for_goodbye(head("200 OK", "Content-Length: 100"), b"x" * 50)
    with upstream_that(half, OK) as upstream:
        client = client_of(upstream.url)
        answer = client.call(PATH, BODY, KEY)
        assert next(answer.chunks) == b"x" * 50
        answer.close()
        assert upstream.hung_up.acquire(timeout=2), "the upstream must see that nobody listens any more"
        assert ask(client)[0] == 200
    assert upstream.connections == 2


def test_a_connection_is_closed_when_an_answer_is_never_read():
    with upstream_that(and_wait_for_goodbye(head("200 OK", "Content-Length: 100"))) as upstream:
        client_of(upstream.url).call(PATH, BODY, KEY).close()
        assert upstream.hung_up.acquire(timeout=2)


def test_a_connection_is_closed_when_its_stream_is_closed():
    half = and_wait_for_goodbye(head("200 OK", "Transfer-Encoding: chunked"), chunk(b"x"))
    with upstream_that(half) as upstream:
        answer = client_of(upstream.url).call(PATH, BODY, KEY)
        next(answer.chunks)
        answer.chunks.close()
        assert upstream.hung_up.acquire(timeout=2)


@pytest.mark.parametrize(
    "oversized", [http(b"x" * 2_000_000), chunked(*[b"x" * 100_000] * 20)], ids=["length", "chunks"]
)
def test_an_answer_that_grows_too_large_is_an_error(oversized: bytes):
    trouble, upstream = trouble_of(oversized)
    assert (trouble.kind, trouble.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)
    assert "1000000 bytes" in trouble.message
    assert upstream.hung_up.acquire(timeout=2)


def test_an_idle_connection_that_the_upstream_closed_is_not_used_again():
    with upstream_that(and_hang_up(OK), OK) as upstream:
        client = client_of(upstream.url)
        ask(client)
        assert upstream.hung_up.acquire(timeout=2)
        assert ask(client)[0] == 200
    assert (len(upstream.calls), upstream.connections) == (2, 2)


@pytest.mark.parametrize("end", [and_reset, and_hang_up])
def test_what_comes_after_a_whole_answer_does_not_harm_it(end: Callable[..., Script]):
    with upstream_that(end(chunked(b"hello"), b"and more"), OK) as upstream:
        client = client_of(upstream.url)
        assert ask(client) == (200, b"hello")
        assert ask(client)[0] == 200
    assert upstream.connections == 2


def test_an_answer_in_chunks_is_whole_with_the_chunk_that_ends_it():
    whole = and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(b"hello"), b"0\r\n")
    with upstream_that(whole) as upstream:
        assert ask(client_of(upstream.url)) == (200, b"hello")


def test_headers_that_come_more_than_once_are_joined():
    with upstream_that(http(b"{}", "200 OK", "Vary: Origin", "Vary: Referer")) as upstream:
        assert client_of(upstream.url).call(PATH, BODY, KEY).headers["vary"] == "Origin, Referer"


def test_interim_answers_are_skipped():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with upstream_that(early + OK, early * 3 + OK, early * 100) as upstream:
        client = client_of(upstream.url)
        assert [ask(client)[0], ask(client)[0]] == [200, 200]
        with pytest.raises(ApiError):
            ask(client)


def one_that_refuses_early(listener: socket.socket, calls_before: int) -> None:
    """Answers some calls on its first connection, and then refuses one before its body has arrived."""
    connection, _ = listener.accept()
    with connection:
        for _ in range(calls_before):
            read_call(connection, 1)
            connection.sendall(OK)
        connection.recv(1000)
        connection.sendall(http(b"{}", "413 Content Too Large", "Connection: close"))


@pytest.mark.parametrize("calls_before", [0, 1], ids=["a new connection", "a kept one"])
def test_a_refusal_that_comes_before_the_body_was_sent_is_read(calls_before: int):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=one_that_refuses_early, args=(listener, calls_before), daemon=True).start()
        client = client_of(f"http://127.0.0.1:{listener.getsockname()[1]}")
        for _ in range(calls_before):
            assert ask(client)[0] == 200
        answer = client.call(PATH, (b"x" * 100_000,) * 200, KEY)
        assert (answer.status, answer.read_error()) == (413, b"{}")
        answer.close()


def one_that_reads_slowly(listener: socket.socket) -> None:
    """Reads a megabyte per second."""
    connection, _ = listener.accept()
    with connection:
        received = b""
        while not received.endswith(b"the end"):
            received = (received + connection.recv(100_000))[-7:]
            time.sleep(0.1)
        connection.sendall(OK)


def test_a_body_that_is_read_slowly_has_time_as_long_as_it_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("proxy.upstream.client.CONNECT_SECONDS", 0.5)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=one_that_reads_slowly, args=(listener,), daemon=True).start()
        client = client_of(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20)
        started = time.monotonic()
        answer = client.call(PATH, b"x" * 5_000_000 + b"the end", KEY)
        assert answer.status == 200
        assert time.monotonic() - started > 1, "the body was not taken slowly"
        answer.close()


# Errors


def test_a_refused_connection_may_be_repeated_because_nothing_was_sent():
    with pytest.raises(ApiError) as caught:
        ask(client_of(f"http://127.0.0.1:{free_port()}"))
    assert (caught.value.kind, caught.value.bought) == (ErrorKind.UPSTREAM_BROKEN, Bought.NO)


def test_a_host_that_does_not_exist_may_be_repeated_because_nothing_was_sent():
    with pytest.raises(ApiError) as caught:
        ask(client_of("http://gemini.invalid"))
    assert (caught.value.kind, caught.value.bought) == (ErrorKind.UPSTREAM_BROKEN, Bought.NO)


BROKEN: dict[str, Script] = {
    "closed before the answer": and_hang_up(),
    "reset before the answer": and_reset(),
    "closed in the status line": and_hang_up(b"HTTP/1.1 2"),
    "no HTTP": and_hang_up(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a header line without end": and_hang_up(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"),
    "too many headers": and_hang_up(head("200 OK", *[f"x-{i}: y" for i in range(200)])),
    "two lengths": and_hang_up(head("200 OK", "Content-Length: 5", "Content-Length: 6"), b"12345"),
    "short of its length": and_hang_up(head("200 OK", "Content-Length: 100"), b"x" * 99),
    "reset short of its length": and_reset(head("200 OK", "Content-Length: 100"), b"x" * 99),
    "no last chunk": and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(b"x" * 99)),
    "cut in a chunk": and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), chunk(b"x" * 99)[:50]),
    "a chunk of no size": and_hang_up(head("200 OK", "Transfer-Encoding: chunked"), b"zz\r\nxx\r\n"),
    "no gzip": http(b"x" * 99, "200 OK", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("scene", BROKEN)
def test_a_broken_answer_is_one_call_and_an_error_that_forbids_a_retry(scene: str):
    trouble, upstream = trouble_of(BROKEN[scene])
    assert (trouble.kind, trouble.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)
    assert len(upstream.calls) == 1


def test_what_came_before_a_break_is_returned():
    with upstream_that(and_hang_up(head("200 OK", "Content-Length: 100"), b"x" * 99)) as upstream:
        answer = client_of(upstream.url).call(PATH, BODY, KEY)
        received: list[bytes] = []
        with pytest.raises(ApiError):
            received.extend(answer.chunks)
    assert b"".join(received) == b"x" * 99


def late(wire: Wire) -> bool:
    """The headers come shortly before the time limit, and then nothing."""
    time.sleep(0.6)
    return and_wait_for_goodbye(head("200 OK", "Content-Length: 9"))(wire)


SLOW: dict[str, Script] = {
    "no answer": and_wait_for_goodbye(),
    "no body": and_wait_for_goodbye(head("200 OK", "Content-Length: 9")),
    "half a body": and_wait_for_goodbye(head("200 OK", "Content-Length: 9"), b"half"),
    "a body that dribbles": slowly(head("200 OK", "Content-Length: 99"), *[b"x"] * 40, pause=0.1),
    "a late answer whose body never comes": slowly(head("200 OK", "Content-Length: 9"), pause=0.6),
    "headers that dribble": slowly(*[b"H", b"T", b"T", b"P"] * 10, pause=0.1),
}


@pytest.mark.parametrize("scene", SLOW)
def test_a_call_that_takes_too_long_ends_in_time_whatever_it_waits_for(scene: str):
    started = time.monotonic()
    trouble, upstream = trouble_of(SLOW[scene], timeout=0.8, wait_limit=AlarmLimit)
    took = time.monotonic() - started
    assert (trouble.kind, trouble.may_repeat, len(upstream.calls)) == (ErrorKind.UPSTREAM_TIMEOUT, False, 1)
    assert trouble.message == "The upstream did not answer within 0.8 seconds (UPSTREAM_TIMEOUT_SECONDS)."
    assert 0.7 < took < 1.2, f"the time limit is for the whole call, and this one took {took:.2f} s"


def test_the_error_of_the_time_limit_names_its_setting():
    with upstream_that(and_wait_for_goodbye()) as upstream:
        with pytest.raises(ApiError, match=r"within 0\.2 seconds \(UPSTREAM_TIMEOUT_SECONDS\)") as caught:
            ask(client_of(upstream.url, timeout=0.2))
        assert (caught.value.kind, caught.value.bought) == (ErrorKind.UPSTREAM_TIMEOUT, Bought.UNKNOWN)


def last_of(*scenes: Script) -> tuple[ErrorKind, str, bool | None, int]:
    """The error of the last of some calls, one after another, and how many places the pool has then."""
    with upstream_that(*scenes) as upstream:
        client = client_of(upstream.url, timeout=0.3)
        for _ in scenes[1:]:
            assert ask(client) == (200, b'{"ok": true}')
        with pytest.raises(ApiError) as caught:
            ask(client)
        assert (len(upstream.calls), upstream.connections) == (len(scenes), 1)
        [pool] = client.session.get_adapter(upstream.url).pools.values()
        return caught.value.kind, caught.value.message, caught.value.may_repeat, pool.pool.qsize()


@pytest.mark.parametrize("scene", [*BROKEN, *SLOW])
def test_errors_are_the_same_on_a_kept_connection(scene: str):
    trouble = {**BROKEN, **SLOW}[scene]
    assert last_of(OK, trouble) == last_of(trouble)


@pytest.mark.parametrize("scene", [*BROKEN, *SLOW])
def test_the_message_of_an_error_has_neither_the_key_nor_an_address(scene: str):
    trouble, upstream = trouble_of({**BROKEN, **SLOW}[scene], timeout=0.3)
    for secret in (KEY, upstream.url, upstream.url.rpartition(":")[2], "127.0.0.1", PATH):
        assert secret not in f"{trouble} {trouble!r}"


@pytest.mark.parametrize("scene", [*BROKEN, "refused"])
def test_nothing_is_logged_that_holds_the_key(scene: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(0)
    if scene == "refused":
        with pytest.raises(ApiError):
            ask(client_of(f"http://127.0.0.1:{free_port()}"))
    else:
        trouble_of(BROKEN[scene])
    assert KEY not in caplog.text


# Certificates


def test_an_untrusted_certificate_is_refused(tmp_path: Path):
    with tls_server(tmp_path, OK) as url, pytest.raises(ApiError) as caught:
        ask(client_of(url))
    assert caught.value.kind is ErrorKind.UPSTREAM_BROKEN


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose certificate is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
    return tmp_path


def test_a_certificate_authority_of_the_environment_is_honoured(trusted: Path):
    with tls_server(trusted, OK) as url:
        assert ask(client_of(url))[0] == 200


LONG = random.Random(0).randbytes(500_000)


@pytest.mark.parametrize("form", [http(LONG), chunked(*(LONG[i : i + 8000] for i in range(0, len(LONG), 8000)))])
def test_tls_records_that_have_arrived_are_read_together(trusted: Path, form: bytes):
    with tls_server(trusted, form) as url:
        answer = client_of(url).call(PATH, BODY, KEY)
        time.sleep(0.2)
        pieces = list(answer.chunks)
        answer.close()
    assert b"".join(pieces) == LONG
    assert max(map(len, pieces)) > 60_000  # a record holds 16 KiB


def test_what_came_through_tls_before_a_break_is_returned(trusted: Path):
    received: list[bytes] = []
    with tls_server(trusted, http(LONG)[:100_000], then=reset) as url:
        answer = client_of(url).call(PATH, BODY, KEY)
        time.sleep(0.2)
        with pytest.raises(ApiError) as caught:
            received.extend(answer.chunks)
        answer.close()
    assert caught.value.kind is ErrorKind.UPSTREAM_BROKEN
    assert len(b"".join(received)) > 50_000
    assert LONG.startswith(b"".join(received))


def and_listen(secured: ssl.SSLSocket, ended: threading.Event) -> None:
    """Keeps the connection open until the other side closes it."""
    ended.set()
    while secured.recv(65536):
        pass


def and_end_tls(secured: ssl.SSLSocket, ended: threading.Event) -> None:
    """Ends TLS, and not the connection."""
    secured.setblocking(False)
    with suppress(ssl.SSLWantReadError):  # it has said so, and the other side has not yet
        secured.unwrap()
    ended.set()
    secured.setblocking(True)
    secured.unwrap()


MORE_THAN_ASKED = http(b"a" * 10_000) + http(b"an answer for somebody else")


@pytest.mark.parametrize(
    ("said", "body", "then"),
    [
        (MORE_THAN_ASKED, b"a" * 10_000, and_listen),
        (chunked(b"hello"), b"hello", and_end_tls),
        (http(b"hello"), b"hello", and_end_tls),
    ],
    ids=["more than was asked for", "the end after chunks", "the end after a body"],
)
def test_a_connection_on_which_tls_has_more_or_has_ended_is_not_used_again(
    trusted: Path, said: bytes, body: bytes, then: Callable[[ssl.SSLSocket, threading.Event], None]
):
    ended = threading.Event()
    with tls_server(trusted, said, then=partial(then, ended=ended)) as url:
        client = client_of(url)
        for _ in range(3):
            assert ask(client) == (200, body)
            assert ended.wait(30)  # the answer can be whole a moment before
            ended.clear()
        client.session.close()


# The sandbox


class Stage(BaseAdapter):
    """Answers in this process, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        self.asked.append(request)
        answer = requests.Response()
        answer.status_code = 200
        answer.headers["Content-Type"] = "application/json"
        answer.raw = HTTPResponse(body=io.BytesIO(b'{"from": "the sandbox"}'), status=200, preload_content=False)
        return answer

    def close(self) -> None:
        """Nothing is open."""


def test_the_key_sandbox_is_answered_in_this_process_and_every_other_key_is_not():
    stage = Stage()
    with upstream_that(OK) as upstream:
        client = client_of(upstream.url, sandbox=stage)
        assert json.loads(ask(client, key="sandbox")[1]) == {"from": "the sandbox"}
        assert not upstream.calls
        assert ask(client, key="sandbox ")[1] == ask(client, key="Sandbox")[1] == b'{"ok": true}'
    assert len(stage.asked) == 1


def test_without_a_sandbox_its_key_is_a_key_like_any_other():
    with upstream_that(OK) as upstream:
        ask(client_of(upstream.url), key="sandbox")
    assert upstream.calls[0].headers["x-goog-api-key"] == "sandbox"


def test_many_calls_at_once_are_kept_apart():
    def echo(call: Call) -> bytes:
        time.sleep(0.05)
        return http(f"{call.connection}".encode())

    answers: list[tuple[int, bytes]] = []
    with upstream_that(echo) as upstream:
        client = client_of(upstream.url)
        threads = [threading.Thread(target=lambda: answers.append(ask(client))) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert len({body for _, body in answers}) == 10
