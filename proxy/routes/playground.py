"""The playground: one page at `/`, and its files."""

from __future__ import annotations

from functools import cache

from flask import Blueprint, Response, abort, request

from proxy.playground import PAGE, PageFile, read_page_files
from proxy.routes import the_service

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

blueprint = Blueprint("playground", __name__)
page_files = cache(read_page_files)


@blueprint.get("/")
def page() -> Response:
    """The page."""
    return send(page_files(the_service().settings.sandbox)[PAGE])


@blueprint.get("/playground/<name>")
def page_file(name: str) -> Response:
    """One of its files."""
    file = page_files(the_service().settings.sandbox).get(name)
    if file is None or name == PAGE:
        abort(404)
    return send(file)


def send(file: PageFile) -> Response:
    """The file, compressed if the browser accepts that, or a 304."""
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(file.compressed if zipped else file.content, mimetype=file.mime_type, headers=HEADERS)
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{file.etag}-gzip" if zipped else file.etag)
    response.make_conditional(request)
    return response
