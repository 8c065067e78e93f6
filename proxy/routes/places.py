"""Every call to the upstream has a place until its answer has been sent or given up."""

from __future__ import annotations

from flask import Response, g

from proxy.observation import metrics
from proxy.routes import the_attempt, the_service
from proxy.routes.buying import when_over


def take_places(calls: int = 1) -> None:
    """Before a request, and when the number of its calls is known. Raises OVERLOADED if all places are taken.

    The calls of jobs have a limit of their own.
    """
    if the_attempt():
        return
    held = g.get("places", 0)
    if calls != held:
        the_service().places.take(calls, held)
        metrics.IN_FLIGHT.inc(calls - held)
        g.places = calls


def give_places_back(response: Response) -> Response:
    """After a request: frees its places when the response is sent or its connection gone, and its call is over."""
    if calls := g.pop("places", 0):
        give_back, wait = the_service().places.give_back, when_over()

        def free() -> None:
            give_back(calls)
            metrics.IN_FLIGHT.dec(calls)

        response.call_on_close(lambda: wait(free))
    return response
