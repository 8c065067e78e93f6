"""The checks by name, their seeds, and inputs made from those without a fuzzer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.fuzz.form_input import form_input
from tests.fuzz.json_stream_input import check_json_stream

HERE = Path(__file__).parent
NAMES = ("json_stream", "form")

Check = Callable[[bytes], None]


@contextmanager
def check_of(name: str) -> Iterator[Check]:
    """The check of that name; it raises AssertionError for an input that shows a fault."""
    if name == "json_stream":
        yield check_json_stream
        return
    with tempfile.TemporaryDirectory(prefix="twinlens-fuzz-") as folder, form_input(Path(folder)) as check:
        yield check


def seeds_of(name: str) -> dict[str, bytes]:
    """The seeds by name."""
    return {path.name: path.read_bytes() for path in sorted((HERE / "seeds" / name).iterdir())}


def mutations(seeds: list[bytes], random: Random) -> Iterator[bytes]:
    """Inputs without end: seeds with bytes changed, taken out, repeated, or taken over from one another."""
    while True:
        data = bytearray(random.choice(seeds))
        for _ in range(random.randint(1, 6)):
            start = random.randint(0, len(data))
            end = min(len(data), start + random.choice((0, 1, 1, 2, 5, 20)))
            other = random.choice(seeds)
            at = random.randint(0, len(other))
            data[start:end] = random.choice(
                (b"", bytes([random.randrange(256)]), data[start:end] * 2, other[at : at + 20], random.choice(WORDS))
            )
        yield bytes(data)


WORDS = (
    *(b'"', b"\\", b"\\u00", b"{", b"}", b"[", b"]", b",", b":", b"\r\n", b"\n", b"--x", b"--", b"; ", b"=", b"\0"),
    *(b'"picture"', b'"signature"', b'"part"', b"name=", b"filename=", b"boundary=", b"image", b"mask", b"prompt"),
    *(b"\xff", b"\xed\xa0\x80", b"\xc3\xa9", b"Content-Type: ", b"Content-Disposition: form-data; "),
)
