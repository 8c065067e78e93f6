"""Pictures for prompts: always the same one for the same words, in the exact size that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from PIL import Image

from sandbox.drawing import canvas
from sandbox.drawing.changes import changed, changed_within, watercolor
from sandbox.drawing.palettes import PALETTES
from sandbox.drawing.scenes import SCENES
from sandbox.drawing.subjects import subject_of

__all__ = ["change_pictures", "draw_picture"]

DRAWN_PIXELS = 1_700_000  # larger pictures are drawn in this size and enlarged
SHORTEST_SIDE = 96  # smaller pictures are drawn larger and reduced


def draw_picture(prompt: str, size: tuple[int, int], seed: int | None = None) -> Image.Image:
    """A picture of what the prompt speaks of, `size` = (width, height) in pixels; another seed, another view of it."""
    subject = subject_of(prompt)
    r = Random(f"{prompt}\0{seed}".encode("utf-8", "surrogatepass"))
    image = SCENES[subject.scene](_drawn_size(size), PALETTES[subject.palette], r, subject.wish)
    image = watercolor(image, r) if subject.watercolor else canvas.vignette(image, 0.22)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    return canvas.grain(image, r)


def change_pictures(
    pictures: Sequence[Image.Image], prompt: str, size: tuple[int, int], mask: Image.Image | None = None
) -> Image.Image:
    """The given pictures (RGB, at least one) composed into one of the given size and changed as the prompt asks.

    With a mask (L) it is the first picture as it was, changed only where the mask is light.
    """
    drawn = _drawn_size(size)
    image = changed(pictures, prompt, drawn)
    if mask:
        image = changed_within(mask, pictures[0], image)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size to draw in: the one asked for, unless it is very large or too small for details."""
    share = max(1.0, SHORTEST_SIDE / min(size))
    share *= min(1.0, (DRAWN_PIXELS / (size[0] * size[1] * share**2)) ** 0.5)
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
