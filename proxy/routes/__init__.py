"""The public paths. Here: what belongs to the current request."""

from __future__ import annotations

from typing import cast

from flask import current_app, g

from proxy.caller import Caller
from proxy.observation.record import Observation
from proxy.service import Service

EXTENSION = "twinlens"


def the_service() -> Service:
    """The service of the app that handles the current request."""
    return cast(Service, current_app.extensions[EXTENSION])


def the_caller() -> Caller:
    """The sender of the current request."""
    return cast(Caller, g.caller)


def the_observation() -> Observation:
    """The record of the current request."""
    return cast(Observation, g.observation)
