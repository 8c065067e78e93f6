"""Answers of the Images API, whole or as a stream of events, written from our events while they pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compat.errors import ApiError
from compat.event_stream import write_event
from compat.formats import BY_MIME_TYPE
from compat.image_models import Prices
from compat.images import (
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageStart,
    RevisedPrompt,
    Silence,
    StoredImage,
    Text,
    Usage,
)
from compat.json_text import dumps
from compat.openai_images.error import build_error

SMALL = 16 * 1024  # bytes of a picture that are copied, so that they leave with what introduces them
KEEP_ALIVE = b": the model is drawing\n\n"

Picture = ImageStart | StoredImage
Words = Text | RevisedPrompt


class DraftSent(Exception):
    """A picture that flowed turned out to be a draft: what has been written cannot be finished."""


def write_answer(events: Iterable[Event], *, created: int, prices: Prices | None) -> Iterator[bytes]:
    """The JSON of an ImagesResponse, piece by piece; nothing is written before the first picture begins.

    `created` is in seconds since 1970. Raises DraftSent.
    """
    summary = Summary(prices)
    before: list[Words] = []  # that wait for the picture they introduce
    words: list[Words] | None = None  # of the item that is open
    held = b""  # what is small, and leaves with what follows it
    for event in events:
        match event:
            case Text() | RevisedPrompt():
                before.append(event)
            case ImageStart() | StoredImage():
                if words is not None:
                    held += end_item(words)
                held += b"," if summary.first else b'{"created":%d,"data":[' % created
                held += start_item(event, summary)
                summary.first = summary.first or event
                words, before = before, []
            case ImageData(data):
                if held and len(data) > SMALL:
                    yield held
                    held = b""
                yield held + data if held else data
                held = b""
            case ImageEnd(draft=True):
                raise DraftSent("the picture was a draft")
            case Finish(usage):
                summary.add(usage)
                if words is not None:
                    held += end_item(words + before)
                words, before = None, []
            case Failure(error):
                summary.errors.append(error)
    yield held + b"]," + dumps(summary.fields())[1:]


def start_item(picture: Picture, summary: Summary) -> bytes:
    """An item of `data` up to its picture or its URL; the size is told where it differs from the first one's."""
    fields: dict[str, Any] = {}
    if summary.first and size_of(picture) != size_of(summary.first):
        fields["size"] = size_of(picture)
    fields |= {"url": picture.url} if isinstance(picture, StoredImage) else {"b64_json": ""}
    return dumps(fields)[:-2]


def end_item(words: list[Words]) -> bytes:
    """The rest of an item: the words that came along, if there are any."""
    fields = told(words)
    return b'",' + dumps(fields)[1:] if fields else b'"}'


def told(words: list[Words]) -> dict[str, str]:
    """The members of an item or an event that hold words."""
    revised = [one.prompt for one in words if isinstance(one, RevisedPrompt)]
    text = "".join(one.text for one in words if isinstance(one, Text))
    return {**({"revised_prompt": revised[-1]} if revised else {}), **({"text": text} if text else {})}


class Summary:
    """What is told once for all pictures of an answer."""

    def __init__(self, prices: Prices | None):
        self.prices = prices
        self.first: Picture | None = None
        self.usage: Usage | None = None
        self.errors: list[ApiError] = []

    def add(self, usage: Usage | None) -> None:
        if usage:
            self.usage = self.usage + usage if self.usage else usage

    def fields(self) -> dict[str, Any]:
        """The members of an ImagesResponse that follow its `data`."""
        fields: dict[str, Any] = {}
        if self.first:
            fields = picture_fields(self.first)
        if self.usage:
            fields["usage"] = build_usage(self.usage, self.prices)
        if self.errors:
            fields["errors"] = [build_error(error)[1]["error"] for error in self.errors]
        return fields


def write_event_stream(
    events: Iterable[Event], *, operation: str, created: int, prices: Prices | None
) -> Iterator[bytes]:
    """Server-sent events: one `completed` for each picture, written whole as soon as its answer is, errors last.

    `operation` is image_generation or image_edit. Trouble after the first thing written is an `error` event.
    """
    started = False
    errors: list[ApiError] = []
    pictures: list[HeldPicture] = []
    words: list[Words] = []
    try:
        for event in events:
            match event:
                case Text() | RevisedPrompt():
                    words.append(event)
                case ImageStart():
                    pictures.append(HeldPicture(event))
                case ImageData(data):
                    pictures[-1].chunks.append(data)
                case ImageEnd(draft=True):
                    pictures.pop()
                case Finish(usage):
                    for picture in pictures:
                        started = True
                        yield from picture.write(f"{operation}.completed", created, usage or Usage(), prices, words)
                        usage, words = None, []
                    pictures, words = [], []
                case Silence():
                    started = True
                    yield KEEP_ALIVE
                case Failure(error):
                    errors.append(error)
    except ApiError as trouble:
        if not started:
            raise
        errors.append(trouble)
    for number, failed in enumerate(errors):
        yield write_event("error", {"type": "error", **build_error(failed)[1], "sequence_number": number})


class HeldPicture:
    """A picture of a stream until it can be written whole, as the chunks it came in."""

    def __init__(self, start: ImageStart):
        self.start = start
        self.chunks: list[bytes] = []

    def write(
        self, name: str, created: int, usage: Usage, prices: Prices | None, words: list[Words]
    ) -> Iterator[bytes]:
        """The whole event; usage and words of an answer are told with its first picture."""
        fields = {
            "type": name,
            "created_at": created,
            **picture_fields(self.start),
            "quality": "auto",
            "usage": build_usage(usage, prices),
            **told(words),
            "b64_json": "",
        }
        yield b"event: " + name.encode() + b"\ndata: " + dumps(fields)[:-2]
        yield from self.chunks
        yield b'"}\n\n'


def picture_fields(picture: Picture) -> dict[str, Any]:
    """What is true of a picture, in the values that OpenAI's own client accepts."""
    return {
        "background": "opaque",
        "size": size_of(picture),
        "output_format": BY_MIME_TYPE[picture.mime_type].name,
    }


def size_of(picture: Picture) -> str:
    return f"{picture.width}x{picture.height}"


def build_usage(usage: Usage, prices: Prices | None) -> dict[str, Any]:
    """OpenAI's usage, and what it costs in USD where the prices are known."""
    input_tokens = usage.input_text_tokens + usage.input_image_tokens
    output_tokens = usage.output_text_tokens + usage.output_image_tokens
    body: dict[str, Any] = {
        "total_tokens": input_tokens + output_tokens,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "input_tokens_details": {"text_tokens": usage.input_text_tokens, "image_tokens": usage.input_image_tokens},
        "output_tokens_details": {"text_tokens": usage.output_text_tokens, "image_tokens": usage.output_image_tokens},
    }
    if prices:
        body["cost"] = prices.cost(usage)
    return body
