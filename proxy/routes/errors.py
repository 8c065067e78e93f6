"""The one place where an error becomes a response, in the dialect of the caller's API."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from compat.dialect import Dialect
from compat.errors import ApiError, Bought, ErrorKind
from compat.json_text import dumps
from proxy.caller import DIALECTS, key_of, without_key
from proxy.generation.generation import INTERNAL_MESSAGE
from proxy.routes import the_caller, the_observation
from proxy.routes.wrong_paths import address_of, advice

log = logging.getLogger("twinlens")

KINDS: Mapping[int, ErrorKind] = {  # of Werkzeug's errors, by status
    400: ErrorKind.INVALID_ARGUMENT,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.METHOD_NOT_ALLOWED,
    408: ErrorKind.BODY_TOO_SLOW,
    413: ErrorKind.BODY_TOO_LARGE,
    415: ErrorKind.UNSUPPORTED_MEDIA_TYPE,
}


def register(app: Flask) -> None:
    """Makes every error of the app a response that the caller's SDK understands."""
    app.register_error_handler(ApiError, render)
    app.register_error_handler(HTTPException, render_http_exception)
    app.register_error_handler(Exception, render_unexpected)


def render(error: ApiError) -> Response:
    """The response to the current request for an error."""
    the_observation().error = error.kind.name.lower()
    status, headers, body = render_error(error, the_caller().dialect)
    return Response(body, status, headers)


def render_error(error: ApiError, dialect: Dialect) -> tuple[int, dict[str, str], bytes]:
    """An error as an API writes it: status, headers and body."""
    status, content = dialect.build_error(error)
    headers = {"Content-Type": "application/json"}
    if error.retry_after is not None:
        headers |= dialect.retry_headers(error.retry_after)
    if not error.may_repeat:
        headers["x-should-retry"] = "false"
    return status, headers, dumps(content) + b"\n"


def render_http_exception(error: HTTPException) -> Response:
    """Werkzeug's own errors: an unknown path, a wrong method, a body that is too large."""
    status = error.code or 500
    if status < 400:
        return Response(status=status, headers=error.get_headers(request.environ))
    if status == HTTPStatus.METHOD_NOT_ALLOWED and address_of(request.path, request.method):
        status = HTTPStatus.NOT_FOUND  # the path of a stored picture is not what was meant
    kind = KINDS.get(status, ErrorKind.INTERNAL if status >= 500 else ErrorKind.INVALID_ARGUMENT)
    response = render(ApiError(kind, message_of(kind, error), status=status))
    headers = dict(error.get_headers(request.environ))
    for name in ("Allow", "Content-Range"):
        if name in headers and kind is not ErrorKind.NOT_FOUND:
            response.headers[name] = headers[name]
    return response


def message_of(kind: ErrorKind, error: HTTPException) -> str:
    """A helpful message, without the query, which may hold a key."""
    if kind is ErrorKind.METHOD_NOT_ALLOWED:
        return f"Not allowed: {request.method} {request.path}."
    if kind is not ErrorKind.NOT_FOUND:
        return str(error.description or error.name)
    return f"Invalid URL ({request.method} {request.path}). {advice(request.path, request.method)}".rstrip()


def render_unexpected(error: Exception) -> Response:
    """An error of ours: the log gets the traceback, the caller a plain message."""
    trace = "".join(traceback.format_exception(error))
    for dialect in DIALECTS:
        trace = without_key(trace, key_of(dialect, request.headers, lambda: request.args))
    log.error("unexpected error in %s %r\n%s", request.method, request.path, trace)
    return render(ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, bought=Bought.UNKNOWN))
