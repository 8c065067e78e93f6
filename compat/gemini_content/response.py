"""Answers of generateContent and streamGenerateContent, read as events while they pass through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from compat.errors import ApiError, Bought, ErrorKind, broken
from compat.event_stream import read_data
from compat.formats import NotAPicture
from compat.gemini_content.error import parse_error
from compat.images import Event, Finish, ImageEnd, Text, Usage
from compat.json_stream import MalformedJson, Path, StringEnd, StringStart, Take, Token, Value, read_json
from compat.json_text import count, dicts, last_object
from compat.picture_reader import PictureReader

BLOCKED = frozenset(  # finish reasons that are refusals; any other one without a picture is a failure
    {
        "SAFETY",
        "IMAGE_SAFETY",
        "PROHIBITED_CONTENT",
        "IMAGE_PROHIBITED_CONTENT",
        "BLOCKLIST",
        "SPII",
        "RECITATION",
        "IMAGE_RECITATION",
    }
)
INLINE_DATA = ("inlineData", "inline_data")
THOUGHT_SIGNATURE = ("thoughtSignature", "thought_signature")
USAGE_METADATA = re.compile(rb'"usage(?:Metadata|_metadata)"\s*:\s*\{')
PART_DEPTH = 5  # candidates, 0, content, parts, 0
LONGEST_TEXT = 4000  # characters of the model's text that an error repeats


def read_answer(
    chunks: Iterable[bytes],
    content_type: str = "application/json",
    *,
    text_suffices: bool = False,
) -> Iterator[Event]:
    """The events of one answer, whole or streamed, ended by a Finish.

    Raises an ApiError for an answer without a picture, with its reason, and for one that is broken, perhaps after some
    events. With `text_suffices` an answer of text alone is one too, unless it is a refusal.
    """
    if content_type.startswith("text/event-stream"):
        chunks = read_data(chunks)
    try:
        yield from AnswerReader(text_suffices).read(chunks)
    except (MalformedJson, NotAPicture) as error:
        raise broken(f"The upstream's answer is broken: {error}.") from error


def take(path: Path) -> Take | None:
    inner = within_response(path)
    if len(inner) > PART_DEPTH and is_part(inner[:PART_DEPTH]):
        if inner[PART_DEPTH] in THOUGHT_SIGNATURE and len(inner) == PART_DEPTH + 1:
            return Take.SKIP
        if inner[PART_DEPTH] in INLINE_DATA and inner[PART_DEPTH + 1 :] == ("data",):
            return Take.STREAM
    return None


def cut(path: Path) -> bool:
    return (len(path) == 1 and isinstance(path[0], int)) or is_part(within_response(path))


def within_response(path: Path) -> Path:
    """The path without the index of the response: streamGenerateContent may answer with an array of them."""
    return path[1:] if path and isinstance(path[0], int) else path


def is_part(path: Path) -> bool:
    return len(path) == PART_DEPTH and (path[0], path[2], path[3]) == ("candidates", "content", "parts")


class AnswerReader:
    """Reads one answer."""

    def __init__(self, text_suffices: bool) -> None:
        self.text_suffices = text_suffices
        self.picture: PictureReader | None = None
        self.pictures = 0
        self.text = ""
        self.usage: Usage | None = None
        self.reasons: dict[int, str] = {}  # finish reason by candidate
        self.finish_message = ""
        self.block_reason: str | None = None
        self.left_out: NotAPicture | None = None  # why the part that is being read is no picture
        self.unreadable: NotAPicture | None = None  # the same of a part that says it is one
        self.responses = 0

    def read(self, chunks: Iterable[bytes]) -> Iterator[Event]:
        for token in read_json(chunks, take, cut, self.is_base64):
            yield from self.read_token(token)
            del token  # a piece of a picture is not held while the next is waited for
        if not self.responses:
            raise broken("The upstream's answer is empty.")
        if not self.pictures and not (self.text_suffices and self.text and not self.blocked_by):
            raise self.unreadable or self.without_picture()
        yield Finish(self.usage, self.finish_reason())

    def read_token(self, token: Token) -> Iterator[Event]:
        match token:
            case bytes() as data:
                if self.picture:
                    try:
                        yield from self.picture.read(data)
                    except NotAPicture as error:
                        self.leave_out(error)
            case StringStart(enclosing=part):
                if self.picture:
                    raise NotAPicture("a part has two pictures")
                self.picture = None if is_thought(part) else PictureReader()
            case StringEnd():
                if self.picture:
                    try:
                        yield from self.picture.end()
                    except NotAPicture as error:
                        self.leave_out(error)
            case Value(path, value):
                if is_part(within_response(path)):
                    yield from self.end_part(value)
                elif isinstance(value, dict):
                    self.end_response(value)

    def leave_out(self, error: NotAPicture) -> None:
        """A part proves to be no picture: it is left out. Raises the error if it has begun as one."""
        if self.picture and self.picture.header:
            raise error
        self.picture, self.left_out = None, error

    def is_base64(self, data: bytes) -> bool:
        """Whether the whole next piece of a picture is base64."""
        return self.picture is not None and self.picture.is_base64(data)

    def end_part(self, part: Any) -> Iterator[Event]:
        draft = is_thought(part)
        if self.picture:
            self.picture = None
            self.pictures += not draft
            yield ImageEnd(draft=draft)
        elif self.left_out:
            if is_declared_picture(part):
                self.unreadable = self.left_out
            self.left_out = None
        elif isinstance(part, dict) and isinstance(text := part.get("text"), str) and text and not draft:
            self.text += text
            yield Text(text)

    def end_response(self, response: dict[str, Any]) -> None:
        self.responses += 1
        if isinstance(error := response.get("error"), dict):
            status = error.get("code")
            raise parse_error(status if isinstance(status, int) else 500, json.dumps(response).encode())
        for position, candidate in enumerate(dicts(response.get("candidates"))):
            if isinstance(reason := candidate.get("finishReason"), str):
                self.reasons[count(candidate.get("index", position))] = reason
            if isinstance(message := candidate.get("finishMessage"), str):
                self.finish_message = message
        if isinstance(feedback := response.get("promptFeedback"), dict) and feedback.get("blockReason"):
            self.block_reason = str(feedback["blockReason"])
            self.finish_message = str(feedback.get("blockReasonMessage") or "")
        if isinstance(usage := response.get("usageMetadata"), dict):
            self.usage = parse_usage(usage, has_picture=self.pictures > 0)

    def finish_reason(self) -> str | None:
        """The first candidate's reason other than STOP, if there is one."""
        reasons = list(self.reasons.values())
        return next((reason for reason in reasons if reason != "STOP"), reasons[0] if reasons else None)

    @property
    def blocked_by(self) -> str | None:
        """The reason of a refusal; None if the answer is none."""
        reason = self.finish_reason()
        return self.block_reason or (reason if reason in BLOCKED else None)

    def without_picture(self) -> ApiError:
        reason, blocked_by = self.finish_reason(), self.blocked_by
        if blocked_by:
            message = f"The request was rejected by the model's safety system ({blocked_by})."
        elif reason in (None, "STOP") and self.text:
            message = "The model answered with text and no image."
        else:
            message = f"The model made no image ({reason or 'no finish reason'})."
        text = " ".join((self.finish_message or self.text).split())
        return ApiError(
            ErrorKind.CONTENT_BLOCKED if blocked_by else ErrorKind.NO_IMAGE,
            f"{message} {text[:LONGEST_TEXT]}".rstrip(),
            bought=Bought.YES,
            usage=self.usage,
        )


def is_thought(part: Any) -> bool:
    return isinstance(part, dict) and part.get("thought") is True


def is_declared_picture(part: Any) -> bool:
    """Whether a part says that it is a picture, of a kind that has pixels."""
    inline: dict[str, Any] = next((part[name] for name in INLINE_DATA if isinstance(part.get(name), dict)), {})
    declared = str(inline.get("mimeType") or inline.get("mime_type") or "image/")
    return declared.startswith("image/") and declared != "image/svg+xml"


def parse_usage(metadata: dict[str, Any], *, has_picture: bool = False) -> Usage:
    """Tokens from usageMetadata. candidatesTokensDetails lists image tokens only; the rest is text.

    Without it the candidates' tokens of an answer with a picture are image tokens. What tools gave the model is input.
    """
    candidates, details = count(metadata.get("candidatesTokenCount")), metadata.get("candidatesTokensDetails")
    input_images = image_tokens(metadata.get("promptTokensDetails"))
    output_images = candidates if has_picture and not dicts(details) else image_tokens(details)
    thoughts = count(metadata.get("thoughtsTokenCount"))
    return Usage(
        input_text_tokens=max(0, count(metadata.get("promptTokenCount")) - input_images)
        + count(metadata.get("toolUsePromptTokenCount")),
        input_image_tokens=input_images,
        output_text_tokens=max(0, candidates - output_images) + thoughts,
        output_image_tokens=output_images,
        output_thought_tokens=thoughts,
    )


def find_usage(tail: bytes) -> Usage | None:
    """The usage in the last bytes of an answer, whole or streamed; None if there is none."""
    metadata = last_object(USAGE_METADATA, tail)
    return None if metadata is None else parse_usage(metadata)


def image_tokens(details: Any) -> int:
    return sum(count(detail.get("tokenCount")) for detail in dicts(details) if detail.get("modality") == "IMAGE")
