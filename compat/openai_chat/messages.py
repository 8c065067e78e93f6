"""The messages of a chat: their shape, and the conversation that they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compat.conversation import Turn
from compat.errors import ApiError, ErrorKind
from compat.images import InputImage
from compat.input_images import from_bytes, read_input_image, unreadable
from compat.openai_chat.markdown import split_pictures
from compat.validation import Array, Choice, JsonField, Object, String, invalid, wrong_type

MOST_PARTS = 10_000  # of all messages together, and messages: looking at more would keep a worker from its callers
SYSTEM_ROLES = ("system", "developer")
MODEL_ROLE = "assistant"
ROLES = (*SYSTEM_ROLES, "user", MODEL_ROLE, "tool", "function")

# The shape of messages


class PictureUrl(JsonField):
    """Where a picture is: an address, a data URL or base64, as a string or in an object."""

    text = String(required=True, not_empty=True)
    wrapped = Object({"url": String(required=True, not_empty=True)})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        if not isinstance(value, str | dict):
            raise wrong_type("an object or a string", value)
        return (self.text if isinstance(value, str) else self.wrapped).deserialize(value)


class Part(JsonField):
    """A part of a message: words or a picture."""

    kinds = {
        "text": Object({"text": String(required=True)}),
        "refusal": Object({"refusal": String(required=True)}),  # of the model's
        "image_url": Object({"image_url": PictureUrl(required=True)}),
    }
    kind = Object({"type": Choice(*kinds, required=True)})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return self.kinds[self.kind.deserialize(value)["type"]].deserialize(value)


class Content(JsonField):
    """What a message says: a text, or parts."""

    parts = Array(Part(required=True))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        if not isinstance(value, str | list):
            raise wrong_type("a string or an array", value)
        return value if isinstance(value, str) else self.parts.deserialize(value)


class AnsweredPicture(JsonField):
    """A member of `images`, which is an answer's way to have pictures."""

    text = String(required=True, not_empty=True)
    wrapped = Object({"image_url": PictureUrl(required=True)})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        return (self.text if isinstance(value, str) else self.wrapped).deserialize(value)


class Message(JsonField):
    """A message. Only the model's may be without content."""

    role = Object({"role": Choice(*ROLES, required=True)})
    others = {"images": Array(AnsweredPicture(required=True))}
    of_model = Object({"content": Content(), **others})
    of_others = Object({"content": Content(required=True), **others})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        role = self.role.deserialize(value)["role"]
        return (self.of_model if role == MODEL_ROLE else self.of_others).deserialize(value)


class Messages(Array):
    """All messages, whose parts are counted before any of them is looked at."""

    def __init__(self) -> None:
        super().__init__(Message(required=True), required=True, min_length=1, max_length=MOST_PARTS)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        parts = number_of_parts(value)
        if parts > MOST_PARTS:
            raise invalid(
                ErrorKind.ARRAY_TOO_LONG,
                f"Invalid '{{param}}': at most {MOST_PARTS} parts are accepted in all, and there are {parts}.",
            )
        return super()._deserialize(value, attr, data, **options)


def number_of_parts(messages: Any) -> int:
    """How many parts and pictures the messages have together, whatever they are."""
    known = [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    lists = [message.get(name) for message in known for name in ("content", "images")]
    return sum(len(one) for one in lists if isinstance(one, list))


# The conversation


@dataclass(frozen=True)
class StoredPictures:
    """The pictures of our own store, which a conversation has by their URLs."""

    base_urls: tuple[str, ...] = ()  # what these URLs begin with
    read: Callable[[str], bytes | None] = lambda url: None  # a picture by its URL; None if it has expired

    def has(self, url: str) -> bool:
        """Whether a URL is of the store; the picture may have expired."""
        return url.startswith(self.base_urls)


@dataclass(frozen=True)
class Picture:
    """A picture of a message, not read yet: where it is, and the path of the field that says so."""

    url: str
    path: str

    def read(self, stored: StoredPictures) -> InputImage:
        """The picture itself. Raises INVALID_IMAGE."""
        if not stored.has(self.url):
            return read_input_image(self.url, self.path)
        data = stored.read(self.url)
        if data is None:
            raise unreadable(self.path, "this stored picture has expired. Send the picture itself.")
        return from_bytes(data, self.path)


@dataclass
class Conversation:
    """What messages of the right shape say."""

    system: str = ""
    turns: list[Turn[Picture]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)  # fields that nothing is done with


def read_messages(messages: list[dict[str, Any]], stored: StoredPictures) -> Conversation:
    """The conversation. Raises INVALID_VALUE for pictures in a system message, where no API has a place for them."""
    conversation = Conversation()
    instructions: list[str] = []
    for index, message in enumerate(messages):
        turn = Turn(tuple(read_parts(message, f"messages[{index}]", stored)), by_model=message["role"] == MODEL_ROLE)
        if message["role"] in SYSTEM_ROLES:
            for picture in turn.pictures:
                raise ApiError(
                    ErrorKind.INVALID_VALUE,
                    f"Invalid '{picture.path}': a {message['role']} message can have texts only.",
                    param=picture.path,
                )
            instructions += turn.texts
        elif turn.parts:
            conversation.turns.append(turn)
        conversation.ignored += ignored_fields(message)
    conversation.system = "\n\n".join(instructions)
    return conversation


def read_parts(message: Mapping[str, Any], path: str, stored: StoredPictures) -> Iterator[str | Picture]:
    """The words and pictures of a message in their order; those of `images` come after those of its content."""
    content = message.get("content") or ""
    if isinstance(content, str):
        yield from read_text(content, f"{path}.content", stored)
    else:
        for index, part in enumerate(content):
            place = f"{path}.content[{index}]"
            kind = part["type"]
            if kind == "image_url":
                yield picture_of(part, place)
            else:
                yield from read_text(part[kind], f"{place}.{kind}", stored)
    for index, image in enumerate(message.get("images") or ()):
        place = f"{path}.images[{index}]"
        yield Picture(image, place) if isinstance(image, str) else picture_of(image, place)


def picture_of(part: Mapping[str, Any], path: str) -> Picture:
    address = part["image_url"]
    if isinstance(address, str):
        return Picture(address, f"{path}.image_url")
    return Picture(address["url"], f"{path}.image_url.url")


def read_text(text: str, path: str, stored: StoredPictures) -> Iterator[str | Picture]:
    """The words of a text and its Markdown pictures, but for those of other servers, which stay words."""
    for words, url in split_pictures(text, lambda url: url[:5].lower() == "data:" or stored.has(url)):
        if words:
            yield words
        if url:
            yield Picture(url, path)


KNOWN_FIELDS = ("role", "content", "images", "tool_call_id")
KNOWN_PART_FIELDS = ("type", *Part.kinds)


def ignored_fields(message: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a message and its parts that say something and change nothing."""
    yield from (f"messages.{name}" for name, value in message.items() if name not in KNOWN_FIELDS and value)
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        yield from (
            f"messages.content.{name}" for name, value in part.items() if name not in KNOWN_PART_FIELDS and value
        )
        address = part.get("image_url")
        if isinstance(address, dict) and address.get("detail") not in (None, "", "auto"):
            yield "messages.content.image_url.detail"
