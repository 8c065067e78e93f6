"""proxy/purchases/kept_body.py: a kept answer is sent as it was, and its pictures are kept as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat.images import Chunk, ImageStart
from proxy.pictures.holding import HeldImage
from proxy.pictures.spool import Spool, SpoolMemory
from proxy.purchases.kept_body import BrokenBody, read_kept, write_kept
from tests.support.chunks import cut_every, cuts_of

START = ImageStart("image/png", 1, 1)


def held(content: bytes, memory: SpoolMemory) -> HeldImage:
    """A picture in pieces as they are read from an answer: three divides all but the last."""
    picture = HeldImage(START, Spool(memory))
    for piece in cut_every(content, 300):
        picture.data.append(piece)
    return picture


def body_of(chunks: list[bytes | HeldImage], memory: SpoolMemory) -> Spool:
    body = Spool(memory)
    for chunk in chunks:
        body.append(chunk)
    return body


@st.composite
def bodies(draw: st.DrawFn) -> Spool:
    memory = SpoolMemory(draw(st.sampled_from([0, 500, 10_000])))
    texts = st.binary(max_size=700)
    pictures = st.binary(min_size=1, max_size=700).map(lambda content: held(content, memory))
    return body_of(draw(st.lists(texts | pictures, max_size=5)), memory)


@given(bodies(), st.data())
def test_it_is_sent_as_it_was(body: Spool, data: st.DataObject) -> None:
    kept = b"".join(write_kept(body))
    sent = b"".join(body.read())
    assert b"".join(read_kept(data.draw(cuts_of(kept)))) == sent
    assert len(sent) == body.length


def test_a_picture_needs_no_more_than_its_bytes() -> None:
    memory = SpoolMemory(1_000_000)
    picture = held(bytes(range(256)) * 400, memory)
    chunks: list[Chunk] = [b'{"data":[{"b64_json":"', picture, b'"}]}']
    body = body_of(chunks, memory)
    assert len(b"".join(write_kept(body))) < picture.length + 100
    assert memory.used < picture.length + 100, "a picture in a body is held once"


@pytest.mark.parametrize("kept", [b"", b"[3]", b'{"created":1}\n', b"[true", b'["1"]\nA', b"9" * 5000, b"\xff\n"])
def test_what_is_no_kept_body_is_refused_before_anything_is_sent(kept: bytes) -> None:
    with pytest.raises(BrokenBody):
        read_kept(iter([kept]))


@pytest.mark.parametrize("kept", [b"[3]\nab", b"[0, 3]\nab", b"[0,3,1]\nabc"])
def test_one_that_is_too_short_breaks_off(kept: bytes) -> None:
    with pytest.raises(BrokenBody):
        list(read_kept([kept]))
