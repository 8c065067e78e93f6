"""Which key goes up: one, whatever way it came, and never another credential beside it."""

import pytest

from tests.support.keys import new_key
from tests.support.proxy_server import ProxyServer
from tests.support.raw_caller import A_CAT, call
from tests.support.upstream import Answer, ScriptedUpstream

MODEL = "gemini-2.5-flash-image"
TARGETS = (
    f"/v1beta/models/{MODEL}:generateContent",
    f"/v1/models/{MODEL}:streamGenerateContent?alt=sse",
    f"/v1beta/models/{MODEL}:countTokens",
)
OK = Answer(b"{}")


def with_key(target: str, key: str | None) -> str:
    """The target with the key in its query."""
    if key is None:
        return target
    return f"{target}{'&' if '?' in target else '?'}key={key}"


@pytest.mark.parametrize("in_header", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("in_query", [True, False], ids=["query", "no query"])
@pytest.mark.parametrize("as_bearer", [True, False], ids=["Bearer", "no Bearer"])
def test_the_header_wins_over_the_query_and_the_query_over_bearer(
    server: ProxyServer, upstream: ScriptedUpstream, in_header: bool, in_query: bool, as_bearer: bool
) -> None:
    header, query, bearer = (new_key() if given else None for given in (in_header, in_query, as_bearer))
    upstream.answers(OK)
    headers = [("x-goog-api-key", header)] if header else []
    headers += [("Authorization", f"Bearer {bearer}")] if bearer else []
    reply = call(server, with_key(TARGETS[1], query), A_CAT, headers)
    expected = header or query or bearer
    if expected is None:
        assert_unregistered(reply.status, reply.error, upstream)
        return
    assert reply.status == 200
    assert upstream.call.all("x-goog-api-key") == [expected]
    assert upstream.call.all("authorization") == []
    for other in {header, query, bearer} - {expected, None}:
        assert str(other) not in upstream.call.head.decode("latin-1")
    assert "key=" not in upstream.call.target


def assert_unregistered(status: int, error: dict[str, object], upstream: ScriptedUpstream) -> None:
    """Google's own 403, without a call upstream."""
    assert (status, error["code"], error["status"]) == (403, 403, "PERMISSION_DENIED")
    assert error["message"] == (
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
        "other form of API consumer identity to call this API."
    )
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", [("x-goog-api-key", "")]),
        ("", [("Authorization", "Bearer")]),
        ("", [("Authorization", "Bearer ")]),
        ("", [("Authorization", "Basic eDp5")]),
        ("?key=", []),
        ("?key", []),
        ("?KEY=abc", []),
    ],
)
def test_an_empty_credential_is_none(
    server: ProxyServer, upstream: ScriptedUpstream, query: str, headers: list[tuple[str, str]]
) -> None:
    upstream.answers(OK)
    reply = call(server, TARGETS[0] + query, A_CAT, headers)
    assert_unregistered(reply.status, reply.error, upstream)


def test_an_empty_credential_does_not_hide_a_full_one(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(OK)
    headers = [("x-goog-api-key", ""), ("Authorization", f"bearer {key}")]
    assert call(server, f"{TARGETS[0]}?key=", A_CAT, headers).status == 200
    assert upstream.call.all("x-goog-api-key") == [key]
    assert upstream.call.target == TARGETS[0]


@pytest.mark.parametrize("target", TARGETS)
def test_without_a_key_nothing_else_is_judged(server: ProxyServer, upstream: ScriptedUpstream, target: str) -> None:
    upstream.answers(OK)
    for path, body in ((target, b"no JSON"), (target.replace(MODEL, "another"), A_CAT)):
        reply = call(server, path, body)
        assert_unregistered(reply.status, reply.error, upstream)


@pytest.mark.parametrize("shape", ["AIza{}", "AQ.{}", "{}", "sk-{}", "ya29.{}", "a b {}", "{}!#$%&'*+/=?^~", "{}" * 40])
@pytest.mark.parametrize("way", ["header", "Bearer"])
def test_the_shape_of_a_key_is_not_judged(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, shape: str, way: str
) -> None:
    upstream.answers(OK)
    shaped = shape.replace("{}", key)
    header = ("x-goog-api-key", shaped) if way == "header" else ("Authorization", f"Bearer {shaped}")
    assert call(server, TARGETS[0], A_CAT, [header]).status == 200
    assert upstream.call.all("x-goog-api-key") == [shaped]


def test_an_encoded_key_in_the_query_goes_up_decoded(server: ProxyServer, upstream: ScriptedUpstream, key: str) -> None:
    upstream.answers(OK)
    assert call(server, f"{TARGETS[0]}?key={key}%2Fx%2By%3D", A_CAT).status == 200
    assert upstream.call.all("x-goog-api-key") == [f"{key}/x+y="]
    assert upstream.call.target == TARGETS[0]


@pytest.mark.parametrize("keys", ["?key={a}&key={b}", "?key={a}&alt=sse&%6bey={b}"])
def test_two_keys_in_the_query_are_one(server: ProxyServer, upstream: ScriptedUpstream, keys: str) -> None:
    upstream.answers(OK)
    first, second = new_key(), new_key()
    assert call(server, TARGETS[0] + keys.format(a=first, b=second), A_CAT).status == 200
    assert upstream.call.all("x-goog-api-key") == [first]
    assert first not in upstream.call.target and second not in upstream.call.target


@pytest.mark.parametrize("way", ["header", "query", "Bearer"])
def test_the_models_need_a_key_and_any_is_accepted(
    server: ProxyServer, upstream: ScriptedUpstream, key: str, way: str
) -> None:
    headers = {"header": [("x-goog-api-key", key)], "Bearer": [("Authorization", f"Bearer {key}")]}.get(way, [])
    for path in ("/v1beta/models", f"/v1beta/models/{MODEL}"):
        target = with_key(path, key if way == "query" else None)
        assert call(server, target, None, headers, "GET").status == 200
        reply = call(server, path, None, [], "GET")
        assert_unregistered(reply.status, reply.error, upstream)


def test_an_error_that_repeats_the_key_has_it_taken_out(
    server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    body = b'{"error": {"code": 403, "message": "Consumer \'api_key:%s\' has been suspended.", "status": "X"}}'
    upstream.answers(Answer(body % key.encode(), 403))
    reply = call(server, TARGETS[0], A_CAT, [("x-goog-api-key", key)])
    assert reply.body == body % b"[key]"
    assert int(reply.one("content-length") or len(reply.body)) == len(reply.body)
