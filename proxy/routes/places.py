"""Every call that may wait for the upstream holds one place until its answer is sent or given up."""

from __future__ import annotations

from flask import Response, g

from proxy import metrics
from proxy.routes import the_service


def take_place() -> None:
    """Before a request: refuses it if too many are in flight."""
    the_service().places.take()
    metrics.IN_FLIGHT.inc()
    g.holds_place = True


def give_place_back(response: Response) -> Response:
    """After a request: its place is free once the response has been sent or its connection is gone."""
    if g.pop("holds_place", False):
        response.call_on_close(the_service().places.give_back)
        response.call_on_close(metrics.IN_FLIGHT.dec)
    return response
