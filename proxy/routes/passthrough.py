"""Passes an upstream's answer on: without what belongs to its connection, and without the key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compat.errors import broken
from proxy.caller import without_key
from proxy.generation.target import Target
from proxy.observation.record import Observation
from proxy.purchases.call import Made
from proxy.routes import the_request
from proxy.upstream.client import UpstreamAnswer

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # characters that no header may hold (RFC 9110, 5.5)
FRAMING = {"content-length", "transfer-encoding"}
HEADERS_NOT_DOWN = frozenset(  # hop by hop, of the upstream's own connection, or set by our server
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
    """The caller's headers of these names, which describe its SDK and not the caller itself."""
    names = (*names, "accept-encoding") if gzip else names
    headers = the_request().headers
    return {name: value for name in names if (value := headers.get(name))}


def pass_answer(answer: UpstreamAnswer, target: Target, observation: Observation) -> Made:
    """The upstream's answer as it came. Raises UPSTREAM_BROKEN for a redirect.

    An error loses the key, should it contain it; the delay in its body is added as a header.
    """
    headers = {**headers_down(answer, answer.key), **observation.model_header()}
    if 300 <= answer.status < 400:
        answer.close()
        raise broken(f"The upstream answered with status {answer.status}.")
    if answer.status < 400:
        chunks = answer.chunks if FRAMING & answer.headers.keys() else not_empty(answer.chunks)
        find_usage = None if "content-encoding" in headers else target.language.find_usage
        return Made(answer.status, headers, observation.native_chunks(chunks, find_usage), flows=True)
    try:
        body = without_key(answer.read_error().decode("latin-1"), answer.key).encode("latin-1")
    finally:
        answer.close()
    error = target.language.read_error(answer.status, body, answer.headers)
    if target.refuses_operators_key(error):
        raise target.explain(error)
    observation.error = error.kind.name.lower()
    for name in ("content-length", "content-encoding"):
        headers.pop(name, None)
    delay = target.language.delay_of(body)
    if delay is not None and "retry-after" not in headers:
        headers.update(target.dialect.retry_headers(delay))
    return Made(answer.status, headers, iter([body]), bought=error.bought, refusal=error)


def not_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of an answer without a declared length: an empty one was cut off after its headers."""
    first = next(chunks, b"")
    if not first:
        raise broken("The upstream's answer is empty.")
    yield first
    yield from chunks


def headers_down(answer: UpstreamAnswer, key: str | None) -> dict[str, str]:
    """The headers of an upstream's answer, without those of its connection, and without the key."""
    named = {name.strip().lower() for name in answer.headers.get("connection", "").split(",")}
    return {
        name: without_key(value, key)
        for name, value in answer.headers.items()
        if name not in HEADERS_NOT_DOWN | named and CONTROL.search(value) is None
    }
