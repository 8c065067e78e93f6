"""Google's generateContent: a window, through which requests and answers pass byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from flask import Blueprint, Response, request

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import MISSING_KEY_MESSAGE, parse_error, retry_delay_of
from compat.gemini_content.request import SCHEMAS, check_request
from proxy.callers import google_key, without_key
from proxy.error_handlers import retry_headers
from proxy.routes import the_service
from proxy.routes.caller_watch import stop_watching
from proxy.routes.flow import flow
from proxy.routes.observing import observation
from proxy.routes.places import give_place_back, take_place
from proxy.routes.request_body import parse_json, read_body
from proxy.upstream import UpstreamAnswer, broken

CREDENTIALS = ("key", "access_token", "oauth_token")  # that Google reads from a query
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # no header may hold it
FRAMING = {"content-length", "transfer-encoding"}
HEADERS_UP = ("user-agent", "x-goog-api-client", "x-server-timeout")
HEADERS_NOT_DOWN = frozenset(  # hop by hop, of the upstream's own connection, or told by our server itself
    {
        "alt-svc",
        "connection",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "server",
        "set-cookie",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

blueprint = Blueprint("gemini_content", __name__)
blueprint.before_request(take_place)
blueprint.after_request(give_place_back)
blueprint.after_request(stop_watching)


@blueprint.post("/<any(v1, v1beta):version>/models/<model_call:target>")
def call_model(version: str, target: str) -> Response:
    """`{model}:generateContent`, `:streamGenerateContent` and `:countTokens`."""
    service, key = the_service(), caller_key()
    name, _, method = target.rpartition(":")
    if method not in SCHEMAS:
        raise ApiError(
            ErrorKind.NOT_FOUND,
            f"Invalid URL (POST {request.path}). Served are {', '.join(f'{{model}}:{served}' for served in SCHEMAS)}.",
        )
    observation().operation = method
    model = service.catalogue.resolve(name)
    observation().note_model(model)
    body = read_body()
    check_request(method, parse_json(body))
    answer = service.upstream.call(
        f"{model.upstream_name}:{method}",
        body,
        key,
        query=query_without_key(request.query_string.decode("latin-1")),
        headers=headers_up(service.settings.upstream_gzip),
        decode=False,
        times=observation().call(),
    )
    return pass_on(answer, key)


def pass_on(answer: UpstreamAnswer, key: str) -> Response:
    """The upstream's answer as it came; an error without the key, should it repeat it."""
    headers = headers_down(answer, key)
    if 300 <= answer.status < 400:
        answer.close()
        raise broken(f"The upstream answered with status {answer.status}.")
    if answer.status < 400:
        framed = FRAMING & answer.headers.keys()
        chunks = answer.chunks if framed else not_empty(answer.chunks)
        return flow(observation().native_chunks(chunks, "content-encoding" in headers), headers, answer.status)
    try:
        body = without_key(answer.read_error().decode("latin-1"), key).encode("latin-1")
    finally:
        answer.close()
    observation().error = parse_error(answer.status, body).kind.name.lower()
    for name in ("content-length", "content-encoding"):
        headers.pop(name, None)
    delay = retry_delay_of(body)
    if delay is not None and "retry-after" not in headers:
        headers.update(retry_headers(delay))
    return flow(iter([body]), headers, answer.status)


def headers_up(gzip: bool) -> dict[str, str]:
    """What the caller's SDK says of itself; nothing that says who he is."""
    names = (*HEADERS_UP, "accept-encoding") if gzip else HEADERS_UP
    return {name: value for name in names if (value := request.headers.get(name))}


def not_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of an answer that does not say where it ends: if there are none, its headers were cut off."""
    first = next(chunks, b"")
    if not first:
        raise broken("The upstream's answer is empty.")
    yield first
    yield from chunks


def headers_down(answer: UpstreamAnswer, key: str) -> dict[str, str]:
    """What the upstream says of its answer, without what belongs to its connection, and without the key."""
    named = {name.strip().lower() for name in answer.headers.get("connection", "").split(",")}
    return {
        name: without_key(value, key)
        for name, value in answer.headers.items()
        if name not in HEADERS_NOT_DOWN | named and CONTROL.search(value) is None
    }


def query_without_key(query: str) -> str:
    """The query as it came, but for credentials: one travels, and not there."""

    def names_credential(pair: str) -> bool:
        return unquote_plus(pair.partition("=")[0]).lstrip("$") in CREDENTIALS

    return "&".join(pair for pair in query.split("&") if not names_credential(pair))


def caller_key() -> str:
    """The key of the current request. Raises MISSING_KEY, as Google does for callers it does not know."""
    if key := google_key(request.headers, request.args):
        observation().note_key(key, the_service().settings.log_salt)
        return key
    raise ApiError(ErrorKind.MISSING_KEY, MISSING_KEY_MESSAGE)
