"""Through a window: an upstream's answer as it came, without what belongs to its connection, and without the key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Response, request

from compat.errors import broken
from proxy.caller import without_key
from proxy.generation.languages import Language
from proxy.routes.errors import retry_headers
from proxy.routes.flow import flow
from proxy.routes.observing import observation
from proxy.upstream.client import UpstreamAnswer

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # no header may hold it
FRAMING = {"content-length", "transfer-encoding"}
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


def headers_up(names: tuple[str, ...], *, gzip: bool = False) -> dict[str, str]:
    """What the caller's SDK says of itself; nothing that says who he is."""
    names = (*names, "accept-encoding") if gzip else names
    return {name: value for name in names if (value := request.headers.get(name))}


def pass_on(answer: UpstreamAnswer, key: str | None, language: Language) -> Response:
    """The upstream's answer as it came; an error without the key, should it repeat it.

    The delay that an error's body asks for is told in a header too.
    """
    headers = headers_down(answer, key)
    if 300 <= answer.status < 400:
        answer.close()
        raise broken(f"The upstream answered with status {answer.status}.")
    if answer.status < 400:
        framed = FRAMING & answer.headers.keys()
        chunks = answer.chunks if framed else not_empty(answer.chunks)
        chunks = observation().native_chunks(chunks, None if "content-encoding" in headers else language.find_usage)
        return flow(chunks, headers, answer.status)
    try:
        body = without_key(answer.read_error().decode("latin-1"), key).encode("latin-1")
    finally:
        answer.close()
    observation().error = language.read_error(answer.status, body, answer.headers).kind.name.lower()
    for name in ("content-length", "content-encoding"):
        headers.pop(name, None)
    delay = language.delay_of(body)
    if delay is not None and "retry-after" not in headers:
        headers.update(retry_headers(delay))
    return flow(iter([body]), headers, answer.status)


def not_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of an answer that does not say where it ends: if there are none, its headers were cut off."""
    first = next(chunks, b"")
    if not first:
        raise broken("The upstream's answer is empty.")
    yield first
    yield from chunks


def headers_down(answer: UpstreamAnswer, key: str | None) -> dict[str, str]:
    """What the upstream says of its answer, without what belongs to its connection, and without the key."""
    named = {name.strip().lower() for name in answer.headers.get("connection", "").split(",")}
    return {
        name: without_key(value, key)
        for name, value in answer.headers.items()
        if name not in HEADERS_NOT_DOWN | named and CONTROL.search(value) is None
    }
