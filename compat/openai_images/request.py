"""Requests of the Images API: generations, edits and variations, from JSON or a form, read into an ImageRequest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.formats import BY_NAME, OUTPUTS, Pixels
from compat.ignored_names import names_for_header
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import MOST_PICTURES, ImageRequest, InputImage, OutputOptions
from compat.input_images import MOST_IMAGES, check_mask, read_input_image
from compat.openai_images.form import Form, read_pictures, read_texts
from compat.sizes import aspect_ratio_of_size, known_aspect_ratio, nearest_image_size, parse_pixels
from compat.validation import (
    Choice,
    Flag,
    Integer,
    JsonField,
    Listed,
    Mapped,
    Number,
    Text,
    complain,
    instance_of,
    load,
    refuse,
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
    """One picture as a string, or several."""

    one = Text(filled=True)
    several = Listed(Text(required=True, filled=True), shortest=1, longest=MOST_IMAGES)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str | list[str]:
        if not isinstance(value, str | list):
            raise ValidationError(wrong_type("a string or an array of strings", value))
        field = self.one if isinstance(value, str) else self.several
        return field.deserialize(value)  # type: ignore[no-any-return]


class ImageReference(Mapped):
    """A picture of a JSON edit: an object with its address or data URL. File ids are refused: we keep no files."""

    def __init__(self, **options: Any):
        super().__init__({"file_id": NoFile(), "image_url": Text(required=True, filled=True)}, **options)


class NoFile(JsonField):
    """A `file_id`, which cannot be followed."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        raise complain(ErrorKind.INVALID_VALUE, "'{param}' cannot be followed: send the picture itself as 'image_url'.")


RESPONSE_FORMATS = ("url", "b64_json")
FIT_FOR_OPENAI = ("output_format", "output_compression")  # of our fields, those that OpenAI has as well
GOOGLE = Mapped({"generationConfig": Mapped(), "generation_config": Mapped()})
PROMPT = Text(required=True, filled=True, longest=LONGEST_PROMPT)
COMMON: Mapping[str, JsonField] = {
    "model": Text(longest=LONGEST_MODEL),
    "n": Integer(lowest=1, highest=MOST_PICTURES),
    "size": Text(),
    "aspect_ratio": Text(),
    "image_size": Text(),
    "resize": Choice("cover", "contain"),
    "response_format": Choice(*RESPONSE_FORMATS),
    "output_format": Choice(*(known.name for known in OUTPUTS)),
    "output_compression": Integer(lowest=0, highest=100),
    "stream": Flag(),
    "partial_images": Integer(lowest=0, highest=3),
    "seed": Integer(lowest=-(2**31), highest=2**31 - 1),
    "temperature": Number(),
    "google": GOOGLE,
    "extra_body": Mapped({"google": GOOGLE}),
}


class LenientSchema(Schema):
    """Unknown fields are no errors: the answer names them."""

    class Meta:
        unknown = INCLUDE


GenerationSchema = LenientSchema.from_dict({"prompt": PROMPT, "image": ImageField(), **COMMON}, name="GenerationSchema")
JsonEditSchema = LenientSchema.from_dict(
    {
        "prompt": PROMPT,
        "images": Listed(ImageReference(required=True), required=True, shortest=1, longest=MOST_IMAGES),
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
    ignored: tuple[str, ...] = ()  # wishes that cannot be met, by name


def parse_generation(body: Any, catalogue: ModelCatalogue, default_format: str) -> OpenAIRequest:
    """A generation from its JSON body. `default_format` is what callers get who do not ask for url or b64_json."""
    checked = check(GenerationSchema, body)
    told = checked.get("image", [])
    places = {"image": told} if isinstance(told, str) else {f"image[{index}]": one for index, one in enumerate(told)}
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


def read_request(
    checked: Mapping[str, Any],
    schema: type[Schema],
    images: tuple[InputImage, ...],
    mask: InputImage | None,
    catalogue: ModelCatalogue,
    default_format: str,
) -> OpenAIRequest:
    """The request that checked fields and pictures make together."""
    model = catalogue.resolve(checked.get("model"))
    size = checked.get("size", "auto")
    resize = checked.get("resize")
    pixels = parse_pixels(size)
    if resize:
        check_resize(pixels)
    if "aspect_ratio" in checked:
        aspect_ratio: str | None = known_aspect_ratio(checked["aspect_ratio"], model.upstream)
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
    )


def wanted_format(asked: Any, model: ServedModel, default_format: str) -> str:
    """How pictures are told: as the caller asks, as OpenAI's own model of that name would, or by default."""
    if asked in RESPONSE_FORMATS:
        return str(asked)
    if model.is_openai_alias:
        return "url" if model.requested_name.startswith("dall-e") else "b64_json"
    return default_format


def check_resize(pixels: Pixels | None) -> None:
    """Exact pixels need a size in pixels, and one that can be made."""
    if not pixels:
        raise ApiError(ErrorKind.INVALID_VALUE, "'resize' needs a 'size' in pixels such as '1000x500'.", param="size")
    if max(pixels) > LONGEST_SIDE:
        raise ApiError(
            ErrorKind.INVALID_VALUE, f"'resize' makes no side longer than {LONGEST_SIDE} pixels.", param="size"
        )


def image_size(asked: str | None, size: str, model: ServedModel, aspect_ratio: str | None) -> str | None:
    """The tier to ask for: the caller's if the model has tiers, else the one that `size` comes nearest to."""
    tiers = model.upstream.tiers
    if asked is None or not tiers:
        return nearest_image_size(size, model.upstream, aspect_ratio)
    if asked not in tiers:
        supported = ", ".join(f"'{tier}'" for tier in tiers)
        raise ApiError(
            ErrorKind.INVALID_VALUE,
            f"Invalid value: '{asked}'. Supported values are: {supported}.",
            param="image_size",
        )
    return asked


def read_google(checked: Mapping[str, Any]) -> dict[str, Any]:
    """What goes to Gemini verbatim; `contents` are ours to write."""
    nested = checked.get("extra_body", {}).get("google") or {}
    google = {**nested, **checked.get("google", {})}
    if "contents" in google:
        raise ApiError(ErrorKind.INVALID_VALUE, "'contents' is made of 'prompt' and 'image'.", param="google.contents")
    return google


def read_openai(checked: Mapping[str, Any], model: ServedModel) -> dict[str, Any]:
    """What goes verbatim to a server that speaks OpenAI's API: all that is its own, and not ours to write."""
    if not model.upstream.openai:
        return {}
    return {
        name: value
        for name, value in checked.items()
        if (name not in COMMON or name in FIT_FOR_OPENAI) and name not in ("prompt", "image", "images", "mask")
    }


def ignored_names(checked: Mapping[str, Any], schema: type[Schema], model: ServedModel) -> tuple[str, ...]:
    """The wishes that are left out. A value that says what is done anyway is no wish."""
    if model.upstream.openai:
        return ("google",) if checked.get("google") or checked.get("extra_body") else ()
    understood = instance_of(schema).fields
    names = [name for name, value in checked.items() if name not in understood and value not in ("", "auto", False)]
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
