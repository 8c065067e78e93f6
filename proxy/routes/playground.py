"""The playground: one page at `/`, and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, request

from compat.image_models import CALLERS_KEY, Api, ServedModel
from compat.openai_images.models import build_model
from proxy.playground import PAGE, PageFile, read_page_files
from proxy.routes import the_service
from proxy.service import Service
from proxy.settings import GOOGLE

HEADERS = {
    "Cache-Control": "no-cache",  # checked before each use, so that a page never mixes two releases
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}

KNOWN_SERVERS = {GOOGLE: "Google", "https://api.openai.com": "OpenAI"}

blueprint = Blueprint("playground", __name__)
page_files = cache(read_page_files)


@blueprint.get("/")
def page() -> Response:
    """The page."""
    return send(files()[PAGE])


@blueprint.get("/playground/<name>")
def page_file(name: str) -> Response:
    """One of its files."""
    file = files().get(name)
    if file is None or name == PAGE:
        abort(404)
    return send(file)


def files() -> Mapping[str, PageFile]:
    """The files of the page, with what it knows of this service."""
    return page_files(json.dumps(bootstrap(the_service()), ensure_ascii=False))


def bootstrap(service: Service) -> dict[str, Any]:
    """What the page knows from the start: whose keys are accepted, what is served, the sandbox's situations."""
    settings = service.settings
    paths = {rule.rule for rule in current_app.url_map.iter_rules()}
    return {
        "access": getattr(settings, "access", "passthrough"),
        "sandbox": settings.sandbox,
        "chat": "/v1/chat/completions" in paths,
        "jobs": "/v1/images/jobs/<id>" in paths,
        "models": [describe(model, service) for model in service.catalogue.models()],
        "situations": service.situations,
    }


def describe(model: ServedModel, service: Service) -> dict[str, Any]:
    """A model as the list of models has it, and its server. The address of a private server is not shown."""
    row = model.upstream
    api, url = service.settings.server_of(row)
    host = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    return {
        "title": row.title,
        "successor": model.successor.name if model.successor else None,
        **build_model(model),
        "api": api.value,
        "server": KNOWN_SERVERS.get(host, "Gemini" if api is Api.GEMINI and not row.base_url else row.title),
        "key": CALLERS_KEY if row.key == CALLERS_KEY else "operator",
    }


def send(file: PageFile) -> Response:
    """The file, compressed if the browser accepts that, or a 304."""
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(file.compressed if zipped else file.content, mimetype=file.mime_type, headers=HEADERS)
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{file.etag}-gzip" if zipped else file.etag)
    response.make_conditional(request)
    return response
