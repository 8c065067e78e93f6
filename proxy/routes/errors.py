"""The one place where an error becomes a response, in the dialect of the API that was asked."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping
from math import ceil

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from compat.errors import ApiError, ErrorKind
from compat.gemini_content import error as google_dialect
from compat.openai_images import error as openai_dialect
from proxy.caller import google_key, is_googles, openai_key, without_key
from proxy.generation.generation import INTERNAL_MESSAGE
from proxy.limits import LONGEST_RETRY_SECONDS
from proxy.routes.observing import observation

log = logging.getLogger("twinlens")

KINDS: Mapping[int, ErrorKind] = {  # what Werkzeug's errors mean
    400: ErrorKind.INVALID_ARGUMENT,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.METHOD_NOT_ALLOWED,
    408: ErrorKind.BODY_TOO_SLOW,
    413: ErrorKind.BODY_TOO_LARGE,
    415: ErrorKind.UNSUPPORTED_MEDIA_TYPE,
}
DOUBLED_VERSION = re.compile(r"/v1(beta)?/v1(beta)?(/|$)")
VERTEX = re.compile(r"/v1beta1/|/v1(beta)?/(projects|publishers)/")


def register(app: Flask) -> None:
    """Makes every error of the app an answer that the caller's SDK understands."""
    app.register_error_handler(ApiError, render)
    app.register_error_handler(HTTPException, render_http_exception)
    app.register_error_handler(Exception, render_unforeseen)


def render(error: ApiError) -> Response:
    """The response that tells an error."""
    googles = is_googles(request.path, request.headers, lambda: request.args)
    status, body = (google_dialect if googles else openai_dialect).build_error(error)
    observation().error = error.kind.name.lower()
    response = jsonify(body)
    response.status_code = status
    if error.retry_after is not None:
        response.headers.update(retry_headers(error.retry_after))
    if error.may_repeat is not None:
        response.headers["x-should-retry"] = "true" if error.may_repeat else "false"
    return response


def retry_headers(seconds: float) -> dict[str, str]:
    """A delay as clients read it: in whole seconds, rounded up, and in milliseconds; at most a minute.

    Some clients refuse or mistreat longer ones (openai-python above 120 s, openai-node above 60 s).
    """
    seconds = min(seconds, LONGEST_RETRY_SECONDS)
    return {"Retry-After": str(max(1, ceil(seconds))), "retry-after-ms": str(ceil(seconds * 1000))}


def render_http_exception(error: HTTPException) -> Response:
    """Werkzeug's own errors: an unknown path, a wrong method, a body that is too large."""
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=error.get_headers(request.environ))
    kind = KINDS.get(status, ErrorKind.INTERNAL if status >= 500 else ErrorKind.INVALID_ARGUMENT)
    response = render(ApiError(kind, message_of(kind, error), status=status))
    told = dict(error.get_headers(request.environ))
    for name in ("Allow", "Content-Range"):
        if name in told:
            response.headers[name] = told[name]
    return response


def message_of(kind: ErrorKind, error: HTTPException) -> str:
    """Words that help, without the query, which may hold a key."""
    if kind is ErrorKind.METHOD_NOT_ALLOWED:
        return f"Not allowed: {request.method} {request.path}."
    if kind is not ErrorKind.NOT_FOUND:
        return str(error.description or error.name)
    message = f"Invalid URL ({request.method} {request.path})."
    if DOUBLED_VERSION.match(request.path):
        message += " The base URL already ends in a version, and the SDK adds one: take it off the base URL."
    elif VERTEX.match(request.path):
        message += " Vertex AI paths are not served here: use the Gemini API (vertexai=False)."
    return message


def render_unforeseen(error: Exception) -> Response:
    """A fault of ours: logged whole, told plainly."""
    trace = "".join(traceback.format_exception(error))
    for key in (openai_key(request.headers), google_key(request.headers, request.args)):
        trace = without_key(trace, key or "")
    log.error("unforeseen error in %s %r\n%s", request.method, request.path, trace)
    return render(ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, may_repeat=False))
