"""Requests of the Images API: generations, edits and variations, from JSON or a form, read into an ImageRequest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from compat.errors import ErrorKind
from compat.ignored_names import names_for_header
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import ImageRequest, InputImage, OutputOptions
from compat.input_images import MOST_IMAGES, check_mask, read_input_image
from compat.openai_fields import (
    FIELDS,
    check,
    ignores_compression,
    read_aspect_ratio,
    read_google,
    read_image_size,
    read_output,
)
from compat.openai_images.form import Form, read_pictures, read_texts
from compat.validation import (
    Array,
    Choice,
    Integer,
    JsonField,
    LenientSchema,
    Object,
    String,
    instance_of,
    invalid,
    wrong_type,
)

LONGEST_PROMPT = 32000  # characters, as OpenAI documents it

VARIATION_PROMPT = (
    "Draw a variation of this image: the same subject, style and mood, with a different composition and details."
)


class ImageField(JsonField):
    """One picture as a string, or several."""

    single = String(not_empty=True)
    several = Array(String(required=True, not_empty=True), min_length=1, max_length=MOST_IMAGES)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str | list[str]:
        if not isinstance(value, str | list):
            raise wrong_type("a string or an array of strings", value)
        field = self.single if isinstance(value, str) else self.several
        return field.deserialize(value)  # type: ignore[no-any-return]


class ImageReference(Object):
    """A picture of a JSON edit: an object with its address or data URL. File ids are refused, as no files are kept."""

    def __init__(self, **options: Any):
        super().__init__({"file_id": FileId(), "image_url": String(required=True, not_empty=True)}, **options)


class FileId(JsonField):
    """A `file_id`, which is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        raise invalid(ErrorKind.INVALID_VALUE, "'{param}' is not supported: send the picture itself as 'image_url'.")


RESPONSE_FORMATS = ("url", "b64_json")
OUTPUT_FIELDS = ("output_format", "output_compression")  # fields below that OpenAI servers know as well
PROMPT = String(required=True, not_empty=True, max_length=LONGEST_PROMPT)
COMMON: Mapping[str, JsonField] = {
    **FIELDS,
    "response_format": Choice(*RESPONSE_FORMATS),
    "partial_images": Integer(minimum=0, maximum=3),
}

# Unknown fields are kept in all of them, since the answer names them.
GenerationSchema = LenientSchema.from_dict({"prompt": PROMPT, "image": ImageField(), **COMMON}, name="GenerationSchema")
JsonEditSchema = LenientSchema.from_dict(
    {
        "prompt": PROMPT,
        "images": Array(ImageReference(required=True), required=True, min_length=1, max_length=MOST_IMAGES),
        "mask": ImageReference(),
        **COMMON,
    },
    name="JsonEditSchema",
)
FormEditSchema = LenientSchema.from_dict({"prompt": PROMPT, **COMMON}, name="FormEditSchema")
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


def parse_generation(body: Any, catalogue: ModelCatalogue, default_format: str) -> OpenAIRequest:
    """A generation from its JSON body. `default_format` is the response format if none is given."""
    checked = check(GenerationSchema, body)
    given = checked.get("image", [])
    places = {"image": given} if isinstance(given, str) else {f"image[{index}]": one for index, one in enumerate(given)}
    images = tuple(read_input_image(one, place) for place, one in places.items())
    return read_request(checked, GenerationSchema, images, None, catalogue, default_format)


def parse_edit(body: Any, catalogue: ModelCatalogue) -> OpenAIRequest:
    """An edit from its JSON body."""
    checked = check(JsonEditSchema, body)
    images = tuple(
        read_input_image(one["image_url"], f"images[{index}].image_url") for index, one in enumerate(checked["images"])
    )
    mask = read_input_image(checked["mask"]["image_url"], "mask.image_url") if "mask" in checked else None
    if mask:
        check_mask(mask, images[0], "mask.image_url", "images[0].image_url")
    return read_request(checked, JsonEditSchema, images, mask, catalogue, "b64_json")


def parse_edit_form(form: Form, catalogue: ModelCatalogue) -> OpenAIRequest:
    """An edit from its form."""
    checked = check(FormEditSchema, read_texts(form, COMMON))
    images, mask = read_pictures(form)
    if mask:
        check_mask(mask, images[0], "mask", "image")
    return read_request(checked, FormEditSchema, images, mask, catalogue, "b64_json")


def parse_variation_form(form: Form, catalogue: ModelCatalogue, default_format: str) -> OpenAIRequest:
    """A variation from its form: an edit with a fixed instruction."""
    checked = check(VariationSchema, read_texts(form, COMMON))
    images, _ = read_pictures(form)
    return read_request(checked, VariationSchema, images, None, catalogue, default_format)


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
    )


def wanted_format(given: Any, model: ServedModel, default_format: str) -> str:
    """The response format that is given, or else that of OpenAI's model whose name is used, or else the default."""
    if given in RESPONSE_FORMATS:
        return str(given)
    if model.is_openai_alias:
        return "url" if model.requested_name.startswith("dall-e") else "b64_json"
    return default_format


def read_openai(checked: Mapping[str, Any], model: ServedModel) -> dict[str, Any]:
    """What is sent verbatim to a server that speaks OpenAI's API: the fields that we do not write ourselves."""
    if not model.upstream.openai:
        return {}
    return {
        name: value
        for name, value in checked.items()
        if (name not in COMMON or name in OUTPUT_FIELDS) and name not in ("prompt", "image", "images", "mask")
    }


def ignored_names(checked: Mapping[str, Any], schema: type[Schema], model: ServedModel) -> tuple[str, ...]:
    """The names of the fields that have no effect, except where the value asks for what is done anyway."""
    if model.upstream.openai:
        return ("google",) if checked.get("google") or checked.get("extra_body") else ()
    supported = instance_of(schema).fields
    names = [name for name, value in checked.items() if name not in supported and value not in ("", "auto", False)]
    if checked.get("background") == "opaque":
        names.remove("background")
    if checked.get("image_size") and not model.upstream.tiers:
        names.append("image_size")
    if checked.get("partial_images") and checked.get("stream"):
        names.append("partial_images")
    if ignores_compression(checked):
        names.append("output_compression")
    if checked.get("stream") and checked.get("response_format") == "url":
        names.append("response_format")
    return names_for_header(names)
