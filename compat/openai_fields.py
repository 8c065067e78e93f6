"""What the requests of OpenAI's APIs have in common: the fields about the pictures that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_ENDING, BY_NAME, OUTPUTS, Pixels
from compat.image_models import ServedModel
from compat.images import MOST_PICTURES, OutputOptions
from compat.sizes import AUTO, aspect_ratio_of_size, nearest_image_size, parse_pixels, plain_size
from compat.validation import (
    Boolean,
    Choice,
    Integer,
    JsonField,
    Number,
    Object,
    String,
    api_error,
    check_choice,
    instance_for,
    type_name,
)

LONGEST_MODEL = 256  # characters; the error about a model repeats its name
LONGEST_SIDE = 8192  # pixels of a picture that `resize` makes
SAMPLING = ("seed", "temperature")


class OutputFormat(Choice):
    """A format by its name or a file ending, in any case: `jpg` is `jpeg`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        known = BY_ENDING.get(value.lower()) if isinstance(value, str) else None
        return super()._deserialize(known.name if known in OUTPUTS else value, attr, data, **options)


GOOGLE = Object({"generationConfig": Object(), "generation_config": Object()})
FIELDS: Mapping[str, JsonField] = {
    "model": String(max_length=LONGEST_MODEL),
    "n": Integer(minimum=1, maximum=MOST_PICTURES),
    "size": String(),
    "aspect_ratio": String(),
    "image_size": String(),
    "resize": Choice("cover", "contain"),
    "output_format": OutputFormat(*(known.name for known in OUTPUTS)),
    "output_compression": Integer(minimum=0, maximum=100),
    "stream": Boolean(),
    "seed": Integer(minimum=-(2**31), maximum=2**31 - 1),
    "temperature": Number(),
    "google": GOOGLE,
    "extra_body": Object(),
}


def check(schema: type[Schema], body: Any) -> dict[str, Any]:
    """The body, validated and without fields that are null. Raises the ApiError of its first problem."""
    if not isinstance(body, dict):
        raise ApiError(
            ErrorKind.INVALID_TYPE,
            f"Invalid type for the request body: expected an object, but got {type_name(body)} instead.",
        )
    body = with_extra_body(body)
    try:
        checked = instance_for(schema, body).load(body)
    except ValidationError as error:
        raise api_error(error) from None
    return {name: checked[name] for name in body if checked[name] is not None}


def with_extra_body(body: dict[str, Any]) -> dict[str, Any]:
    """The body with the members of `extra_body` as its own. One that stands beside it too keeps its value."""
    extra = body.get("extra_body")
    if not isinstance(extra, dict):
        return body
    extra, own = with_extra_body(extra), {name: value for name, value in body.items() if value is not None}
    merged = {**extra, **own}
    if isinstance(extra.get("google"), dict) and isinstance(own.get("google"), dict):
        merged["google"] = {**extra["google"], **own["google"]}
    del merged["extra_body"]
    return merged


def size_of(checked: Mapping[str, Any]) -> str:
    """The `size` in its plain form."""
    return plain_size(checked.get("size", AUTO))


def read_aspect_ratio(checked: Mapping[str, Any], model: ServedModel, param: str = "aspect_ratio") -> str | None:
    """The ratio to ask for: `aspect_ratio`, called `param` by the caller, or the one that `size` comes nearest to."""
    ratio = checked.get("aspect_ratio", "").strip()
    if ratio.lower() not in ("", AUTO):
        return check_choice(ratio, model.upstream.pixels, param)
    return aspect_ratio_of_size(size_of(checked), model.upstream, any_shape="resize" in checked)


def read_image_size(
    checked: Mapping[str, Any], model: ServedModel, aspect_ratio: str | None, param: str = "image_size"
) -> str | None:
    """The tier to ask for: the caller's if the model has tiers, else the one that `size` comes nearest to."""
    tiers = model.upstream.tiers
    image_size: str | None = checked.get("image_size")
    if image_size is None or not tiers:
        return nearest_image_size(size_of(checked), model.upstream, aspect_ratio)
    return check_choice(image_size, tiers, param)


def read_output(checked: Mapping[str, Any]) -> OutputOptions:
    """What is done with the pictures that come."""
    resize = checked.get("resize")
    pixels = parse_pixels(size_of(checked)) if resize else None
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
    """Refuses `resize` without a size in pixels, or with one that is too large."""
    if not pixels:
        raise ApiError(ErrorKind.INVALID_VALUE, "'resize' needs a 'size' in pixels such as '1000x500'.", param="size")
    if max(pixels) > LONGEST_SIDE:
        raise ApiError(
            ErrorKind.INVALID_VALUE, f"'resize' makes no side longer than {LONGEST_SIDE} pixels.", param="size"
        )


def ignored_sampling(checked: Mapping[str, Any], model: ServedModel) -> Iterator[str]:
    """The fields that a model without sampling does not take. They are left out where the request is written."""
    if not model.upstream.sampling:
        yield from (name for name in SAMPLING if name in checked)


def read_google(checked: Mapping[str, Any], made_from: str) -> dict[str, Any]:
    """What is sent to Gemini verbatim. `contents` is refused, as it is made from the fields that `made_from` names."""
    google: dict[str, Any] = checked.get("google", {})
    if "contents" in google:
        raise ApiError(ErrorKind.INVALID_VALUE, f"'contents' is made from {made_from}.", param="google.contents")
    return google
