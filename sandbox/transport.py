"""The sandbox as a `requests` transport: a session talks to it in this process, without a socket."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.types import WSGIApplication, WSGIEnvironment

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse

Run = Callable[..., Any]


def call_directly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a function in the calling thread."""
    return function(*arguments)


class SandboxAdapter(BaseAdapter):
    """Answers requests with a WSGI app. The URL's path and query count; its host may be any.

    `run(function, *arguments)` does the app's work, drawing included, and returns the result: the `apply` of a thread
    pool, for instance, if the calling thread must not be kept busy.
    """

    def __init__(self, app: WSGIApplication, run: Run = call_directly) -> None:
        super().__init__()
        self._app = app
        self._run = run

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: object = None,
    ) -> Response:
        """The app's answer. There is no connection: certificates, proxies and time limits are ignored."""
        status, reason, headers, chunks = self._run(_call, self._app, _environ(request))
        response = Response()
        response.status_code = status
        response.reason = reason
        response.headers = CaseInsensitiveDict(headers)
        response.encoding = _charset(response.headers)
        response.url = request.url or ""
        response.request = request
        response.raw = HTTPResponse(
            body=_ChunkFile(chunks),
            headers=HTTPHeaderDict(headers),
            status=status,
            reason=reason,
            preload_content=False,
            decode_content=False,
            request_method=request.method,
            request_url=request.url,
        )
        response.connection = self  # type: ignore[assignment]
        return response

    def close(self) -> None:
        """Does nothing: nothing is open."""


class _ChunkFile(io.RawIOBase):
    """Chunks read as a file. A chunk that is not longer than what is read is returned as it is, without a copy."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join([bytes(self._rest), *self._drain()])
        found = []
        while size > 0 and (piece := self.read1(size)):
            found.append(piece)
            size -= len(piece)
        return found[0] if len(found) == 1 else b"".join(found)

    def read1(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes of the next chunk; b"" only at the end."""
        if size == 0:
            return b""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        if size is None or size < 0:
            size = len(self._rest)
        piece, self._rest = self._rest[:size], self._rest[size:]
        whole = piece.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(piece) else bytes(piece)

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.read1(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def _drain(self) -> Iterable[bytes]:
        self._rest = memoryview(b"")
        yield from self._chunks


def _call(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[int, str, list[tuple[str, str]], list[bytes]]:
    """The app's whole answer: status, reason, headers, chunks."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], Any]:
        started.append((status, headers))
        return written.append

    body = app(environ, start_response)
    try:
        chunks = list(body)
    finally:
        close = getattr(body, "close", None)
        if close:
            close()
    status, headers = started[-1]
    code, _, reason = status.partition(" ")
    return int(code), reason, headers, written + chunks


def _environ(request: PreparedRequest) -> WSGIEnvironment:
    url = urlsplit(request.url or "")
    body = _body(request.body)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method or "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "sandbox",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme or "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        environ["HTTP_" + _text(name).upper().replace("-", "_")] = _text(value)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(body: Any) -> bytes:
    """A request's body, in any of the forms that requests accepts."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        return _body(body.read())
    return b"".join(_body(piece) for piece in body)


def _charset(headers: Mapping[str, str]) -> str | None:
    kind = headers.get("content-type", "").lower()
    return "utf-8" if "charset=utf-8" in kind or "json" in kind else None
