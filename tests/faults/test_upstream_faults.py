"""An upstream that stalls, drips, breaks its own framing, sends far too much, or cannot be reached securely or at all.

What of this is told before a picture is told by an error, in time; what comes after it cuts the transfer.
"""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults.calls import CUT, code, generate, generate_content
from tests.faults.upstream_faults import MOST_ANSWER_BYTES, slowly
from tests.support import pictures
from tests.support.certificate import certificate
from tests.support.keys import keys_in
from tests.support.peak_memory import PeakMemory
from tests.support.proxy_server import ProxyServer, Start
from tests.support.upstream import JSON, Answer, ScriptedUpstream, Wire, chunk, hang_up, http

BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(pictures.heavy_png())))
MIDDLE = len(BODY) // 2
MIB = 1024 * 1024
WISHES = [{"response_format": "url"}, {"response_format": "b64_json"}, {"n": 2}]
HELD = [{"response_format": "url"}, {"n": 2}]

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def drip(start: int) -> Wire:
    """An answer that is quick up to a byte and then comes byte by byte, for ever."""
    head = [Answer(content_type=JSON).head(), *([chunk(BODY[:start])] if start else [])]
    return slowly([*head, *(chunk(BODY[at : at + 1]) for at in range(start, start + 80))], 0.05)


def torn(last: bytes, start: int = MIDDLE) -> Wire:
    """A chunked answer with nonsense where a chunk should begin."""
    return Wire([Answer(content_type=JSON).head(), *([chunk(BODY[:start])] if start else []), last])


def packed(body: bytes) -> Wire:
    """An answer that says it is gzip."""
    return Answer(body, headers=[("Content-Encoding", "gzip")])


BROKEN_CHUNKS = {"no size": b"zz\r\nxx\r\n", "a negative size": b"-5\r\nabcde\r\n", "no line end": b"5" * 70_000}
BROKEN_GZIP = {
    "no gzip": b"this is not gzip at all" * 9,
    "half of it": gzip.compress(BODY, 1)[:MIDDLE],
    "damaged": gzip.compress(BODY, 1)[:99_000] + b"\0" * 99_000,
}


@pytest.mark.parametrize("wishes", WISHES, ids=str)
def test_headers_that_drip_are_given_up_in_time(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, wishes: dict[str, Any]
) -> None:
    head = Answer(content_type=JSON).head()
    upstream.answers(lambda _: slowly([head[at : at + 1] for at in range(len(head))], 0.05))
    started = time.monotonic()
    answer = generate(server, key, **wishes)
    assert code(answer) == (504, "upstream_timeout")
    assert answer.headers["x-should-retry"] == "false"
    assert generate_content(server, key).status_code == 504
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("wishes", HELD, ids=str)
def test_a_picture_that_drips_is_given_up_in_time(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, wishes: dict[str, Any]
) -> None:
    upstream.answers(lambda _: drip(MIDDLE))
    started = time.monotonic()
    assert code(generate(server, key, **wishes)) == (504, "upstream_timeout")
    assert time.monotonic() - started < 2


def test_a_flowing_picture_that_drips_is_cut_in_time(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(lambda _: drip(MIDDLE))
    started = time.monotonic()
    with pytest.raises(CUT):
        generate(server, key, response_format="b64_json")
    with pytest.raises(CUT):
        generate_content(server, key)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("wishes", WISHES, ids=str)
@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_a_broken_chunk_before_the_picture_is_a_502(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str, wishes: dict[str, Any]
) -> None:
    upstream.answers(torn(BROKEN_CHUNKS[name], 0))
    answer = generate(server, key, **wishes)
    assert code(answer) == (502, "upstream_error")
    assert answer.headers["x-should-retry"] == "false"
    try:
        assert generate_content(server, key).status_code == 502
    except CUT:
        assert name == "a negative size", "http.client reads on behind it, and finds the break later"


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_a_broken_chunk_in_the_picture_never_shortens_it(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    upstream.answers(torn(BROKEN_CHUNKS[name]))
    for wishes in HELD:
        assert code(generate(server, key, **wishes)) == (502, "upstream_error")
    with pytest.raises(CUT):
        generate(server, key, response_format="b64_json")
    with pytest.raises(CUT):
        generate_content(server, key)


@pytest.mark.parametrize("name", BROKEN_GZIP)
def test_broken_gzip_never_shortens_a_picture(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    upstream.answers(packed(BROKEN_GZIP[name]))
    for wishes in HELD:
        assert code(generate(server, key, **wishes)) == (502, "upstream_error")
    try:
        flowed = generate(server, key, response_format="b64_json")
    except CUT:
        return
    assert code(flowed) == (502, "upstream_error")


def test_gzip_that_opens_to_a_flood_is_stopped(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    flood = b'{"candidates": [{"content": {"parts": [{"inlineData": {"data": "iVBORw0KGgo' + b"A" * 300 * MIB
    upstream.answers(packed(gzip.compress(flood, 1)))
    with PeakMemory(server) as memory:
        for wishes in WISHES:
            assert code(generate(server, key, **wishes)) == (502, "upstream_error")
    assert memory.growth < 20 * MIB


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "image/png", "application/octet-stream", ""])
def test_a_picture_under_a_wrong_content_type_is_a_picture(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, content_type: str
) -> None:
    upstream.answers(Answer(BODY, content_type=content_type))
    answer = generate(server, key, response_format="b64_json")
    assert answer.json()["data"][0]["b64_json"] == pictures.base64_of(pictures.heavy_png())
    assert answer.headers["Content-Type"] == "application/json"
    assert generate_content(server, key).content == BODY


def test_a_bare_picture_instead_of_json_is_a_502(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(Answer(pictures.plain_png(), content_type="image/png"))
    for wishes in WISHES:
        assert code(generate(server, key, **wishes)) == (502, "upstream_error")


def test_events_under_the_content_type_of_json_are_a_502(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(b"data: " + BODY.replace(b"\n", b"") + b"\n\n"))
    for wishes in WISHES:
        assert code(generate(server, key, **wishes)) == (502, "upstream_error")


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
        for wishes in HELD:
            answer = generate(server, key, **wishes)
            assert code(answer) == (502, "upstream_error")
            assert str(MOST_ANSWER_BYTES) in answer.json()["error"]["message"], "the error names the limit"
        with pytest.raises(CUT):
            generate(server, key, response_format="b64_json")
        with pytest.raises(CUT):
            generate_content(server, key)
    assert max(request.sent for request in upstream.calls) < 40 * MIB
    assert memory.growth < 20 * MIB


UNREACHABLE = {"DNS": "http://gemini.invalid", "DNS with TLS": "https://gemini.invalid"}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_name_that_does_not_resolve_is_a_502_that_may_be_retried(
    start: Start, tmp_path: Path, key: str, name: str
) -> None:
    lost = start(tmp_path, GEMINI_BASE_URL=UNREACHABLE[name])
    for wishes in WISHES:
        answer = generate(lost, key, **wishes)
        assert code(answer) == (502, "upstream_error")
        assert answer.headers.get("x-should-retry") != "false"
        assert "gemini.invalid" not in answer.text
        assert not keys_in(answer.text)
    assert_google_says(generate_content(lost, key), 502, "gemini.invalid")


def assert_google_says(answer: requests.Response, status: int, secret: str) -> None:
    """The error is Google's, and does not tell the secret."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    assert error["status"] and error["message"]
    assert secret not in answer.text
    assert not keys_in(answer.text)


def test_a_certificate_that_nobody_vouches_for_is_a_502_and_the_key_stays_here(
    start: Start, tmp_path: Path, key: str
) -> None:
    with ScriptedUpstream(Answer(BODY), certificate=certificate(tmp_path)) as secure:
        careful = start(tmp_path / "careful", GEMINI_BASE_URL=secure.url)
        for wishes in WISHES:
            assert code(generate(careful, key, **wishes)) == (502, "upstream_error")
        assert_google_says(generate_content(careful, key), 502, secure.url.rpartition("/")[2])
        assert not secure.calls, "not even a request line may leave"
        trusting = start(
            tmp_path / "trusting", GEMINI_BASE_URL=secure.url, REQUESTS_CA_BUNDLE=str(tmp_path / "certificate.pem")
        )
        assert generate_content(trusting, key).content == BODY
        assert key in secure.call.headers.values(), "whoever trusts it sends all, and this server notices"


def test_tls_to_a_server_that_speaks_none_is_a_502(start: Start, tmp_path: Path, key: str) -> None:
    in_the_open = Wire((http(BODY),), hang_up, early=True)
    with ScriptedUpstream(in_the_open) as plain:
        astray = start(tmp_path, GEMINI_BASE_URL=plain.url.replace("http:", "https:"))
        for wishes in WISHES:
            assert code(generate(astray, key, **wishes)) == (502, "upstream_error")
        assert_google_says(generate_content(astray, key), 502, "127.0.0.1")
    assert all(call.head.startswith(b"\x16\x03") for call in plain.calls), "the handshake is all that comes"
    assert not keys_in("".join(call.head.decode("latin-1") for call in plain.calls))
