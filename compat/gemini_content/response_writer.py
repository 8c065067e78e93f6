"""Answers of generateContent and streamGenerateContent, written from events while they pass through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import build_error
from compat.gemini_content.response import BLOCKED
from compat.images import Chunk, Event, Failure, Finish, ImageData, ImageEnd, ImageStart, Text, Usage
from compat.json_text import dumps

REASON = re.compile(r"\(([A-Z_]+)\)")  # Google's, in the messages of our errors
REASONS = {ErrorKind.CONTENT_BLOCKED: "IMAGE_SAFETY", ErrorKind.NO_IMAGE: "NO_IMAGE"}
OTHER_REASON = "IMAGE_OTHER"  # of one of several answers that failed in another way


@dataclass(frozen=True)
class Framing:
    """The bytes around the responses of one answer."""

    content_type: str
    first: bytes = b""  # before the first response
    next: bytes = b""  # before every other one
    after: bytes = b""  # after each
    end: bytes = b""


WHOLE = Framing("application/json; charset=UTF-8")
EVENTS = Framing("text/event-stream", first=b"data: ", next=b"data: ", after=b"\r\n\r\n")
ARRAY = Framing("application/json; charset=UTF-8", first=b"[", next=b",\r\n", end=b"]")


def frame(response: dict[str, Any], framing: Framing) -> bytes:
    """The bytes of an answer that is one response."""
    return framing.first + dumps(response) + framing.after + framing.end


# Answers without a picture


def build_refusal(error: ApiError, *, model_version: str, response_id: str) -> dict[str, Any] | None:
    """The response with status 200 that Google gives instead of a picture; None for errors that are not refusals."""
    if error.kind not in REASONS:
        return None
    return {"candidates": [failed_candidate(error, 0)], "modelVersion": model_version, "responseId": response_id}


def failed_candidate(error: ApiError, index: int) -> dict[str, Any]:
    """A candidate without a picture, with the reason."""
    return {
        "content": {"role": "model"},
        "finishReason": finish_reason(error),
        "index": index,
        "finishMessage": error.message,
    }


def finish_reason(error: ApiError) -> str:
    """Google's finish reason for an error: that of a refusal is in its message, if Google gave one."""
    found = REASON.search(error.message)
    if error.kind is ErrorKind.CONTENT_BLOCKED and found and found[1] in BLOCKED:
        return found[1]
    return REASONS.get(error.kind, OTHER_REASON)


# Answers with pictures

START = b'{"candidates":['
END_PARTS = b'],"role":"model"}'
STOP = b',"finishReason":"STOP"}'


@dataclass
class Answer:
    """The state of an answer while it is written."""

    model_version: str
    response_id: str
    pictures: int = 0  # complete ones; the index of the next candidate
    texts: list[str] = field(default_factory=list)  # to be written before the next picture, or at the end
    failures: list[ApiError] = field(default_factory=list)
    usage: Usage | None = None

    def note(self, event: Event) -> None:
        """Keeps what is written later."""
        match event:
            case Text(text):
                self.texts.append(text)
            case Failure(error):
                self.failures.append(error)
            case Finish(Usage() as usage):
                self.usage = self.usage + usage if self.usage else usage

    def take_texts(self) -> list[bytes]:
        """The parts of the texts so far, which are then written."""
        texts, self.texts = self.texts, []
        return [dumps({"text": text}) for text in texts]

    def failed(self) -> list[dict[str, Any]]:
        """The candidates without a picture, which follow those with one."""
        return [failed_candidate(error, self.pictures + place) for place, error in enumerate(self.failures)]

    def about(self, *, with_usage: bool) -> dict[str, Any]:
        """The members of a response other than its candidates."""
        usage = {"usageMetadata": build_usage(self.usage)} if with_usage and self.usage else {}
        return {**usage, "modelVersion": self.model_version, "responseId": self.response_id}


def write_answer(events: Iterable[Event], *, model_version: str, response_id: str) -> Iterator[Chunk]:
    """The JSON of a GenerateContentResponse, piece by piece; nothing is written before the first picture begins.

    Each picture is a candidate, with the texts and the drafts before it; failures come last.
    """
    answer = Answer(model_version, response_id)
    started = opened = drawn = False  # whether there is a candidate, whether one is open, whether it has its picture
    held = b""  # is sent together with what follows
    for event in events:
        answer.note(event)
        match event:
            case ImageStart(mime_type):
                if drawn:
                    held += END_PARTS + STOP
                    opened = drawn = False
                if not opened:
                    held += (b"," if started else START) + start_candidate(answer.pictures)
                yield held + (b"," if opened else b"") + start_picture(answer.take_texts(), mime_type)
                started = opened = True
                held = b""
            case ImageData(data):
                yield data
            case ImageEnd(draft):
                held = end_picture(draft)
                drawn = not draft
                answer.pictures += drawn
            case Finish() if drawn:
                held += b"".join(b"," + part for part in answer.take_texts()) + END_PARTS + STOP
                opened = drawn = False
    if opened:
        held += END_PARTS + STOP
    failed = b",".join(map(dumps, answer.failed()))
    held += (b"," if started and failed else b"" if started else START) + failed
    yield held + b"]," + dumps(answer.about(with_usage=True))[1:]


def write_event_stream(events: Iterable[Event], *, model_version: str, response_id: str) -> Iterator[Chunk]:
    """The same as server-sent events: one for each picture, and a last one with finish reasons and usage.

    An error between two pictures is an event; within a picture, and before the first one, it is raised.
    """
    return write_responses(events, EVENTS, Answer(model_version, response_id))


def write_array(events: Iterable[Event], *, model_version: str, response_id: str) -> Iterator[Chunk]:
    """The responses of such a stream as one JSON array."""
    return write_responses(events, ARRAY, Answer(model_version, response_id))


def write_responses(events: Iterable[Event], framing: Framing, answer: Answer) -> Iterator[Chunk]:
    started = drawing = False
    end = b"]," + dumps(answer.about(with_usage=False))[1:] + framing.after
    try:
        for event in events:
            answer.note(event)
            match event:
                case ImageStart(mime_type):
                    begin = (framing.next if started else framing.first) + START + start_candidate(answer.pictures)
                    yield begin + start_picture(answer.take_texts(), mime_type)
                    started = drawing = True
                case ImageData(data):
                    yield data
                case ImageEnd(draft):
                    yield end_picture(draft) + END_PARTS + b"}" + end
                    drawing = False
                    answer.pictures += not draft
                case Finish() if answer.pictures and answer.texts:
                    parts = b",".join(answer.take_texts())
                    yield framing.next + START + start_candidate(answer.pictures - 1) + parts + END_PARTS + b"}" + end
    except ApiError as error:
        if drawing or not started:
            raise
        yield framing.next + dumps(build_error(error)[1]) + framing.after + framing.end
        return
    ended = [
        {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": index}
        for index in range(answer.pictures)
    ]
    last = {"candidates": [*ended, *answer.failed()], **answer.about(with_usage=True)}
    yield (framing.next if started else framing.first) + dumps(last) + framing.after + framing.end


def start_candidate(index: int) -> bytes:
    """A candidate up to its first part."""
    return b'{"index":%d,"content":{"parts":[' % index


def start_picture(texts: list[bytes], mime_type: str) -> bytes:
    """The text parts before a picture, and its own part up to its base64."""
    inline = dumps({"inlineData": {"mimeType": mime_type, "data": ""}})[: -len(b'"}}')]
    return b",".join([*texts, inline])


def end_picture(draft: bool) -> bytes:
    return b'"},"thought":true}' if draft else b'"}}'


def build_usage(usage: Usage) -> dict[str, Any]:
    """Google's usageMetadata, whose output details list pictures only; the rest of the output is text."""
    inputs = {"TEXT": usage.input_text_tokens, "IMAGE": usage.input_image_tokens}
    # Without details the tokens beside a picture would count as the picture's.
    outputs = {"IMAGE": usage.output_image_tokens} if usage.output_image_tokens else {"TEXT": usage.output_text_tokens}
    body: dict[str, Any] = {
        "promptTokenCount": sum(inputs.values()),
        "candidatesTokenCount": usage.output_text_tokens + usage.output_image_tokens,
    }
    body["totalTokenCount"] = sum(body.values())
    for name, tokens in (("promptTokensDetails", inputs), ("candidatesTokensDetails", outputs)):
        if any(tokens.values()):
            body[name] = [{"modality": kind, "tokenCount": count} for kind, count in tokens.items() if count]
    return body
