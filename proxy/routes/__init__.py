"""The public paths: what is asked over HTTP, and how it is answered."""

from __future__ import annotations

from typing import cast

from flask import current_app

from proxy.service import Service

EXTENSION = "twinlens"


def the_service() -> Service:
    """The service of the app that handles the current request."""
    return cast(Service, current_app.extensions[EXTENSION])
