"""Streamed answers: an error before the first byte gets a response of its own, one after it cuts the transfer."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, cast

from flask import Response
from werkzeug.datastructures import Headers

from compat.errors import ApiError
from proxy.greenlets import CallerGone, reset_when_closed
from proxy.observation.record import Observation
from proxy.routes import the_observation, the_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger("twinlens")


class ClosingResponse(Response):
    """A response that is also closed when it cannot be started, so that what it holds is given back."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return super().__call__(environ, start_response)
        except BaseException:
            self.close()
            raise


class Chunks:
    """Chunks that are closed with their response. Werkzeug's own iterator would look at each of them again."""

    def __init__(self, chunks: Iterable[bytes], close: Callable[[], None]):
        self.chunks = chunks
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)


class FlowingResponse(ClosingResponse):
    """A response whose chunks and headers go to the server as they are."""

    default_mimetype = None

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        return self.headers

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        return Chunks(cast(Iterable[bytes], self.response), self.close)


class Cut(ConnectionResetError):
    """The answer cannot be finished. Gunicorn closes the connection without the last chunk."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the answer was cut off")


def flow(chunks: Iterator[bytes], headers: Mapping[str, str], status: int = 200) -> Response:
    """A response of chunks as they come. What the first one raises is raised here, where it can be answered."""
    observation = the_observation()
    chunks = observation.chunks(chunks)
    first = next(chunks, b"")
    body = cut_on_error(chain([first], chunks), the_request().environ, observation)
    response = FlowingResponse(body, status, headers)
    response.call_on_close(lambda: close(chunks))
    return response


def cut_on_error(
    chunks: Iterable[bytes], environ: dict[str, Any], observation: Observation
) -> Generator[bytes, None, None]:
    """The chunks; an error among them breaks the transfer off, so that a client sees that it is incomplete."""
    try:
        yield from chunks
    except (OSError, GeneratorExit):
        raise
    except CallerGone:
        raise Cut from None
    except ApiError as error:
        log.warning("the answer to %s was cut off: %s", observation.request_id, error)
        cut(environ, observation)
    except BaseException:
        log.exception("the answer to %s was cut off", observation.request_id)
        cut(environ, observation)


def cut(environ: dict[str, Any], observation: Observation) -> NoReturn:
    """Breaks the transfer off: for HTTP/1.0, where closing would end the body, with a reset."""
    observation.error = "cut"
    connection = environ.get("gunicorn.socket")
    if connection is not None and environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        reset_when_closed(connection)
    raise Cut


def close(chunks: Iterator[Any]) -> None:
    """Ends a generator before its end, and with it the call upstream."""
    if isinstance(chunks, Generator):
        chunks.close()
