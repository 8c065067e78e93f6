"""The OpenAPI document."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

import spec

blueprint = Blueprint("description", __name__)


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Both APIs in one document."""
    return jsonify(spec.openapi())
