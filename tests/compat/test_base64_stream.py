"""compat/base64_stream.py: base64 that comes in pieces."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.base64_stream import (
    Decoder,
    MalformedBase64,
    decode_whole,
    encode_pieces,
    encoded_length,
    standard_alphabet,
)
from tests.support.chunks import cuts_of


def decoded(pieces: Iterable[bytes]) -> list[bytes]:
    decoder = Decoder()
    return [*(part for piece in pieces for part in decoder.feed(piece)), decoder.finish()]


@given(st.binary(), st.data())
def test_pieces_are_decoded(content: bytes, data: st.DataObject) -> None:
    assert b"".join(decoded(data.draw(cuts_of(base64.b64encode(content))))) == content


@given(st.binary(), st.data())
def test_pieces_are_encoded(content: bytes, data: st.DataObject) -> None:
    encoded = b"".join(encode_pieces(data.draw(cuts_of(content))))
    assert encoded == base64.b64encode(content)
    assert len(encoded) == encoded_length(len(content))


@given(st.binary(), st.data())
def test_padding_may_be_missing(content: bytes, data: st.DataObject) -> None:
    bare = base64.b64encode(content).rstrip(b"=")
    assert b"".join(decoded(data.draw(cuts_of(bare)))) == content


@given(st.binary(min_size=1), st.data())
def test_every_piece_is_checked_to_its_last_character(content: bytes, data: st.DataObject) -> None:
    characters = base64.b64encode(content).rstrip(b"=")
    place = data.draw(st.integers(0, len(characters) - 1))
    wrong = data.draw(st.sampled_from([b"-", b"_", b"!", b"\n", b"\xff"]))
    decoder = Decoder()
    found = decoder.feed(characters[:place])
    with pytest.raises(MalformedBase64):
        decoder.feed(wrong)
    found += decoder.feed(characters[place:])  # the decoder is unchanged
    assert b"".join(found) + decoder.finish() == content


@pytest.mark.parametrize("pieces", ["A", "AAAA=", "AAAA ==", "AAA==", "AA==A", "AA = A", "A===", "AA==AAAA", "="])
def test_wrong_padding_is_refused(pieces: str) -> None:
    with pytest.raises(MalformedBase64):
        decoded(pieces.encode().split())


@given(st.binary())
def test_the_url_safe_alphabet_becomes_the_standard_one(content: bytes) -> None:
    assert standard_alphabet(base64.urlsafe_b64encode(content)) == base64.b64encode(content)


def test_standard_base64_is_not_copied() -> None:
    data = b"AA+/" * 100
    assert standard_alphabet(data) is data


@pytest.mark.parametrize(
    "pieces",
    [
        [b"AAAA", b"A"],
        [b"AA=", b"=AAA"],
        [b"AA!A"],
        [b"AA-_"],
        [b"AA\nAA"],
        [b"\xff\xff\xff\xff"],
        [b"===="],
    ],
)
def test_malformed_pieces_are_refused(pieces: list[bytes]) -> None:
    with pytest.raises(MalformedBase64):
        decoded(pieces)


@pytest.mark.parametrize("text", ["AA", "é===", "A A=", "A==="])
def test_a_malformed_string_is_refused(text: str) -> None:
    with pytest.raises(MalformedBase64):
        decode_whole(text)
