"""Bytes as a network delivers them: cut anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import strategies as st


def cut_at(body: bytes, places: Sequence[int]) -> list[bytes]:
    """The body in pieces that end at these places; a place named twice makes an empty piece."""
    return [body[start:end] for start, end in pairwise([0, *sorted(places), len(body)])]


def cut_every(body: bytes, length: int) -> Iterator[bytes]:
    """The body in pieces of one length."""
    for start in range(0, len(body), length):
        yield body[start : start + length]


@st.composite
def cuts_of(draw: st.DrawFn, body: bytes) -> list[bytes]:
    """The body whole, byte by byte, or in a few pieces cut anywhere."""
    places = st.lists(st.integers(0, len(body)), max_size=20)
    return cut_at(body, draw(st.one_of(places, st.just(range(len(body))))))
