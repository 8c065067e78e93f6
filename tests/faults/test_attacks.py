"""Attacks: bombs, smuggled requests, injected headers and lines, private addresses."""

import base64
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from proxy.limits import MOST_JSON_LEVELS
from tests.faults.calls import EDITS, GENERATE_CONTENT, GENERATIONS, MODEL, code, edit, generate, generate_content
from tests.support import pictures
from tests.support.peak_memory import PeakMemory
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import SSE, Answer, ScriptedUpstream, Wire

PICTURE = pictures.plain_png(64, 64)
BODY = pictures.as_google_writes(pictures.drawn(pictures.picture_part(PICTURE)))
MIB = 1024 * 1024
MARK = "smuggled"

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.fixture
def painting(upstream: ScriptedUpstream) -> ScriptedUpstream:
    """An upstream that draws for everybody."""
    upstream.answers(Answer(BODY))
    return upstream


# Forms and JSON


def parts(count: int, name: str = "image") -> list[tuple[str, tuple[str, bytes]]]:
    return [(name, ("a.png", PICTURE)) for _ in range(count)]


@pytest.mark.parametrize(
    ("count", "status"), [(16, 200), (17, 400), (150, 400), (199, 400), (200, 413), (201, 413), (20_000, 413)]
)
def test_huge_numbers_of_parts_are_refused_at_once(
    server: ProxyServer, painting: ScriptedUpstream, key: str, count: int, status: int
) -> None:
    started = time.monotonic()
    answer = edit(server, key, parts(count))
    assert answer.status_code == status, answer.text[:300]
    if status != 200:
        assert re.search("200|16", answer.json()["error"]["message"]), "the error names the limit"
        assert not painting.calls
    assert time.monotonic() - started < 3


def test_ten_thousand_text_parts_are_refused_at_once(server: ProxyServer, painting: ScriptedUpstream, key: str) -> None:
    started = time.monotonic()
    files = [(f"field{number}", (None, "x")) for number in range(10_000)]
    answer = edit(server, key, [*parts(1), *files])
    assert answer.status_code == 413
    assert time.monotonic() - started < 3


DEEP_NAMES = {
    "a member of a member of ...": "google" + "[a]" * 20_000,
    "an unknown one": "x" + "[a]" * 20_000,
    "brackets that never close": "x" + "[" * 60_000,
    "empty brackets": "x" + "[]" * 30_000,
}


@pytest.mark.parametrize("name", DEEP_NAMES)
def test_deep_names_of_parts_are_not_internal_errors(
    server: ProxyServer, painting: ScriptedUpstream, key: str, name: str
) -> None:
    started = time.monotonic()
    answer = edit(server, key, [*parts(1), (DEEP_NAMES[name], (None, "x"))])
    assert answer.status_code < 500, answer.text[:300]
    assert time.monotonic() - started < 3


def raw_form(*heads: str) -> bytes:
    """A form whose part headers are written by hand."""
    body = b"".join(f"--b\r\n{head}\r\n\r\nx\r\n".encode() for head in heads)
    return body + b"--b--\r\n"


ODD_FORMS = {
    "a boundary at every byte": b"--b\r\n" * 100_000,
    "headers without end": raw_form("Content-Disposition: form-data; name=image\r\n" + "X: y\r\n" * 50_000),
    "a header of a megabyte": raw_form(f'Content-Disposition: form-data; name="{"x" * MIB}"'),
    "quotes without end": raw_form('Content-Disposition: form-data; name="' + '\\"' * 100_000),
    "parameters without end": raw_form("Content-Disposition: form-data" + ";a=b" * 50_000),
    "almost boundaries": b"--b\r\nContent-Disposition: form-data; name=image\r\n\r\n" + b"\r\n--" * 500_000,
    "line ends without end": b"\r\n" * 1_000_000,
}


@pytest.mark.parametrize("name", ODD_FORMS)
def test_a_form_that_is_expensive_to_read_is_refused_quickly(
    server: ProxyServer, painting: ScriptedUpstream, key: str, name: str
) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=b"}
    started = time.monotonic()
    answer = requests.post(server.url + EDITS, data=ODD_FORMS[name], headers=headers, timeout=20)
    assert answer.status_code in (400, 413), answer.text[:300]
    assert not painting.calls
    assert time.monotonic() - started < 3


def deep(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


JSON_BOMBS = {
    "deep arrays": '{"prompt": "a", "contents": ' + deep(900) + "}",
    "very deep arrays": '{"prompt": "a", "contents": ' + deep(100_000) + "}",
    "very deep objects": '{"prompt": "a", "contents": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
    "deep in google": '{"prompt": "a", "google": {"tools": ' + deep(101) + '}, "contents": []}',
    "a number of 100,000 digits": '{"prompt": "a", "n": ' + "9" * 100_000 + ', "contents": ' + "9" * 100_000 + "}",
    "a number with a huge exponent": '{"prompt": "a", "n": 1e999999999, "contents": 1e999999999}',
    "a million zeros": '{"prompt": "a", "contents": [' + "0," * 1_000_000 + '0], "n": [' + "0," * 500_000 + "0]}",
    "150,000 good pictures and parts": '{"prompt": "a", "image": ['
    + '"https://x/a.png",' * 150_000
    + '"https://x/a.png"], "contents": [{"parts": ['
    + '{"text": "a"},' * 150_000
    + '{"text": "a"}]}]}',
    "200,000 members": '{"prompt": 5, ' + ",".join(f'"x{number}": 1' for number in range(200_000)) + "}",
    "the same member again and again": "{" + '"prompt": [],' * 200_000 + '"contents": 1}',
    "half a surrogate": '{"prompt": 5, "contents": "\\ud800"}',
    "UTF-16": '{"prompt": 5}'.encode("utf-16"),
    "zero bytes": b'{"prompt": 5}' + b"\0" * MIB,
    "escapes without end": '{"prompt": "' + "\\u0041" * 500_000 + '", "contents": 1}',
}


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_a_json_bomb_is_refused_quickly_on_both_surfaces(
    server: ProxyServer, painting: ScriptedUpstream, key: str, name: str
) -> None:
    body = JSON_BOMBS[name]
    data = body if isinstance(body, bytes) else body.encode()
    started = time.monotonic()
    with PeakMemory(server) as memory:
        for path in (GENERATIONS, GENERATE_CONTENT):
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            answer = requests.post(server.url + path, data=data, headers=headers, timeout=20)
            assert answer.status_code == 400, answer.text[:300]
            assert answer.json()["error"]["message"]
            assert len(answer.content) < 200_000, "an error is no amplifier"
    assert not painting.calls
    assert time.monotonic() - started < 6
    assert memory.growth < 100 * MIB


@pytest.mark.parametrize("path", [GENERATIONS, GENERATE_CONTENT])
@pytest.mark.parametrize(("levels", "status"), [(MOST_JSON_LEVELS, 200), (MOST_JSON_LEVELS + 1, 400)])
def test_json_may_be_as_deep_as_the_limit_and_no_deeper(
    server: ProxyServer, painting: ScriptedUpstream, key: str, path: str, levels: int, status: int
) -> None:
    within = levels - 1  # of the object that is the body
    innermost = f"{'[' * within}1{']' * within}"
    body = f'{{"prompt": "a", "contents": [{{"parts": [{{"text": "a"}}]}}], "unknown": {innermost}}}'
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    answer = requests.post(server.url + path, data=body, headers=headers, timeout=5)
    assert answer.status_code == status, answer.text[:300]
    if status == 400:
        assert f"deeper than {MOST_JSON_LEVELS} levels" in answer.json()["error"]["message"], (
            "the error names the limit"
        )
        assert not painting.calls


# HTTP itself

SECOND = f"POST {GENERATIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MARK}\r\nContent-Length: 15\r\n\r\n"
SECOND += '{"prompt": "a"}'
FIRST = f"POST {GENERATE_CONTENT} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: some-key\r\n"
SMUGGLED = {
    "a length and chunks": f"Content-Length: {5 + len(SECOND)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}",
    "chunks and a length": f"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{SECOND}",
    "two lengths": f"Content-Length: 2\r\nContent-Length: {2 + len(SECOND)}\r\n\r\n{{}}{SECOND}",
    "a list of lengths": f"Content-Length: 2, {2 + len(SECOND)}\r\n\r\n{{}}{SECOND}",
    "a signed length": f"Content-Length: +2\r\n\r\n{{}}{SECOND}",
    "a length in hexadecimal": f"Content-Length: 0x2\r\n\r\n{{}}{SECOND}",
    "a negative length": f"Content-Length: -2\r\n\r\n{{}}{SECOND}",
    "a length with a gap": f"Content-Length: 1 0\r\n\r\n{{}}{SECOND}",
    "a space before the colon": f"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{{}}{SECOND}",
    "a tab in the name": f"Transfer-Encoding\t: chunked\r\nContent-Length: 2\r\n\r\n{{}}{SECOND}",
    "a folded header": f"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{{}}{SECOND}",
    "an unknown coding": f"Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{{}}{SECOND}",
    "chunked and more": f"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{SECOND}",
    "chunked in the middle": f"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n{SECOND}",
    "an underscore": f"Content_Length: 0\r\nContent-Length: {2 + len(SECOND)}\r\n\r\n{{}}{SECOND}",
    "a bare line feed": f"X: y\nContent-Length: 0\r\nContent-Length: {2 + len(SECOND)}\r\n\r\n{{}}{SECOND}",
    "a bare carriage return": f"X: y\rContent-Length: 0\r\nContent-Length: {2 + len(SECOND)}\r\n\r\n{{}}{SECOND}",
    "a zero byte": f"X: y\0\r\nContent-Length: {2 + len(SECOND)}\r\n\r\n{{}}{SECOND}",
    "a chunk size with a sign": f"Transfer-Encoding: chunked\r\n\r\n+2\r\n{{}}\r\n0\r\n\r\n{SECOND}",
    "a chunk size with an underscore": f"Transfer-Encoding: chunked\r\n\r\n0_2\r\n{{}}\r\n0\r\n\r\n{SECOND}",
    "a chunk without its line end": f"Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}xx0\r\n\r\n{SECOND}",
    "a chunk size that is too large": f"Transfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n{{}}\r\n0\r\n\r\n{SECOND}",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_is_never_smuggled_behind_another(server: ProxyServer, painting: ScriptedUpstream, name: str) -> None:
    answer = server.says_to((FIRST + SMUGGLED[name]).encode())
    assert answer.count(b"HTTP/1.1 ") <= 1, "what framing is in doubt is answered once"
    assert answer.split()[1:2] in ([], [b"400"], [b"501"]), answer[:300]
    assert not [request for request in painting.calls if MARK in request.head.decode("latin-1")]


LONG_PIPELINE = 30


def test_pipelined_requests_are_answered_one_by_one(server: ProxyServer, painting: ScriptedUpstream, key: str) -> None:
    body = '{"contents":[{"parts":[{"text":"a"}]}]}'
    one = f"POST {GENERATE_CONTENT} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {key}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{one}\r\n{body}".encode() * LONG_PIPELINE)
        received = b""
        while received.count(b"\r\n0\r\n\r\n") < LONG_PIPELINE:
            piece = connection.recv(65536)
            assert piece, "the connection ended before all were answered"
            received += piece
    assert received.count(b"HTTP/1.1 200") == LONG_PIPELINE


# Headers and lines

EVIL = "1:1\r\nX-Evil: 1"
INJECTIONS: dict[str, dict[str, Any]] = {
    "an aspect ratio sent verbatim": {"google": {"generationConfig": {"imageConfig": {"aspectRatio": EVIL}}}},
    "an aspect ratio": {"aspect_ratio": EVIL},
    "a size": {"size": EVIL},
    "an unknown name": {EVIL: "x", "style": "vivid"},
    "a model": {"model": EVIL},
    "a format": {"output_format": EVIL},
    "an odd ratio sent verbatim": {
        "google": {"generationConfig": {"imageConfig": {"aspectRatio": "\u2603 \ud83d\ude00"}}}
    },
    "a long ratio sent verbatim": {"google": {"generationConfig": {"imageConfig": {"aspectRatio": "1:1" * 20_000}}}},
}


@pytest.mark.parametrize("name", INJECTIONS)
def test_no_parameter_becomes_a_header(server: ProxyServer, painting: ScriptedUpstream, key: str, name: str) -> None:
    answer = generate(server, key, **INJECTIONS[name])
    assert "X-Evil" not in answer.headers
    assert answer.status_code in (200, 400, 404), answer.text[:300]
    assert sum(len(header) + len(value) for header, value in answer.headers.items()) < 4000


def test_nothing_that_is_sent_begins_a_line_of_the_log(
    server: ProxyServer, painting: ScriptedUpstream, key: str
) -> None:
    forged = "\n2026-01-01 00:00:00,000 INFO forged"
    quoted = "%0A2026-01-01%20forged"
    for path in (f"/v1/{quoted}", f"/images/{quoted}.png", f"/v1beta/models/{quoted}:generateContent", f"/?{quoted}"):
        requests.post(server.url + path, json={}, headers={"Authorization": f"Bearer {key}"}, timeout=5)
        requests.get(server.url + path, timeout=5)
    generate(server, key, prompt=forged, model=forged, size=forged, user=forged)
    generate_content(server, key, {"contents": forged})
    server.says_to(b"GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\x0b2026 forged\r\n\r\n")
    server.says_to(b"FORGED\x0b2026\x0cforged /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
    painting.answers(Answer(json.dumps({"error": {"code": 400, "message": forged}}).encode(), 400))
    generate(server, key)
    lines = re.split(r"[\r\n\x0b\x0c\x85\u2028\u2029]", server.output())
    assert not [line for line in lines if line.startswith(("2026-01-01", "forged", "2026 forged"))]


def test_the_host_that_a_caller_claims_becomes_no_other_address(
    server: ProxyServer, painting: ScriptedUpstream, key: str
) -> None:
    for host in ("evil.test/x?", "evil.test#", "user@evil.test", 'evil"', "evil test", "evil.test\\", "[::1"):
        body = b'{"prompt": "a"}'
        head = (
            f"POST {GENERATIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Length: 15\r\n\r\n"
        )
        answer = server.says_to(head.encode() + body)
        assert answer.split()[1] == b"400", answer[:300]


SECURE = {"/healthz": "application/json", "/v1/models": "application/json", "/v1/nowhere": "application/json"}


@pytest.mark.parametrize("path", SECURE)
def test_a_browser_may_neither_guess_a_type_nor_let_another_site_read(server: ProxyServer, key: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Origin": "https://evil.test"}
    answer = requests.get(server.url + path, headers=headers, timeout=5)
    assert answer.headers["Content-Type"].startswith(SECURE[path])
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert answer.headers.get("X-Content-Type-Options") == "nosniff"


HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
STREAM = GENERATE_CONTENT.replace("generateContent", "streamGenerateContent?alt=sse")
NOT_GUESSED: dict[str, tuple[Wire, str, dict[str, Any], int, str]] = {
    "OpenAI's url": (Answer(BODY), GENERATIONS, {"response_format": "url"}, 200, "application/json"),
    "OpenAI's b64_json": (Answer(BODY), GENERATIONS, {"response_format": "b64_json"}, 200, "application/json"),
    "OpenAI's stream": (Answer(BODY), GENERATIONS, {"stream": True}, 200, SSE),
    "OpenAI's error": (Answer(HTML, 502, "text/html"), GENERATIONS, {}, 502, "application/json"),
    "Google's answer": (Answer(BODY), GENERATE_CONTENT, {}, 200, "application/json"),
    "Google's stream": (Answer(b"data: {}\r\n\r\n", 200, SSE), STREAM, {}, 200, SSE),
    "HTML that was passed on": (Answer(HTML, 502, "text/html"), GENERATE_CONTENT, {}, 502, "text/html"),
    "HTML that was passed on with 200": (Answer(HTML, 200, "text/html"), GENERATE_CONTENT, {}, 200, "text/html"),
}


@pytest.mark.parametrize("name", NOT_GUESSED)
def test_no_browser_may_guess_a_content_type(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, name: str
) -> None:
    script, path, parameters, status, content_type = NOT_GUESSED[name]
    upstream.answers(script)
    body = {"prompt": "a", **parameters} if path == GENERATIONS else {"contents": [{"parts": [{"text": "a"}]}]}
    answer = requests.post(server.url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (status, content_type)
    assert answer.headers.get("X-Content-Type-Options") == "nosniff"


def test_a_stored_picture_runs_nothing_whatever_it_holds(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    script = PICTURE + b"<script>alert(1)</script>"
    upstream.answers(Answer(pictures.as_google_writes(pictures.drawn(pictures.picture_part(script, "text/html")))))
    answer = requests.get(generate(server, key).json()["data"][0]["url"], timeout=5)
    assert (answer.content, answer.headers["Content-Type"]) == (script, "image/png")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# Pictures


def png_of(width: int, height: int, pixels: bytes, extra: bytes = b"") -> bytes:
    """A PNG that claims so many pixels of one bit, and a stream of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pieces = ((b"IHDR", header), (b"tRNS", b"\0\0"), (b"IDAT", pixels), (b"IEND", b""))
    return (
        b"\x89PNG\r\n\x1a\n"
        + b"".join(chunk(kind, data) for kind, data in pieces[:1])
        + extra
        + b"".join(chunk(kind, data) for kind, data in pieces[1:])
    )


def zeros(count: int) -> bytes:
    """Compressed zeros, a thousandth of their number."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(count // MIB)), packer.flush()])


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """Small files that open to much."""
    packed = zeros(300 * MIB)
    text = b"a\0\0" + packed
    text_chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return {
        "40,000 x 40,000 pixels": png_of(40_000, 40_000, packed),
        "claims 2,147,483,647 x 2,147,483,647": png_of(2**31 - 1, 2**31 - 1, zlib.compress(b"\0" * 99)),
        "more pixels in it than it claims": png_of(64, 64, packed),
        "a comment of 300 MB": png_of(64, 64, zlib.compress(bytes(9 * 64)), text_chunk),
    }


BOMBS = ("40,000 x 40,000 pixels", "claims 2,147,483,647 x 2,147,483,647", "more pixels in it than it claims")


@pytest.mark.parametrize("name", [*BOMBS, "a comment of 300 MB"])
def test_a_bomb_of_the_upstream_is_not_decoded_for_another_format(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, bombs: dict[str, bytes], name: str
) -> None:
    started = time.monotonic()
    upstream.answers(Answer(pictures.as_google_writes(pictures.drawn(pictures.picture_part(bombs[name])))))
    with PeakMemory(server) as memory:
        answer = generate(server, key, output_format="jpeg", response_format="b64_json")
    if name in BOMBS[:2]:
        assert code(answer) == (502, "upstream_error")
    assert answer.status_code in (200, 502), answer.text[:300]
    assert memory.growth < 20 * MIB
    assert time.monotonic() - started < 5
    assert generate(server, key, response_format="b64_json").status_code == 200, "as it is it is only passed on"


@pytest.mark.parametrize("name", [*BOMBS, "a comment of 300 MB"])
def test_a_bomb_as_a_mask_or_a_picture_is_not_decoded(
    server: ProxyServer, painting: ScriptedUpstream, key: str, bombs: dict[str, bytes], name: str
) -> None:
    started = time.monotonic()
    text = base64.b64encode(bombs[name]).decode()
    with PeakMemory(server) as memory:
        for files in ({"image": bombs[name]}, {"image": bombs[name], "mask": bombs[name]}):
            assert edit(server, key, files).status_code in (200, 400)
        assert generate(server, key, image=text).status_code in (200, 400)
    assert memory.growth < 20 * MIB
    assert time.monotonic() - started < 4


# Addresses


@contextmanager
def trap() -> Iterator[tuple[str, list[Any]]]:
    """An address that must not be opened."""
    visitors: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def watch() -> None:
            try:
                visitors.append(listener.accept())
            except OSError:
                return

        threading.Thread(target=watch, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/latest/meta-data", visitors
        time.sleep(0.2)
        listener.shutdown(socket.SHUT_RDWR)


def test_an_address_is_never_opened_here(server: ProxyServer, painting: ScriptedUpstream, key: str) -> None:
    with trap() as (address, visitors):
        named = {"images": [{"image_url": address}], "mask": {"image_url": address}, "prompt": "a"}
        headers = {"Authorization": f"Bearer {key}"}
        calls = [
            generate(server, key, image=address),
            generate(server, key, image=[address, "http://169.254.169.254/latest", "http://[::1]/", "gs://a/b"]),
            requests.post(server.url + EDITS, json=named, headers=headers, timeout=5),
            edit(server, key, {"image": (None, address), "mask": (None, address)}),
            generate_content(server, key, {"contents": [{"parts": [{"fileData": {"fileUri": address}}]}]}),
        ]
        assert [call.status_code for call in calls] == [200] * 5, [call.text[:200] for call in calls]
        for odd in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:1/x", "//127.0.0.1/x", "http:x"):
            assert generate(server, key, image=odd).status_code == 400
    assert not visitors
    assert all(address.encode() in request.body for request in painting.calls)
    assert all(request.target.startswith(f"/v1beta/models/{MODEL}") for request in painting.calls)
