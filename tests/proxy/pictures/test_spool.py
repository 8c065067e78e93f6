"""proxy/pictures/spool.py and holding.py: what is held until it is whole, in memory and above a limit in a file."""

import base64
import os
from pathlib import Path

import pytest

from compat.errors import ApiError, ErrorKind
from compat.images import Finish, ImageData, ImageEnd, ImageStart, encoded
from proxy.pictures.holding import HeldImage, hold_pictures, release
from proxy.pictures.spool import Spool, SpoolMemory

PIECES = [bytes([number]) * 1000 for number in range(10)]
PNG = ImageStart("image/png", 1, 1)


def filled(memory: SpoolMemory) -> Spool:
    spool = Spool(memory)
    for piece in PIECES:
        spool.append(piece)
    return spool


@pytest.mark.parametrize("limit", [0, 2500, 100_000])
def test_it_gives_back_what_it_got_whatever_fits_into_memory(limit: int):
    memory = SpoolMemory(limit)
    spool = filled(memory)
    assert memory.used <= limit
    assert (spool.file is None) == (limit == 100_000)
    for _ in range(2):
        assert b"".join(spool.read()) == b"".join(PIECES)
    assert b"".join(spool.drain()) == b"".join(PIECES)
    assert (memory.used, spool.file) == (0, None)


def test_many_spools_share_the_memory():
    memory = SpoolMemory(15_000)
    spools = [filled(memory) for _ in range(3)]
    assert memory.used == 15_000
    del spools
    assert memory.used == 0


def test_a_piece_that_moves_to_another_spool_is_counted_once():
    memory = SpoolMemory(10_000)
    first, second = filled(memory), Spool(memory)
    for piece in first.drain():
        second.append(piece)
    assert (memory.used, second.file) == (10_000, None)


def test_what_a_full_disk_does_not_take_stays_in_memory(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert b"".join(filled(SpoolMemory(0)).drain()) == b"".join(PIECES)


def test_a_file_has_no_name_and_goes_with_its_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = filled(SpoolMemory(0))
    assert spool.file is not None
    assert list(tmp_path.iterdir()) == []
    file = spool.file
    del spool
    assert file.closed


def test_drafts_and_broken_pictures_are_never_released():
    def events():
        yield PNG
        yield ImageData(b"whole")
        yield ImageEnd()
        yield PNG
        yield ImageData(b"draft")
        yield ImageEnd(draft=True)
        yield PNG
        yield ImageData(b"brok")
        raise ApiError(ErrorKind.UPSTREAM_BROKEN, "It broke off.")

    held: list = []
    with pytest.raises(ApiError, match="broke off"):
        hold_pictures(events(), held, SpoolMemory(1000))
    assert [type(one) for one in held] == [HeldImage]
    start, data, end, finish = release([*held, Finish()])
    assert (start, end, finish) == (PNG, ImageEnd(), Finish())
    assert isinstance(data, ImageData) and b"".join(encoded(data.data)) == base64.b64encode(b"whole")
