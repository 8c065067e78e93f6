"""Plain data that both APIs are read into and written from: a request for pictures, and the events of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from compat.base64_stream import encode
from compat.conversation import Turn
from compat.errors import ApiError
from compat.formats import PictureFormat, Pixels

SHORT = 64  # bytes of a picture that are not worth a write
MOST_PICTURES = 10  # that one request may ask for, as OpenAI limits it


@dataclass(frozen=True)
class InputImage:
    """A picture to start from: its bytes as standard base64, or a URI that the upstream opens itself."""

    mime_type: str
    data: bytes | None = None
    uri: str | None = None
    place: str = field(default="image", compare=False, repr=False)  # the path of its field, for errors


@dataclass(frozen=True)
class ImageRequest:
    """What a caller asks of the model. A field that is None was not given."""

    prompt: str
    input_images: tuple[InputImage, ...] = ()
    mask: InputImage | None = None
    count: int = 1
    aspect_ratio: str | None = None
    image_size: str | None = None
    seed: int | None = None
    temperature: float | None = None
    gemini: Mapping[str, Any] = field(default_factory=dict)  # generationConfig, safetySettings, ...: sent verbatim
    openai: Mapping[str, Any] = field(default_factory=dict)  # quality, background, ...: sent verbatim
    modalities: tuple[str, ...] = ("IMAGE",)  # what an answer may have; with TEXT, words alone are one
    turns: tuple[
        Turn[InputImage], ...
    ] = ()  # the conversation that `prompt` and `input_images` are all words and pictures of
    system: str | None = None  # the instruction that the conversation is held under, which `prompt` begins with


@dataclass(frozen=True)
class OutputOptions:
    """What is done with every picture of an answer. Without a format or pixels it stays as it comes."""

    format: PictureFormat | None = None
    quality: int | None = None  # 0 to 100, for a format that has one
    pixels: Pixels | None = None  # the exact size
    resize: str | None = None  # how a picture of another size gets it: cover cuts it, contain adds a border


@dataclass(frozen=True)
class OutgoingRequest:
    """A request to an upstream."""

    path: str  # below its base URL
    body: tuple[bytes, ...]  # in pieces, so that pictures are not copied
    content_type: str = "application/json"


@dataclass(frozen=True)
class Usage:
    """Tokens of an answer. Thoughts are counted as text output."""

    input_text_tokens: int = 0
    input_image_tokens: int = 0
    output_text_tokens: int = 0
    output_image_tokens: int = 0
    output_thought_tokens: int = field(default=0, compare=False)  # of output_text_tokens, where they are counted apart

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_text_tokens + other.input_text_tokens,
            self.input_image_tokens + other.input_image_tokens,
            self.output_text_tokens + other.output_text_tokens,
            self.output_image_tokens + other.output_image_tokens,
            self.output_thought_tokens + other.output_thought_tokens,
        )


# An answer is a stream of these events. Those of several answers may follow one another, each ended by a Finish; an
# answer that failed beside others that did not is one Failure.


class Unencoded(Protocol):
    """A whole picture in an answer: bytes that become base64 only when the answer is sent."""

    @property
    def length(self) -> int:
        """The number of its bytes."""

    def content(self) -> Iterator[bytes]:
        """Its bytes, in pieces that can be encoded one by one. They can be read several times."""


Chunk = bytes | Unencoded  # of an answer


class Lead(bytes):
    """A short piece that is sent together with the next one, which comes at once."""


def encoded(chunk: Chunk) -> Iterable[bytes]:
    """What is sent of a chunk."""
    return (chunk,) if isinstance(chunk, bytes) else map(encoded_piece, chunk.content())


def encoded_piece(content: bytes) -> bytes:
    """The base64 of a piece of a picture. What one piece of an answer shares with the next makes a group of its own."""
    return encode(content) if len(content) > SHORT else Lead(encode(content))


@dataclass(frozen=True)
class Text:
    """Text before or after a picture of the same answer."""

    text: str


@dataclass(frozen=True)
class RevisedPrompt:
    """The prompt as the server rewrote it, before the end of the picture's answer."""

    prompt: str


@dataclass(frozen=True)
class LinkedImage:
    """A picture that its server gives by an address. It replaces ImageStart to ImageEnd."""

    url: str


@dataclass(frozen=True)
class ImageStart:
    """A picture begins: its true type and pixels, read from its first bytes. ImageData and one ImageEnd follow."""

    mime_type: str
    width: int
    height: int


class ImageData:
    """Bytes of the picture: a piece of them, whose number three divides unless it is the last, or all as Unencoded."""

    __slots__ = ("content",)
    __match_args__ = ("data",)

    def __init__(self, content: Chunk):
        self.content = content

    @property
    def data(self) -> Chunk:
        """What an answer has of it: base64, or what becomes that."""
        return encode(self.content) if isinstance(self.content, bytes) else self.content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageData) and self.content == other.content

    def __repr__(self) -> str:
        return f"ImageData({self.content!r})"


@dataclass(frozen=True)
class ImageEnd:
    """The picture is complete. A draft is a thought of the model on the way to a picture, not a result."""

    draft: bool = False


@dataclass(frozen=True)
class StoredImage:
    """A picture in the image store. It replaces ImageStart to ImageEnd."""

    url: str
    mime_type: str
    width: int
    height: int


@dataclass(frozen=True)
class Finish:
    """The end of one answer that has a picture."""

    usage: Usage | None = None
    finish_reason: str | None = None


@dataclass(frozen=True)
class Failure:
    """One of several answers failed."""

    error: ApiError


@dataclass(frozen=True)
class Silence:
    """Nothing has happened for a while: time to keep the connection open."""


Event = (
    Text | RevisedPrompt | LinkedImage | ImageStart | ImageData | ImageEnd | StoredImage | Finish | Failure | Silence
)
