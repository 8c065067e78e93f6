"""Requests that become jobs: stored when they are accepted, and carried out later as if they had just come."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from compat.errors import ApiError, ErrorKind
from proxy.caller import DIALECTS, Caller
from proxy.generation.target import Target
from proxy.jobs.attempt import Attempt
from proxy.jobs.request import JobRequest
from proxy.limits import JOB_POLL_SECONDS
from proxy.purchases.orders import Order, Render
from proxy.routes import ATTEMPT, the_attempt, the_caller, the_observation, the_service
from proxy.routes.errors import render_error
from proxy.routes.flow import flow
from proxy.routes.stored_images import requested_base_url

# Of the caller's headers those that say how to read the request, and those that travel up. No credential is among them.
HEADERS = (
    "content-type",
    "user-agent",
    "openai-organization",
    "openai-project",
    "x-client-request-id",
    "x-goog-api-client",
    "x-request-id",
    "x-server-timeout",
)
OPENAI_PREFIXES = ("/v1beta/openai", "/v1")

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def accept_job(order: Order, target: Target, query: str) -> Response:
    """The answer to the current request, which has been checked: the job that it becomes.

    `query` is its query without credentials.
    """
    service, caller, observation = the_service(), the_caller(), the_observation()
    settings = service.settings
    base = urlsplit(settings.public_base_url or requested_base_url(settings.trusted_proxies))
    stored = JobRequest(
        method=request.method,
        scheme=base.scheme,
        host=base.netloc,
        path=request.environ["PATH_INFO"],
        query=query,
        headers={name: value for name in HEADERS if (value := request.headers.get(name))}
        | {"x-request-id": observation.request_id},
        key_fingerprint=caller.fingerprint,
        body=g.body,
    )
    is_ours = target.is_operators_key or target.pool is not None
    is_first, record = service.jobs.accept(order, caller.dialect.name, target.model.name, is_ours, stored, caller)
    observation.job = record.id
    try:
        response = answer_with(record, record.model or target.model.name)
    except BaseException:
        if is_first and not order.key:
            service.jobs.queue.withdraw(record)  # nobody will ever know of it
        raise
    if not is_first:
        response.headers["idempotent-replayed"] = "true"
    return response


def answer_with(record: Any, model: str) -> Response:
    """The answer that names a job. Its status is 200 on Google's surface, since google-genai raises for a 202."""
    surface = the_caller().dialect.name
    chunks = the_service().jobs.write(record, surface, model)
    response = flow(chunks, job_headers(record), 200 if surface == "gemini" else 202)
    response.headers["Preference-Applied"] = "respond-async"
    response.headers["Location"] = location_of(record, model)
    return response


def job_headers(record: Any) -> dict[str, str]:
    """The headers of an answer that shows a job, among them those that say what became of its request."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if not record.job.is_over:
        return {**headers, "Retry-After": str(JOB_POLL_SECONDS)}
    reported = {name: value for name, value in record.headers.items() if name.lower().startswith("x-twinlens-")}
    if record.headers.get("x-should-retry") == "false" or record.is_unknown:
        reported["x-should-retry"] = "false"
    return headers | reported


def location_of(record: Any, model: str) -> str:
    """Where the job of the current request is found."""
    if the_caller().dialect.name == "gemini":
        return f"{request.path.partition('/models/')[0]}/models/{model}/operations/{record.id}"
    prefix = next((one for one in OPENAI_PREFIXES if request.path.startswith(f"{one}/images/")), "/v1")
    return f"{prefix}/images/jobs/imgjob_{record.id}"


def prepare(app: Flask, attempt: Attempt, stored: JobRequest) -> None:
    """Reads a stored request again, with all checks, and gives the attempt what asks the upstream.

    Raises an ApiError if the request is refused now: the settings may have changed since it was accepted.
    """
    environ = environ_of(stored)
    environ[ATTEMPT] = attempt
    with app.request_context(environ):
        g.caller = caller_of(attempt, stored)
        app.preprocess_request()
        attempt.observation = the_observation()
        app.dispatch_request()


def caller_of(attempt: Attempt, stored: JobRequest) -> Caller:
    """The sender of a job's request: with its key where only that opens the upstream, or else without one.

    With ACCESS=keys the key that pays is found by its id. Raises INVALID_KEY if it has been revoked or has expired.
    """
    if attempt.callers_key:
        return replace(attempt.callers_key)
    access = the_service().access
    key = access.recognition.by_id(attempt.scope) if access else None
    return Caller("", stored.key_fingerprint, BY_NAME[attempt.surface], key)


def environ_of(stored: JobRequest) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333)."""
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in stored.headers.items()}
    host, _, port = stored.host.partition(":")
    return {
        **named,
        "CONTENT_TYPE": named.pop("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(stored.body)),
        "HTTP_HOST": stored.host,
        "PATH_INFO": stored.path,
        "QUERY_STRING": stored.query,
        "REQUEST_METHOD": stored.method,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if stored.scheme == "https" else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(stored.body),
        "wsgi.multiprocess": True,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": stored.scheme,
        "wsgi.version": (1, 0),
    }


def take(attempt: Attempt, make: Any) -> Response:
    """Ends the reading of a job's request: what asks the upstream is called later, without the request."""
    attempt.make = make
    return Response(status=204)


def refuse_stream(is_stream: bool) -> None:
    """Raises INVALID_VALUE: a job has nobody to stream to."""
    if is_stream and the_attempt() is None:
        raise ApiError(
            ErrorKind.INVALID_VALUE,
            "A stream cannot be a job: send 'Prefer: respond-async' without streaming.",
            param="stream",
        )


def renderer(surface: str) -> Render:
    """What writes errors for a surface."""
    dialect = BY_NAME[surface or "openai"]
    return lambda error: render_error(error, dialect)
