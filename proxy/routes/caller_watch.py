"""Notices that a caller has hung up before its answer is complete, and ends the request."""

from __future__ import annotations

import ssl

from flask import Response, g

from proxy.greenlets import interrupt_when_gone
from proxy.routes import the_request


def watch_caller() -> None:
    """To be called when the body has been read: from then on a closed connection raises CallerGone.

    A connection with gunicorn's own TLS is not watched: nothing can be seen on it without reading.
    """
    socket = the_request().environ.get("gunicorn.socket")
    if socket is not None and not isinstance(socket, ssl.SSLSocket):
        g.stop_watching = interrupt_when_gone(socket)


def stop_watching(response: Response) -> Response:
    """After a request: ends the watch when the response has been sent, before the next request."""
    if stop := g.pop("stop_watching", None):
        response.call_on_close(stop)
    return response
