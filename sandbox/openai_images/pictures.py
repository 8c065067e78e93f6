"""Where ordered pictures are made: in exactly the size that was asked for, and kept a while under an address."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from threading import Lock

from PIL import Image, ImageOps

from sandbox.drawing import change_pictures, draw_picture
from sandbox.drawing.variations import cut_out, in_another_light, unfinished, variation_of, where_transparent
from sandbox.openai_images import errors
from sandbox.openai_images.request import MOST_PICTURES, MOST_PIXELS, SIDES, Order, Source

DEFAULT_SIZE = (1024, 1024)
IMAGINED_SIZE = (1024, 1024)  # a picture that is only an address
KEPT_BYTES = 64 << 20
KEPT_PICTURES = MOST_PICTURES  # the latest ones stay, however large they are
MAX_INPUT_PIXELS = 60_000_000  # more is a decompression bomb
WORKING_SIDE = 1600  # input pictures are brought down to this, unless a mask protects some of their pixels
ENCODINGS: dict[str, dict[str, int]] = {"png": {"compress_level": 1}, "jpeg": {}, "webp": {"method": 2}}


@dataclass(frozen=True)
class Commission:
    """An order whose given pictures have been opened, so that nothing can be wrong with them any more."""

    order: Order
    size: tuple[int, int]
    fingerprint: str
    inputs: tuple[Image.Image, ...]
    mask: Image.Image | None


class Gallery:
    """Draws for every order of one app and keeps the latest pictures; safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def picture(self, commission: Commission, index: int) -> tuple[str, bytes]:
        """A finished picture of an order: its name and its bytes."""
        name = f"{commission.fingerprint}-{index}.{commission.order.output_format}"
        return name, self._made(name, lambda: encoded(drawn(commission, index), commission.order))

    def unfinished_picture(self, commission: Commission, index: int, step: int) -> bytes:
        """The same picture on its way."""
        _, finished = self.picture(commission, index)
        image = Image.open(io.BytesIO(finished))
        return encoded(unfinished(image.convert("RGB"), step), commission.order)

    def kept(self, name: str) -> bytes | None:
        """The picture that was handed over under this name, if it is still here."""
        with self._lock:
            return self._kept.get(name)

    def _made(self, name: str, make: Callable[[], bytes]) -> bytes:
        known = self.kept(name)
        made = make() if known is None else known
        with self._lock:
            if name not in self._kept:
                self._kept[name] = made
                self._bytes += len(made)
            self._kept.move_to_end(name)
            while self._bytes > KEPT_BYTES and len(self._kept) > KEPT_PICTURES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest)
        return made


def commissioned(order: Order, own_size: tuple[int, int] | None = None) -> Commission:
    """Look at an order's pictures now, so that bad ones are refused; `own_size` is drawn whatever was asked for."""
    first = _opened(order.inputs[0]) if order.inputs else None
    mask = _opened(order.mask, mask=True) if order.mask else None
    if mask and first:
        if "A" not in mask.getbands() and "transparency" not in mask.info:
            raise errors.bad_mask("mask image missing alpha channel")
        if mask.size != first.size:
            raise errors.bad_mask("mask size does not match image size")
    size = own_size or order.size or (_within_limits(first.size) if first else DEFAULT_SIZE)
    inputs = [_working_copy(_opened(source)) for source in order.inputs[1:]]
    if first:
        inputs.insert(0, first if mask else _working_copy(first))
    return Commission(order, size, _fingerprint(order, size), tuple(inputs), mask)


def drawn(commission: Commission, index: int) -> Image.Image:
    """The picture of that number: the first is the prompt's own, every other one differs from all before it."""
    order, size, inputs = commission.order, commission.size, commission.inputs
    r = Random(f"{order.prompt}\0{order.seed}\0{index}".encode("utf-8", "surrogatepass"))
    if order.operation == "variations":
        image = variation_of(inputs[0], size, r)
    elif not inputs:
        image = draw_picture(order.prompt, size, order.seed if index == 0 else r.getrandbits(60))
    elif commission.mask is None:
        image = _changed(commission, size, index, r)
    else:
        changed = _changed(commission, inputs[0].size, index, r)
        image = where_transparent(inputs[0], changed, commission.mask)
        if image.size != size:
            image = ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    return cut_out(image) if order.background == "transparent" else image


def _changed(commission: Commission, size: tuple[int, int], index: int, r: Random) -> Image.Image:
    image = change_pictures(commission.inputs, commission.order.prompt, size)
    first = index == 0 and commission.order.seed is None
    return image if first else in_another_light(image, r)


def encoded(image: Image.Image, order: Order) -> bytes:
    """A picture in the format that was asked for."""
    file = io.BytesIO()
    options = dict(ENCODINGS[order.output_format])
    if order.output_format != "png":
        options["quality"] = max(1, order.compression)
    image.save(file, order.output_format.upper(), **options)
    return file.getvalue()


def _opened(source: Source, mask: bool = False) -> Image.Image:
    """A given picture, upright; in plain colours unless it is a mask."""
    if source.uri:
        image = draw_picture(source.uri, IMAGINED_SIZE)
        return cut_out(image) if mask else image
    try:
        image = Image.open(io.BytesIO(source.data), formats=("PNG",) if mask else ("PNG", "JPEG", "WEBP"))
        if image.width * image.height > MAX_INPUT_PIXELS:
            raise source.complaint
        image = ImageOps.exif_transpose(image)
        return image if mask else _in_plain_colors(image)
    except errors.OpenAIError:
        raise
    except Exception:  # Pillow's decoders raise many kinds
        raise source.complaint from None


def _in_plain_colors(image: Image.Image) -> Image.Image:
    """What is transparent becomes white."""
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("RGB")


def _working_copy(image: Image.Image) -> Image.Image:
    image.thumbnail((WORKING_SIDE, WORKING_SIDE))
    return image


def _within_limits(size: tuple[int, int]) -> tuple[int, int]:
    """A picture's own size, as near to it as can be drawn."""
    low, high = SIDES
    share = min(1.0, high / max(size), (MOST_PIXELS / (size[0] * size[1])) ** 0.5)
    width, height = (min(high, max(low, int(side * share))) for side in size)
    return width, height


def _fingerprint(order: Order, size: tuple[int, int]) -> str:
    seen = hashlib.sha256()
    looks = (order.operation, order.prompt, order.seed, size, order.background, order.output_format, order.compression)
    seen.update(repr(looks).encode("utf-8", "surrogatepass"))
    for source in (*order.inputs, *([order.mask] if order.mask else [])):
        seen.update(hashlib.sha256(source.data).digest() + source.uri.encode("utf-8", "surrogatepass") + b"\0")
    seen.update(b"masked" if order.mask else b"whole")
    return seen.hexdigest()[:32]
