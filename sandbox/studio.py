"""Where pictures are made: decodes what came along, draws or changes, encodes, and remembers the latest."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from PIL import Image, ImageOps

from sandbox import errors
from sandbox.answers import DrawnPicture
from sandbox.drawing import change_pictures, draw_picture
from sandbox.image_models import ImageModel
from sandbox.request import GenerateRequest, InputPicture

REMEMBERED_BYTES = 48 << 20  # base64 of recent pictures
MAX_INPUT_PIXELS = 60_000_000  # more is a decompression bomb
WORKING_SIDE = 1600  # input pictures are brought down to this before anything is done to them
WORDS_FOR_MASK = ("mask", "마스크")
SAME_SHAPE = 0.01  # how much the shapes of a mask and its picture may differ
IMAGINED_SIZE = (1024, 1024)  # a picture that is only an address


class Studio:
    """Draws for every request of one app; safe to use from several threads."""

    def __init__(self) -> None:
        self._recent: OrderedDict[str, DrawnPicture] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def prepare(self, request: GenerateRequest, model: ImageModel) -> Callable[[], DrawnPicture]:
        """Look at the request's pictures now, so that bad ones are refused; draw when the result is called."""
        inputs = [_open(picture) for picture in request.pictures_to_change]
        own_shape = inputs[-1].size if inputs else None
        size = model.pixels(request.aspect_ratio, request.image_size, own_shape)
        name = _fingerprint(request, model, size)

        def draw() -> DrawnPicture:
            known = self._recall(name)
            if known is None:
                known = _make(request, model, size, inputs)
                self._remember(name, known)
            return known

        return draw

    def _recall(self, name: str) -> DrawnPicture | None:
        with self._lock:
            if name in self._recent:
                self._recent.move_to_end(name)
            return self._recent.get(name)

    def _remember(self, name: str, picture: DrawnPicture) -> None:
        with self._lock:
            if name not in self._recent:
                self._recent[name] = picture
                self._bytes += len(picture.base64)
            while self._bytes > REMEMBERED_BYTES and len(self._recent) > 1:
                _, oldest = self._recent.popitem(last=False)
                self._bytes -= len(oldest.base64)


def _open(picture: InputPicture) -> Image.Image:
    """The picture's header only: its pixels are decoded when they are needed."""
    if picture.uri:
        return Image.new("RGB", IMAGINED_SIZE)
    try:
        opened = Image.open(io.BytesIO(picture.data))
        if opened.width * opened.height > MAX_INPUT_PIXELS:
            raise errors.unreadable_picture()
        opened.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
        opened.load()
        return opened
    except errors.GoogleError:
        raise
    except Exception:  # Pillow's decoders raise many kinds
        raise errors.unreadable_picture() from None


def _fingerprint(request: GenerateRequest, model: ImageModel, size: tuple[int, int]) -> str:
    seen = hashlib.sha256()
    for words in (request.prompt, str(request.seed), model.mime_type, f"{size}"):
        seen.update(words.encode("utf-8", "surrogatepass") + b"\0")
    for picture in request.pictures_to_change:
        seen.update(hashlib.sha256(picture.data).digest() + picture.uri.encode() + b"\0")
    return seen.hexdigest()


def _make(
    request: GenerateRequest, model: ImageModel, size: tuple[int, int], inputs: list[Image.Image]
) -> DrawnPicture:
    if inputs:
        mask = _mask(request.prompt, inputs)
        given = zip(request.pictures_to_change, inputs, strict=True)
        sources = [_working_copy(picture, image) for picture, image in given]
        image = change_pictures(sources[:-1] if mask else sources, request.prompt, size, mask)
    else:
        image = draw_picture(request.prompt, size, request.seed)
    return DrawnPicture(model.mime_type, b64encode(_encode(image, model.mime_type)), *size)


def _mask(prompt: str, inputs: list[Image.Image]) -> Image.Image | None:
    """Where the first picture may change, if the words speak of a mask and the last picture can be one."""
    first, last = inputs[0], inputs[-1]
    if len(inputs) < 2 or not any(word in prompt.lower() for word in WORDS_FOR_MASK) or not _is_transparent(last):
        return None
    if abs(first.width * last.height / (first.height * last.width) - 1) > SAME_SHAPE:
        return None
    opaque = last.convert("RGBA").getchannel("A")
    if opaque.getextrema() == (255, 255):
        return None
    opaque.thumbnail((WORKING_SIDE, WORKING_SIDE))
    return ImageOps.invert(opaque)


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def _working_copy(picture: InputPicture, image: Image.Image) -> Image.Image:
    if picture.uri:
        return draw_picture(picture.uri, IMAGINED_SIZE)
    copy = ImageOps.exif_transpose(image)
    if _is_transparent(copy):
        layer = copy.convert("RGBA")
        copy = Image.new("RGBA", layer.size, "white")
        copy.alpha_composite(layer)
    copy = copy.convert("RGB")
    copy.thumbnail((WORKING_SIDE, WORKING_SIDE))
    return copy


def _encode(image: Image.Image, mime_type: str) -> bytes:
    file = io.BytesIO()
    if mime_type == "image/png":
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", quality=90)
    return file.getvalue()
