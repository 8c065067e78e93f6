"""What comes in and what goes out, in neither API's words: requests and answers over WSGI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment

from sandbox.situations import MISSING_BYTES, Replay

JSON_TYPE = "application/json; charset=UTF-8"
USUAL_PORTS = {"http": "80", "https": "443"}


@dataclass
class Response:
    """What goes out: the body is a series of chunks, drawn from as it is sent."""

    body: Iterable[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON_TYPE})

    @property
    def status_line(self) -> str:
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"


@dataclass(frozen=True)
class Request:
    """What came in, as far as an endpoint looks at it."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    own_url: str = ""  # where the caller found us: scheme and host

    @property
    def sse(self) -> bool:
        return self.query.get("alt") == "sse"

    @property
    def bearer(self) -> str:
        """The token of an Authorization header, of whatever kind."""
        return self.headers.get("authorization", "").partition(" ")[2].strip()


def read_request(environ: WSGIEnvironment) -> Request:
    """The request that a WSGI server or our own transport hands over."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    headers = {name[5:].lower().replace("_", "-"): v for name, v in environ.items() if name.startswith("HTTP_")}
    return Request(
        verb=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace"),
        query={name: values[0] for name, values in query.items()},
        headers={**headers, "content-type": environ.get("CONTENT_TYPE") or ""},
        body=environ["wsgi.input"].read(length) if length else b"",
        own_url=_own_url(environ),
    )


def _own_url(environ: WSGIEnvironment) -> str:
    scheme = environ.get("wsgi.url_scheme", "http")
    host = environ.get("HTTP_HOST")
    if not host:
        host, port = environ.get("SERVER_NAME", "localhost"), environ.get("SERVER_PORT", "80")
        if port != USUAL_PORTS.get(scheme, "80"):
            host = f"{host}:{port}"
    return f"{scheme}://{host}"


def whole(chunks: list[bytes], status: int = 200, content_type: str = JSON_TYPE) -> Response:
    """An answer whose length is known."""
    length = sum(len(chunk) for chunk in chunks)
    return Response(chunks, status, {"content-type": content_type, "content-length": str(length)})


def replayed(shown: Replay) -> Response:
    """A fixture's answer; a cut one promises more than comes."""
    promised = len(shown.body) + (MISSING_BYTES if shown.cut else 0)
    return Response([shown.body], shown.status, {**dict(shown.headers), "content-length": str(promised)})
