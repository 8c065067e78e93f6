"""Chat completions with pictures, whole or as a stream of chunks, written from our events while they pass.

The form is OpenRouter's (its guide to image generation, 2026-06-16): pictures are data URLs in `images` beside
`content`, and a stream has each of them whole in a chunk of its own. Some clients lose words, a `finish_reason` or the
usage that stand in the chunk of a picture (LobeHub), and some refuse a `content` that is no string (Dify). Pictures
that were stored instead are Markdown in `content`, for clients that show nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compat.errors import ApiError
from compat.image_models import Prices
from compat.images import (
    Chunk,
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageStart,
    Silence,
    StoredImage,
    Text,
    Usage,
)
from compat.json_text import dumps
from compat.openai_envelope import build_error

KEEP_ALIVE = b": the model is drawing\n\n"
DONE = b"data: [DONE]\n\n"
FINISH_REASONS: Mapping[str | None, str] = {"MAX_TOKENS": "length"}  # of Gemini's; every other one is `stop`
BLANK_LINE = "\n\n"


@dataclass(frozen=True)
class Heading:
    """What an answer and each of its chunks begin with. `created` is in seconds since 1970."""

    id: str
    created: int
    model: str

    def fields(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


@dataclass
class Choice:
    """One choice, as far as it is written."""

    index: int = 0
    pictures: int = 0  # in `images`
    content: list[str] = field(default_factory=list)
    after_picture: bool = False  # whether the last thing in `content` is one

    @property
    def is_empty(self) -> bool:
        return not self.pictures and not self.content

    def add_text(self, text: str) -> str:
        """What words add to `content`."""
        return self.add(text, gap=self.after_picture)

    def add_stored(self, url: str) -> str:
        """What a stored picture adds to `content`: Markdown, apart from what stands before it."""
        added = self.add(f"![image]({url})", gap=bool(self.content))
        self.after_picture = True
        return added

    def add(self, text: str, *, gap: bool) -> str:
        self.after_picture = False
        self.content.append(BLANK_LINE + text if gap else text)
        return self.content[-1]

    def picture(self, mime_type: str) -> tuple[bytes, bytes]:
        """What stands before and after the base64 of the next member of `images`."""
        before = f'{{"type":"image_url","image_url":{{"url":"data:{mime_type};base64,'
        after = f'"}},"index":{self.pictures}}}'
        self.pictures += 1
        return before.encode(), after.encode()


class Summary:
    """What is said once about all choices."""

    def __init__(self, prices: Prices | None):
        self.prices = prices
        self.usage: Usage | None = None
        self.errors: list[ApiError] = []

    def add(self, event: Finish | Failure) -> None:
        if isinstance(event, Failure):
            self.errors.append(event.error)
        elif event.usage:
            self.usage = self.usage + event.usage if self.usage else event.usage


def write_answer(events: Iterable[Event], heading: Heading, *, prices: Prices | None) -> Iterator[Chunk]:
    """The JSON of a chat completion, piece by piece; nothing is written before the first picture, or the end.

    Each answer among the events is a choice. Those that failed beside others are in `errors`, as on the Images API.
    """
    summary, choice = Summary(prices), Choice()
    held = dumps(heading.fields("chat.completion"))[:-1] + b',"choices":['
    after_picture = b""
    for event in events:
        match event:
            case Text(text):
                choice.add_text(text)
            case StoredImage(url=url):
                choice.add_stored(url)
            case ImageStart(mime_type):
                held += b"," if choice.pictures else start_choice(choice) + b',"images":['
                before, after_picture = choice.picture(mime_type)
                yield held + before
                held = b""
            case ImageData(data):
                yield data
            case ImageEnd():
                held = after_picture
            case Finish(finish_reason=reason):
                summary.add(event)
                if not choice.is_empty:
                    held += (b"]" if choice.pictures else start_choice(choice)) + end_choice(choice, reason)
                    choice = Choice(choice.index + 1)
            case Failure():
                summary.add(event)
    last: dict[str, Any] = {}
    if summary.usage:
        last["usage"] = build_usage(summary.usage, prices)
    if summary.errors:
        last["errors"] = [build_error(error)[1]["error"] for error in summary.errors]
    yield held + b"]" + (b"," + dumps(last)[1:] if last else b"}")


def start_choice(choice: Choice) -> bytes:
    """A choice up to the members of its message that follow the role."""
    return b"," * bool(choice.index) + b'{"index":%d,"message":{"role":"assistant"' % choice.index


def end_choice(choice: Choice, reason: str | None) -> bytes:
    """The rest of a choice, from the members that follow its pictures."""
    message = dumps({"content": "".join(choice.content), "refusal": None})[1:]
    return b"," + message + b"," + dumps({"logprobs": None, **finish_fields(reason)})[1:]


def finish_fields(reason: str | None) -> dict[str, Any]:
    """Why a choice ended, in OpenAI's words and, as OpenRouter has it, in the model's own."""
    return {"finish_reason": FINISH_REASONS.get(reason, "stop"), "native_finish_reason": reason}


def write_event_stream(
    events: Iterable[Event],
    heading: Heading,
    *,
    prices: Prices | None,
    include_usage: bool = False,
) -> Iterator[Chunk]:
    """The same as server-sent events: chunks with words, one chunk for each picture, and one for the end of a choice.

    Then come the usage, if it is asked for, and what failed: trouble after the first thing written is an `error`
    event. Before that, and within a picture, it is raised.
    """
    writer = ChunkWriter(heading, Summary(prices))
    started = False
    try:
        for event in events:
            for piece in writer.write(event):
                started = True
                yield piece
    except ApiError as error:
        if writer.drawing or not started:
            raise
        writer.summary.add(Failure(error))
    if include_usage:
        yield writer.usage_chunk()
    for failed in writer.summary.errors:
        yield b"data: " + dumps(build_error(failed)[1]) + b"\n\n"
    yield DONE


class ChunkWriter:
    """Writes the chunks of a stream."""

    def __init__(self, heading: Heading, summary: Summary):
        self.fields = heading.fields("chat.completion.chunk")
        self.summary = summary
        self.choice = Choice()
        self.after_picture = b""

    @property
    def drawing(self) -> bool:
        """Whether the chunk of a picture is not whole."""
        return bool(self.after_picture)

    def write(self, event: Event) -> Iterator[Chunk]:
        """The pieces that an event adds to the stream."""
        match event:
            case Text(text):
                yield from self.start()
                yield self.chunk({"content": self.choice.add_text(text)})
            case StoredImage(url=url):
                yield from self.start()
                yield self.chunk({"content": self.choice.add_stored(url)})
            case ImageStart(mime_type):
                yield from self.start()
                inner_before, inner_after = self.choice.picture(mime_type)
                before, after = self.chunk({"content": "", "images": []}).split(b'"images":[]')
                yield before + b'"images":[' + inner_before
                self.after_picture = inner_after + b"]" + after
            case ImageData(data):
                yield data
            case ImageEnd():
                yield self.after_picture
                self.after_picture = b""
            case Finish(finish_reason=reason):
                self.summary.add(event)
                if not self.choice.is_empty:
                    yield self.chunk({}, finish_fields(reason))
                    self.choice = Choice(self.choice.index + 1)
            case Failure():
                self.summary.add(event)
            case Silence():
                yield KEEP_ALIVE

    def start(self) -> Iterator[Chunk]:
        """The first chunk of a choice, which says whose words follow."""
        if self.choice.is_empty:
            yield self.chunk({"role": "assistant", "content": ""})

    def chunk(self, delta: dict[str, Any], finish: Mapping[str, Any] | None = None) -> bytes:
        ended = finish or {"finish_reason": None}
        choice = {"index": self.choice.index, "delta": delta, "logprobs": None, **ended}
        return b"data: " + dumps({**self.fields, "choices": [choice]}) + b"\n\n"

    def usage_chunk(self) -> bytes:
        """The tokens of all choices; those that nobody has counted are 0."""
        usage = build_usage(self.summary.usage or Usage(), self.summary.prices)
        return b"data: " + dumps({**self.fields, "choices": [], "usage": usage}) + b"\n\n"


def build_usage(usage: Usage, prices: Prices | None) -> dict[str, Any]:
    """OpenAI's usage, and what it costs in USD where the prices are known.

    `cached_tokens` and `reasoning_tokens` are always numbers: @openrouter/ai-sdk-provider 3.1.0 refuses details
    without them.
    """
    prompt_tokens = usage.input_text_tokens + usage.input_image_tokens
    completion_tokens = usage.output_text_tokens + usage.output_image_tokens
    body: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "image_tokens": usage.input_image_tokens},
        "completion_tokens_details": {
            "reasoning_tokens": usage.output_thought_tokens,
            "image_tokens": usage.output_image_tokens,
        },
    }
    if prices:
        body["cost"] = prices.cost(usage)
    return body
