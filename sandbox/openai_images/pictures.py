"""The pictures of an Images API call: in exactly the size that is asked for, and at an address for a while."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from PIL import Image, ImageOps

from sandbox.call_counter import CallCounter
from sandbox.drawing import change_pictures, draw_picture, random_source
from sandbox.drawing.styles import cut_out, variation_of
from sandbox.input_images import (
    UnreadableImageError,
    has_transparency,
    linked_image,
    open_image,
    plain_image,
    working_copy,
)
from sandbox.openai_images import errors
from sandbox.openai_images.request import MOST_PICTURES, MOST_PIXELS, SIDES, ImageRequest, InputImage

DEFAULT_SIZE = (1024, 1024)
STORED_BYTES = 64 << 20
STORED_PICTURES = MOST_PICTURES  # the latest ones stay, however large they are
ENCODINGS: dict[str, dict[str, int]] = {"png": {"compress_level": 1}, "jpeg": {}, "webp": {"method": 2}}


class StoredPictures:
    """The latest pictures by their names; safe to use from several threads."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def store(self, name: str, picture: bytes) -> None:
        """Keeps a picture, and drops the oldest ones beyond STORED_BYTES."""
        with self._lock:
            self._bytes += len(picture) - len(self._pictures.pop(name, b""))
            self._pictures[name] = picture
            while self._bytes > STORED_BYTES and len(self._pictures) > STORED_PICTURES:
                _, oldest = self._pictures.popitem(last=False)
                self._bytes -= len(oldest)

    def get(self, name: str) -> bytes | None:
        """The picture of that name, if it is still here."""
        with self._lock:
            return self._pictures.get(name)


@dataclass(frozen=True)
class PictureJob:
    """What is drawn for a request whose images have been opened, so that nothing can be wrong with them any more."""

    request: ImageRequest
    size: tuple[int, int]
    inputs: tuple[Image.Image, ...]
    mask: Image.Image | None  # L: light where the first image may change
    fingerprint: str
    first: int  # the number of its first picture

    def name(self, index: int) -> str:
        """The name under which one of its pictures is stored."""
        return f"{self.fingerprint}-{self.first + index}.{self.request.output_format}"

    def draw(self, index: int) -> Image.Image:
        """One of its pictures."""
        request, number = self.request, self.first + index
        if request.operation == "variations":
            image = variation_of(self.inputs[0], self.size, random_source("", request.seed, number))
        elif not self.inputs:
            image = draw_picture(request.prompt, self.size, request.seed, number)
        else:
            image = change_pictures(self.inputs, request.prompt, self.size, self.mask, request.seed, number)
        return cut_out(image) if request.background == "transparent" else image


def prepare_job(request: ImageRequest, calls: CallCounter, own_size: tuple[int, int] | None = None) -> PictureJob:
    """Opens a request's images, so that bad ones are refused now. With `own_size` the pictures have that size.

    All pictures of a request differ, and so do those of a further request with the same content, as a real model's do.
    With a seed a request always gets the same pictures, which still differ from one another.
    """
    first = _opened(request.inputs[0]) if request.inputs else None
    mask = _opened_mask(request.mask, first) if request.mask and first else None
    inputs = [working_copy(_opened(one)) for one in request.inputs[1:]]
    if first:
        inputs.insert(0, first if mask else working_copy(first))  # what a mask protects keeps its own pixels
    size = own_size or request.size or (_within_limits(first.size) if first else DEFAULT_SIZE)
    fingerprint = _fingerprint(request, size)
    number = calls.before(fingerprint, request.count) if request.seed is None else 0
    return PictureJob(request, size, tuple(inputs), mask, fingerprint, number)


def encoded(image: Image.Image, request: ImageRequest) -> bytes:
    """A picture in the format that a request asks for."""
    file = io.BytesIO()
    options = dict(ENCODINGS[request.output_format])
    if request.output_format != "png":
        options["quality"] = max(1, request.compression)
    image.save(file, request.output_format.upper(), **options)
    return file.getvalue()


def _opened(source: InputImage) -> Image.Image:
    if source.url:
        return linked_image(source.url)
    try:
        return plain_image(open_image(source.data, ("PNG", "JPEG", "WEBP")))
    except UnreadableImageError:
        raise source.error from None


def _opened_mask(source: InputImage, image: Image.Image) -> Image.Image:
    """The mask of an image as L: light where the mask is transparent."""
    try:
        mask = cut_out(linked_image(source.url)) if source.url else open_image(source.data, ("PNG",))
    except UnreadableImageError:
        raise source.error from None
    if not has_transparency(mask):
        raise errors.bad_mask("mask image missing alpha channel")
    mask = ImageOps.exif_transpose(mask)
    if mask.size != image.size:
        raise errors.bad_mask("mask size does not match image size")
    return ImageOps.invert(mask.convert("RGBA").getchannel("A"))


def _within_limits(size: tuple[int, int]) -> tuple[int, int]:
    """An image's own size, as near to it as can be drawn."""
    low, high = SIDES
    share = min(1.0, high / max(size), (MOST_PIXELS / (size[0] * size[1])) ** 0.5)
    width, height = (min(high, max(low, int(side * share))) for side in size)
    return width, height


def _fingerprint(request: ImageRequest, size: tuple[int, int]) -> str:
    """The same for requests that ask for the same pictures."""
    parts = (request.operation, request.prompt, request.seed, size, request.background, request.compression)
    found = hashlib.sha256(repr(parts).encode())
    for image in (*request.inputs, *([request.mask] if request.mask else [])):
        found.update(hashlib.sha256(image.data).digest() + image.url.encode("utf-8", "surrogatepass") + b"\0")
    found.update(b"masked" if request.mask else b"whole")
    return found.hexdigest()[:32]
