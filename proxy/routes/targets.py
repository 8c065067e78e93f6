"""The server that draws for the current request, if its sender may use it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from compat.errors import ApiError, ErrorKind
from compat.image_models import ServedModel
from proxy.generation.target import Target
from proxy.routes import the_caller, the_observation, the_service
from proxy.routes.cors import is_allowed
from proxy.routes.stored_images import requested_base_url

FROM_OTHER_PAGES = ("cross-site", "same-site")  # values of Sec-Fetch-Site (Fetch Metadata, 2.4)


def the_target(model: ServedModel) -> Target:
    """The server that draws a model for the current request.

    Without ACCESS=keys a row with a key of its own is open to whoever reaches the service. So that the pages of other
    sites cannot use it through the browser of somebody who does, their requests are refused. Raises PERMISSION_DENIED.
    """
    caller = the_caller()
    target = the_service().target(model, caller, new_times=the_observation().call)
    if target.is_operators_key and not caller.access and is_from_another_page():
        raise ApiError(
            ErrorKind.PERMISSION_DENIED,
            f"Pages of other sites may not use '{model.name}', whose key is this server's own. Its operator can add "
            "the page's origin to CORS_ORIGINS.",
        )
    return target


def is_from_another_page() -> bool:
    """Whether a browser marks the request as one of a page that is neither ours nor of an allowed origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "").lower() in FROM_OTHER_PAGES
    return not is_allowed() and not is_ours(origin)


def is_ours(origin: str) -> bool:
    """Whether an origin is that of our own pages. Its scheme does not count: TLS may end before us."""
    settings = the_service().settings
    bases = (settings.public_base_url or "", requested_base_url(settings.trusted_proxies))
    return urlsplit(origin).netloc.lower() in {urlsplit(base).netloc.lower() for base in bases if base}
