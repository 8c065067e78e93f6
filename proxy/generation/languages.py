"""What is said to a server of either API, and how its answer is understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

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
    """How a request is written as the calls that answer it, and how an answer is read."""

    write: Callable[
        [ImageRequest, ServedModel, bool], list[OutgoingRequest]
    ]  # if the last is true, a call for each picture
    read: Callable[[Iterable[bytes], str], Iterator[Event]]
    read_error: Callable[[int, bytes, Mapping[str, str]], ApiError]  # status, body, headers
    find_usage: Callable[[bytes], Usage | None]  # in the last bytes of an answer that passes
    delay_of: Callable[[bytes], float | None]  # seconds to wait, as an error's body tells them


def write_gemini(image_request: ImageRequest, model: ServedModel, one_by_one: bool) -> list[OutgoingRequest]:
    """A call for each picture: Gemini makes one at a time."""
    call = OutgoingRequest(f"models/{model.upstream_name}:generateContent", gemini_request.write_request(image_request))
    return [call] * image_request.count


def write_openai(image_request: ImageRequest, model: ServedModel, one_by_one: bool) -> list[OutgoingRequest]:
    """One call, or several where the server makes fewer pictures at a time than are asked for.

    In a stream pictures are asked for one by one, so that each can go on as soon as it is there.
    """
    server = model.upstream.openai
    assert server  # the row speaks OpenAI's API
    parts = request_writer.split(image_request, 1 if one_by_one else server.most_pictures)
    return [request_writer.write_request(part, model, stream=server.streams) for part in parts]


LANGUAGES: Mapping[Api, Language] = {
    Api.GEMINI: Language(
        write_gemini,
        gemini_response.read_answer,
        lambda status, body, _: gemini_error.parse_error(status, body),
        gemini_response.find_usage,
        gemini_error.retry_delay_of,
    ),
    Api.OPENAI: Language(
        write_openai,
        response_reader.read_answer,
        lambda status, body, headers: openai_error.parse_error(status, body, headers.get("retry-after")),
        response_reader.find_usage,
        lambda _: None,  # a header tells it, and passes
    ),
}
