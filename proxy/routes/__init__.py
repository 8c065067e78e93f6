"""The public paths. Here: what belongs to the current request."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from proxy.caller import Caller
from proxy.jobs.attempt import Attempt
from proxy.observation.record import Observation
from proxy.service import Service

EXTENSION = "twinlens"
ATTEMPT = "twinlens.attempt"  # in the environ of a request that a job carries out


def the_service() -> Service:
    """The service of the app that handles the current request."""
    return cast(Service, current_app.extensions[EXTENSION])


def the_caller() -> Caller:
    """The sender of the current request."""
    return cast(Caller, g.caller)


def the_observation() -> Observation:
    """The record of the current request."""
    return cast(Observation, g.observation)


def the_attempt() -> Attempt | None:
    """The attempt at a job that the current request is; None for a request that a caller has sent."""
    return cast(Attempt | None, request.environ.get(ATTEMPT))
