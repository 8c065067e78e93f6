"""The body of the current request, read under limits of size and time."""

from __future__ import annotations

import json
import time
from io import BytesIO
from typing import IO, Any, Protocol, cast

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from compat.errors import ApiError, ErrorKind
from compat.openai_images.request import Form, FormFile
from proxy.limits import BODY_SECONDS, MIB, MOST_FORM_PARTS, SLOWEST_BODY
from proxy.routes.caller_watch import watch_caller


class Readable(Protocol):
    """What a body is read from."""

    def read(self, size: int, /) -> bytes: ...


class TimedBody:
    """A body that must keep coming: a slow one would hold a place for ever, since gunicorn does not limit it."""

    def __init__(self, stream: Readable, environ: dict[str, Any]):
        self.stream = stream
        self.socket = environ.get("gunicorn.socket")
        self.started = time.monotonic()
        self.length = 0

    def read(self, size: int = MIB) -> bytes:
        """The next bytes. Raises BODY_TOO_SLOW."""
        if self.socket:
            self.socket.settimeout(BODY_SECONDS)
        try:
            chunk = self.stream.read(size)
        except TimeoutError:
            raise too_slow() from None
        finally:
            if self.socket:
                self.socket.settimeout(None)
        self.length += len(chunk)
        if time.monotonic() - self.started > BODY_SECONDS + self.length / SLOWEST_BODY:
            raise too_slow()
        return chunk


def read_body() -> bytes:
    """The whole body. Raises BODY_TOO_SLOW and BODY_TOO_LARGE."""
    chunks = []
    try:
        body = TimedBody(request.stream, request.environ)
        while chunk := body.read():
            chunks.append(chunk)
    except RequestEntityTooLarge:
        raise too_large() from None
    watch_caller()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_json() -> Any:
    """The body as JSON, whatever content type it claims unless that is a form. Raises INVALID_JSON."""
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise ApiError(
            ErrorKind.UNSUPPORTED_MEDIA_TYPE,
            f"Unsupported content type: '{request.mimetype}'. This method only accepts 'application/json' requests.",
        )
    return parse_json(read_body())


def read_form() -> Form:
    """The body as a form, its files in memory and its parts in order. Raises INVALID_ARGUMENT for what is no form."""
    parser = FormDataParser(
        stream_factory=lambda *_, **__: BytesIO(),
        max_form_memory_size=request.max_content_length,
        max_form_parts=MOST_FORM_PARTS,
        silent=False,
    )
    try:
        body = cast(IO[bytes], TimedBody(request.stream, request.environ))
        _, texts, files = parser.parse(body, request.mimetype, request.content_length, request.mimetype_params)
    except RequestEntityTooLarge:
        raise too_large() from None
    except ValueError as error:
        raise ApiError(ErrorKind.INVALID_ARGUMENT, f"The form cannot be read: {error}.") from None
    watch_caller()
    return Form(
        tuple(texts.items(multi=True)),
        tuple(FormFile(name, cast(BytesIO, file.stream).getvalue()) for name, file in files.items(multi=True)),
    )


def is_form() -> bool:
    """Whether the body claims to be a form with files."""
    return request.mimetype == "multipart/form-data"


def parse_json(body: bytes) -> Any:
    """JSON as it is defined: without NaN and Infinity. Raises INVALID_JSON."""
    try:
        return json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise ApiError(
            ErrorKind.INVALID_JSON,
            f"We could not parse the JSON body of your request{where}. The body must be valid JSON in UTF-8.",
        ) from None


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
