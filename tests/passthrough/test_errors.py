"""Google's errors pass as they are, and say in a header when to come back; our own have Google's form."""

import json
from collections.abc import Iterator

import pytest

from tests.support import pictures
from tests.support.proxy_server import ProxyServer, Start
from tests.support.raw_caller import A_CAT, call
from tests.support.recordings import ABSENT, Recording, gemini_recordings
from tests.support.upstream import JSON, SILENCE, SSE, Answer, ScriptedUpstream, Wire

MODEL = "gemini-2.5-flash-image"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1/models/{MODEL}:streamGenerateContent?alt=sse"
COUNT = f"/v1beta/models/{MODEL}:countTokens"
TARGETS = pytest.mark.parametrize("target", [GENERATE, STREAM, COUNT], ids=["generate", "stream", "count"])


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (400, JSON, b'{"error": {"code": 400, "message": "a", "status": "INVALID_ARGUMENT"}}\n'),
        (
            401,
            JSON,
            b'{\n  "error": {\n    "code": 401,\n    "message": "a",\n    "status": "UNAUTHENTICATED"\n  }\n}\n',
        ),
        (403, JSON, b'{"error":{}}'),
        (404, SSE, b'[{"error": {"code": 404, "message": "a", "status": "NOT_FOUND"}}]'),
        (409, JSON, b""),
        (418, "text/plain", b"\xff\xfe"),
        (429, JSON, b'{"error": 5}'),
        (499, JSON, b"null"),
        (500, JSON, b'{"error": {"code": 500, "message": "\\u001f", "status": "INTERNAL", "new": [1]}}'),
        (502, "text/html; charset=UTF-8", b"<html><title>502</title></html>"),
        (503, SSE, b'{"error": {"code": 503, "message": "high demand", "status": "UNAVAILABLE"}}'),
        (504, JSON, b"x" * 100_000),
        (529, JSON, b"{}"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_error_of_the_upstream_passes_as_it_is(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, status: int, content_type: str, body: bytes
) -> None:
    upstream.answers(Answer(body, status, content_type, [("server-timing", "gfet4t7; dur=5")]))
    reply = call(server, STREAM, A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.one("content-type"), reply.body) == (status, content_type, body)
    assert reply.one("server-timing") == "gfet4t7; dur=5"
    assert len(upstream.calls) == 1, "an error is not asked for twice"


@pytest.mark.parametrize(
    ("delay", "message", "expected"),
    [
        ("48s", "Quota exceeded.\nPlease retry in 48.939935699s.", "49"),
        ("48s", "Quota exceeded.", "48"),
        ("0.2s", "Quota exceeded.", "1"),
        ("7.5s", "Quota exceeded.", "8"),
        (None, "Resource has been exhausted (e.g. check quota).", None),
        ("soon", "Quota exceeded.", None),
    ],
)
def test_the_delay_of_a_429_is_in_retry_after(
    server: ProxyServer,
    upstream: ScriptedUpstream,
    key: str,
    delay: str | None,
    message: str,
    expected: str | None,
) -> None:
    details = [pictures.quota_failure("PerMinute"), *([pictures.retry_info(delay)] if delay else [])]
    body = pictures.as_google_writes(pictures.error(429, "RESOURCE_EXHAUSTED", message, *details))
    upstream.answers(Answer(body, 429))
    reply = call(server, STREAM, A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.body) == (429, body)
    assert reply.one("retry-after") == expected


def test_a_retry_after_of_the_upstreams_own_stays(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    body = pictures.as_google_writes(pictures.error(429, "RESOURCE_EXHAUSTED", "x", pictures.retry_info("48s")))
    upstream.answers(Answer(body, 429, headers=[("Retry-After", "5")]))
    assert call(server, GENERATE, A_CAT, [("x-goog-api-key", key)]).one("retry-after") == "5"


@pytest.mark.skipif(not gemini_recordings(), reason=ABSENT)
@pytest.mark.parametrize("recording", [one for one in gemini_recordings() if one.status == 429], ids=str)
def test_a_recorded_429_has_its_delay_in_retry_after(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, recording: Recording
) -> None:
    upstream.answers(recording.answer)
    reply = call(server, GENERATE, A_CAT, [("x-goog-api-key", key)])
    assert reply.body == recording.body
    assert (reply.one("retry-after") is not None) == (b"RetryInfo" in recording.body)


def test_a_redirect_is_not_followed_and_not_passed_on(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(Answer(b"", 307, headers=[("Location", f"{upstream.url}/elsewhere")]))
    reply = call(server, GENERATE, A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (502, "UNAVAILABLE")
    assert reply.one("location") is None
    assert len(upstream.calls) == 1


BROKEN = {
    "no answer": Wire([b""]),
    "no HTTP": Wire([b"hello\r\n\r\n"]),
    "half a status line": Wire([b"HTTP/1."]),
}


@TARGETS
@pytest.mark.parametrize("name", BROKEN)
def test_no_answer_at_all_is_an_error_in_googles_form(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, target: str, name: str
) -> None:
    answer = BROKEN[name]

    def then_hang_up() -> Iterator[bytes]:
        yield from answer.pieces
        raise ConnectionError

    upstream.answers(lambda _: Wire(then_hang_up()))
    reply = call(server, target, A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (502, "UNAVAILABLE")
    assert reply.one("content-type") == "application/json"
    assert reply.detail("ErrorInfo")["reason"] == "UPSTREAM_BROKEN"
    assert len(upstream.calls) == 1, "what may have been paid is not asked for twice"


@pytest.fixture(scope="module")
def strict_server(start: Start, google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> ProxyServer:
    """A proxy that waits a second for its upstream, and takes and passes on little."""
    limits = {"UPSTREAM_TIMEOUT_SECONDS": "1", "MAX_REQUEST_BYTES": "20000", "MAX_ANSWER_BYTES": "20000"}
    return start(tmp_path_factory.mktemp("strict"), GEMINI_BASE_URL=google.url, MAX_IN_FLIGHT="1", **limits)


@TARGETS
def test_a_late_answer_is_a_504_in_googles_form(
    strict_server: ProxyServer, upstream: ScriptedUpstream, key: str, target: str
) -> None:
    upstream.answers(SILENCE)
    reply = call(strict_server, target, A_CAT, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (504, "DEADLINE_EXCEEDED")
    assert upstream.call.gone.wait(1)


@TARGETS
def test_a_large_body_is_a_413_in_googles_form(
    strict_server: ProxyServer, upstream: ScriptedUpstream, key: str, target: str
) -> None:
    body = json.dumps({"contents": [{"parts": [{"text": "a" * 30_000}]}]}).encode()
    reply = call(strict_server, target, body, [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (413, "INVALID_ARGUMENT")
    assert "20000" in reply.error["message"]
    assert upstream.calls == []


def test_every_wrong_field_is_named_in_googles_form(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    body = {"contents": [{"parts": 5}, {"parts": [{"text": 1}]}], "generationConfig": {"seed": {}}, "tools": 1}
    reply = call(server, STREAM, json.dumps(body).encode(), [("x-goog-api-key", key)])
    assert (reply.status, reply.error["status"]) == (400, "INVALID_ARGUMENT")
    violations = reply.detail("BadRequest")["fieldViolations"]
    fields = ["contents[0].parts", "contents[1].parts[0].text", "generation_config.seed", "tools"]
    assert sorted(violation["field"] for violation in violations) == fields
    assert reply.error["message"] == "\n".join(violation["description"] for violation in violations)
    assert upstream.calls == []
