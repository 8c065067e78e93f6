"""What can be drawn: each scene takes a canvas size, a palette, a random source of its own, and a wish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from PIL import Image

from sandbox.drawing.canvas import Size
from sandbox.drawing.palettes import Palette
from sandbox.drawing.scenes.cat import cat
from sandbox.drawing.scenes.city import city
from sandbox.drawing.scenes.desert import desert
from sandbox.drawing.scenes.forest import forest
from sandbox.drawing.scenes.garden import garden
from sandbox.drawing.scenes.mountains import mountains
from sandbox.drawing.scenes.sea import sea
from sandbox.drawing.scenes.space import space
from sandbox.drawing.scenes.wish import Wish

Scene = Callable[[Size, Palette, Random, Wish], Image.Image]

SCENES: Mapping[str, Scene] = MappingProxyType(
    {
        "mountains": mountains,
        "sea": sea,
        "city": city,
        "cat": cat,
        "garden": garden,
        "space": space,
        "forest": forest,
        "desert": desert,
    }
)
