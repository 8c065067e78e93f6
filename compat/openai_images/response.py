"""Answers of the Images API, whole or as a stream of events, written from our events while they pass through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compat.errors import ApiError
from compat.event_stream import write_event
from compat.formats import BY_MIME_TYPE
from compat.image_models import Prices
from compat.images import (
    Chunk,
    Event,
    Failure,
    Finish,
    ImageData,
    ImageStart,
    Lead,
    RevisedPrompt,
    Silence,
    StoredImage,
    Text,
    Usage,
)
from compat.json_text import dumps
from compat.openai_envelope import build_error

KEEP_ALIVE = b": the model is drawing\n\n"

Picture = ImageStart | StoredImage
TextEvent = Text | RevisedPrompt


def write_answer(events: Iterable[Event], *, created: int, prices: Prices | None) -> Iterator[Chunk]:
    """The JSON of an ImagesResponse, piece by piece; nothing is written before the first picture begins.

    The events have no drafts, and none that breaks off. `created` is in seconds since 1970.
    """
    summary = Summary(prices)
    before: list[TextEvent] = []  # of the next picture
    texts: list[TextEvent] | None = None  # of the open item
    held = b""  # is sent together with what follows
    for event in events:
        match event:
            case Text() | RevisedPrompt():
                before.append(event)
            case ImageStart() | StoredImage():
                if texts is not None:
                    held += end_item(texts)
                held += b"," if summary.first else b'{"created":%d,"data":[' % created
                held += start_item(event, summary)
                summary.first = summary.first or event
                texts, before = before, []
            case ImageData(data):
                if held:
                    yield Lead(held)
                held = b""
                yield data
            case Finish(usage):
                summary.add(usage)
                if texts is not None:
                    held += end_item(texts + before)
                texts, before = None, []
            case Failure(error):
                summary.errors.append(error)
    yield held + b"]," + dumps(summary.fields())[1:]


def start_item(picture: Picture, summary: Summary) -> bytes:
    """An item of `data` up to its picture or URL, with its size if it differs from the first one's."""
    fields: dict[str, Any] = {}
    if summary.first and size_of(picture) != size_of(summary.first):
        fields["size"] = size_of(picture)
    fields |= {"url": picture.url} if isinstance(picture, StoredImage) else {"b64_json": ""}
    return dumps(fields)[:-2]


def end_item(texts: list[TextEvent]) -> bytes:
    """The rest of an item: its texts, if there are any."""
    fields = text_fields(texts)
    return b'",' + dumps(fields)[1:] if fields else b'"}'


def text_fields(texts: list[TextEvent]) -> dict[str, str]:
    """The members of an item or an event that hold texts."""
    revised = [one.prompt for one in texts if isinstance(one, RevisedPrompt)]
    text = "".join(one.text for one in texts if isinstance(one, Text))
    return {**({"revised_prompt": revised[-1]} if revised else {}), **({"text": text} if text else {})}


class Summary:
    """What an answer reports once for all of its pictures."""

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
) -> Iterator[Chunk]:
    """Server-sent events: one `completed` for each picture, as soon as its answer is complete, errors last.

    `operation` is image_generation or image_edit. An error after the first event is an `error` event.
    """
    started = False
    errors: list[ApiError] = []
    pictures: list[HeldPicture] = []
    texts: list[TextEvent] = []
    try:
        for event in events:
            match event:
                case Text() | RevisedPrompt():
                    texts.append(event)
                case ImageStart():
                    pictures.append(HeldPicture(event))
                case ImageData(data):
                    pictures[-1].chunks.append(data)
                case Finish(usage):
                    for picture in pictures:
                        started = True
                        yield from picture.write(f"{operation}.completed", created, usage or Usage(), prices, texts)
                        usage, texts = None, []
                    pictures, texts = [], []
                case Silence():
                    started = True
                    yield KEEP_ALIVE
                case Failure(error):
                    errors.append(error)
    except ApiError as error:
        if not started:
            raise
        errors.append(error)
    for number, failed in enumerate(errors):
        yield write_event("error", {"type": "error", **build_error(failed)[1], "sequence_number": number})


class HeldPicture:
    """A picture of a stream, held until it is complete, as the chunks it came in."""

    def __init__(self, start: ImageStart):
        self.start = start
        self.chunks: list[Chunk] = []

    def write(
        self, name: str, created: int, usage: Usage, prices: Prices | None, texts: list[TextEvent]
    ) -> Iterator[Chunk]:
        """The whole event; usage and texts of an answer are in that of its first picture."""
        fields = {
            "type": name,
            "created_at": created,
            **picture_fields(self.start),
            "quality": "auto",
            "usage": build_usage(usage, prices),
            **text_fields(texts),
            "b64_json": "",
        }
        yield b"event: " + name.encode() + b"\ndata: " + dumps(fields)[:-2]
        yield from self.chunks
        yield b'"}\n\n'


def picture_fields(picture: Picture) -> dict[str, Any]:
    """The properties of a picture, with values that OpenAI's own client accepts."""
    return {
        "background": "opaque",
        "size": size_of(picture),
        "output_format": BY_MIME_TYPE[picture.mime_type].name,
    }


def size_of(picture: Picture) -> str:
    return f"{picture.width}x{picture.height}"


def build_usage(usage: Usage, prices: Prices | None) -> dict[str, Any]:
    """OpenAI's usage, and its cost in USD if the prices are known."""
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
