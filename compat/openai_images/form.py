"""Multipart forms: text parts as the JSON values that fields expect, and the pictures of an edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.images import InputImage
from compat.input_images import MOST_IMAGES, read_input_image
from compat.validation import Flag, JsonField, Mapped, Number

MOST_LEVELS = 10  # of the name of a text part: one[two][three]
IMAGE_NAME = re.compile(r"image(\[\d{0,3}\])?", re.ASCII)  # image, image[], image[0]: clients differ
UNSET = {("n", "0")}  # what go-openai writes for a field that nobody set, beside empty texts


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
        raise ApiError(
            ErrorKind.ARRAY_TOO_LONG,
            f"Invalid 'image': array too long. Expected an array with maximum length {MOST_IMAGES}, but got an array "
            f"with length {len(pictures)} instead.",
            param="image",
        )
    alone = [name for name, _ in pictures] == ["image"]
    images = tuple(
        read_input_image(part, "image" if alone else f"image[{index}]") for index, (_, part) in enumerate(pictures)
    )
    return images, read_input_image(masks[-1], "mask") if masks else None


def read_texts(form: Form, known: Mapping[str, JsonField]) -> dict[str, Any]:
    """The other text parts as a body: numbers, booleans and objects where `known` fields expect them.

    An empty text is absent. A file that is no picture of the edit is there by name, with nothing in it.
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
    """Writes a text part where its name says: `svg[reasoning][effort]` is a member of a member."""
    names = re.findall(r"[^\[\]]+", name)
    first, *inner = names if 0 < len(names) <= MOST_LEVELS else [name]
    for key in inner:
        nested = body.setdefault(first, {})
        if not isinstance(nested, dict):
            return
        body, first = nested, key
    body[first] = text


def typed(field: JsonField | None, value: Any) -> Any:
    """A text as the JSON value its field expects; a text that is none stays one, and is complained about later."""
    if isinstance(value, str) and isinstance(field, Number | Flag):
        read = field.from_text(value)
        return value if read is None else read
    if isinstance(value, str) and isinstance(field, Mapped) and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
