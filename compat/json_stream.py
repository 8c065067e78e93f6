"""A JSON byte stream whose long base64 strings are taken out as they pass through, in constant memory.

The text that remains is small and is parsed by `json`; the strings never are. Several documents may follow one another,
as they do in an event stream.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

Path = tuple[str | int, ...]

MAX_TEXT = 8 * 1024 * 1024  # bytes of JSON without the strings that are taken out
MAX_DEPTH = 100  # levels of nested objects and arrays

BETWEEN = re.compile(rb'["{}\[\],]')
PLAIN = re.compile(rb'([ !#-\[\]-~]*)"')  # the rest of a string in which every character stands for itself
WHOLE_CHARACTERS = re.compile(rb'[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*', re.DOTALL)
SPACE = re.compile(rb"[ \t\r\n]*")
LONGEST_ESCAPE = 6  # \u002b
QUOTE, COMMA, BRACE = b'",{'
DECODER = json.JSONDecoder()
CLOSERS = dict(zip(b"{[", b"}]", strict=True))


class MalformedJson(ValueError):
    """The stream is not JSON, or ends within a document."""


class Take(Enum):
    """What happens to a string that is taken out of the document."""

    STREAM = auto()  # StringStart, bytes ..., StringEnd
    SKIP = auto()


@dataclass(frozen=True, slots=True)
class StringStart:
    """A string to stream begins. `enclosing` is the value to cut out around it, as far as it has been read."""

    path: Path
    enclosing: Any


@dataclass(frozen=True, slots=True)
class StringEnd:
    """The string is complete."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value that is cut out, or a document (its path is empty). Strings that were taken out of it are ""."""

    path: Path
    value: Any


Token = StringStart | bytes | StringEnd | Value  # bytes are a piece of the string, its escapes resolved


@dataclass(slots=True)
class Container:
    """An open object or array."""

    path: Path
    closer: int
    key: str | int | None  # of the member that is being read
    cut_at: int | None  # where its text begins, if it is cut out


def read_json(
    chunks: Iterable[bytes],
    take: Callable[[Path], Take | None],
    cut: Callable[[Path], bool],
    is_plain: Callable[[bytes], bool] | None = None,
) -> Iterator[Token]:
    """The tokens of a stream of JSON documents that may be cut anywhere.

    `take` decides by the path of each string value whether it is taken out; `cut` decides by the path of each object
    and array whether it is yielded by itself as soon as it is complete (the document then has null instead of it).
    Every document ends with `Value((), document)`. Raises MalformedJson.

    `is_plain`, if given, may return True for a chunk of a streamed string that has neither a quote nor a backslash, if
    it finds that out faster than a search for both. It is called once, right before the chunk is yielded.
    """
    reader = JsonReader(take, cut, is_plain)
    for chunk in chunks:
        if chunk:
            yield from reader.feed(chunk)
        del chunk  # it is not held while the next is waited for
    reader.close()


class JsonReader:
    """Reads a stream chunk by chunk, for read_json."""

    def __init__(
        self,
        take: Callable[[Path], Take | None],
        cut: Callable[[Path], bool],
        is_plain: Callable[[bytes], bool] | None = None,
    ):
        self.take = take
        self.cut = cut
        self.is_plain = is_plain
        self.text = bytearray()  # of the current document, without the strings that were taken out
        self.containers: list[Container] = []
        self.expects_key = False
        self.inside: Callable[[bytes, int], Generator[Token, None, int]] | None = (
            None  # reads the string that has begun
        )
        self.string_at = 0  # where that string begins in `text`
        self.held = b""  # the start of an escape that is cut off

    def feed(self, chunk: bytes) -> Iterator[Token]:
        if self.held:
            chunk, self.held = self.held + chunk, b""
        position = 0
        while position < len(chunk):
            if self.inside:
                position = yield from self.inside(chunk, position)
            elif not self.containers:
                position = self.start_document(chunk, position)
            else:
                position = yield from self.structure(chunk, position)

    def close(self) -> None:
        if self.containers or self.inside:
            raise MalformedJson("the JSON is cut off")

    def start_document(self, chunk: bytes, position: int) -> int:
        position = end_of(SPACE, chunk, position)
        if position < len(chunk):
            if chunk[position] not in CLOSERS:
                raise MalformedJson("a JSON object or array was expected")
            self.open(chunk[position], 0)
            self.keep(chunk[position : position + 1])
            position += 1
        return position

    def structure(self, chunk: bytes, position: int) -> Generator[Token, None, int]:
        """Reads to the document's end, or to a string that needs a reader of its own."""
        kept = position  # the chunk is in `text` up to here
        while self.containers and (found := BETWEEN.search(chunk, position)):
            position = found.end()
            character = chunk[position - 1]
            if character == QUOTE:
                taken = self.taken()
                if not taken and (plain := PLAIN.match(chunk, position)):
                    position = plain.end()
                    if self.expects_key:
                        self.containers[-1].key = plain[1].decode("ascii")
                        self.expects_key = False
                    continue
                self.keep(chunk[kept : position - 1])
                self.start_string(taken)
                if taken is Take.STREAM:
                    yield StringStart(self.path(), self.enclosing())
                return position
            if character == COMMA:
                self.next_member()
            elif character in CLOSERS:
                self.open(character, len(self.text) + position - 1 - kept)
            else:
                container = self.shut(character)
                if container.cut_at is not None or not self.containers:
                    self.keep(chunk[kept:position])
                    kept = position
                    yield self.cut_out(container.cut_at)
        if self.containers:
            position = len(chunk)
            self.keep(chunk[kept:])
        return position

    # Objects and arrays

    def path(self) -> Path:
        """The path of the value that is being read, or comes next."""
        if not self.containers:
            return ()
        container = self.containers[-1]
        return container.path if container.key is None else (*container.path, container.key)

    def open(self, opener: int, at: int) -> None:
        """Starts an object or array, whose place in `text` is `at`."""
        if self.containers and self.expects_key:
            raise MalformedJson("an object has a member without a key")
        if len(self.containers) == MAX_DEPTH:
            raise MalformedJson(f"the JSON is nested deeper than {MAX_DEPTH} levels")
        path = self.path()
        cut_at = at if self.containers and self.cut(path) else None
        self.expects_key = opener == BRACE
        self.containers.append(Container(path, CLOSERS[opener], None if self.expects_key else 0, cut_at))

    def next_member(self) -> None:
        container = self.containers[-1]
        if isinstance(container.key, int):
            container.key += 1
        else:
            self.expects_key = True

    def shut(self, character: int) -> Container:
        """Ends an object or array, and returns it."""
        container = self.containers.pop()
        if character != container.closer:
            raise MalformedJson("brackets do not match")
        self.expects_key = False
        return container

    def cut_out(self, cut_at: int | None) -> Value:
        """The value at the end of `text`, which begins at `cut_at`; None for the document."""
        value = parse(self.text[cut_at or 0 :])
        if cut_at is None:
            self.text.clear()
        else:
            self.text[cut_at:] = b"null"
        return Value(self.path(), value)

    def enclosing(self) -> Any:
        """The innermost value to cut out, parsed as if it ended after the string that begins now."""
        index = max((i for i, container in enumerate(self.containers) if container.cut_at is not None), default=0)
        begin = self.containers[index].cut_at or 0
        closers = bytes(container.closer for container in reversed(self.containers[index:]))
        return parse(self.text[begin:] + closers)

    # Strings

    def taken(self) -> Take | None:
        """Whether the string that begins is taken out; keys never are."""
        return None if self.expects_key or self.containers[-1].key is None else self.take(self.path())

    def start_string(self, taken: Take | None) -> None:
        self.string_at = len(self.text)
        if taken:
            self.inside = self.streamed if taken is Take.STREAM else self.skipped
        else:
            self.inside = self.key if self.expects_key else self.kept
        self.keep(b'""' if taken else b'"')

    def kept(self, chunk: bytes, position: int) -> Generator[Token, None, int]:
        end = end_of(WHOLE_CHARACTERS, chunk, position)
        self.keep(chunk[position:end])
        if self.ends(chunk, end):
            self.keep(b'"')
            return end + 1
        return len(chunk)
        yield

    def key(self, chunk: bytes, position: int) -> Generator[Token, None, int]:
        position = yield from self.kept(chunk, position)
        if not self.inside:
            self.containers[-1].key = parse(self.text[self.string_at :])
            self.expects_key = False
        return position

    def skipped(self, chunk: bytes, position: int) -> Generator[Token, None, int]:
        end = chunk.find(b'"', position)
        if chunk.find(b"\\", position, end if end >= 0 else len(chunk)) >= 0:
            end = end_of(WHOLE_CHARACTERS, chunk, position)
        elif end < 0:
            return len(chunk)
        return end + 1 if self.ends(chunk, end) else len(chunk)
        yield

    def streamed(self, chunk: bytes, position: int) -> Generator[Token, None, int]:
        if position == 0 and self.is_plain and self.is_plain(chunk):
            yield chunk
            return len(chunk)
        end = chunk.find(b'"', position)
        stop = end if end >= 0 else len(chunk)
        if chunk.find(b"\\", position, stop) < 0:
            data = chunk if position == 0 and stop == len(chunk) else chunk[position:stop]
        else:
            stop = end_of(WHOLE_CHARACTERS, chunk, position)
            data = unescape(chunk[position:stop])
        if data:
            yield data
        if self.ends(chunk, stop):
            yield StringEnd()
            return stop + 1
        return len(chunk)

    def ends(self, chunk: bytes, position: int) -> bool:
        """Whether the string ends here; if an escape is cut off here, its start is held for the next chunk."""
        if chunk[position : position + 1] == b'"':
            self.inside = None
            return True
        if len(chunk) - position >= LONGEST_ESCAPE:
            raise MalformedJson("a string has an unknown escape")
        self.held = chunk[position:]
        return False

    def keep(self, text: bytes) -> None:
        self.text += text
        if len(self.text) > MAX_TEXT:
            raise MalformedJson(f"it has more than {MAX_TEXT} bytes besides pictures")


def end_of(pattern: re.Pattern[bytes], chunk: bytes, position: int) -> int:
    """Where the match of a pattern, which may be empty, ends."""
    match = pattern.match(chunk, position)
    return match.end() if match else position


def parse(text: bytes | bytearray) -> Any:
    try:
        return DECODER.decode(str(text, "utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise MalformedJson("the text is not JSON") from None


def unescape(characters: bytes) -> bytes:
    text = parse(b'"' + characters + b'"')
    try:
        return bytes(text, "ascii")
    except UnicodeEncodeError:
        raise MalformedJson("a base64 string has characters that are not ASCII") from None
