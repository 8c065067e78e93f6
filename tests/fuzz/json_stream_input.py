"""What must hold of `compat/json_stream.py` for any bytes, cut anywhere.

An input is a line that says where the bytes are cut (it seeds a random generator; empty for byte by byte), and the
bytes. Three exceptions from what `json` says are meant, and their reasons stand where they are made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from compat.json_stream import (
    MAX_DEPTH,
    MalformedJson,
    Path,
    StringEnd,
    StringStart,
    Take,
    Token,
    Value,
    read_json,
)
from tests.fuzz.limits import time_is_bounded

TAKEN = {"picture": Take.STREAM, "signature": Take.SKIP}
CUT = ("part", 1)
STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
UNPRINTABLE = re.compile(rb"[^\x20-\x7e]")


def take(path: Path) -> Take | None:
    """Pictures are streamed and signatures skipped, wherever they stand."""
    return TAKEN.get(str(path[-1])) if path else None


def cut(path: Path) -> bool:
    """Parts, and the second element of each array, are handed out by themselves.

    There is no path where an object stands in place of a key, which is refused later on.
    """
    return bool(path) and path[-1] in CUT


@dataclass(frozen=True)
class Outcome:
    """The tokens that came, each byte of a string by itself, and whether the rest was refused."""

    tokens: list[Any]
    refused: bool

    @property
    def is_printable(self) -> bool:
        """Whether nothing was streamed that base64 could not be made of."""
        return all(0x20 <= one <= 0x7E for one in self.tokens if isinstance(one, int))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and repr(self) == repr(other)  # NaN is like itself

    def begins_like(self, other: Outcome) -> bool:
        """Whether one has the tokens of the other, as far as both go."""
        both = min(len(self.tokens), len(other.tokens))
        return repr(self.tokens[:both]) == repr(other.tokens[:both])


def check_json_stream(data: bytes) -> None:
    """Raises AssertionError if an input shows a fault."""
    line, _, body = data.partition(b"\n")
    with time_is_bounded(len(body)):
        whole = read([body])
        pieces = read(cut_as_the_line_says(line, body))
    if whole.refused and pieces.refused:
        assert whole.begins_like(pieces), "what comes before the refusal depends on where the bytes are cut"
    elif whole != pieces:
        # Whether a string is base64 is for others to say. One with an escape is looked at here, chunk by chunk, so
        # what is no base64 anyway may be refused here or there.
        accepted = pieces if whole.refused else whole
        assert whole.refused != pieces.refused and not accepted.is_printable, "the tokens depend on the cuts"
    compare_with_json(body, whole)


def compare_with_json(body: bytes, outcome: Outcome) -> None:
    """What `json` reads is read alike, and what it refuses is refused."""
    expected = Oracle(body).outcome()
    if not expected.refused and outcome.refused:
        # A base64 string with an escape that stands for no ASCII character is refused at once.
        assert not expected.is_printable, "JSON is refused"
    elif not expected.refused:
        assert outcome == expected, "JSON is read differently"
    elif not outcome.refused:
        # What is taken out is not looked into: there, and only there, json may have found a fault.
        assert printable(Oracle(mended(body)).outcome()) == printable(outcome), "what is no JSON is accepted"


def read(chunks: list[bytes]) -> Outcome:
    """What the reader makes of the chunks."""
    return outcome_of(read_json(chunks, take, cut))


def outcome_of(tokens: Iterator[Token]) -> Outcome:
    """The tokens with strings byte by byte, so that it does not matter in which pieces they came."""
    found: list[Any] = []
    try:
        for token in tokens:
            if isinstance(token, bytes):
                found += token
            else:
                found.append(token)
    except MalformedJson:
        return Outcome(found, True)
    return Outcome(found, False)


def cut_as_the_line_says(line: bytes, body: bytes) -> list[bytes]:
    """The body in the pieces that the first line asks for."""
    random = Random(line)
    places = [random.randint(0, len(body)) for _ in range(random.randint(1, 20))] if line else range(len(body))
    return [body[start:end] for start, end in pairwise([0, *sorted(places), len(body)])]


def mended(body: bytes) -> bytes:
    """The body with all that strings must not hold replaced by letters."""

    def mend(string: re.Match[bytes]) -> bytes:
        text = ESCAPE.sub(lambda escape: escape[0] if escape[1] in b'"\\/bfnrtu' else b"A", string[1])
        try:
            clean = not any(byte < 0x20 for byte in text) and text.decode("utf-8", "surrogatepass") is not None
        except UnicodeDecodeError:
            clean = False
        return b'"' + (text if clean else UNPRINTABLE.sub(b"A", text)) + b'"'

    return STRING.sub(mend, body)


def printable(outcome: Outcome) -> Outcome:
    """The outcome with letters for all bytes that a mended body cannot have."""
    return Outcome(
        [0x41 if isinstance(one, int) and not 0x20 <= one <= 0x7E else one for one in outcome.tokens], outcome.refused
    )


class Members(list[tuple[str, Any]]):
    """An object as `json` reads it, with the keys that it has twice."""


class TooDeep(ValueError):
    """More levels than are read."""


class Oracle:
    """The tokens of a body that is read by `json`."""

    def __init__(self, body: bytes):
        self.body = body
        self.tokens: list[Token] = []
        self.cut_open: list[Any] = []

    def outcome(self) -> Outcome:
        """What the reader should make of the body."""
        refused = False
        try:
            for document in self.documents():
                copy: Any = {} if isinstance(document, Members) else []
                self.cut_open = [copy]
                self.fill(copy, document, ())
                self.tokens.append(Value((), copy))
        except (ValueError, RecursionError):
            refused = True
        return Outcome(outcome_of(iter(self.tokens)).tokens, refused)

    def documents(self) -> Iterator[Any]:
        """Objects and arrays, one after another."""
        text = self.body.decode("utf-8", "surrogatepass")
        decoder = json.JSONDecoder(object_pairs_hook=Members)
        while text := text.lstrip(" \t\r\n"):
            document, end = decoder.raw_decode(text)
            if not isinstance(document, list):
                raise ValueError("a document is an object or an array")
            yield document
            text = text[end:]

    def fill(self, copy: Any, members: Any, path: Path) -> None:
        """Walks through an object or array in the order of its text."""
        if len(path) == MAX_DEPTH:
            raise TooDeep
        for key, value in members if isinstance(members, Members) else enumerate(members):
            inner = (*path, key)
            if isinstance(value, list):
                self.container(copy, value, inner)
            elif isinstance(value, str) and take(inner):
                put(copy, key, "")
                if take(inner) is Take.STREAM:
                    self.tokens.append(StringStart(inner, deepcopy(self.cut_open[-1])))
                    self.tokens += [value.encode("utf-8", "surrogatepass"), StringEnd()]
            else:
                put(copy, key, value)

    def container(self, parent: Any, value: Any, path: Path) -> None:
        """An object or array within another one."""
        copy: Any = {} if isinstance(value, Members) else []
        put(parent, path[-1], copy)
        if not cut(path):
            self.fill(copy, value, path)
            return
        self.cut_open.append(copy)
        self.fill(copy, value, path)
        self.cut_open.pop()
        self.tokens.append(Value(path, copy))
        put(parent, path[-1], None)


def put(container: Any, key: Any, value: Any) -> None:
    """Sets a member, or appends an element."""
    if isinstance(container, dict) or key < len(container):
        container[key] = value
    else:
        container.append(value)
