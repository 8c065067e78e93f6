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
    """Whether pictures can be made now; a 503 names what is missing."""
    troubles = the_service().readiness.troubles()
    metrics.note_ready(troubles)
    response = jsonify({"status": "not ready" if troubles else "ok", **troubles})
    response.status_code = 503 if troubles else 200
    return response


@blueprint.get("/metrics")
def prometheus() -> Response:
    """All metrics, in Prometheus' text format."""
    return Response(metrics.page(), mimetype="text/plain; version=0.0.4")
