"""Multipart forms: text parts as the JSON values of fields, and the pictures of an edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.images import InputImage
from compat.input_images import MOST_IMAGES, read_input_image
from compat.validation import Boolean, JsonField, Number, Object, array_too_long

MOST_LEVELS = 10  # of the name of a text part: one[two][three]
IMAGE_NAME = re.compile(r"image(\[\d{0,3}\])?", re.ASCII)  # image, image[], image[0]: clients differ
UNSET = {("n", "0")}  # what go-openai writes for a field that is not set, besides empty texts


@dataclass(frozen=True)
class FormFile:
    """A file part of a form."""

    name: str  # of the field: image, image[], image[0], mask
    data: bytes


@dataclass(frozen=True)
class Form:
    """A multipart form: its text parts and its files, each in the order in which they came."""

    texts: tuple[tuple[str, str], ...]
    files: tuple[FormFile, ...]


def read_pictures(form: Form) -> tuple[tuple[InputImage, ...], InputImage | None]:
    """The pictures of a form, as files or as texts, and its mask. Raises MISSING_PARAMETER if it has no picture."""
    parts = [(file.name, file.data) for file in form.files] + list(form.texts)
    pictures = [(name, part) for name, part in parts if IMAGE_NAME.fullmatch(name) and part]
    masks = [part for name, part in parts if name == "mask" and part]
    if not pictures:
        raise ApiError(ErrorKind.MISSING_PARAMETER, "Missing required parameter: 'image'.", param="image")
    if len(pictures) > MOST_IMAGES:
        message = array_too_long("image", MOST_IMAGES, len(pictures))
        raise ApiError(ErrorKind.ARRAY_TOO_LONG, message, param="image")
    is_single = [name for name, _ in pictures] == ["image"]
    images = tuple(
        read_input_image(part, "image" if is_single else f"image[{index}]") for index, (_, part) in enumerate(pictures)
    )
    return images, read_input_image(masks[-1], "mask") if masks else None


def read_texts(form: Form, known: Mapping[str, JsonField]) -> dict[str, Any]:
    """The other text parts as a body: numbers, booleans and objects where `known` fields expect them.

    An empty text is absent. An unknown file is there by its name only, so that it is reported as ignored.
    """
    body: dict[str, Any] = {}
    for name, text in form.texts:
        if text and (name, text) not in UNSET and not is_picture(name):
            put(body, name, text)
    for file in form.files:
        if file.data and not is_picture(file.name) and file.name not in known:
            body.setdefault(file.name, "file")
    return {name: typed(known.get(name), value) for name, value in body.items()}


def is_picture(name: str) -> bool:
    return name == "mask" or IMAGE_NAME.fullmatch(name) is not None


def put(body: dict[str, Any], name: str, text: str) -> None:
    """Stores a text part under its name: `svg[reasoning][effort]` is a member of a member."""
    names = re.findall(r"[^\[\]]+", name)
    first, *inner = names if 0 < len(names) <= MOST_LEVELS else [name]
    for key in inner:
        nested = body.setdefault(first, {})
        if not isinstance(nested, dict):
            return
        body, first = nested, key
    body[first] = text


def typed(field: JsonField | None, value: Any) -> Any:
    """A text as the JSON value that its field expects; unchanged if it is not one, which validation then reports."""
    if isinstance(value, str) and isinstance(field, Number | Boolean):
        read = field.from_text(value)
        return value if read is None else read
    if isinstance(value, str) and isinstance(field, Object) and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
