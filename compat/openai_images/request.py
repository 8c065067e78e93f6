"""Requests of the Images API: generations, edits and variations, from JSON or a form, read into an ImageRequest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from marshmallow import Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.ignored_names import names_for_header
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import ImageRequest, InputImage, OutputOptions
from compat.input_images import MOST_IMAGES, read_input_image
from compat.openai_fields import (
    FIELDS,
    check,
    ignored_sampling,
    ignores_compression,
    read_aspect_ratio,
    read_google,
    read_image_size,
    read_output,
)
from compat.openai_images.form import FILE, Form, read_fields, read_pictures
from compat.validation import (
    Array,
    Choice,
    Integer,
    JsonField,
    LenientSchema,
    Object,
    String,
    array_too_long,
    instance_of,
    invalid,
    wrong_type,
)

LONGEST_PROMPT = 32000  # characters, as OpenAI documents it

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


RESPONSE_FORMATS = ("url", "b64_json")
OUTPUT_FIELDS = ("output_format", "output_compression")  # fields below that OpenAI servers know as well
PROMPT = String(required=True, not_empty=True, max_length=LONGEST_PROMPT)
COMMON: Mapping[str, JsonField] = {
    **FIELDS,
    "response_format": Choice(*RESPONSE_FORMATS),
    "partial_images": Integer(minimum=0, maximum=3),
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
    drawn_by: Callable[[ServedModel], OpenAIRequest] = field(compare=False, repr=False, kw_only=True)  # another model


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
    if schema is JsonSchema:  # the base64 of its pictures is not kept twice
        checked = {name: value for name, value in checked.items() if name not in PICTURES}
    return read_for(checked, schema, images, mask, default_format, model)


def read_for(
    checked: Mapping[str, Any],
    schema: type[Schema],
    images: tuple[InputImage, ...],
    mask: InputImage | None,
    default_format: str,
    model: ServedModel,
) -> OpenAIRequest:
    """The same request for a model. `checked` has none of the pictures."""
    if not model.upstream.openai:  # whose server gets fields that we do not know as they are
        refuse_other_images(checked, schema)
    output = read_output(checked)
    aspect_ratio = read_aspect_ratio(checked, model)
    return OpenAIRequest(
        ImageRequest(
            prompt=VARIATION_PROMPT if schema is VariationSchema else checked["prompt"],
            input_images=images,
            mask=mask,
            count=checked.get("n", 1),
            aspect_ratio=aspect_ratio,
            image_size=read_image_size(checked, model, aspect_ratio),
            seed=checked.get("seed"),
            temperature=checked.get("temperature"),
            gemini=read_google(checked, "'prompt' and 'image'"),
            openai=read_openai(checked, model),
        ),
        model,
        response_format=wanted_format(checked.get("response_format"), model, default_format),
        output=output,
        stream=checked.get("stream", False),
        ignored=ignored_names(checked, schema, model),
        advisories=advisories(checked, mask, model),
        drawn_by=partial(read_for, checked, schema, images, mask, default_format),
    )


def wanted_format(given: Any, model: ServedModel, default_format: str) -> str:
    """The response format that is given, or else that of OpenAI's model whose name is used, or else the default."""
    if given in RESPONSE_FORMATS:
        return str(given)
    if model.is_openai_alias:
        return "url" if model.requested_name.startswith("dall-e") else "b64_json"
    return default_format


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
    names += ignored_sampling(checked, model)
    if checked.get("partial_images") and checked.get("stream"):
        names.append("partial_images")
    if ignores_compression(checked):
        names.append("output_compression")
    if checked.get("stream") and checked.get("response_format") == "url":
        names.append("response_format")
    return names_for_header(names)
