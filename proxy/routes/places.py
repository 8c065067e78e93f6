"""Every call to the upstream has a place until its answer has been sent or given up."""

from __future__ import annotations

from functools import partial

from flask import Response, g

from proxy.observation import metrics
from proxy.routes import the_service


def take_places(calls: int = 1) -> None:
    """Before a request, and when the number of its calls is known. Raises OVERLOADED if all places are taken."""
    held = g.get("places", 0)
    the_service().places.take(calls, held)
    metrics.IN_FLIGHT.inc(calls - held)
    g.places = calls


def give_places_back(response: Response) -> Response:
    """After a request: frees its places when the response has been sent or its connection is gone."""
    if calls := g.pop("places", 0):
        response.call_on_close(partial(the_service().places.give_back, calls))
        response.call_on_close(partial(metrics.IN_FLIGHT.dec, calls))
    return response
