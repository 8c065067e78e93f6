"""Every request is observed from its first byte to its last, and then logged and counted."""

from __future__ import annotations

import secrets

from flask import Response, g, request

from proxy.caller import REQUEST_ID, is_googles
from proxy.observation import metrics
from proxy.observation.logs import log_request
from proxy.observation.record import Observation

SERVICE = ("stored_images", "description", "health", "monitoring", "playground")  # blueprints of neither API


def observation() -> Observation:
    """What is noted of the current request."""
    seen: Observation = g.observation
    return seen


def begin() -> None:
    """Before a request: it gets an id, the caller's own if that is a sane one."""
    told = request.headers.get("x-request-id", "")
    seen = Observation(told if REQUEST_ID.fullmatch(told) else secrets.token_hex(16), request.method)
    if request.blueprint not in SERVICE:
        seen.surface = "gemini" if is_googles(request.path, request.headers, lambda: request.args) else "openai"
    if request.endpoint:
        seen.operation = request.endpoint.rpartition(".")[2]
    g.observation = seen


def end(response: Response) -> Response:
    """After a request: its id is told, and its model's end; when its last byte is sent it is logged and counted."""
    seen = observation()
    seen.status = response.status_code
    response.headers["x-request-id"] = seen.request_id
    if seen.retires:
        response.headers["x-twinlens-retires"] = seen.retires.isoformat()
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    body = request.environ["wsgi.input"]

    def finish() -> None:
        seen.bytes_in = getattr(body, "length", 0)
        if not seen.bytes_out:
            seen.bytes_out = response.content_length or 0
        metrics.count(seen)
        log_request(seen)

    response.call_on_close(finish)
    return response
