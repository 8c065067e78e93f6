"""Reads requests for images, JSON or a form, and refuses what OpenAI refuses, in its words."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.openai_images import errors
from sandbox.openai_images.forms import Part, read_form
from sandbox.wsgi import Request

JSON = "application/json"
FORM = "multipart/form-data"
CONTENT_TYPES = {"generations": (JSON,), "edits": (FORM, JSON), "variations": (FORM,)}
LONGEST_PROMPT = 32_000
MOST_PICTURES = 10
MOST_INPUTS = 16
SIDES = (16, 4096)
MOST_PIXELS = 16_000_000
DEFAULT_MODEL = "gpt-image-2"
QUALITIES = {  # as given -> as drawn
    **{name: name for name in ("low", "medium", "high", "xhigh", "max")},
    **{"auto": "medium", "standard": "medium", "hd": "high"},
}
FORMATS = ("png", "webp", "jpeg")
BACKGROUNDS = ("transparent", "opaque", "auto")
_SIZE = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_DATA_URL = re.compile(r"data:([\w.+/-]*)((?:;[\w.+-]+=[\w.+-]+)*);base64,(.*)", re.DOTALL)


@dataclass(frozen=True)
class InputImage:
    """An image to start from: its bytes, or its address."""

    error: errors.OpenAIError = field(repr=False, compare=False)  # the answer if it is no image
    data: bytes = b""
    url: str = ""


@dataclass(frozen=True)
class ImageRequest:
    """What a request asks for: what is drawn, from which images, and in which form it is returned."""

    operation: str  # generations, edits or variations
    model: str
    prompt: str = ""
    inputs: tuple[InputImage, ...] = ()
    mask: InputImage | None = None
    count: int = 1
    size: tuple[int, int] | None = None  # None: the server chooses
    quality: str = "medium"
    background: str = "opaque"
    output_format: str = "png"
    compression: int = 100
    by_url: bool = False
    stream: bool = False
    partial_images: int = 0
    seed: int | None = None
    safety_identifier: str = ""


def read_fields(request: Request, operation: str) -> _Fields:
    """The fields of a body. Raises OpenAIError if its content type is not one of the operation's."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in CONTENT_TYPES[operation]:
        raise errors.wrong_content_type(kind, CONTENT_TYPES[operation])
    if kind == JSON:
        return _Fields(_json_object(request.body))
    texts: dict[str, Any] = {}
    files: dict[str, list[Part]] = {}
    for part in read_form(request.headers["content-type"], request.body):
        if part.is_file:
            files.setdefault(part.name.removesuffix("[]"), []).append(part)
        elif part.data:  # some clients send empty fields for what is not set
            texts[part.name] = part.data.decode("utf-8", "replace")
    return _Fields(texts, files)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise errors.not_json() from None
    if not isinstance(value, dict):
        raise errors.not_json()
    return {name: item for name, item in value.items() if item is not None}


@dataclass(frozen=True)
class _Fields:
    """The fields of a request without those that are null. In a form every number is a text."""

    values: Mapping[str, Any]
    files: Mapping[str, Sequence[Part]] | None = None  # None: it was JSON

    @property
    def situation_text(self) -> str:
        """The text that may name a situation: the prompt, or `user` where there is no prompt."""
        text = self.values.get("prompt", self.values.get("user"))
        return text if isinstance(text, str) else ""

    def text(self, name: str) -> str:
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise errors.wrong_type(name, "a string", value)
        return value

    def integer(self, name: str, low: int, high: int) -> int | None:
        value = self.values.get(name)
        if self.files is not None and isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise errors.wrong_type(name, "an integer", value)
        if not low <= value <= high:
            raise errors.not_in_range(name, value, low, high)
        return value

    def boolean(self, name: str) -> bool:
        value = self.values.get(name, False)
        if self.files is not None and value in ("true", "false"):
            value = value == "true"
        if not isinstance(value, bool):
            raise errors.wrong_type(name, "a boolean", value)
        return value

    def choice(self, name: str, known: Sequence[str], default: str) -> str:
        value = self.text(name) or default
        if value not in known:
            raise errors.not_among(name, value, known)
        return value


def parse_request(fields: _Fields, operation: str) -> ImageRequest:
    """The request that fields make. Raises OpenAIError where OpenAI would refuse it."""
    model = fields.text("model") or DEFAULT_MODEL
    if model.startswith("missing"):
        raise errors.unknown_model(model)
    background = fields.choice("background", BACKGROUNDS, "auto")
    output_format = fields.choice("output_format", FORMATS, "png")
    if background == "transparent" and output_format == "jpeg":
        raise errors.bad_request("Transparent background is not supported for 'jpeg'.", "background", "invalid_value")
    compression = fields.integer("output_compression", 0, 100)
    return ImageRequest(
        operation=operation,
        model=model,
        prompt="" if operation == "variations" else _prompt(fields),
        inputs=() if operation == "generations" else _inputs(fields),
        mask=_mask(fields) if operation == "edits" else None,
        count=fields.integer("n", 1, MOST_PICTURES) or 1,
        size=_size(fields),
        quality=QUALITIES[fields.choice("quality", list(QUALITIES), "auto")],
        background="transparent" if background == "transparent" else "opaque",
        output_format=output_format,
        compression=100 if compression is None else compression,
        by_url=fields.choice("response_format", ("url", "b64_json"), "b64_json") == "url",
        stream=fields.boolean("stream") if operation != "variations" else False,
        partial_images=fields.integer("partial_images", 0, 3) or 0,
        seed=fields.integer("seed", -(2**63), 2**63 - 1),
        safety_identifier=fields.text("safety_identifier"),
    )


def _prompt(fields: _Fields) -> str:
    prompt = fields.text("prompt")
    if "prompt" not in fields.values:
        raise errors.missing("prompt")
    if not prompt:
        message = "empty string. Expected a string with minimum length 1, but got an empty string instead."
        raise errors.bad_request(f"Invalid 'prompt': {message}", "prompt", "empty_string")
    if len(prompt) > LONGEST_PROMPT:
        message = f"Expected a string with maximum length {LONGEST_PROMPT}, but got a string with length {len(prompt)}"
        raise errors.bad_request(
            f"Invalid 'prompt': string too long. {message} instead.", "prompt", "string_above_max_length"
        )
    return prompt


def _size(fields: _Fields) -> tuple[int, int] | None:
    size = fields.text("size")
    if size in ("", "auto"):
        return None
    found = _SIZE.fullmatch(size)
    if not found:
        raise errors.bad_size(size, "Expected 'auto' or WIDTHxHEIGHT, for instance '1024x1024'.")
    width, height = int(found[1]), int(found[2])
    low, high = SIDES
    if not (low <= width <= high and low <= height <= high):
        raise errors.bad_size(size, f"Width and height must both be between {low} and {high}.")
    if width * height > MOST_PIXELS:
        raise errors.bad_size(size, f"Width times height must not be more than {MOST_PIXELS}.")
    return width, height


def _inputs(fields: _Fields) -> tuple[InputImage, ...]:
    name = "image" if fields.files is not None else "images"
    given = fields.files.get("image", ()) if fields.files is not None else fields.values.get("images", ())
    if not isinstance(given, (list, tuple)):
        raise errors.wrong_type(name, "an array of objects", given)
    if not given:
        raise errors.missing(name)
    if len(given) > MOST_INPUTS:
        message = f"Expected an array with maximum length {MOST_INPUTS}, but got an array with length {len(given)}"
        raise errors.bad_request(
            f"Invalid '{name}': array too long. {message} instead.", name, "array_above_max_length"
        )
    if fields.files is None:
        return tuple(_linked(item, f"images[{i}]") for i, item in enumerate(given))
    names = [f"image[{i}]" for i in range(len(given))] if len(given) > 1 else ["image"]
    return tuple(_file(part, names[i], errors.unreadable_file(i + 1)) for i, part in enumerate(given))


def _mask(fields: _Fields) -> InputImage | None:
    unreadable = errors.bad_mask("mask image cannot be read")
    if fields.files is not None:
        return _file(fields.files["mask"][0], "mask", unreadable) if "mask" in fields.files else None
    return _linked(fields.values["mask"], "mask") if "mask" in fields.values else None


def _file(part: Part, name: str, error: errors.OpenAIError) -> InputImage:
    if part.mime_type not in errors.PICTURE_TYPES:
        raise errors.unsupported_mimetype(name, part.mime_type or "application/octet-stream")
    return InputImage(error, part.data)


def _linked(item: Any, name: str) -> InputImage:
    """An image of a JSON body, given as an https or a data URL. File ids are refused."""
    if not isinstance(item, dict):
        raise errors.wrong_type(name, "an object", item)
    where = f"{name}.image_url"
    if "file_id" in item:
        raise errors.bad_request(
            "No such File object: the sandbox stores no files.", f"{name}.file_id", "invalid_value"
        )
    if "image_url" not in item:
        raise errors.missing(where)
    url = item["image_url"]
    if not isinstance(url, str):
        raise errors.wrong_type(where, "a string", url)
    if re.match(r"https?://\w", url):
        return InputImage(errors.unreadable_data(where), url=url)
    found = _DATA_URL.fullmatch(url)
    if not found:
        raise errors.bad_request(
            f"Invalid '{where}': expected an https address or a base64 data URL.", where, "invalid_value"
        )
    if found[1] not in errors.PICTURE_TYPES:
        raise errors.unsupported_mimetype(where, found[1])
    try:
        return InputImage(errors.unreadable_data(where), base64.b64decode(found[3], validate=True))
    except (ValueError, binascii.Error):
        raise errors.unreadable_data(where) from None
