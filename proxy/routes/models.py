"""The models that are served, in the words of the API that asks."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from compat.gemini_content import models as google_words
from compat.openai_images import models as openai_words
from proxy.caller import is_googles
from proxy.routes import gemini_content, openai_images, the_service
from proxy.routes.observing import observation

blueprint = Blueprint("models", __name__)


@blueprint.get("/v1/models")
@blueprint.get("/v1beta/models")
@blueprint.get("/v1beta/openai/models")
def list_models() -> Response:
    """All of them. Google's list comes in pages."""
    models = the_service().catalogue.models()
    if asks_as_google():
        return jsonify(google_words.build_models(models, request.args.get("pageSize"), request.args.get("pageToken")))
    return jsonify(openai_words.build_models(models))


@blueprint.get("/v1/models/<model_name:name>")
@blueprint.get("/v1beta/models/<model_name:name>")
@blueprint.get("/v1beta/openai/models/<model_name:name>")
def get_model(name: str) -> Response:
    """One of them, by any name it is served under."""
    googles = asks_as_google()
    model = the_service().catalogue.resolve(name)
    observation().note_model(model)
    return jsonify(google_words.build_model(model) if googles else openai_words.build_model(model))


def asks_as_google() -> bool:
    """Whether the caller speaks Google's API. A key must be there and is not checked. Raises MISSING_KEY."""
    googles = is_googles(request.path, request.headers, lambda: request.args)
    (gemini_content if googles else openai_images).caller_key()
    return googles
