"""The pictures behind the URLs of answers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from flask import Blueprint, Response, abort, request, send_file

from compat.errors import ApiError, Bought, ErrorKind
from proxy.pictures.store import Picture
from proxy.routes import the_service
from proxy.routes.errors import render
from proxy.settings import Network

log = logging.getLogger("twinlens")

HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)

blueprint = Blueprint("stored_images", __name__)


@blueprint.get("/images/<name>")
def stored_image(name: str) -> Response:
    """A stored picture, whole or in ranges, until it expires."""
    picture = the_service().store.find(name)
    if not picture:
        abort(404)
    response = send(picture, name)
    response.headers["Cache-Control"] = f"private, max-age={picture.seconds_left}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    return response


def send(picture: Picture, name: str) -> Response:
    """The picture, or the requested range of it."""
    if picture.path:
        return send_file(picture.path, mimetype=picture.mime_type, conditional=True, etag=name)
    response = Response(picture.chunks, mimetype=picture.mime_type)
    response.content_length = picture.size
    response.set_etag(name)
    return response.make_conditional(request, accept_ranges=True, complete_length=picture.size)  # type: ignore[return-value]


@blueprint.errorhandler(FileNotFoundError)
def deleted_meanwhile(_: FileNotFoundError) -> Response:
    """The picture was deleted between being found and being opened."""
    return render(ApiError(ErrorKind.NOT_FOUND, "The picture has expired."))


@blueprint.errorhandler(OSError)
def unreadable(error: OSError) -> Response:
    """The store failed. The picture's name, which is a permission, is not logged."""
    log.error("a stored picture could not be read: %s", error.strerror)
    return render(ApiError(ErrorKind.INTERNAL, "The picture could not be read.", bought=Bought.YES))


def url_of_image() -> Callable[[str], str]:
    """A function from a picture's name to its URL, for the host of the current request."""
    settings = the_service().settings
    base = settings.public_base_url or requested_base_url(settings.trusted_proxies)
    return lambda name: f"{base}/images/{name}"


def own_base_urls() -> tuple[str, ...]:
    """What the URLs of stored pictures may begin with: PUBLIC_BASE_URL, or what the caller has for this service."""
    settings = the_service().settings
    bases = (settings.public_base_url, base_url_of_request(settings.trusted_proxies))
    return tuple(f"{base}/images/" for base in bases if base)


def requested_base_url(trusted_proxies: tuple[Network, ...]) -> str:
    """Scheme and host as the caller used them. Raises BadRequest if the Host header is not a host name."""
    base = base_url_of_request(trusted_proxies)
    if base is None:
        abort(400, description="The Host header is not a host name.")
    return base


def base_url_of_request(trusted_proxies: tuple[Network, ...]) -> str | None:
    """Scheme and host as the caller used them; None if the Host header is not a host name.

    X-Forwarded headers count only from a trusted proxy.
    """
    # Werkzeug drops a host with an underscore, which Compose gives to services.
    scheme, host = request.scheme, request.host or request.headers.get("Host", "")
    if is_trusted(request.remote_addr, trusted_proxies):
        scheme = last(request.headers.get("X-Forwarded-Proto")).lower() or scheme
        host = last(request.headers.get("X-Forwarded-Host")) or host
    return f"{scheme}://{host}" if scheme in ("http", "https") and HOST.fullmatch(host) else None


def is_trusted(address: str | None, trusted_proxies: tuple[Network, ...]) -> bool:
    try:
        peer = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(peer in network for network in trusted_proxies)


def last(value: str | None) -> str:
    """The value of the nearest proxy: each appends its own."""
    return (value or "").rpartition(",")[2].strip()
