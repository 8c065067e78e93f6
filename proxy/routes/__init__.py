"""The public paths. Here: what belongs to the current request.

Flask's proxies are asked for the objects behind them: a look through one of them costs three times as much.
"""

from __future__ import annotations

from flask import Request, current_app, g, request

from proxy.caller import Caller
from proxy.jobs.attempt import Attempt
from proxy.observation.record import Observation
from proxy.service import Service

EXTENSION = "twinlens"
ATTEMPT = "twinlens.attempt"  # in the environ of a request that a job carries out


def the_request() -> Request:
    """The current request."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def the_service() -> Service:
    """The service of the app that handles the current request."""
    service: Service = current_app._get_current_object().extensions[EXTENSION]  # type: ignore[attr-defined]
    return service


def the_caller() -> Caller:
    """The sender of the current request."""
    caller: Caller = g._get_current_object().caller
    return caller


def the_observation() -> Observation:
    """The record of the current request."""
    observation: Observation = g._get_current_object().observation
    return observation


def the_attempt() -> Attempt | None:
    """The attempt at a job that the current request is; None for a request that a caller has sent."""
    attempt: Attempt | None = the_request().environ.get(ATTEMPT)
    return attempt
