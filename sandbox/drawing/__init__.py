"""Pictures for prompts, in the exact size that is asked for.

A picture depends on its prompt, its seed and its number, and on nothing else. The first picture of a prompt has the
number 0; each other number is another view of the same subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from PIL import Image

from sandbox.drawing import canvas
from sandbox.drawing.changes import changed, changed_where
from sandbox.drawing.scenery import add_cat
from sandbox.drawing.scenes.city import city
from sandbox.drawing.scenes.garden import garden
from sandbox.drawing.scenes.mountains import mountains
from sandbox.drawing.scenes.sea import sea
from sandbox.drawing.styles import in_another_light, watercolor
from sandbox.drawing.subjects import subject_of

__all__ = ["change_pictures", "draw_picture", "random_source"]

SCENES = {"city": city, "garden": garden, "sea": sea, "mountains": mountains}
DRAWN_PIXELS = 1_700_000  # larger pictures are drawn in this size and enlarged
SHORTEST_SIDE = 96  # smaller pictures are drawn larger and reduced


def draw_picture(prompt: str, size: tuple[int, int], seed: int | None = None, number: int = 0) -> Image.Image:
    """A picture (RGB) of what the prompt names, `size` = (width, height) in pixels."""
    subject, r = subject_of(prompt), random_source(prompt, seed, number)
    image = SCENES[subject.scene](_drawn_size(size), subject, r)
    if subject.cat:
        add_cat(image, subject, r)
    if subject.snow:
        canvas.dots(image, r, 260, image.height, (0.8, 3.4))
    image = watercolor(image, r) if subject.watercolor else canvas.vignette(image, 0.22)
    return canvas.grain(_in_size(image, size), r)


def change_pictures(
    pictures: Sequence[Image.Image],
    prompt: str,
    size: tuple[int, int],
    mask: Image.Image | None = None,
    seed: int | None = None,
    number: int = 0,
) -> Image.Image:
    """The given pictures (RGB, at least one) composed into one of the given size and changed as the prompt asks.

    With a mask (L, in the shape of the first picture) it is the first picture, changed only where the mask is light.
    """
    r = random_source(prompt, seed, number)
    image = changed(pictures, prompt, _drawn_size(size), r)
    if number or seed is not None:
        image = in_another_light(image, r)
    image = _in_size(image, size)
    return changed_where(mask, pictures[0], image) if mask else image


def random_source(prompt: str, seed: int | None, number: int) -> Random:
    """The source of everything random in a picture."""
    return Random(f"{prompt}\0{seed}\0{number}".encode("utf-8", "surrogatepass"))


def _drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size to draw in: the one asked for, unless it is very large or too small for details."""
    share = max(1.0, SHORTEST_SIDE / min(size))
    share *= min(1.0, (DRAWN_PIXELS / (size[0] * size[1] * share**2)) ** 0.5)
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _in_size(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, canvas.BICUBIC)
