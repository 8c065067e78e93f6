"""Requests and responses over WSGI, the same for both APIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment

USUAL_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class Request:
    """What a client sent, as far as an endpoint reads it. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str = ""  # scheme and host under which the client found the sandbox

    @property
    def sse(self) -> bool:
        return self.query.get("alt") == "sse"

    @property
    def bearer(self) -> str:
        """The token of an Authorization header, of whatever scheme."""
        return self.headers.get("authorization", "").partition(" ")[2].strip()


@dataclass
class Response:
    """What goes back: the body is a series of chunks, made while it is sent."""

    body: Iterable[bytes]
    status: int
    headers: dict[str, str]

    @property
    def status_line(self) -> str:
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"


def read_request(environ: WSGIEnvironment) -> Request:
    """The request that a WSGI server or the sandbox's own transport passes on."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    headers = {name[5:].lower().replace("_", "-"): v for name, v in environ.items() if name.startswith("HTTP_")}
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace"),
        query={name: values[0] for name, values in query.items()},
        headers={**headers, "content-type": environ.get("CONTENT_TYPE") or ""},
        body=environ["wsgi.input"].read(length) if length else b"",
        base_url=_base_url(environ),
    )


def _base_url(environ: WSGIEnvironment) -> str:
    scheme = environ.get("wsgi.url_scheme", "http")
    host = environ.get("HTTP_HOST")
    if not host:
        host, port = environ.get("SERVER_NAME", "localhost"), environ.get("SERVER_PORT", "80")
        if port != USUAL_PORTS.get(scheme, "80"):
            host = f"{host}:{port}"
    return f"{scheme}://{host}"


def complete_response(chunks: list[bytes], status: int, content_type: str) -> Response:
    """A response whose length is known."""
    length = sum(len(chunk) for chunk in chunks)
    return Response(chunks, status, {"content-type": content_type, "content-length": str(length)})
