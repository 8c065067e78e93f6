"""A caller's key goes to the upstream, as `x-goog-api-key`, and nowhere else.

With ACCESS=keys it goes nowhere at all, and the operator's key goes where the caller's would.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
import requests

from proxy.access.key_records import KeyRecords
from proxy.caller import AccessKey
from proxy.state.database import Database
from tests.support import pictures
from tests.support.keys import keys_in, new_key, remember_key
from tests.support.proxy_server import ProxyServer
from tests.support.upstream import NO_ANSWER, NO_ANSWER_BUT_A_RESET, Answer, Call, ScriptedUpstream, knows_only

GENERATIONS = "/v1/images/generations"
GENERATE_CONTENT = "/v1beta/models/gemini-2.5-flash-image:generateContent"
STREAM = "/v1/models/google/gemini-2.5-flash-image:streamGenerateContent?alt=sse"
COUNT = "/v1beta/models/gemini-2.5-flash-image:countTokens"
CHAT = "/v1/chat/completions"
PATHS = (GENERATIONS, CHAT, GENERATE_CONTENT, STREAM, COUNT)
PROMPT = {
    "prompt": "a cat",
    "messages": [{"role": "user", "content": "a cat"}],
    "contents": [{"parts": [{"text": "a cat"}]}],
}

# Where callers put a key: headers and query, with {0} and {1} for two different keys.
PLACES: dict[str, tuple[dict[str, str], str]] = {
    "Bearer": ({"Authorization": "Bearer {0}"}, ""),
    "bearer in lower case": ({"authorization": "bearer {0}"}, ""),
    "x-goog-api-key": ({"x-goog-api-key": "{0}"}, ""),
    "query": ({}, "key={0}"),
    "query, encoded": ({}, "x=1&%6Bey={0}&y=2"),
    "header and query": ({"x-goog-api-key": "{0}"}, "key={1}"),
    "query and Bearer": ({"Authorization": "Bearer {1}"}, "key={0}"),
    "header and Bearer": ({"x-goog-api-key": "{0}", "Authorization": "Bearer {1}"}, ""),
    "header and cookie": ({"x-goog-api-key": "{0}", "Cookie": "session={1}"}, ""),
    "header twice in the query": ({"x-goog-api-key": "{0}"}, "key={1}&key={1}"),
}


def echoes_the_key(call: Call) -> Answer:
    """What Google does for a suspended consumer: the key stands in the message, and here in a detail too."""
    key = call.headers.get("x-goog-api-key")
    message = f"Permission denied: Consumer 'api_key:{key}' has been suspended."
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "metadata": {"consumer": f"api_key:{key}"}}
    body = pictures.error(403, "PERMISSION_DENIED", message, detail)
    return Answer(body, status=403)


OUTCOMES: dict[str, Any] = {
    "a picture": Answer(pictures.drawn(pictures.picture_part(pictures.plain_png()))),
    "an echo of the key": echoes_the_key,
    "no answer": NO_ANSWER,
    "a reset": NO_ANSWER_BUT_A_RESET,
    "HTML": Answer(b"<html></html>", content_type="text/html"),
    "a refusal": Answer(pictures.refused()),
    "a server error": Answer(pictures.error(500, "INTERNAL", "An internal error has occurred."), status=500),
}


# Every place with an answer that repeats the key, and every answer for a caller who gives two keys, on every path.
TRIED = [
    pytest.param(place, path, outcome, id=f"{place}-{path}-{outcome}")
    for path in PATHS
    for place in PLACES
    for outcome in OUTCOMES
    if outcome == "an echo of the key" or place == "header and Bearer"
]
OF_A_TEAM = [
    pytest.param(place, path, outcome, id=f"{place}-{path}-{outcome}")
    for path in PATHS
    for place in ("Bearer", "x-goog-api-key", "query", "query, encoded", "header and query")
    for outcome in OUTCOMES
    if outcome != "an echo of the key" and (outcome == "a picture" or place == "Bearer")
]


@pytest.fixture(scope="module")
def chatty_server(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    """A proxy of these tests' own, so that its output is about them alone."""
    with ProxyServer(tmp_path_factory.mktemp("keys"), GEMINI_BASE_URL=google.url) as server:
        yield server


def everything_in(answer: requests.Response) -> str:
    """Status line, headers and body of a response, as one text."""
    headers = (f"{name}: {value}" for name, value in answer.headers.items())
    return "\n".join(chain([answer.reason, answer.url.partition("?")[0]], headers, [answer.text]))


def addressed(path: str, query: str) -> str:
    """The path with one more query."""
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"


def bearer_of(headers: dict[str, str]) -> str | None:
    """The key that OpenAI's surface looks at."""
    return next((value.split()[1] for name, value in headers.items() if name.lower() == "authorization"), None)


def ask(server: ProxyServer, path: str, headers: dict[str, str]) -> requests.Response:
    """A call whose body suits every surface."""
    return requests.post(server.url + path, json=PROMPT, headers=headers, timeout=10)


@pytest.mark.parametrize(("place", "path", "outcome"), TRIED)
def test_a_key_is_in_no_response_and_in_no_output(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, place: str, path: str, outcome: str
) -> None:
    upstream.answers(OUTCOMES[outcome])
    keys = new_key(), new_key("AQ.")
    headers, query = PLACES[place]
    filled = {name: value.format(*keys) for name, value in headers.items()}
    answer = ask(chatty_server, addressed(path, query.format(*keys)), filled)
    assert keys_in(everything_in(answer)) == []
    assert keys_in(chatty_server.output()) == []
    goes_up = bearer_of(filled) if path in (GENERATIONS, CHAT) else keys[0]
    for call in upstream.calls:
        assert call.all("x-goog-api-key") == [goes_up], "one of two keys goes up, alone"
        others = [(name, value) for name, value in call.header_lines if name != "x-goog-api-key"]
        assert keys_in(json.dumps(others)) == []
        assert keys_in(call.target) == []
        assert "key=" not in call.target
        assert call.headers.get("authorization") is None
        assert call.headers.get("cookie") is None
    assert bool(upstream.calls) == bool(goes_up), "a key was given, so there is a call upstream"
    assert upstream.calls or answer.status_code == 401


def test_an_echoed_key_is_replaced_and_the_rest_of_the_message_is_kept(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(echoes_the_key)
    for answer in (
        ask(chatty_server, GENERATIONS, {"Authorization": f"Bearer {key}"}),
        ask(chatty_server, GENERATE_CONTENT, {"x-goog-api-key": key}),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"]["message"] == "Permission denied: Consumer 'api_key:[key]' has been suspended."


@pytest.mark.parametrize("path", PATHS)
def test_a_key_that_the_upstream_repeats_in_a_header_is_not_passed_on(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str
) -> None:
    body = pictures.error(403, "PERMISSION_DENIED", "Permission denied.")
    upstream.answers(Answer(body, status=403, headers=(("X-Debug-Consumer", f"api_key:{key}"),)))
    answer = ask(chatty_server, path, {"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert keys_in(everything_in(answer)) == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/nowhere", "/healthz", "/images/nothing.png", "/v1/nowhere", "/v1/models", "/v1/models/nothing"),
        *("/v1beta/nowhere", "/v1beta/models/nothing:x", "/v1beta1/publishers/google/models/x:y"),
        *(GENERATIONS, GENERATE_CONTENT),
    ],
)
def test_a_key_is_not_repeated_by_any_path_or_method(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, key: str, method: str, path: str
) -> None:
    upstream.answers(OUTCOMES["a picture"])
    headers = {"x-goog-api-key": key, "Authorization": f"Bearer {key}"}
    answer = requests.request(method, addressed(chatty_server.url + path, f"key={key}"), headers=headers, timeout=10)
    assert keys_in(everything_in(answer)) == []
    assert keys_in(chatty_server.output()) == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"{key}"', b'{"prompt": "{key}"', b"\xff\xfe", b"{" * 5000]
)
@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_not_repeated_when_the_body_is_malformed(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str, body: bytes
) -> None:
    upstream.answers(OUTCOMES["a picture"])
    headers = {"x-goog-api-key": key, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = body.replace(b"{key}", key.encode())
    answer = requests.post(addressed(chatty_server.url + path, f"key={key}"), data=data, headers=headers, timeout=10)
    assert answer.status_code == 400
    assert keys_in(everything_in(answer)) == []
    assert keys_in(chatty_server.output()) == []


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /v1/models?key={key} HTTP/9.9\r\n\r\n",
        "GET /v1/models?key={key}\r\n\r\n",
        "{key}\r\n\r\n",
        "{key} / HTTP/1.1\r\n\r\n",
        "get /v1/models?key={key} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/models?key={key} HTTP/1.1\r\nHost: x\r\nx-goog-api-key {key}\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nx-goog-api-key\t: {key}\r\n\r\n",
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\r\n {key}\r\n\r\n",
        "GET /v1/models?key={key} HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n",
        "GET /v1/models?key={key}&long={long} HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/models?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: {key}\r\n\r\n",
        "POST /v1/images/generations?key={key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {key}\r\n\r\n",
        "POST /v1/images/generations?key={key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n",
        "POST /v1/images/generations?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{",
        "GET http://[{key}/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/models?key={key}%zz%00 HTTP/1.1\r\nHost: [{key}\r\n\r\n",
    ],
)
def test_a_key_is_not_repeated_when_the_request_itself_is_malformed(
    chatty_server: ProxyServer, key: str, request_line: str
) -> None:
    answer = chatty_server.says_to(request_line.format(key=key, long="x" * 70_000).encode()).decode(errors="replace")
    assert keys_in(answer) == []
    assert keys_in(chatty_server.output()) == []
    assert "<html" not in answer.lower()


@pytest.mark.parametrize("suffix", ["%0d%0aX-Evil:1", "%00", "%ed%82%a4", "%ff", "%22", "%5c%5c"])
@pytest.mark.parametrize("path", [GENERATE_CONTENT, STREAM, COUNT])
def test_a_key_that_no_header_can_carry_is_an_error_of_the_caller(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, key: str, path: str, suffix: str
) -> None:
    upstream.answers(knows_only(key, OUTCOMES["a picture"]))
    written_before = len(chatty_server.output())
    answer = ask(chatty_server, addressed(path, f"key={key}{suffix}"), {})
    assert answer.status_code == 400, answer.text
    assert keys_in(everything_in(answer)) == []
    written = chatty_server.output()[written_before:]
    assert keys_in(written) == []
    assert "Traceback" not in written


def test_a_key_is_in_no_file_and_on_no_page_of_the_service(
    chatty_server: ProxyServer, upstream: ScriptedUpstream, key: str
) -> None:
    upstream.answers(OUTCOMES["a picture"])
    answer = ask(chatty_server, GENERATIONS, {"Authorization": f"Bearer {key}"})
    assert keys_in(answer.json()["data"][0]["url"]) == []
    for file in chatty_server.folder.rglob("*"):
        assert keys_in(file.name) == []
        assert not file.is_file() or keys_in(file.read_bytes().decode(errors="replace")) == []
    for page in ("/", "/metrics", "/healthz", "/readyz", "/openapi.json"):
        assert keys_in(everything_in(requests.get(chatty_server.url + page, timeout=10))) == []


@dataclass
class Team:
    """A service that hands out keys, with the operator's key and one of a caller's."""

    server: ProxyServer
    operators: str
    callers: str


@pytest.fixture(scope="module")
def team(google: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    operators = new_key()
    settings = {"ACCESS": "keys", "GEMINI_API_KEYS": operators, "GEMINI_BASE_URL": google.url, "LOG_FORMAT": "json"}
    with ProxyServer(tmp_path_factory.mktemp("team"), **settings) as server:
        records = KeyRecords(Database(server.environment["DATABASE_URL"]))
        key = records.create(AccessKey("", "ann", "month", 10**9), time.time())
        yield Team(server, operators, remember_key(key))


@pytest.mark.parametrize(("place", "path", "outcome"), OF_A_TEAM)
def test_neither_key_of_a_team_is_in_a_response_or_an_output(
    team: Team, upstream: ScriptedUpstream, place: str, path: str, outcome: str
) -> None:
    upstream.answers(OUTCOMES[outcome])
    headers, query = PLACES[place]
    filled = {name: value.format(team.callers, new_key()) for name, value in headers.items()}
    if path in (GENERATIONS, CHAT):
        filled, query = {"Authorization": f"Bearer {team.callers}"}, ""
    answer = ask(team.server, addressed(path, query.format(team.callers, new_key())), filled)
    assert keys_in(everything_in(answer)) == []
    assert keys_in(team.server.output()) == []
    for call in upstream.calls:
        assert call.all("x-goog-api-key") == [team.operators]
        assert keys_in(call.target) == []
        assert team.callers not in call.head.decode("latin-1")
    assert upstream.calls


@pytest.mark.parametrize("key", ["twl_{}", "AIza-wrong-{}"])
def test_a_wrong_key_is_repeated_nowhere(team: Team, upstream: ScriptedUpstream, key: str) -> None:
    wrong = remember_key(key.format(new_key()[-24:] * 2))
    for path in PATHS:
        answer = ask(team.server, addressed(path, f"key={wrong}"), {"Authorization": f"Bearer {wrong}"})
        assert answer.status_code in (400, 401)
        assert keys_in(everything_in(answer)) == []
    assert keys_in(team.server.output()) == []
    assert upstream.calls == []


def test_no_key_of_a_team_is_in_a_file_its_database_or_on_a_page(team: Team, upstream: ScriptedUpstream) -> None:
    upstream.answers(OUTCOMES["a picture"])
    ask(team.server, GENERATIONS, {"Authorization": f"Bearer {team.callers}"})
    for file in team.server.folder.rglob("*"):
        assert not file.is_file() or keys_in(file.read_bytes().decode(errors="replace")) == []
    for page in ("/", "/metrics", "/readyz", "/v1/key"):
        answer = requests.get(team.server.url + page, headers={"Authorization": f"Bearer {team.callers}"}, timeout=10)
        assert answer.status_code == 200
        assert keys_in(everything_in(answer)) == []


def test_an_operators_key_that_is_refused_is_named_by_its_fingerprint(team: Team, upstream: ScriptedUpstream) -> None:
    upstream.answers(echoes_the_key)
    for path in PATHS:
        answer = ask(team.server, path, {"Authorization": f"Bearer {team.callers}"})
        assert answer.status_code == 502
        assert "refuses all keys" in answer.json()["error"]["message"]
        assert keys_in(everything_in(answer)) == []
    assert len(upstream.calls) == 1, "the key rests"
    assert "api_key:[key]" in team.server.output()
    assert keys_in(team.server.output()) == []


def test_the_search_for_keys_finds_a_key() -> None:
    key = new_key()
    assert keys_in(f"GET /v1/models?key={key} HTTP/1.1") == [key]
    assert keys_in(f"Incorrect API key provided: {key[:-8]}***") == [key]
    assert keys_in("no key at all") == []
