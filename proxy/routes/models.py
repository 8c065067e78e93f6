"""The served models, in the form of the caller's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from compat.dialect import Dialect
from compat.gemini_content import models as gemini_models
from compat.gemini_content.error import GEMINI
from compat.openai_images import models as openai_models
from compat.openai_images.error import OPENAI
from proxy.routes import the_caller, the_observation, the_service
from proxy.routes.authentication import require_key

WRITERS: Mapping[Dialect, Any] = {OPENAI: openai_models, GEMINI: gemini_models}
PAGING: Mapping[Dialect, tuple[str, ...]] = {OPENAI: (), GEMINI: ("pageSize", "pageToken")}  # query parameters

blueprint = Blueprint("models", __name__)
blueprint.before_request(require_key)  # one of Google's is not checked: no call goes to an upstream


@blueprint.get("/v1/models")
@blueprint.get("/v1beta/models")
@blueprint.get("/v1beta/openai/models")
def list_models() -> Response:
    """All that the caller's key may use. Google's list comes in pages."""
    dialect, access = the_caller().dialect, the_caller().access
    page = (request.args.get(name) for name in PAGING[dialect])
    models = the_service().catalogue.models()
    if access and access.models is not None:
        models = [model for model in models if model.name in access.models]
    return jsonify(WRITERS[dialect].build_models(models, *page))


@blueprint.get("/v1/models/<model_name:name>")
@blueprint.get("/v1beta/models/<model_name:name>")
@blueprint.get("/v1beta/openai/models/<model_name:name>")
def get_model(name: str) -> Response:
    """One of them, by any name it is served under."""
    model = the_service().catalogue.resolve(name)
    the_observation().note_model(model)
    return jsonify(WRITERS[the_caller().dialect].build_model(model))
