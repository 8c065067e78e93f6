"""The body of the current request, read under limits of size and time."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import IO, Any, cast

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from compat.errors import ApiError, ErrorKind
from compat.openai_images.form import Form, FormFile
from proxy.greenlets import time_limit
from proxy.limits import BODY_SECONDS, MIB, MOST_FORM_PARTS, MOST_JSON_LEVELS, SLOWEST_BODY
from proxy.routes.caller_watch import watch_caller

LONGEST_PADDING = 64  # bytes of white space after a form's delimiter


class TimedInput:
    """A request's body below Werkzeug: it must keep coming, since gunicorn itself does not limit how long it takes."""

    def __init__(self, stream: IO[bytes], length: int | None):
        """`length` is what Content-Length promises."""
        self.stream = stream
        self.left = length or None
        self.length = 0  # of what has been read

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises BODY_TOO_SLOW."""
        wanted = min(size if 0 < size < MIB else MIB, MIB if self.left is None else self.left)
        with time_limit(BODY_SECONDS + wanted / SLOWEST_BODY, too_slow):
            try:
                chunk = self.stream.read(wanted)
            except ParseException as error:
                raise ApiError(
                    ErrorKind.INVALID_ARGUMENT, f"The body cannot be read: {type(error).__name__}."
                ) from None
        self.length += len(chunk)
        if self.left is not None:
            self.left -= len(chunk)
        return chunk

    def readline(self, size: int = -1) -> bytes:
        """WSGI asks for it; nobody here does."""
        return self.stream.readline(size)


class UncutDelimiters:
    """A form's body of which no read ends between a delimiter and the end of its line.

    Werkzeug 3.1.9 would leave the line break before it in the part: a picture or a prompt with one byte more
    (https://github.com/pallets/werkzeug/issues/3285, seen 2026-11-23).
    """

    def __init__(self, stream: IO[bytes], boundary: bytes):
        self.stream = stream
        self.unfinished = re.compile(rb"--%s(-|[^\S\r\n]{0,%d}\r?)\Z" % (re.escape(boundary), LONGEST_PADDING))
        self.longest = len(b"--") + len(boundary) + LONGEST_PADDING + len(b"\r")
        self.last = b""

    def read(self, size: int) -> bytes:
        """The next bytes, a few more than were asked for where a delimiter would be cut."""
        chunk = more = self.take(size)
        while more and self.unfinished.search(self.last):
            more = self.take(1)
            chunk += more
        return chunk

    def take(self, size: int) -> bytes:
        chunk = self.stream.read(size)
        self.last = (self.last + chunk[-self.longest :])[-self.longest :]
        return chunk


def limit_body_time() -> None:
    """Before a request is read: from now on its body must keep coming."""
    environ = request.environ
    environ["wsgi.input"] = TimedInput(environ["wsgi.input"], request.content_length)


def read_body() -> bytes:
    """The whole body. Raises BODY_TOO_SLOW and BODY_TOO_LARGE."""
    chunks = []
    try:
        while chunk := request.stream.read(MIB):
            chunks.append(chunk)
    except RequestEntityTooLarge:
        raise too_large() from None
    watch_caller()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_json_body() -> bytes:
    """The body of a request in JSON, whatever content type it claims unless that is a form."""
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise ApiError(
            ErrorKind.UNSUPPORTED_MEDIA_TYPE,
            f"Unsupported content type: '{request.mimetype}'. This method only accepts 'application/json' requests.",
        )
    return read_body()


def read_form() -> tuple[bytes, Form]:
    """The body as it came, and as a form, its parts in order. Raises INVALID_ARGUMENT for what is no form.

    The form is parsed when all of it is there, so that what is made of it does not depend on how it arrived; in reads
    of a MiB all the same, because Werkzeug searches a part much faster in which no delimiter is.
    """
    body = read_body()
    parser = MultiPartParser(
        stream_factory=lambda *_, **__: BytesIO(),
        max_form_memory_size=request.max_content_length,
        max_form_parts=MOST_FORM_PARTS,
        buffer_size=MIB,
    )
    try:
        boundary = request.mimetype_params.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("Missing boundary")
        stream = cast(IO[bytes], UncutDelimiters(BytesIO(body), boundary))
        texts, files = parser.parse(stream, boundary, len(body))
    except RequestEntityTooLarge:
        raise too_large() from None
    except ValueError as error:
        raise ApiError(ErrorKind.INVALID_ARGUMENT, f"The form cannot be read: {error}.") from None
    if any(not name for name in (*texts, *files)):
        raise ApiError(ErrorKind.INVALID_ARGUMENT, "The form cannot be read: a part has no name.")
    return body, Form(
        tuple(texts.items(multi=True)),
        tuple(FormFile(name, cast(BytesIO, file.stream).getvalue()) for name, file in files.items(multi=True)),
    )


def is_form() -> bool:
    """Whether the body claims to be a form with files."""
    return request.mimetype == "multipart/form-data"


def parse_json(body: bytes) -> Any:
    """JSON as it is defined: without NaN and Infinity. Raises INVALID_JSON."""
    try:
        content = json.loads(body, parse_constant=refuse_constant)
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
    """Whether objects and arrays lie more than so many levels within one another."""
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


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def too_slow() -> ApiError:
    return ApiError(ErrorKind.BODY_TOO_SLOW, "The request body did not arrive in time.", may_repeat=False)


def too_large() -> ApiError:
    limit = request.max_content_length
    return ApiError(
        ErrorKind.BODY_TOO_LARGE,
        f"The request body is larger than {limit} bytes (MAX_REQUEST_BYTES), or it has more than {MOST_FORM_PARTS} "
        "parts.",
    )
