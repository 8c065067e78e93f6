"""JSON values, and the many ways to write the same value as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

SHORT_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
ONE_LINE_SPACES = ("", "", " ", "\t", "   ")
SPACES = (*ONE_LINE_SPACES, "\n", "\r\n", "\n\n  ")


short_texts = st.text(max_size=3)


def any_json(
    texts: st.SearchStrategy[str] = short_texts, keys: st.SearchStrategy[str] = short_texts, max_leaves: int = 4
) -> st.SearchStrategy[Any]:
    """Small JSON values of any kind, with these strings and names of members."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=max_leaves,
    )


@dataclass(frozen=True)
class Spelling:
    """How a value is written: white space, how often characters are escaped without need, the order of keys."""

    seed: int
    spaces: tuple[str, ...] | None  # None: an indent of two, as Google writes
    escaped: float
    non_ascii: bool  # whether characters beyond ASCII are left unescaped
    shuffled: bool

    def write(self, value: Any) -> str:
        """The value as JSON."""
        return Speller(self).value(value, "\n")


@st.composite
def spellings(draw: st.DrawFn, *, one_line: bool = False) -> Spelling:
    """Compact, indented, or with any white space; plain, or with some or all characters escaped."""
    spaces = [("",), ONE_LINE_SPACES] if one_line else [("",), SPACES, None]
    return Spelling(
        seed=draw(st.integers(0, 2**32)),
        spaces=draw(st.sampled_from(spaces)),
        escaped=draw(st.sampled_from([0.0, 0.05, 1.0])),
        non_ascii=draw(st.booleans()),
        shuffled=draw(st.booleans()),
    )


class Speller:
    """Writes one value."""

    def __init__(self, spelling: Spelling):
        self.spelling = spelling
        self.random = Random(spelling.seed)

    def value(self, value: Any, line: str) -> str:
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, dict):
            items = list(value.items())
            if self.spelling.shuffled:
                self.random.shuffle(items)
            inner = line + "  "
            return self.between(
                "{}",
                [f"{self.string(k)}{self.space()}:{self.space(' ')}{self.value(v, inner)}" for k, v in items],
                line,
            )
        if isinstance(value, list):
            return self.between("[]", [self.value(one, line + "  ") for one in value], line)
        return json.dumps(value)

    def between(self, brackets: str, members: list[str], line: str) -> str:
        before, after = (line + "  ", line) if members else ("", "")
        joined = ",".join(f"{self.space(before)}{member}{self.space()}" for member in members)
        return brackets[0] + joined + self.space(after) + brackets[1]

    def space(self, indented: str = "") -> str:
        return indented if self.spelling.spaces is None else self.random.choice(self.spelling.spaces)

    def string(self, text: str) -> str:
        return '"' + "".join(map(self.character, text)) + '"'

    def character(self, character: str) -> str:
        must = character in '"\\' or character < " " or "\ud800" <= character <= "\udfff"
        if (
            not must
            and (self.spelling.non_ascii or character.isascii())
            and self.random.random() >= self.spelling.escaped
        ):
            return character
        if character in SHORT_ESCAPES and self.random.random() < 0.7:
            return "\\" + SHORT_ESCAPES[character]
        units = character.encode("utf-16-be", "surrogatepass")
        code = "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
        return code.upper().replace("\\U", "\\u") if self.random.random() < 0.5 else code
