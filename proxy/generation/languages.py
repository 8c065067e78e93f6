"""How requests for a server of either API are written, and its answers read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from compat.dialect import Dialect
from compat.errors import ApiError
from compat.gemini_content import error as gemini_error
from compat.gemini_content import request as gemini_request
from compat.gemini_content import response as gemini_response
from compat.image_models import Api, ServedModel
from compat.images import Event, ImageRequest, OutgoingRequest, Usage
from compat.openai_images import error as openai_error
from compat.openai_images import request_writer, response_reader


@dataclass(frozen=True)
class Language:
    """What the calls of an API's servers need."""

    dialect: Dialect  # whose field names the errors of `write`, `read` and `read_error` have
    write: Callable[[ImageRequest, ServedModel, bool], list[OutgoingRequest]]  # if the last is true, a call per picture
    read: Callable[[Iterable[bytes], str, bool], Iterator[Event]]  # chunks, content type, whether words alone suffice
    read_error: Callable[[int, bytes, Mapping[str, str]], ApiError]  # status, body, headers
    find_usage: Callable[[bytes], Usage | None]  # in the last bytes of an answer
    delay_of: Callable[[bytes], float | None]  # seconds to wait, from the body of an error


def write_gemini(image_request: ImageRequest, model: ServedModel, one_by_one: bool) -> list[OutgoingRequest]:
    """A call per picture: Gemini draws one at a time. With a seed, each has one of its own."""
    path, count = f"models/{model.upstream_name}:generateContent", image_request.count
    if not model.upstream.sampling:
        image_request = replace(image_request, seed=None, temperature=None)
    seed = image_request.seed
    if seed is None or count == 1:
        return [OutgoingRequest(path, gemini_request.write_request(image_request))] * count
    seeds = ((seed + index + 2**31) % 2**32 - 2**31 for index in range(count))  # of 32 bits
    requests = (replace(image_request, seed=one) for one in seeds)
    return [OutgoingRequest(path, gemini_request.write_request(request)) for request in requests]


def write_openai(image_request: ImageRequest, model: ServedModel, one_by_one: bool) -> list[OutgoingRequest]:
    """One call, or several if the server draws fewer pictures at a time than are requested.

    For a stream there is a call per picture, so that each can be sent as soon as it is there.
    """
    server = model.upstream.openai
    assert server  # the row has OpenAI's API
    parts = request_writer.split(image_request, 1 if one_by_one else server.most_pictures)
    return [request_writer.write_request(part, model, stream=server.streams) for part in parts]


def read_gemini(chunks: Iterable[bytes], content_type: str, text_suffices: bool) -> Iterator[Event]:
    """The events of an answer, which may be words alone where these suffice."""
    return gemini_response.read_answer(chunks, content_type, text_suffices=text_suffices)


def read_openai(chunks: Iterable[bytes], content_type: str, text_suffices: bool) -> Iterator[Event]:
    """The events of an answer, which always has pictures."""
    return response_reader.read_answer(chunks, content_type)


LANGUAGES: Mapping[Api, Language] = {
    Api.GEMINI: Language(
        gemini_error.GEMINI,
        write_gemini,
        read_gemini,
        gemini_error.parse_error,
        gemini_response.find_usage,
        gemini_error.retry_delay_of,
    ),
    Api.OPENAI: Language(
        openai_error.OPENAI,
        write_openai,
        read_openai,
        openai_error.parse_error,
        response_reader.find_usage,
        lambda _: None,  # it is in a header, which passes
    ),
}
