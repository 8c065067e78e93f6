"""Answers of the Images API, whole or as a stream of events, read as events of ours while they pass."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from compat.errors import ApiError, ErrorKind, broken
from compat.event_stream import read_data, without_done
from compat.formats import NotAPicture
from compat.images import Event, Failure, Finish, ImageEnd, LinkedImage, RevisedPrompt, Text, Usage
from compat.json_stream import MalformedJson, Path, StringEnd, StringStart, Take, Value, read_json
from compat.openai_images.error import parse_told_error
from compat.picture_reader import PictureReader

ENCODED, ADDRESS = "b64_json", "url"
DATA_URL = b"data:"
LONGEST_HEAD = 200  # bytes of a data URL before its comma
LONGEST_ADDRESS = 16384  # bytes
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
USAGE = re.compile(rb'"usage"\s*:\s*\{')
DRAFT = "partial_image"
DECODER = json.JSONDecoder()


def read_answer(chunks: Iterable[bytes], content_type: str = "application/json") -> Iterator[Event]:
    """The events of an answer: for each of its pictures a Finish, the last of them with the tokens of all.

    Raises an ApiError for an answer without a picture, with its reason, and for one that is broken; until then all
    events are true. What fails beside a picture that is whole is a Failure.
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
    """Whether a picture may stand here: in a member of `data`, or in an event itself."""
    return not path or (len(path) == 2 and path[0] == "data" and isinstance(path[1], int))


class AnswerReader:
    """What has been read of one answer so far."""

    def __init__(self, streamed: bool) -> None:
        self.streamed = streamed
        self.item: Item | None = None  # that is being read
        self.pictures = 0
        self.unfinished = False  # whether the last picture still lacks its Finish
        self.documents = 0
        self.listed = False  # whether one of them had `data`

    def read(self, chunks: Iterable[bytes]) -> Iterator[Event]:
        for token in read_json(chunks, take, is_item, self.is_base64):
            match token:
                case StringStart(path, enclosing):
                    yield from self.told(self.item_at(path[:-1]).start_string(path[-1], enclosing))
                case bytes() as data:
                    if self.item:
                        events = self.item.read(data)
                        yield from self.told(events) if self.unfinished else events
                case StringEnd():
                    if self.item:
                        yield from self.told(self.item.end_string())
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
        """Whether the next piece of a picture is base64 to its end."""
        string = self.item.string if self.item else None
        picture = string.picture if string else None
        return picture is not None and picture.is_base64(data)

    def item_at(self, path: Path) -> Item:
        if self.item is None:
            self.item = Item(path)
        if self.item.path != path:
            raise NotAPicture("a picture within another")
        return self.item

    def told(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of an item, after the Finish of the one before it."""
        for event in events:
            if self.unfinished:
                self.unfinished = False
                yield Finish()
            yield event

    def end_item(self, path: Path, value: Any, draft: bool = False) -> Iterator[Event]:
        if isinstance(value, dict) and self.item_at(path).is_picture:
            yield from self.told(self.item_at(path).end(value, draft))
            self.pictures += not draft
            self.unfinished = self.unfinished or not draft
        self.item = None

    def end_document(self, document: dict[str, Any]) -> Iterator[Event]:
        self.documents += 1
        self.listed = self.listed or "data" in document
        kind = document.get("type")
        failed = kind == "error" or document.get("error")
        if self.item and (self.item.picture or not failed):
            yield from self.end_item((), document, draft=isinstance(kind, str) and kind.endswith(DRAFT))
        if self.unfinished:
            self.unfinished = False
            yield Finish(parse_usage(document.get("usage")))
        self.item = None
        if failed:
            yield self.failure(parse_told_error(document))
        for error in dicts(document.get("errors")):
            yield self.failure(parse_told_error({"error": error}))

    def failure(self, error: ApiError) -> Failure:
        """The error beside pictures that are whole. Without one it is raised."""
        if not self.pictures:
            raise error
        return Failure(error)

    def without_picture(self) -> ApiError:
        if self.streamed and not self.listed:
            return broken("The upstream's answer ended before a picture was whole.")
        return ApiError(ErrorKind.NO_IMAGE, "The upstream's answer has no image.", may_repeat=False)


class Item:
    """One picture as it passes, with the words about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.picture: PictureReader | None = None
        self.address: str | None = None
        self.string: PictureString | None = None  # that is being read
        self.words_told: set[str] = set()

    @property
    def is_picture(self) -> bool:
        return self.picture is not None or self.address is not None

    def start_string(self, name: str | int, enclosing: Any) -> Iterator[Event]:
        """A string that may tell the picture; once one has told it, the others are passed over."""
        self.string = None if self.picture else PictureString(is_address=name == ADDRESS)
        yield from self.words(enclosing)

    def read(self, data: bytes) -> Iterable[Event]:
        return self.string.read(data) if self.string else ()

    def end_string(self) -> Iterator[Event]:
        if self.string:
            yield from self.string.end()
            self.picture = self.string.picture
            self.address = self.address or self.string.address()
        self.string = None

    def words(self, item: Any) -> Iterator[Event]:
        """What the item says beside its picture, each thing once."""
        for name, event in (("revised_prompt", RevisedPrompt), ("text", Text)):
            if name not in self.words_told and isinstance(item, dict) and isinstance(said := item.get(name), str):
                self.words_told.add(name)
                if said:
                    yield event(said)

    def end(self, item: dict[str, Any], draft: bool) -> Iterator[Event]:
        if self.picture:
            yield ImageEnd(draft=draft)
        elif self.address:
            yield LinkedImage(self.address)
        yield from self.words(item)


class PictureString:
    """A string that tells a picture: base64, perhaps in a data URL, or its address."""

    def __init__(self, is_address: bool) -> None:
        self.is_address = is_address
        self.picture: PictureReader | None = None
        self.held = b""

    def read(self, data: bytes) -> Iterable[Event]:
        if not self.picture:
            self.held += data
            data = self.base64_held()
        return self.picture.read(data) if self.picture else ()

    def base64_held(self) -> bytes:
        """What is held of the picture, as soon as it is certain that there is one."""
        if self.held.startswith(DATA_URL):
            head, comma, rest = self.held.partition(b",")
            if len(head) > LONGEST_HEAD or (comma and not head.endswith(b";base64")):
                raise NotAPicture("a data URL that is not base64")
            self.picture = PictureReader() if comma else None
            return rest
        if self.is_address:
            if len(self.held) > LONGEST_ADDRESS:
                raise NotAPicture("an address that is too long")
            return b""
        self.picture = None if DATA_URL.startswith(self.held) else PictureReader()
        return self.held

    def end(self) -> Iterator[Event]:
        if self.picture:
            yield from self.picture.end()
        elif self.held and not (self.is_address and not self.held.startswith(DATA_URL)):
            raise NotAPicture("a picture that ends before its header does")

    def address(self) -> str | None:
        """The address, if the string is one and not empty: of the web, or relative to the server."""
        if self.picture or not self.is_address:
            return None
        address = self.held.decode("utf-8", "replace").strip()
        if SCHEME.match(address) and not address.lower().startswith(("https://", "http://")):
            raise NotAPicture("an address that is not of the web")
        return address or None


def parse_usage(usage: Any) -> Usage | None:
    """The tokens of an answer; None if it does not tell them. Without details all input is text, all output image."""
    if not isinstance(usage, dict) or not {"input_tokens", "output_tokens"} & usage.keys():
        return None
    input_text, input_image = told_tokens(usage, "input_tokens", "text_tokens", "image_tokens")
    output_image, output_text = told_tokens(usage, "output_tokens", "image_tokens", "text_tokens")
    return Usage(input_text, input_image, output_text, output_image)


def told_tokens(usage: dict[str, Any], name: str, most: str, others: str) -> tuple[int, int]:
    """The tokens of one direction; those that no detail tells are of the kind that `most` of them are."""
    details = usage.get(f"{name}_details")
    details = details if isinstance(details, dict) else {}
    total, one, other = (count(value) for value in (usage.get(name), details.get(most), details.get(others)))
    if not isinstance(details.get(most), int):
        return max(0, total - other), other
    return one, other if isinstance(details.get(others), int) else max(0, total - one)


def find_usage(tail: bytes) -> Usage | None:
    """The usage that the last bytes of an answer tell, whole or streamed; None if they do not."""
    found = list(USAGE.finditer(tail))
    if not found:
        return None
    try:
        usage, _ = DECODER.raw_decode(tail[found[-1].end() - 1 :].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return parse_usage(usage)


def dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def count(value: Any) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0
