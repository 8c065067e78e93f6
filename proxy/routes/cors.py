"""Web pages of other origins: their browsers refuse the answers unless CORS_ORIGINS allows the origin."""

from __future__ import annotations

from flask import Response, request

from proxy.routes import the_request, the_service

METHODS = "GET, POST, DELETE"
PREFLIGHT_SECONDS = "600"
EXPOSED = ", ".join(
    (
        "x-request-id",
        "location",
        "preference-applied",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-twinlens-advisory",
        "x-twinlens-aspect-ratio",
        "x-twinlens-ignored",
        "x-twinlens-model",
        "x-twinlens-retires",
    )
)


def answer_preflight() -> Response | None:
    """Before a request: answers a preflight request."""
    if request.method != "OPTIONS" or not is_allowed() or "Access-Control-Request-Method" not in request.headers:
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = METHODS
    response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "*")
    response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    return response


def allow_origin(response: Response) -> Response:
    """After a request: lets the page of an allowed origin read the answer."""
    if is_allowed():
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
    if the_service().settings.cors_origins:  # or a browser keeps an answer for a page that may not read it
        response.vary.add("Origin")
    return response


def is_allowed() -> bool:
    """Whether the request comes from an allowed origin. Keys are in headers, so credentials are never allowed."""
    origin = the_request().headers.get("Origin")
    if origin is None:
        return False
    allowed = the_service().settings.cors_origins
    return origin in allowed or "*" in allowed
