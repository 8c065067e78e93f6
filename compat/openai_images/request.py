"""Requests of the Images API: generations, edits and variations, from JSON or a form, read into an ImageRequest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_ENDING, BY_NAME, OUTPUTS, Pixels
from compat.ignored_names import names_for_header
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import MOST_PICTURES, ImageRequest, InputImage, OutputOptions
from compat.input_images import MOST_IMAGES, read_input_image
from compat.openai_images.form import FILE, Form, read_fields, read_pictures
from compat.sizes import AUTO, aspect_ratio_of_size, nearest_image_size, parse_pixels, plain_size
from compat.validation import (
    Array,
    Boolean,
    Choice,
    Integer,
    JsonField,
    LenientSchema,
    Number,
    Object,
    String,
    api_error,
    array_too_long,
    check_choice,
    instance_of,
    invalid,
    type_name,
    wrong_type,
)

LONGEST_PROMPT = 32000  # characters, as OpenAI documents it
LONGEST_MODEL = 256  # characters; the error about a model repeats its name
LONGEST_SIDE = 8192  # pixels of a picture that `resize` makes

VARIATION_PROMPT = (
    "Draw a variation of this image: the same subject, style and mood, with a different composition and details."
)


class ImageField(JsonField):
    """A picture as a string, or as an object with one; it becomes a pair of the string's place in it, and the string.

    Clients differ in the object: `{"image_url": "..."}`, `{"image_url": {"url": "..."}}`, `{"url": "..."}`,
    `{"b64_json": "..."}`. File ids are refused, as no files are kept.
    """

    text = String(required=True, not_empty=True)
    names = ("image_url", "url", "b64_json")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> tuple[str, str]:
        if isinstance(value, str):
            return "", self.text.deserialize(value)
        if not isinstance(value, dict):
            raise wrong_type("a string or an object", value)
        if value.get("file_id") is not None:
            message = "'{param}' is not supported: send the picture itself as 'image_url'."
            raise ValidationError({"file_id": invalid(ErrorKind.INVALID_VALUE, message).messages})
        name = next((name for name in self.names if value.get(name) is not None), self.names[0])
        try:
            if isinstance(inner := value.get(name), dict):
                return f".{name}.url", Object({"url": self.text}).deserialize(inner)["url"]
            return f".{name}", self.text.deserialize(inner)  # type: ignore[return-value]
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from None


class Images(Array):
    """One picture or several; the place of each begins with its index."""

    def __init__(self) -> None:
        super().__init__(ImageField(required=True), or_single=True, min_length=1, max_length=MOST_IMAGES)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[tuple[str, str]]:
        pictures = super()._deserialize(value, attr, data, **options)
        if not isinstance(value, list):
            return pictures
        return [(f"[{index}]{place}", picture) for index, (place, picture) in enumerate(pictures)]


class OutputFormat(Choice):
    """A format by its name or a file ending, in any case: `jpg` is `jpeg`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        known = BY_ENDING.get(value.lower()) if isinstance(value, str) else None
        return super()._deserialize(known.name if known in OUTPUTS else value, attr, data, **options)


RESPONSE_FORMATS = ("url", "b64_json")
OUTPUT_FIELDS = ("output_format", "output_compression")  # fields below that OpenAI servers know as well
GOOGLE = Object({"generationConfig": Object(), "generation_config": Object()})
PROMPT = String(required=True, not_empty=True, max_length=LONGEST_PROMPT)
COMMON: Mapping[str, JsonField] = {
    "model": String(max_length=LONGEST_MODEL),
    "n": Integer(minimum=1, maximum=MOST_PICTURES),
    "size": String(),
    "aspect_ratio": String(),
    "image_size": String(),
    "resize": Choice("cover", "contain"),
    "response_format": Choice(*RESPONSE_FORMATS),
    "output_format": OutputFormat(*(known.name for known in OUTPUTS)),
    "output_compression": Integer(minimum=0, maximum=100),
    "stream": Boolean(),
    "partial_images": Integer(minimum=0, maximum=3),
    "seed": Integer(minimum=-(2**31), maximum=2**31 - 1),
    "temperature": Number(),
    "google": GOOGLE,
    "extra_body": Object(),
}
IMAGE_FIELDS = ("image", "images", "image_url")  # of JSON, with pictures to start from
PICTURES: Mapping[str, JsonField] = {**dict.fromkeys(IMAGE_FIELDS, Images()), "mask": ImageField()}
# Names that other services give to input pictures: a picture drawn without them would be a wrong one.
OTHER_IMAGE_FIELDS = re.compile(
    r"((input|init|initial|source|src|base|original|ref|reference|style|subject|character|control|start|mask)_?)?"
    r"(image|img|photo|picture)s?(_?(urls?|b64|base64|data|prompts?|inputs?|files?|references?))?"
    r"|mask_?(url|b64|base64|data)|(input|style|subject|character)_?references?",
    re.IGNORECASE,
)

# Unknown fields are kept in all of them, since the answer names them.
FORM_EDIT: Mapping[str, JsonField] = {"prompt": PROMPT, **COMMON}
JsonSchema = LenientSchema.from_dict({**FORM_EDIT, **PICTURES}, name="JsonSchema")  # of generations and edits
FormEditSchema = LenientSchema.from_dict(dict(FORM_EDIT), name="FormEditSchema")
VariationSchema = LenientSchema.from_dict(dict(COMMON), name="VariationSchema")


@dataclass(frozen=True)
class OpenAIRequest:
    """A request of the Images API: what is asked of the model, and what is done with its answer."""

    image_request: ImageRequest
    model: ServedModel
    response_format: str  # url or b64_json
    output: OutputOptions
    stream: bool = False
    ignored: tuple[str, ...] = ()  # names of fields that have no effect
    advisories: tuple[str, ...] = ()  # names of fields whose effect may not be the expected one


def parse_generation(body: Any, catalogue: ModelCatalogue, default_format: str) -> OpenAIRequest:
    """A generation from its JSON body. `default_format` is the response format if none is given."""
    return parse_json(body, catalogue, default_format, needs_image=False)


def parse_edit(body: Any, catalogue: ModelCatalogue) -> OpenAIRequest:
    """An edit from its JSON body."""
    return parse_json(body, catalogue, "b64_json", needs_image=True)


def parse_json(body: Any, catalogue: ModelCatalogue, default_format: str, *, needs_image: bool) -> OpenAIRequest:
    """A request from its JSON body. A generation that has pictures is an edit."""
    checked = check(JsonSchema, body)
    images, mask = read_images(checked), None
    if not images and (needs_image or "mask" in checked):
        raise ApiError(ErrorKind.MISSING_PARAMETER, "Missing required parameter: 'images'.", param="images")
    if "mask" in checked:
        place, picture = checked["mask"]
        mask = read_input_image(picture, f"mask{place}")
    return read_request(checked, JsonSchema, images, mask, catalogue, default_format)


def parse_edit_form(form: Form, catalogue: ModelCatalogue) -> OpenAIRequest:
    """An edit from its form."""
    checked = check(FormEditSchema, read_fields(form, FORM_EDIT))
    images, mask = read_pictures(form)
    return read_request(checked, FormEditSchema, images, mask, catalogue, "b64_json")


def parse_variation_form(form: Form, catalogue: ModelCatalogue, default_format: str) -> OpenAIRequest:
    """A variation from its form: an edit with a fixed instruction."""
    mask = {"mask": FILE} if form.masks else {}
    checked = check(VariationSchema, {**read_fields(form, COMMON), **mask})
    images, _ = read_pictures(form)
    return read_request(checked, VariationSchema, images, None, catalogue, default_format)


def read_images(checked: Mapping[str, Any]) -> tuple[InputImage, ...]:
    """The pictures of a JSON body, which may be in several fields."""
    found = [(f"{name}{place}", picture) for name in IMAGE_FIELDS for place, picture in checked.get(name, ())]
    if len(found) > MOST_IMAGES:
        message = array_too_long("images", MOST_IMAGES, len(found))
        raise ApiError(ErrorKind.ARRAY_TOO_LONG, message, param="images")
    return tuple(read_input_image(picture, place) for place, picture in found)


def check(schema: type[Schema], body: Any) -> dict[str, Any]:
    """The body, validated and without fields that are null. Raises the ApiError of its first problem."""
    if not isinstance(body, dict):
        raise ApiError(
            ErrorKind.INVALID_TYPE,
            f"Invalid type for the request body: expected an object, but got {type_name(body)} instead.",
        )
    body = with_extra_body(body)
    try:
        checked = instance_of(schema).load(body)
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


def read_request(
    checked: Mapping[str, Any],
    schema: type[Schema],
    images: tuple[InputImage, ...],
    mask: InputImage | None,
    catalogue: ModelCatalogue,
    default_format: str,
) -> OpenAIRequest:
    """The request that validated fields and pictures make together."""
    model = catalogue.resolve(checked.get("model"))
    if not model.upstream.openai:  # whose server gets fields that we do not know as they are
        refuse_other_images(checked, schema)
    size = plain_size(checked.get("size", AUTO))
    resize = checked.get("resize")
    pixels = parse_pixels(size)
    if resize:
        check_resize(pixels)
    ratio = checked.get("aspect_ratio", "").strip()
    if ratio.lower() not in ("", AUTO):
        aspect_ratio: str | None = check_choice(ratio, model.upstream.pixels, "aspect_ratio")
    else:
        aspect_ratio = aspect_ratio_of_size(size, model.upstream, any_shape=bool(resize))
    return OpenAIRequest(
        ImageRequest(
            prompt=VARIATION_PROMPT if schema is VariationSchema else checked["prompt"],
            input_images=images,
            mask=mask,
            count=checked.get("n", 1),
            aspect_ratio=aspect_ratio,
            image_size=image_size(checked.get("image_size"), size, model, aspect_ratio),
            seed=checked.get("seed"),
            temperature=checked.get("temperature"),
            gemini=read_google(checked),
            openai=read_openai(checked, model),
        ),
        model,
        response_format=wanted_format(checked.get("response_format"), model, default_format),
        output=OutputOptions(
            format=BY_NAME[checked["output_format"]] if "output_format" in checked else None,
            quality=checked.get("output_compression"),
            pixels=pixels if resize else None,
            resize=resize,
        ),
        stream=checked.get("stream", False),
        ignored=ignored_names(checked, schema, model),
        advisories=advisories(checked, mask, model),
    )


def wanted_format(given: Any, model: ServedModel, default_format: str) -> str:
    """The response format that is given, or else that of OpenAI's model whose name is used, or else the default."""
    if given in RESPONSE_FORMATS:
        return str(given)
    if model.is_openai_alias:
        return "url" if model.requested_name.startswith("dall-e") else "b64_json"
    return default_format


def check_resize(pixels: Pixels | None) -> None:
    """Refuses `resize` without a size in pixels, or with one that is too large."""
    if not pixels:
        raise ApiError(ErrorKind.INVALID_VALUE, "'resize' needs a 'size' in pixels such as '1000x500'.", param="size")
    if max(pixels) > LONGEST_SIDE:
        raise ApiError(
            ErrorKind.INVALID_VALUE, f"'resize' makes no side longer than {LONGEST_SIDE} pixels.", param="size"
        )


def image_size(given: str | None, size: str, model: ServedModel, aspect_ratio: str | None) -> str | None:
    """The tier that is given, if the model has tiers, or else the one that is nearest to `size`."""
    tiers = model.upstream.tiers
    if given is None or not tiers:
        return nearest_image_size(size, model.upstream, aspect_ratio)
    return check_choice(given, tiers, "image_size")


def refuse_other_images(checked: Mapping[str, Any], schema: type[Schema]) -> None:
    """Refuses input pictures under names that are not read."""
    for name, value in checked.items():
        is_given = value is FILE or (isinstance(value, str | list | dict) and value)
        if is_given and name not in instance_of(schema).fields and OTHER_IMAGE_FIELDS.fullmatch(name.partition("[")[0]):
            raise ApiError(
                ErrorKind.INVALID_VALUE, f"'{name}' is not supported: send input pictures as 'image'.", param=name
            )


def advisories(checked: Mapping[str, Any], mask: InputImage | None, model: ServedModel) -> tuple[str, ...]:
    """The fields of which the answer says that the model may not keep to them."""
    is_opaque = checked.get("background") == "transparent" and not model.upstream.openai
    return (*(("mask",) if mask else ()), *(("background",) if is_opaque else ()))


def read_google(checked: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent to Gemini verbatim. `contents` is refused, as it is made from other fields."""
    google: dict[str, Any] = checked.get("google", {})
    if "contents" in google:
        raise ApiError(
            ErrorKind.INVALID_VALUE, "'contents' is made from 'prompt' and 'image'.", param="google.contents"
        )
    return google


def read_openai(checked: Mapping[str, Any], model: ServedModel) -> dict[str, Any]:
    """What is sent verbatim to a server that speaks OpenAI's API: the fields that we do not write ourselves."""
    if not model.upstream.openai:
        return {}
    return {
        name: value
        for name, value in checked.items()
        if (name not in COMMON or name in OUTPUT_FIELDS)
        and name not in ("prompt", *IMAGE_FIELDS, "mask")
        and value is not FILE
    }


def ignored_names(checked: Mapping[str, Any], schema: type[Schema], model: ServedModel) -> tuple[str, ...]:
    """The names of the fields that have no effect, except where the value asks for what is done anyway."""
    if model.upstream.openai:
        files = (name for name, value in checked.items() if value is FILE)
        return names_for_header((*files, *(("google",) if checked.get("google") else ())))
    supported = instance_of(schema).fields
    names = [name for name, value in checked.items() if name not in supported and value not in ("", "auto", False)]
    if checked.get("background") == "opaque":
        names.remove("background")
    if checked.get("image_size") and not model.upstream.tiers:
        names.append("image_size")
    if checked.get("partial_images") and checked.get("stream"):
        names.append("partial_images")
    has_quality = BY_NAME[checked.get("output_format", "png")].has_quality
    if checked.get("output_compression", 100) != 100 and not has_quality:
        names.append("output_compression")
    if checked.get("stream") and checked.get("response_format") == "url":
        names.append("response_format")
    return names_for_header(names)
