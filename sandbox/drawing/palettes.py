"""Colours that belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Color = tuple[int, int, int]

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)


@dataclass(frozen=True)
class Palette:
    """The colours of one hour of a day somewhere."""

    sky: tuple[Color, ...]  # top to horizon
    light: Color  # the sun or the moon
    haze: Color  # what lies between far things
    near: Color  # the darkest, nearest ground
    accents: tuple[Color, ...]
    night: bool


def mix(one: Color, other: Color, share: float) -> Color:
    """The colour `share` (0 to 1) of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def palette(text: str) -> Palette:
    """A palette from its row: five colours of the sky, light, haze, near, four accents, and `night` if it is night."""
    colors = [(red, green, blue) for red, green, blue in map(bytes.fromhex, re.findall("[0-9a-f]{6}", text))]
    light, haze, near = colors[5:8]
    return Palette(tuple(colors[:5]), light, haze, near, tuple(colors[8:]), night="night" in text)


_ROWS = {
    "dawn": "2b3a67 6b6ca3 d39fb5 f7cfa4 fde8c4 | fff3d6 f0c8b4 23263f | f28482 f6bd60 f7ede2 84a59d",
    "sunset": "1f1b4d 5b2a6e b83f6b f0744f fdc06f | ffe9b0 ee8f6a 1c1233 | ff6b6b ffd166 f9f871 c34a9b",
    "alpine": "1d5fa8 4f93cf 93c4e6 cfe6f2 f4f3e8 | fffbe8 c4dcea 173531 | e4572e ffc914 fdf6ec 76b041",
    "mint": "2e7f8f 6bb5b2 b3dcc7 e8efd2 fdf3d7 | fffbe0 cfe6cf 143b3c | ef767a f9c74f fef9ef 43aa8b",
    "lavender": "241b4b 51408c 9576bd d8a9cf f9d5d3 | fff0ea c9a2cc 1b1436 | ff99c8 fcf6bd d0f4de a9def9",
    "rose": "5a3d6b a5678e e8a0a7 f9cdb6 fff0d9 | fff7e6 f2c2b5 3a233f | d1495b edae49 fff1e6 9a8c98",
    "golden": "6a4a3a b77a4b e8b15f f8d78e fff2c8 | fffbe6 f3d59a 33211d | bc4b51 f4a259 f4e285 5b8e7d",
    "moonlit": "050b23 0d1b45 1d3468 35588c 7396b8 | f4f5ff 4a6d94 040816 | ffd97d aaf683 60d394 ee6055 | night",
    "neon": "07051a 1a0b3b 451060 8f1a7a ff5f9c | ffe3f4 a02784 05030f | 00e5ff ff2e88 ffd400 8b5cff | night",
    "arctic": "0f2b46 2b5d84 6fa3c4 b5d5e3 edf5f5 | ffffff b3d1df 0c2236 | ff8fa3 ffe066 f8f9fa 70c1b3",
}
PALETTES: Mapping[str, Palette] = MappingProxyType({name: palette(row) for name, row in _ROWS.items()})
