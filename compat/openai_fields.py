"""What the requests of OpenAI's APIs have in common: the fields about the pictures that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_NAME, OUTPUTS, Pixels
from compat.image_models import ServedModel
from compat.images import MOST_PICTURES, OutputOptions
from compat.sizes import aspect_ratio_of_size, known_aspect_ratio, nearest_image_size, parse_pixels, quoted
from compat.validation import Choice, Flag, Integer, JsonField, Mapped, Number, Text, load, refuse, type_name

LONGEST_MODEL = 256  # characters; the error about a model repeats its name
LONGEST_SIDE = 8192  # pixels of a picture that `resize` makes

GOOGLE = Mapped({"generationConfig": Mapped(), "generation_config": Mapped()})
FIELDS: Mapping[str, JsonField] = {
    "model": Text(longest=LONGEST_MODEL),
    "n": Integer(lowest=1, highest=MOST_PICTURES),
    "size": Text(),
    "aspect_ratio": Text(),
    "image_size": Text(),
    "resize": Choice("cover", "contain"),
    "output_format": Choice(*(known.name for known in OUTPUTS)),
    "output_compression": Integer(lowest=0, highest=100),
    "stream": Flag(),
    "seed": Integer(lowest=-(2**31), highest=2**31 - 1),
    "temperature": Number(),
    "google": GOOGLE,
    "extra_body": Mapped({"google": GOOGLE}),
}


class LenientSchema(Schema):
    """Unknown fields are no errors: the answer names them."""

    class Meta:
        unknown = INCLUDE


def check(schema: type[Schema], body: Any) -> dict[str, Any]:
    """The body with its known fields checked; what is null is absent. Raises the ApiError of its first fault."""
    if not isinstance(body, dict):
        raise ApiError(
            ErrorKind.INVALID_TYPE,
            f"Invalid type for the request body: expected an object, but got {type_name(body)} instead.",
        )
    try:
        checked = load(schema, body)
    except ValidationError as error:
        raise refuse(error) from None
    return {name: checked[name] for name in body if checked[name] is not None}


def read_aspect_ratio(checked: Mapping[str, Any], model: ServedModel, param: str = "aspect_ratio") -> str | None:
    """The ratio to ask for: `aspect_ratio`, called `param` by the caller, or the one that `size` comes nearest to."""
    if "aspect_ratio" in checked:
        return known_aspect_ratio(checked["aspect_ratio"], model.upstream, param=param)
    return aspect_ratio_of_size(checked.get("size", "auto"), model.upstream, any_shape="resize" in checked)


def read_image_size(
    checked: Mapping[str, Any], model: ServedModel, aspect_ratio: str | None, param: str = "image_size"
) -> str | None:
    """The tier to ask for: the caller's if the model has tiers, else the one that `size` comes nearest to."""
    tiers = model.upstream.tiers
    image_size: str | None = checked.get("image_size")
    if image_size is None or not tiers:
        return nearest_image_size(checked.get("size", "auto"), model.upstream, aspect_ratio)
    if image_size not in tiers:
        raise ApiError(
            ErrorKind.INVALID_VALUE,
            f"Invalid value: '{image_size}'. Supported values are: {quoted(tiers)}.",
            param=param,
        )
    return image_size


def read_output(checked: Mapping[str, Any]) -> OutputOptions:
    """What is done with the pictures that come."""
    resize = checked.get("resize")
    pixels = parse_pixels(checked.get("size", "auto")) if resize else None
    if resize:
        check_resize(pixels)
    return OutputOptions(
        format=BY_NAME[checked["output_format"]] if "output_format" in checked else None,
        quality=checked.get("output_compression"),
        pixels=pixels,
        resize=resize,
    )


def ignores_compression(checked: Mapping[str, Any]) -> bool:
    """Whether `output_compression` asks for something that the format of the pictures has not."""
    has_quality = BY_NAME[checked.get("output_format", "png")].has_quality
    return checked.get("output_compression", 100) != 100 and not has_quality


def check_resize(pixels: Pixels | None) -> None:
    """Exact pixels need a size in pixels, and one that can be made."""
    if not pixels:
        raise ApiError(ErrorKind.INVALID_VALUE, "'resize' needs a 'size' in pixels such as '1000x500'.", param="size")
    if max(pixels) > LONGEST_SIDE:
        raise ApiError(
            ErrorKind.INVALID_VALUE, f"'resize' makes no side longer than {LONGEST_SIDE} pixels.", param="size"
        )


def read_google(checked: Mapping[str, Any], made_of: str) -> dict[str, Any]:
    """What goes to Gemini verbatim; `contents` are ours to write, from the fields that `made_of` names."""
    nested = checked.get("extra_body", {}).get("google") or {}
    google = {**nested, **checked.get("google", {})}
    if "contents" in google:
        raise ApiError(ErrorKind.INVALID_VALUE, f"'contents' is made of {made_of}.", param="google.contents")
    return google
