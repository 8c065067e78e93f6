"""Multipart forms: text parts as the JSON values of fields, and the pictures of an edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.formats import format_of
from compat.images import InputImage
from compat.input_images import MOST_IMAGES, read_input_image
from compat.validation import Boolean, JsonField, Number, Object, array_too_long

MOST_LEVELS = 10  # of the name of a text part: one[two][three]
IMAGE_NAME = re.compile(r"images?(\[\d{0,3}\])?|image_url", re.ASCII)  # image, image[], image[0]: clients differ
MASK_NAME = re.compile(r"mask(\[0?\])?", re.ASCII)
UNSET = {("n", "0")}  # what go-openai writes for a field that is not set, besides empty texts
CHARSET_NAME = "_charset_"  # of a part with the charset of the others (RFC 7578, section 4.6)
UTF_8 = ("utf-8", "utf8", "ascii", "us-ascii")
CHARSETS = re.compile(  # that a part may declare for its text
    r"utf-?8|utf-?16([bl]e)?|(us-)?ascii|iso-?8859-\d{1,2}|latin-?1|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|euc-?(kr|jp)"
    r"|ks_c_5601-1987|iso-2022-(jp|kr)|shift[_-]jis|gb(2312|k|18030)|big5|mac-?roman"
)


class File:
    """The value of a field that is a file and no text: it is reported, and never sent."""

    def __repr__(self) -> str:
        return "FILE"


FILE = File()


@dataclass(frozen=True)
class FormPart:
    """One part of a form."""

    name: str  # of the field: image, image[], image[0], mask
    data: bytes
    charset: str = ""  # that is declared for it
    is_file: bool = False  # whether it has a file name

    @property
    def is_image(self) -> bool:
        return IMAGE_NAME.fullmatch(self.name) is not None

    @property
    def is_mask(self) -> bool:
        return MASK_NAME.fullmatch(self.name) is not None

    def text(self, default: str) -> str | None:
        """Its text, in the declared charset or a default; None if it is not a text in that charset."""
        charset = (self.charset or default).lower()
        if not CHARSETS.fullmatch(charset) or (self.is_file and format_of(self.data)):
            return None
        try:
            text = self.data.decode("utf-8-sig" if charset in UTF_8 else charset)
        except (UnicodeDecodeError, LookupError):
            return None
        return None if "\0" in text else text  # UTF-16 that is not declared


@dataclass(frozen=True)
class Form:
    """A multipart form: its parts, in the order in which they came."""

    parts: tuple[FormPart, ...]

    @cached_property
    def charset(self) -> str:
        """The charset of parts that declare none."""
        named = [part.data.decode("ascii", "replace").strip() for part in self.parts if part.name == CHARSET_NAME]
        return named[-1] if named else "utf-8"

    @property
    def images(self) -> list[FormPart]:
        """The parts with pictures to start from."""
        return [part for part in self.parts if part.is_image and part.data]

    @property
    def masks(self) -> list[FormPart]:
        return [part for part in self.parts if part.is_mask and part.data]

    @property
    def fields(self) -> dict[str, Any]:
        """The other parts by their names: texts, and FILE for each that is not a text. An empty part is absent.

        A part that has a file name and is not a picture is a text too: `requests` gives every part one.
        """
        found: dict[str, Any] = {}
        for part in self.parts:
            if part.data and not part.is_image and not part.is_mask and part.name != CHARSET_NAME:
                text = part.text(self.charset)
                found[part.name] = FILE if text is None else text
        return found


def read_pictures(form: Form) -> tuple[tuple[InputImage, ...], InputImage | None]:
    """The pictures of a form, as files or as texts, and its mask. Raises MISSING_PARAMETER if it has no picture."""
    pictures, masks = form.images, form.masks
    if not pictures:
        raise ApiError(ErrorKind.MISSING_PARAMETER, "Missing required parameter: 'image'.", param="image")
    for name, parts, most in (("image", pictures, MOST_IMAGES), ("mask", masks, 1)):
        if len(parts) > most:
            raise ApiError(ErrorKind.ARRAY_TOO_LONG, array_too_long(name, most, len(parts)), param=name)
    is_single = [part.name for part in pictures] == ["image"]
    images = tuple(
        read_input_image(part.data, "image" if is_single else f"image[{index}]") for index, part in enumerate(pictures)
    )
    return images, read_input_image(masks[0].data, "mask") if masks else None


def read_fields(form: Form, known: Mapping[str, JsonField]) -> dict[str, Any]:
    """The other parts as a body: numbers, booleans and objects where `known` fields expect them.

    A file whose field is unknown is FILE. Raises INVALID_VALUE for a part that has to be a text and is not.
    """
    body: dict[str, Any] = {}
    is_file = {part.name for part in form.parts if part.is_file}
    for name, text in form.fields.items():
        if text is FILE and (name in known or name not in is_file):
            raise ApiError(
                ErrorKind.INVALID_VALUE,
                f"Invalid '{name}': it is not a text in UTF-8, nor in a charset that its part declares, such as "
                "Content-Type: text/plain; charset=windows-1252.",
                param=name,
            )
        if (name, text) not in UNSET:
            put(body, name, text)
    extra = body.get("extra_body")
    if isinstance(extra, dict):  # its members are fields
        body["extra_body"] = {name: typed(name, known.get(name), value) for name, value in extra.items()}
    return {name: typed(name, known.get(name), value) for name, value in body.items()}


def put(body: dict[str, Any], name: str, text: Any) -> None:
    """Stores a text part under its name: `svg[reasoning][effort]` is a member of a member."""
    names = re.findall(r"[^\[\]]+", name)
    first, *inner = names if 0 < len(names) <= MOST_LEVELS else [name]
    for key in inner:
        nested = body.setdefault(first, {})
        if not isinstance(nested, dict):
            return
        body, first = nested, key
    body[first] = text


def typed(name: str, field: JsonField | None, value: Any) -> Any:
    """A text as the JSON value that its field expects; unchanged if it is not one, which validation then reports."""
    if field is None or not isinstance(value, str) or name == "prompt":
        return value
    value = value.strip()
    if isinstance(field, Number | Boolean):
        read = field.from_text(value)
        return value if read is None else read
    if isinstance(field, Object) and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
