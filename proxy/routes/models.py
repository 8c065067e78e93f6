"""The served models, in the form of the caller's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Blueprint, Response, abort, jsonify, request

from compat.dialect import Dialect
from compat.gemini_content import models as gemini_models
from compat.gemini_content.error import GEMINI
from compat.openai_images import models as openai_models
from compat.openai_images.error import OPENAI
from proxy.routes import the_caller, the_observation
from proxy.routes.authentication import require_key
from proxy.routes.catalogue import the_catalogue

WRITERS: Mapping[Dialect, Any] = {OPENAI: openai_models, GEMINI: gemini_models}
PAGING: Mapping[Dialect, tuple[str, ...]] = {OPENAI: (), GEMINI: ("pageSize", "pageToken")}  # query parameters

T_route = TypeVar("T_route", bound=Callable[..., Response])

blueprint = Blueprint("models", __name__)
blueprint.before_request(require_key)  # one of Google's is not checked: no call goes to an upstream


FOLDERS = ("/v1", "/v1beta", "/v1beta/openai", "/v1alpha", "/openai", "/openai/v1")


def at(path: str) -> Callable[[T_route], T_route]:
    """Serves a path below each folder, and below none."""

    def add(view: T_route) -> T_route:
        for folder in ("", *FOLDERS):
            blueprint.add_url_rule(f"{folder}{path}", view_func=view, methods=["GET"])
        return view

    return add


@at("/models")
def list_models() -> Response:
    """All that the caller's key may use. Google's list comes in pages."""
    dialect, access = dialect_of_list(), the_caller().access
    page = (request.args.get(name) for name in PAGING[dialect])
    models = the_catalogue().models()
    if access and access.models is not None:
        models = [model for model in models if model.name in access.models]
    return jsonify(WRITERS[dialect].build_models(models, *page))


@at("/models/<model_name:name>")
def get_model(name: str) -> Response:
    """One of them, by any name it is served under."""
    dialect = dialect_of_list()
    model = the_catalogue().resolve(name)
    the_observation().note_model(model)
    return jsonify(WRITERS[dialect].build_model(model))


def dialect_of_list() -> Dialect:
    """The API of the caller. Without a version the path is Google's alone."""
    dialect = the_caller().dialect
    if dialect is OPENAI and request.path.startswith("/models"):
        abort(404)
    return dialect
