"""Upstreams that break off an answer at any byte, send far too much, or cannot be reached securely or at all."""

import base64
import gzip
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults.calls import CUT, GENERATE_CONTENT, code, generate, generate_content
from tests.support import pictures
from tests.support.certificate import certificate
from tests.support.keys import keys_in
from tests.support.peak_memory import PeakMemory
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import JSON, Answer, ScriptedUpstream, Wire, chunk, hang_up, http, reset
from tests.support.upstream_faults import LARGE

PICTURE = pictures.heavy_png()
BODY = pictures.as_google_writes(pictures.drawn({"text": "Here you go: "}, pictures.picture_part(PICTURE)))
PICTURE_BEGINS = BODY.index(pictures.base64_of(PICTURE)[:60].encode())
PICTURE_ENDS = PICTURE_BEGINS + len(pictures.base64_of(PICTURE))
MIDDLE = len(BODY) // 2
MIB = 1024 * 1024
PARAMETERS = [{"response_format": "url"}, {"response_format": "b64_json"}, {"n": 2}]
BREAKS = {
    "closed under Content-Length": {"chunked": False},
    "closed between chunks": {"chunked": True},
    "reset under Content-Length": {"chunked": False, "then": reset},
    "reset between chunks": {"chunked": True, "then": reset},
}

pytestmark = pytest.mark.usefixtures("nothing_is_left")


# An answer that breaks off


def cuts() -> Iterator[int]:
    """Places all over an answer, and close to where something begins or ends."""
    yield from range(1, len(BODY), len(BODY) // 8)
    for edge in (PICTURE_BEGINS, PICTURE_ENDS, len(BODY)):
        yield from (cut for cut in (edge - 2, edge - 1, edge + 1) if cut < len(BODY))


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
def test_a_cut_anywhere_never_gives_a_shortened_picture(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, chunked: bool, parameters: dict[str, Any]
) -> None:
    for cut in cuts():
        upstream.answers(Answer(BODY, cut_after=cut, chunked=chunked))
        try:
            answer = generate(server, key, **parameters)
        except requests.RequestException:
            assert parameters == {"response_format": "b64_json"}, "only a picture that flows may break off"
            assert cut >= PICTURE_BEGINS
            continue
        if answer.status_code == 200:
            assert cut >= PICTURE_ENDS, f"cut at {cut} of {len(BODY)}"
            assert [bytes_of(item) for item in answer.json()["data"]] == [PICTURE] * parameters.get("n", 1)
        else:
            assert code(answer) == (502, "upstream_error")


def bytes_of(item: dict[str, str]) -> bytes:
    """The picture of an item."""
    if "url" in item:
        return requests.get(item["url"], timeout=10).content
    return base64.b64decode(item["b64_json"], validate=True)


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_one_of_two_is_an_entry_in_errors_and_the_other_is_kept(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, how: str, response_format: str
) -> None:
    upstream.answers(Answer(BODY, cut_after=MIDDLE, **BREAKS[how]), Answer(BODY))
    answer = generate(server, key, n=2, response_format=response_format)
    assert answer.status_code == 200, answer.text[:300]
    body = answer.json()
    assert [bytes_of(item) for item in body["data"]] == [PICTURE]
    assert [entry["code"] for entry in body["errors"]] == ["upstream_error"]


def test_a_caller_without_chunked_transfer_gets_a_reset(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    # HTTP/1.0, which nginx long spoke to its upstreams, has nothing but the end of the connection to end a body.
    upstream.answers(Answer(BODY, cut_after=MIDDLE))
    body = b'{"contents": [{"parts": [{"text": "a"}]}]}'
    head = (
        f"POST {GENERATE_CONTENT} HTTP/1.0\r\nHost: x\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    received = bytearray()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head.encode() + body)
        with pytest.raises(ConnectionResetError):
            read_to_the_end(connection, received)
    assert received.split()[1] == b"200", received[:300]


def read_to_the_end(connection: socket.socket, received: bytearray) -> None:
    while piece := connection.recv(65536):
        received += piece


def test_an_idle_connection_that_the_upstream_closes_costs_nothing(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(BODY, then=hang_up))
    for _ in range(5):
        assert generate(server, key).status_code == 200
        assert generate_content(server, key).content == BODY
        time.sleep(0.02)
    assert len(upstream.calls) == 10


# Too much


def test_gzip_that_opens_to_a_flood_is_stopped(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    flood = b'{"candidates": [{"content": {"parts": [{"inlineData": {"data": "iVBORw0KGgo' + b"A" * 300 * MIB
    upstream.answers(Answer(gzip.compress(flood, 1), headers=[("Content-Encoding", "gzip")]))
    with PeakMemory(server) as memory:
        for parameters in PARAMETERS:
            assert code(generate(server, key, **parameters)) == (502, "upstream_error")
    assert memory.growth < 20 * MIB


def endless(_: object) -> Wire:
    """200 MB of one picture."""

    def send() -> Iterator[bytes]:
        yield Answer(content_type=JSON).head()
        yield chunk(BODY[:MIDDLE])
        for _ in range(800):
            yield chunk(b"A" * 256 * 1024)

    return Wire(send())


def test_an_answer_of_200_mb_is_given_up_at_the_limit_and_costs_no_memory(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(endless)
    with PeakMemory(server) as memory:
        for parameters in PARAMETERS:
            answer = generate(server, key, **parameters)
            assert code(answer) == (502, "upstream_error")
            assert str(LARGE) in answer.json()["error"]["message"], "the error names the limit"
        with pytest.raises(CUT):
            generate_content(server, key)
    assert max(request.sent for request in upstream.calls) < 40 * MIB
    assert memory.growth < 20 * MIB


# Not reached


def test_a_name_that_does_not_resolve_is_an_error_that_does_not_name_it(start: Start, tmp_path: Path, key: str) -> None:
    lost = start(tmp_path, GEMINI_BASE_URL="http://gemini.invalid")
    for parameters in PARAMETERS:
        answer = generate(lost, key, **parameters)
        assert code(answer) == (502, "upstream_error")
        assert answer.headers.get("x-should-retry") != "false"
        assert "gemini.invalid" not in answer.text
        assert not keys_in(answer.text)
    assert_google_says(generate_content(lost, key), 502, "gemini.invalid")


def assert_google_says(answer: requests.Response, status: int, secret: str) -> None:
    """The error is in Google's form, without the secret."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    assert error["status"] and error["message"]
    assert secret not in answer.text
    assert not keys_in(answer.text)


def test_an_untrusted_certificate_is_a_502_and_no_key_is_sent(start: Start, tmp_path: Path, key: str) -> None:
    with ScriptedUpstream(Answer(BODY), certificate=certificate(tmp_path)) as secure:
        careful = start(tmp_path / "careful", GEMINI_BASE_URL=secure.url)
        for parameters in PARAMETERS:
            assert code(generate(careful, key, **parameters)) == (502, "upstream_error")
        assert_google_says(generate_content(careful, key), 502, secure.url.rpartition("/")[2])
        assert not secure.calls, "not even a request line may leave"
        trusting = start(
            tmp_path / "trusting", GEMINI_BASE_URL=secure.url, REQUESTS_CA_BUNDLE=str(tmp_path / "certificate.pem")
        )
        assert generate_content(trusting, key).content == BODY
        assert key in secure.call.headers.values(), "with trust the call is sent"


def test_tls_to_a_server_that_speaks_none_is_a_502(start: Start, tmp_path: Path, key: str) -> None:
    in_the_open = Wire((http(BODY),), hang_up, early=True)
    with ScriptedUpstream(in_the_open) as plain:
        astray = start(tmp_path, GEMINI_BASE_URL=plain.url.replace("http:", "https:"))
        for parameters in PARAMETERS:
            assert code(generate(astray, key, **parameters)) == (502, "upstream_error")
        assert_google_says(generate_content(astray, key), 502, "127.0.0.1")
    assert all(call.head.startswith(b"\x16\x03") for call in plain.calls), "the handshake is all that comes"
    assert not keys_in("".join(call.head.decode("latin-1") for call in plain.calls))
