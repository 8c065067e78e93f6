"""Answers that cost something: whoever asks again for what was bought already gets that."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from urllib.parse import unquote_plus

from flask import Response, g

from compat.errors import ApiError, ErrorKind
from compat.images import Chunk, encoded
from proxy.access.estimates import Expected
from proxy.access.payments import Payment
from proxy.generation.target import Target
from proxy.greenlets import confirm_later, was_refused
from proxy.limits import KEPT_SECONDS
from proxy.pictures.spool import Spool, SpoolMemory
from proxy.purchases.call import Call, Made
from proxy.purchases.fingerprint import fingerprint, hashed
from proxy.purchases.orders import Delivery, Order
from proxy.routes import the_attempt, the_caller, the_observation, the_request, the_service
from proxy.routes.errors import render_error
from proxy.routes.flow import close, flow
from proxy.routes.job_requests import accept_job, refuse_stream, take
from proxy.routes.preferences import prefers_async

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")  # as long as Stripe's; visible ASCII
QUERY_CREDENTIALS = ("key", "access_token", "oauth_token")  # that Google reads from a query
RETRY_COUNT = re.compile(r"\d{1,6}", re.ASCII)


def remember_content(*parts: bytes) -> None:
    """To be called with what the current request consists of, which is the same when it is sent again.

    Only a caller that may come back needs a fingerprint of it.
    """
    if idempotency_key() is not None or sdk_retry_count() is not None or prefers_async():
        request = the_request()
        query = query_without_key(request.query_string.decode("latin-1"))
        g.fingerprint = fingerprint(request.method, request.path, query, parts)


def buy(
    make: Callable[[], Made],
    expect: Callable[[], Expected],
    target: Target | None = None,
    *,
    is_stream: bool = False,
) -> Response:
    """The answer to the current request, whose content is remembered. `make` asks the upstream without its context.

    `expect` says what the request asks for; it is only called if a key of ours has to pay. With a target, which is what
    `make` asks, a caller that prefers that gets a job.

    A caller with an idempotency key, or with an SDK that counts its tries, may leave and come back. The answer to any
    other is made here, and its making ends when the caller leaves.
    """
    make = paid(make, expect)
    if attempt := the_attempt():
        return take(attempt, make)
    key, retry_count = idempotency_key(), sdk_retry_count()
    is_job = target is not None and prefers_async()
    if key is None and retry_count is None and not is_job:
        return deliver(make())
    caller, observation = the_caller(), the_observation()
    order = Order(
        scope=scope_of_caller(),
        fingerprint=g.fingerprint,
        render=partial(render_error, dialect=caller.dialect),
        cost=lambda: observation.cost,
        started=remember_call,
        key=key and hashed(key),
        retry_count=retry_count,
    )
    if target and is_job:
        refuse_stream(is_stream)
        return accept_job(order, target, query_without_key(the_request().query_string.decode("latin-1")))
    delivery = the_service().purchases.buy(order, make)
    headers = dict(delivery.headers)
    if delivery.how:
        observation.delivery, observation.saved = delivery.how, delivery.saved()
        if delivery.how == "replayed":
            headers["idempotent-replayed"] = "true"
    connection = the_request().environ.get("gunicorn.socket")
    at_end = partial(close_delivery, delivery, connection, retry_count)
    return flow_to_end(delivery.chunks, headers, delivery.status, at_end)


def deliver(made: Made) -> Response:
    """The answer to a caller that does not come back: its making ends when the response is over."""
    chunks = chain.from_iterable(map(encoded, made.chunks)) if made.flows else whole(made.chunks, the_service().memory)
    return flow_to_end(chunks, made.headers, made.status, partial(close, made.chunks))


def flow_to_end(
    chunks: Iterator[bytes], headers: Mapping[str, str], status: int, at_end: Callable[[], None]
) -> Response:
    """A response of these chunks. `at_end` is called when it is over, also if it cannot begin."""
    try:
        response = flow(chunks, headers, status)
    except BaseException:
        at_end()
        raise
    response.call_on_close(at_end)
    return response


def close_delivery(delivery: Delivery, connection: socket.socket | None, retry_count: int | None) -> None:
    """The response is over. A caller whose SDK counts its tries may have left while its answer was on its way."""
    if connection is None:
        delivery.close()
    elif not delivery.is_whole or was_refused(connection):
        delivery.close(has_arrived=False)
    elif retry_count is None or isinstance(connection, ssl.SSLSocket):
        delivery.close()
    else:
        confirm_later(delivery.close)


def scope_of_caller() -> str:
    """Whose purchases and jobs are the sender's of the current request. That of a key of ours survives its rotation."""
    caller = the_caller()
    return caller.access.id if caller.access else hashed(caller.key)


def paid(make: Callable[[], Made], expect: Callable[[], Expected]) -> Callable[[], Made]:
    """The same call, paid for by the current request's key if that is one of ours. Raises what `Payments.paid` does."""
    access, key = the_service().access, the_caller().access
    if not access or not key:
        return make
    return access.payments.paid(Payment(key, expect(), the_observation()), make)


def whole(chunks: Iterable[Chunk], memory: SpoolMemory) -> Iterator[bytes]:
    """The chunks, once the last of them is there."""
    spool = Spool(memory)
    for chunk in chunks:
        spool.append(chunk)
    yield from spool.drain()


def idempotency_key() -> str | None:
    """The caller's idempotency key, quoted or not (draft-ietf-httpapi-idempotency-key-header-07, section 2.1)."""
    value: str | None = the_request().environ.get("HTTP_IDEMPOTENCY_KEY")
    if value is None:
        return None
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    if not IDEMPOTENCY_KEY.fullmatch(value):
        raise ApiError(
            ErrorKind.INVALID_VALUE,
            "Invalid 'Idempotency-Key': it must have 1 to 255 visible ASCII characters.",
            param="Idempotency-Key",
        )
    return value


def seconds_to_keep() -> int | None:
    """How long what an answer points at has to last: as long as the answer itself, if it is kept; None if it is not."""
    settings = the_service().settings
    if idempotency_key() or the_attempt():
        return max(settings.image_ttl_seconds, settings.idempotency_seconds)
    return None if sdk_retry_count() is None else max(settings.image_ttl_seconds, 2 * int(KEPT_SECONDS))


def sdk_retry_count() -> int | None:
    """How often the caller's SDK has tried before; None if it does not count. OpenAI's SDKs do, Google's do not."""
    value = the_request().environ.get("HTTP_X_STAINLESS_RETRY_COUNT", "")
    return int(value) if RETRY_COUNT.fullmatch(value) else None


def query_without_key(query: str) -> str:
    """The query as it came, without credentials: the key is sent in a header."""

    def names_credential(pair: str) -> bool:
        return unquote_plus(pair.partition("=")[0]).lstrip("$") in QUERY_CREDENTIALS

    return "&".join(pair for pair in query.split("&") if not names_credential(pair))


def remember_call(call: Call) -> None:
    """The current request has begun this call, which may go on longer than the request."""
    g.call = call


def when_over() -> Callable[[Callable[[], None]], None]:
    """What is to be called with a function that has to wait for the end of the current request and of its call."""
    call: Call | None = g.get("call")
    return call.when_over if call else lambda function: function()
