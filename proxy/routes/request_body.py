"""The body of the current request, read under limits of size and time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from flask import g, request
from gunicorn.http.errors import ParseException
from multipart import MultipartError, MultipartSegment, PushMultipartParser
from werkzeug.http import parse_options_header

from compat.errors import ApiError, ErrorKind
from compat.openai_images.form import Form, FormPart
from proxy.greenlets import time_limit
from proxy.limits import MIB, MOST_FORM_PARTS, MOST_JSON_LEVELS, seconds_for
from proxy.routes import the_request, the_service
from proxy.routes.buying import remember_content
from proxy.routes.caller_watch import watch_caller
from proxy.routes.preferences import prefers_async

# A boundary that is no token, and not in quotes (RFC 2045, 5.1).
UNQUOTED_BOUNDARY = re.compile(r"boundary\s*=\s*(?!\")[^;]*?([()<>@,:\\/\[\]?=]|\s[^;\s])", re.IGNORECASE)


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=refuse_constant)


class TimedInput:
    """The raw body of a request, with a time limit for each read: gunicorn has none."""

    def __init__(self, stream: IO[bytes], length: int | None):
        """`length` is the Content-Length; None if the stream knows its end."""
        self.stream = stream
        self.left = length
        self.length = 0  # bytes that have been read

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises BODY_TOO_SLOW, and INVALID_ARGUMENT if the body breaks off."""
        wanted = min(size if 0 < size < MIB else MIB, MIB if self.left is None else self.left)
        if not wanted:
            return b""
        with time_limit(seconds_for(wanted), too_slow()):
            try:
                chunk = self.stream.read(wanted)
            except ParseException as error:
                raise unreadable(type(error).__name__) from None
            except OSError:
                raise unreadable("it broke off") from None
        if self.left and not chunk:
            raise unreadable("it is shorter than its Content-Length")
        self.length += len(chunk)
        if self.left is not None:
            self.left -= len(chunk)
        return chunk

    def readline(self, size: int = -1) -> bytes:
        """Required by WSGI; not used here."""
        return self.stream.readline(size)


def limit_body_time() -> None:
    """Before a request: puts the time limit on its body."""
    request = the_request()
    environ = request.environ
    unknown = None if environ.get("wsgi.input_terminated") else 0
    environ["wsgi.input"] = TimedInput(environ["wsgi.input"], request.content_length or unknown)


def read_body() -> bytes:
    """The whole body. Werkzeug's own stream would copy it twice.

    Raises BODY_TOO_SLOW, BODY_TOO_LARGE, and UNSUPPORTED_MEDIA_TYPE if it is compressed.
    """
    request = the_request()
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise ApiError(
            ErrorKind.UNSUPPORTED_MEDIA_TYPE,
            f"Unsupported 'Content-Encoding': '{encoding[:40]}'. Send the body uncompressed.",
        )
    stream, most = request.environ["wsgi.input"], the_service().settings.max_request_bytes
    if (stream.left or 0) > most:
        raise too_large()
    chunks = []
    while chunk := stream.read(MIB):
        chunks.append(chunk)
        if stream.length > most:
            raise too_large()
    watch_caller()
    body = b"".join(chunks)
    if prefers_async():
        g.body = body  # to be stored
    return body


def read_json_body(accepted: tuple[str, ...] = ("application/json",)) -> bytes:
    """The body of a request in JSON: of any content type except those of forms. An error names the accepted types."""
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        types = " and ".join(f"'{one}'" for one in accepted)
        raise ApiError(
            ErrorKind.UNSUPPORTED_MEDIA_TYPE,
            f"Unsupported content type: '{request.mimetype}'. This method only accepts {types} requests.",
        )
    body = read_body()
    remember_content(body)
    return body


def read_form() -> tuple[bytes, Form]:
    """The body as it came, and as a form with its parts in order. Raises INVALID_ARGUMENT if it is not a form.

    It is parsed when it is complete, so that the result does not depend on how it arrived.
    """
    body = read_body()
    try:
        boundary = request.mimetype_params.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("Missing boundary")
        form = parse_form(body, boundary)
    except ValueError as error:
        reason = error.args[0] if isinstance(error, MultipartError) else error
        message = f"The form cannot be read: {reason}."
        if UNQUOTED_BOUNDARY.search(request.headers.get("content-type", "")):
            message += ' Its boundary has characters that need quotes: write boundary="..." in the Content-Type.'
        raise ApiError(ErrorKind.INVALID_ARGUMENT, message) from None
    remember_content(*(piece for part in form.parts for piece in (part.name.encode(), part.data)))
    return body, form


def parse_form(body: bytes, boundary: bytes) -> Form:
    """The parts of a form. Raises ValueError if it is not a form, and BODY_TOO_LARGE."""
    parts: list[FormPart] = []
    for segment, data in split_form(body, boundary):
        # RFC 7578 has no name*=, but some clients write it: Werkzeug reads it, `multipart` does not.
        _, disposition = parse_options_header(segment.header("Content-Disposition"))
        name = disposition.get("name")
        if not name:
            raise ValueError("a part has no name")
        if len(parts) == MOST_FORM_PARTS:
            raise too_large()
        parts.append(FormPart(name, data, segment.charset or "", "filename" in disposition))
    return Form(tuple(parts))


def split_form(body: bytes, boundary: bytes) -> Iterator[tuple[MultipartSegment, bytes]]:
    """The parts of a form: headers and content."""
    with PushMultipartParser(boundary) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, pieces = event, []
            elif event:
                pieces.append(event)
            else:
                data = b"".join(pieces)
                if data.startswith(b"--" + boundary):  # RFC 2046 allows it; `multipart` reads the next parts as data
                    raise ValueError("an empty part has no line end before its delimiter")
                yield segment, data


def is_form() -> bool:
    """Whether the body is declared as a multipart form."""
    return request.mimetype == "multipart/form-data"


def parse_json(body: bytes) -> Any:
    """Parses JSON as RFC 8259 defines it: without NaN and Infinity. Raises INVALID_JSON."""
    try:
        content = DECODER.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise ApiError(
            ErrorKind.INVALID_JSON,
            f"We could not parse the JSON body of your request{where}. The body must be valid JSON in UTF-8.",
        ) from None
    if is_deeper(content, MOST_JSON_LEVELS):
        raise ApiError(ErrorKind.INVALID_JSON, f"The JSON body is nested deeper than {MOST_JSON_LEVELS} levels.")
    return content


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested deeper than so many levels."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def unreadable(why: str) -> ApiError:
    return ApiError(ErrorKind.INVALID_ARGUMENT, f"The body cannot be read: {why}.")


def too_slow() -> ApiError:
    return ApiError(ErrorKind.BODY_TOO_SLOW, "The request body did not arrive in time.")


def too_large() -> ApiError:
    limit = the_service().settings.max_request_bytes
    return ApiError(
        ErrorKind.BODY_TOO_LARGE,
        f"The request body is larger than {limit} bytes (MAX_REQUEST_BYTES), or it has more than {MOST_FORM_PARTS} "
        "parts.",
    )
