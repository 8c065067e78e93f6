"""The picture of a generateContent call."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageOps

from sandbox.call_counter import CallCounter
from sandbox.drawing import change_pictures, draw_picture
from sandbox.gemini_content import errors
from sandbox.gemini_content.image_models import ImageModel
from sandbox.gemini_content.request import GenerateRequest, InputPicture
from sandbox.input_images import (
    UnreadableImageError,
    has_transparency,
    linked_image,
    open_image,
    plain_image,
    working_copy,
)

MASK_WORDS = ("mask", "마스크")
SAME_SHAPE = 0.01  # how much the shapes of a mask and its picture may differ


@dataclass(frozen=True)
class DrawnPicture:
    """A finished picture, already in base64 (standard alphabet, padded)."""

    mime_type: str
    base64: bytes


def prepare_picture(request: GenerateRequest, model: ImageModel, calls: CallCounter) -> Callable[[], DrawnPicture]:
    """Opens the request's pictures, so that bad ones are refused now, and returns what draws the answer's picture.

    As with the real model, calls with equal bodies get different pictures: the second call of a request gets the
    second view of its subject, and so on. A call with a seed always gets the same picture.
    """
    inputs = [_opened(picture) for picture in request.pictures_to_change]
    size = model.pixels(request.aspect_ratio, request.image_size, inputs[-1].size if inputs else None)
    number = calls.before(_fingerprint(request, model, size)) if request.seed is None else 0

    def draw() -> DrawnPicture:
        if inputs:
            mask = _mask(request.prompt, inputs)
            sources = [working_copy(plain_image(image)) for image in (inputs[:-1] if mask else inputs)]
            image = change_pictures(sources, request.prompt, size, mask, request.seed, number)
        else:
            image = draw_picture(request.prompt, size, request.seed, number)
        return DrawnPicture(model.mime_type, b64encode(_encoded(image, model.mime_type)))

    return draw


def _opened(picture: InputPicture) -> Image.Image:
    if picture.uri:
        return linked_image(picture.uri)
    try:
        return open_image(picture.data)
    except UnreadableImageError:
        raise errors.unreadable_picture() from None


def _fingerprint(request: GenerateRequest, model: ImageModel, size: tuple[int, int]) -> str:
    """The same for calls that ask for the same picture."""
    found = hashlib.sha256(repr((request.prompt, model.name, size)).encode())
    for picture in request.pictures_to_change:
        found.update(hashlib.sha256(picture.data).digest() + picture.uri.encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _mask(prompt: str, inputs: Sequence[Image.Image]) -> Image.Image | None:
    """Where the first picture may change (L), if the prompt speaks of a mask and the last picture can be one."""
    first, last = inputs[0], inputs[-1]
    if len(inputs) < 2 or not any(word in prompt.lower() for word in MASK_WORDS) or not has_transparency(last):
        return None
    if abs(first.width * last.height / (first.height * last.width) - 1) > SAME_SHAPE:
        return None
    opaque = last.convert("RGBA").getchannel("A")
    return None if opaque.getextrema() == (255, 255) else ImageOps.invert(working_copy(opaque))


def _encoded(image: Image.Image, mime_type: str) -> bytes:
    file = io.BytesIO()
    if mime_type == "image/png":
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", quality=90)
    return file.getvalue()
