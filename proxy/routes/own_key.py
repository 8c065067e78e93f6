"""What a key of ours may spend, and has spent, for whoever carries it."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from compat.errors import ApiError, ErrorKind
from proxy.routes import the_caller, the_service
from proxy.routes.authentication import require_key

NO_KEYS = "This service hands out no keys (ACCESS=passthrough): the caller's key is the upstream's own."

blueprint = Blueprint("own_key", __name__)
blueprint.before_request(require_key)


@blueprint.get("/v1/key")
def own_key() -> Response:
    """The caller's key."""
    access = the_service().access
    if not access:
        raise ApiError(ErrorKind.NOT_FOUND, NO_KEYS)
    response = jsonify(access.status_of(the_caller().access))
    response.headers["Cache-Control"] = "no-store"
    return response
