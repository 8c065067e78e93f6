"""What goes up and what comes back: the bytes of both, one credential, and nothing of who the caller is."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support import pictures
from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import A_CAT, call, left_hanging, read_at_least
from tests.support.upstream import SSE, Answer, ScriptedUpstream, Wire, chunk

MODEL = "gemini-2.5-flash-image"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent"
COUNT = f"/v1beta/models/{MODEL}:countTokens"
OK = Answer(b"{}")
BODIES = {
    "odd white space": b' \r\n{ "contents"\t:[ {"parts" : [{"text":"a  cat"} ]\n}] }\n\n',
    "duplicate keys": b'{"contents":[{"parts":[{"text":"a"}]}],"contents":[{"parts":[{"text":"b","text":"c"}]}]}',
    "unknown fields": b'{"contents":[{"parts":[{"text":"a","of":{"tomorrow":[1,null]}}]}],"newField":1.50,"x":{}}',
    "camelCase": b'{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}],'
    b'"generationConfig":{"imageConfig":{"aspectRatio":"1:1"}}}',
    "snake_case": b'{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"iVBORw0KGgo="}}]}],'
    b'"generation_config":{"image_config":{"aspect_ratio":"1:1"}}}',
    "both casings": b'{"contents":[{"parts":[{"inlineData":{"mime_type":"image/png","data":"iVBORw0KGgo="}}]}],'
    b'"generationConfig":{"responseModalities":["IMAGE"]},"generation_config":{"seed":1}}',
    "integer enums": b'{"contents":[{"parts":[{"text":"a"}]}],"safetySettings":[{"category":7,"threshold":4}],'
    b'"generationConfig":{"responseModalities":[2]}}',
    "URL-safe base64": b'{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBOR_vv-g"}}]}]}',
    "numbers in odd forms": b'{"contents":[{"parts":[{"text":"a"}]}],'
    b'"generationConfig":{"temperature":1.0e0,"topK":40.0,"seed":"9007199254740993"}}',
    "escapes and Korean": b'{"contents":[{"parts":[{"text":"\\uace0\xec\x96\x91\\/\\u00e9 \xf0\x9f\x90\x88"}]}]}',
    "one content, one part": b'{"contents":{"parts":{"text":"a"}}}',
    "null": b'{"contents":[{"parts":[{"text":"a"}]}],"safetySettings":null,"systemInstruction":null,"toolConfig":null}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("target", [GENERATE, f"{STREAM}?alt=sse", STREAM, GENERATE.replace("v1beta", "v1")])
def test_a_body_goes_up_byte_for_byte(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, target: str, name: str
) -> None:
    upstream.answers(OK)
    reply = call(server, target, BODIES[name], [("x-goog-api-key", key), ("Content-Type", "application/json")])
    assert reply.status == 200, reply.body
    assert upstream.call.body == BODIES[name]


@pytest.mark.parametrize(
    "body",
    [A_CAT, b'{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"a"}]}]} }'],
    ids=["contents", "generateContentRequest"],
)
def test_a_body_to_count_goes_up_byte_for_byte(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, body: bytes
) -> None:
    upstream.answers(OK)
    assert call(server, COUNT, body, [("x-goog-api-key", key)]).status == 200
    assert upstream.call.body == body


def test_a_body_in_chunks_goes_up_byte_for_byte(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(OK)
    body = b"".join(chunk(A_CAT[start : start + 7]) for start in range(0, len(A_CAT), 7)) + b"0\r\n\r\n"
    head = f"POST {GENERATE} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert upstream.call.body == A_CAT
    assert upstream.call.all("content-length") == [str(len(A_CAT))]
    assert upstream.call.all("transfer-encoding") == []


@pytest.mark.parametrize("target", [GENERATE, STREAM, COUNT], ids=["generate", "stream", "count"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("?alt=sse", "?alt=sse"),
        ("?%24alt=json%3Benum-encoding%3Dint", "?%24alt=json%3Benum-encoding%3Dint"),
        ("?%24alt=json%3Benum-encoding%3Dint&key={key}", "?%24alt=json%3Benum-encoding%3Dint"),
        ("?key={key}&alt=sse", "?alt=sse"),
        ("?alt=sse&key={key}&prettyPrint=false", "?alt=sse&prettyPrint=false"),
        ("?key={key}", ""),
        ("?%6Bey={key}&alt=sse", "?alt=sse"),
        ("?a=1+2&b=%2F%E2%82%AC&c&=&d=a=b/?:@!*'()", "?a=1+2&b=%2F%E2%82%AC&c&=&d=a=b/?:@!*'()"),
        ("?a=%7E&b=%E2%80%A8", "?a=%7E&b=%E2%80%A8"),
        ("?monkey=1&keys=2", "?monkey=1&keys=2"),
    ],
)
def test_the_query_goes_up_as_it_is_but_for_the_key(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, target: str, query: str, expected: str
) -> None:
    upstream.answers(OK)
    headers = [] if "{key}" in query else [("x-goog-api-key", key)]
    assert call(server, target + query.format(key=key), A_CAT, headers).status == 200
    assert upstream.call.target == target + expected
    assert upstream.call.all("x-goog-api-key") == [key]


TELLTALE = (
    ("Authorization", "Bearer {other}"),
    ("Cookie", "session=1; SID=2"),
    ("Proxy-Authorization", "Basic eDp5"),
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Host", "internal.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Real-IP", "203.0.113.7"),
    ("True-Client-IP", "203.0.113.7"),
    ("Forwarded", "for=203.0.113.7"),
    ("Via", "1.1 internal"),
    ("Origin", "https://internal.example"),
    ("Referer", "https://internal.example/page"),
    ("X-Goog-User-Project", "someone"),
    ("X-Request-Id", "4711"),
    ("Accept-Language", "ko"),
    ("Connection", "keep-alive, X-Hop"),
    ("X-Hop", "1"),
    ("TE", "trailers"),
)


@pytest.mark.parametrize("target", [GENERATE, f"{STREAM}?alt=sse", COUNT], ids=["generate", "stream", "count"])
def test_one_credential_goes_up_and_nothing_that_identifies_the_caller(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, target: str
) -> None:
    upstream.answers(OK)
    headers = [("User-Agent", "mine"), *((name, value.format(other=f"other-{key}")) for name, value in TELLTALE)]
    assert call(server, target, A_CAT, [("x-goog-api-key", key), *headers]).status == 200
    assert set(upstream.call.headers) == {
        "host",
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "user-agent",
        "x-goog-api-key",
    }
    assert upstream.call.all("x-goog-api-key") == [key]
    assert f"other-{key}".encode() not in upstream.call.head


def test_headers_of_the_callers_sdk_go_up(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(OK)
    said = {
        "user-agent": "google-genai-sdk/3.4.0 gl-python/3.11.7",
        "x-goog-api-client": "google-genai-sdk/3.4.0 gl-python/3.11.7",
        "x-server-timeout": "30",
    }
    call(server, GENERATE, A_CAT, [("x-goog-api-key", key), *said.items()])
    assert {name: upstream.call.all(name) for name in said} == {name: [value] for name, value in said.items()}


def test_headers_of_an_answer_come_back(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    said = {
        "server-timing": "gfet4t7; dur=5555",
        "x-gemini-service-tier": "standard",
        "content-disposition": "attachment",
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "x-xss-protection": "0",
        "vary": "Origin, Referer, X-Origin",
        "x-something-new": "tomorrow",
    }
    not_ours = {
        "set-cookie": "NID=1; Path=/",
        "server": "scaffolding on HTTPServer2",
        "alt-svc": 'h3=":443"; ma=2592000',
        "strict-transport-security": "max-age=1",
        "keep-alive": "timeout=5",
        "date": "Sun, 01 Nov 2026 00:00:00 GMT",
    }
    lines = [*((name, value) for name, value in said.items() if name != "vary"), *not_ours.items()]
    events = pictures.as_events(pictures.drawn({"text": "a"}))
    upstream.answers(Answer(events, 200, SSE, lines))
    reply = call(server, f"{STREAM}?alt=sse", A_CAT, [("x-goog-api-key", key)])
    assert reply.body == events
    assert {name: reply.one(name) for name in said} == said
    for name, value in not_ours.items():
        assert value not in reply.all(name)
    assert len(reply.all("date")) == len(reply.all("server")) == 1
    assert reply.all("x-request-id"), "our own, to find the call in a log"


def test_a_cookie_of_one_answer_does_not_go_up_with_the_next_call(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(b"{}", headers=[("Set-Cookie", "NID=1; Path=/")]))
    for _ in range(2):
        call(server, GENERATE, A_CAT, [("x-goog-api-key", key)])
    assert [request.all("cookie") for request in upstream.calls] == [[], []]


def test_an_answer_with_a_length_keeps_it(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    body = b'{"candidates": []}'
    upstream.answers(Answer(body, chunked=False))
    reply = call(server, GENERATE, A_CAT, [("x-goog-api-key", key)])
    assert reply.body == body
    assert reply.one("content-length") == str(len(body))
    assert reply.one("transfer-encoding") is None


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"\xff\xfe\x00", b"<html></html>", b'{"half": ', b"data: {}\r\n\r\n", b"x" * 1_000_000],
    ids=lambda body: str(body[:12]),
)
def test_an_answer_is_not_parsed(server: ProxyServer, upstream: ScriptedUpstream, key: str, body: bytes) -> None:
    upstream.answers(Answer(body, content_type="application/x-whatever; a=b"))
    reply = call(server, GENERATE, A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.one("content-type"), reply.body) == (200, "application/x-whatever; a=b", body)


def test_each_piece_of_a_stream_is_passed_on_before_the_next_is_made(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    arrived = threading.Event()
    first, last = b"data: {}\r\n\r\n", b'data: {"last": 1}\r\n\r\n'

    def pieces() -> Iterator[bytes]:
        yield Answer(content_type=SSE).head() + chunk(first)
        assert arrived.wait(5), "the first event did not arrive while the second was awaited"
        yield chunk(last) + b"0\r\n\r\n"

    upstream.answers(lambda request: Wire(pieces()))
    with left_hanging(server, f"{STREAM}?alt=sse", A_CAT, [("x-goog-api-key", key)]) as connection:
        received = b""
        while first not in received:
            received += read_at_least(connection, 1)
        arrived.set()
        while not received.endswith(b"0\r\n\r\n"):
            received += read_at_least(connection, 1)
    assert last in received


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_verb_is_refused_in_googles_form(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, method: str
) -> None:
    reply = call(server, GENERATE, None, [("x-goog-api-key", key)], method)
    assert (reply.status, reply.error["status"], reply.one("allow")) == (405, "UNIMPLEMENTED", "POST")
    assert upstream.calls == []
