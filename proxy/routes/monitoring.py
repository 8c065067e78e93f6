"""Health and metrics, for an operator's tools."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from proxy.observation import metrics
from proxy.routes import the_service

blueprint = Blueprint("monitoring", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether pictures can be made now: 503 names what is missing, and 200 what only some requests need."""
    readiness = the_service().readiness
    troubles = readiness.troubles()
    metrics.note_ready(troubles)
    is_ready = troubles.keys() <= set(readiness.optional)
    response = jsonify({"status": ("degraded" if troubles else "ok") if is_ready else "not ready", **troubles})
    response.status_code = 200 if is_ready else 503
    return response


@blueprint.get("/metrics")
def prometheus() -> Response:
    """All metrics, in Prometheus' text format."""
    return Response(metrics.page(), mimetype="text/plain; version=0.0.4")
