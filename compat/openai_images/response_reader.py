"""Answers of the Images API, whole or as a stream of events, read as our own events while they pass through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from compat.errors import ApiError, Bought, ErrorKind, broken
from compat.event_stream import read_data, without_done
from compat.formats import NotAPicture
from compat.images import Event, Failure, Finish, ImageEnd, LinkedImage, RevisedPrompt, Text, Usage
from compat.json_stream import MalformedJson, Path, StringEnd, StringStart, Take, Value, read_json
from compat.json_text import count, dicts, last_object
from compat.openai_images.error import parse_error_object
from compat.picture_reader import PictureReader

ENCODED, ADDRESS = "b64_json", "url"
DATA_URL = b"data:"
LONGEST_HEAD = 200  # bytes of a data URL before its comma
LONGEST_ADDRESS = 16384  # bytes
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
USAGE = re.compile(rb'"usage"\s*:\s*\{')
DRAFT = "partial_image"  # at the end of an event's type


def read_answer(chunks: Iterable[bytes], content_type: str = "application/json") -> Iterator[Event]:
    """The events of an answer, with a Finish after each picture, the last of them with the tokens of all.

    Raises an ApiError for an answer without a picture, with its reason, and for one that is broken, perhaps after some
    events. An error beside a complete picture is a Failure.
    """
    streamed = content_type.startswith("text/event-stream")
    if streamed:
        chunks = without_done(read_data(chunks))
    try:
        yield from AnswerReader(streamed).read(chunks)
    except (MalformedJson, NotAPicture) as error:
        raise broken(f"The upstream's answer is broken: {error}.") from error


def take(path: Path) -> Take | None:
    return Take.STREAM if path and path[-1] in (ENCODED, ADDRESS) and is_item(path[:-1]) else None


def is_item(path: Path) -> bool:
    """Whether a picture may be here: in an item of `data`, or in an event itself."""
    return not path or (len(path) == 2 and path[0] == "data" and isinstance(path[1], int))


class AnswerReader:
    """Reads one answer."""

    def __init__(self, streamed: bool) -> None:
        self.streamed = streamed
        self.item: Item | None = None  # the one that is being read
        self.pictures = 0
        self.unfinished = False  # whether the Finish of the last picture is due
        self.documents = 0
        self.has_data = False  # whether one of them had `data`

    def read(self, chunks: Iterable[bytes]) -> Iterator[Event]:
        for token in read_json(chunks, take, is_item, self.is_base64):
            match token:
                case StringStart(path, enclosing):
                    yield from self.finish_before(self.item_at(path[:-1]).start_string(path[-1], enclosing))
                case bytes() as data:
                    if self.item:
                        events = self.item.read(data)
                        yield from self.finish_before(events) if self.unfinished else events
                case StringEnd():
                    if self.item:
                        yield from self.finish_before(self.item.end_string())
                case Value((), document):
                    if isinstance(document, dict):
                        yield from self.end_document(document)
                case Value(path, value):
                    yield from self.end_item(path, value)
        if not self.documents:
            raise broken("The upstream's answer is empty.")
        if not self.pictures:
            raise self.without_picture()

    def is_base64(self, data: bytes) -> bool:
        """Whether the whole next piece of a picture is base64."""
        string = self.item.string if self.item else None
        picture = string.picture if string else None
        return picture is not None and picture.is_base64(data)

    def item_at(self, path: Path) -> Item:
        if self.item is None:
            self.item = Item(path)
        if self.item.path != path:
            raise NotAPicture("a picture is within another")
        return self.item

    def finish_before(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of an item, after the Finish of the item before it."""
        for event in events:
            if self.unfinished:
                self.unfinished = False
                yield Finish()
            yield event

    def end_item(self, path: Path, value: Any, draft: bool = False) -> Iterator[Event]:
        if isinstance(value, dict) and self.item_at(path).is_picture:
            yield from self.finish_before(self.item_at(path).end(value, draft))
            self.pictures += not draft
            self.unfinished = self.unfinished or not draft
        self.item = None

    def end_document(self, document: dict[str, Any]) -> Iterator[Event]:
        self.documents += 1
        self.has_data = self.has_data or "data" in document
        kind = document.get("type")
        failed = kind == "error" or document.get("error")
        if self.item and (self.item.picture or not failed):
            yield from self.end_item((), document, draft=isinstance(kind, str) and kind.endswith(DRAFT))
        if self.unfinished:
            self.unfinished = False
            yield Finish(parse_usage(document.get("usage")))
        self.item = None
        if failed:
            yield self.failure(parse_error_object(document))
        for error in dicts(document.get("errors")):
            yield self.failure(parse_error_object({"error": error}))

    def failure(self, error: ApiError) -> Failure:
        """The error beside complete pictures. Without one it is raised."""
        if not self.pictures:
            raise error
        return Failure(error)

    def without_picture(self) -> ApiError:
        if self.streamed and not self.has_data:
            return broken("The upstream's answer ended before a picture was complete.")
        return ApiError(ErrorKind.NO_IMAGE, "The upstream's answer has no image.", bought=Bought.YES)


class Item:
    """One picture and its texts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.picture: PictureReader | None = None
        self.address: str | None = None
        self.string: PictureString | None = None  # the one that is being read
        self.texts_read: set[str] = set()  # by name

    @property
    def is_picture(self) -> bool:
        return self.picture is not None or self.address is not None

    def start_string(self, name: str | int, enclosing: Any) -> Iterator[Event]:
        """A string that may hold the picture; after it has been read, others are skipped."""
        self.string = None if self.picture else PictureString(is_address=name == ADDRESS)
        yield from self.texts(enclosing)

    def read(self, data: bytes) -> Iterable[Event]:
        return self.string.read(data) if self.string else ()

    def end_string(self) -> Iterator[Event]:
        if self.string:
            yield from self.string.end()
            self.picture = self.string.picture
            self.address = self.address or self.string.address()
        self.string = None

    def texts(self, item: Any) -> Iterator[Event]:
        """The texts of the item, each once."""
        for name, event in (("revised_prompt", RevisedPrompt), ("text", Text)):
            if name not in self.texts_read and isinstance(item, dict) and isinstance(text := item.get(name), str):
                self.texts_read.add(name)
                if text:
                    yield event(text)

    def end(self, item: dict[str, Any], draft: bool) -> Iterator[Event]:
        if self.picture:
            yield ImageEnd(draft=draft)
        elif self.address:
            yield LinkedImage(self.address)
        yield from self.texts(item)


class PictureString:
    """A string that holds a picture: base64, perhaps in a data URL, or its address."""

    def __init__(self, *, is_address: bool) -> None:
        self.is_address = is_address
        self.picture: PictureReader | None = None
        self.held = b""

    def read(self, data: bytes) -> Iterable[Event]:
        if not self.picture:
            self.held += data
            data = self.base64_held()
        return self.picture.read(data) if self.picture else ()

    def base64_held(self) -> bytes:
        """The base64 that is held, once it is certain that the string is no address."""
        if self.held.startswith(DATA_URL):
            head, comma, rest = self.held.partition(b",")
            if len(head) > LONGEST_HEAD or (comma and not head.endswith(b";base64")):
                raise NotAPicture("a data URL is not base64")
            self.picture = PictureReader() if comma else None
            return rest
        if self.is_address:
            if len(self.held) > LONGEST_ADDRESS:
                raise NotAPicture("an address is too long")
            return b""
        self.picture = None if DATA_URL.startswith(self.held) else PictureReader()
        return self.held

    def end(self) -> Iterator[Event]:
        if self.picture:
            yield from self.picture.end()
        elif self.held and not (self.is_address and not self.held.startswith(DATA_URL)):
            raise NotAPicture("the picture ends within its header")

    def address(self) -> str | None:
        """The address, http(s) or relative to the server; None if the string is empty or not an address."""
        if self.picture or not self.is_address:
            return None
        address = self.held.decode("utf-8", "replace").strip()
        if SCHEME.match(address) and not address.lower().startswith(("https://", "http://")):
            raise NotAPicture("an address is not an http or https URL")
        return address or None


def parse_usage(usage: Any) -> Usage | None:
    """The tokens of an answer; None if there are none. Without details all input is text and all output is image."""
    if not isinstance(usage, dict) or not {"input_tokens", "output_tokens"} & usage.keys():
        return None
    input_text, input_image = split_tokens(usage, "input_tokens", "text_tokens", "image_tokens")
    output_image, output_text = split_tokens(usage, "output_tokens", "image_tokens", "text_tokens")
    return Usage(input_text, input_image, output_text, output_image)


def split_tokens(usage: dict[str, Any], name: str, main: str, other: str) -> tuple[int, int]:
    """The tokens of one direction by kind; those without details are of the main kind."""
    details = usage.get(f"{name}_details")
    details = details if isinstance(details, dict) else {}
    total, main_count, other_count = (
        count(value) for value in (usage.get(name), details.get(main), details.get(other))
    )
    if not isinstance(details.get(main), int):
        return max(0, total - other_count), other_count
    return main_count, other_count if isinstance(details.get(other), int) else max(0, total - main_count)


def find_usage(tail: bytes) -> Usage | None:
    """The usage in the last bytes of an answer, whole or streamed; None if there is none."""
    return parse_usage(last_object(USAGE, tail))
