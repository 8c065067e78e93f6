"""Notices that a caller has hung up while his answer is still being made, so that nobody draws for nobody."""

from __future__ import annotations

import ssl

from flask import Response, g, request

from proxy.greenlets import interrupt_when_gone


def watch_caller() -> None:
    """From now on, with the body read, the request ends in CallerGone when its connection is closed.

    A connection with TLS of gunicorn's own cannot be looked at without reading from it, and is not watched.
    """
    socket = request.environ.get("gunicorn.socket")
    if socket is not None and not isinstance(socket, ssl.SSLSocket):
        g.stop_watching = interrupt_when_gone(socket)


def stop_watching(response: Response) -> Response:
    """After a request: the connection belongs to the next one once the response has been sent."""
    if stop := g.pop("stop_watching", None):
        response.call_on_close(stop)
    return response
