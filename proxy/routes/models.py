"""The served models, in the form of the caller's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from compat.dialect import Dialect
from compat.gemini_content import models as gemini_models
from compat.gemini_content.error import GEMINI
from compat.image_models import ServedModel
from compat.openai_images import models as openai_models
from compat.openai_images.error import OPENAI
from proxy.routes import the_caller, the_observation, the_service
from proxy.routes.authentication import require_key


@dataclass(frozen=True)
class Writer:
    """How an API writes its models."""

    build_models: Callable[
        [list[ServedModel], Mapping[str, str]], dict[str, Any]
    ]  # of the query's page, if it has pages
    build_model: Callable[[ServedModel], dict[str, Any]]


WRITERS: Mapping[Dialect, Writer] = {
    OPENAI: Writer(lambda models, _: openai_models.build_models(models), openai_models.build_model),
    GEMINI: Writer(
        lambda models, query: gemini_models.build_models(models, query.get("pageSize"), query.get("pageToken")),
        gemini_models.build_model,
    ),
}

blueprint = Blueprint("models", __name__)
blueprint.before_request(require_key)  # which is not checked: no call goes to an upstream


@blueprint.get("/v1/models")
@blueprint.get("/v1beta/models")
@blueprint.get("/v1beta/openai/models")
def list_models() -> Response:
    """All of them."""
    return jsonify(WRITERS[the_caller().dialect].build_models(the_service().catalogue.models(), request.args))


@blueprint.get("/v1/models/<model_name:name>")
@blueprint.get("/v1beta/models/<model_name:name>")
@blueprint.get("/v1beta/openai/models/<model_name:name>")
def get_model(name: str) -> Response:
    """One of them, by any name it is served under."""
    model = the_service().catalogue.resolve(name)
    the_observation().note_model(model)
    return jsonify(WRITERS[the_caller().dialect].build_model(model))
