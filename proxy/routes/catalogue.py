"""The models as the sender of the current request gets them."""

from __future__ import annotations

from typing import Any

from flask import g

from compat.image_models import ModelCatalogue
from proxy.routes import the_caller, the_service


def take_deployment(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Takes the deployment out of the values of a path: Azure's name for a model, which wins over the body's."""
    if values:
        g.deployment = values.pop("deployment", None)


def the_catalogue() -> ModelCatalogue:
    """The models, with successors in place of those that the caller's key has been answered to be gone."""
    service = the_service()
    catalogue = service.catalogue.with_successors(service.successors.retired_for(the_caller().fingerprint))
    deployment = g.get("deployment")
    return catalogue.with_only(deployment) if deployment else catalogue
