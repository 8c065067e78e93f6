"""Every request is observed from its first byte to its last, and then logged and counted."""

from __future__ import annotations

import re
import secrets

from flask import Response, g

from proxy.observation import metrics
from proxy.observation.logs import log_request
from proxy.observation.record import Observation
from proxy.routes import the_caller, the_observation, the_request
from proxy.routes.buying import when_over
from proxy.routes.paths import NO_API

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def begin() -> None:
    """Before a request: makes its record, with the caller's request id if that is well-formed, or a new one."""
    request = the_request()
    given = request.headers.get("x-request-id", "")
    observation = Observation(given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16), request.method)
    if request.blueprint not in NO_API:
        observation.surface = the_caller().dialect.name
    if request.endpoint:
        observation.operation = request.endpoint.rpartition(".")[2]
    g.observation = observation


def end(response: Response) -> Response:
    """After a request: adds headers, and logs and counts the request when it is answered and its call is over."""
    observation = the_observation()
    observation.status = response.status_code
    response.headers["x-request-id"] = observation.request_id
    for name, value in observation.model_header().items():
        response.headers.setdefault(name, value)  # a replayed answer has that of the model which drew it
    if observation.retires:
        response.headers["x-twinlens-retires"] = observation.retires.isoformat()
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    body, length = the_request().environ["wsgi.input"], response.content_length or 0

    def finish() -> None:  # without the response, which would hold itself, and its body, until garbage is collected
        observation.bytes_in = getattr(body, "length", 0)
        if not observation.bytes_out:
            observation.bytes_out = length
        metrics.count(observation)
        log_request(observation)

    wait = when_over()
    response.call_on_close(lambda: wait(finish))
    return response
