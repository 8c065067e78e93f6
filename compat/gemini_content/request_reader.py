"""generateContent requests, read for a server that does not speak Google's API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from compat.conversation import Turn, current_request
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import GEMINI
from compat.gemini_content.request import snake_case
from compat.ignored_names import names_for_header
from compat.image_models import ImageModel, ServedModel
from compat.images import MOST_PICTURES, ImageRequest, InputImage
from compat.input_images import MOST_IMAGES, from_base64, mime_type_of_address
from compat.validation import check_choice

USER, MODEL = "user", "model"
READ = ("contents", "systemInstruction", "generationConfig", "tools", "cachedContent", "model")
READ_CONFIG = ("candidateCount", "seed", "temperature", "responseModalities", "imageConfig", "responseFormat")
READ_SHAPE = ("aspectRatio", "imageSize")
PART_OPTIONS = ("mediaResolution", "videoMetadata", "partMetadata")  # have no content of their own
OTHER_MEDIA = ("audio/", "video/", "text/", "application/")
UNKNOWN_TYPE = "application/octet-stream"
FILES_API_HOST = "generativelanguage.googleapis.com"
LOWEST_SEED, HIGHEST_SEED = -(2**31), 2**31 - 1

MODALITIES = {"0": None, "1": "TEXT", "2": "IMAGE", "3": "AUDIO", "MODALITY_UNSPECIFIED": None}
RATIO_PREFIX = "ASPECT_RATIO_"  # of responseFormat's enum, as in ASPECT_RATIO_SIXTEEN_BY_NINE (google-genai 3.4.0)
DIGITS = {
    "ONE": "1",
    "TWO": "2",
    "THREE": "3",
    "FOUR": "4",
    "FIVE": "5",
    "EIGHT": "8",
    "NINE": "9",
    "SIXTEEN": "16",
    "TWENTY_ONE": "21",
}
SIZE_NAMES = {
    "IMAGE_SIZE_FIVE_TWELVE": "512",
    "IMAGE_SIZE_ONE_K": "1K",
    "IMAGE_SIZE_TWO_K": "2K",
    "IMAGE_SIZE_FOUR_K": "4K",
}
UNSPECIFIED = ("", "ASPECT_RATIO_UNSPECIFIED", "IMAGE_SIZE_UNSPECIFIED")


@dataclass(frozen=True)
class GeminiRequest:
    """A request of generateContent: what is asked of the model, and the names of the fields that are ignored."""

    image_request: ImageRequest
    ignored: tuple[str, ...]


def read_request(body: Mapping[str, Any], model: ServedModel) -> GeminiRequest:
    """The request in a body that has passed `check_request`.

    Raises an ApiError for what would give a wrong picture, naming the field as Google does.
    """
    fields = camel_cased(body)
    refuse_tools_and_caches(fields)
    system = read_system(fields)
    turns = [read_turn(content, place) for place, content in each(fields.get("contents"), "contents")]
    texts, pictures = current_request(turns)
    prompt = "\n\n".join(text for text in (system, "\n".join(texts)) if text)
    if not prompt.strip():
        raise ApiError(
            ErrorKind.MISSING_PARAMETER, "The server of this model needs a prompt: 'contents' has no text.", "contents"
        )
    config = message(fields.get("generationConfig"), "generation_config")
    check_modalities(config)
    shapes = list(read_shapes(config))
    image_request = ImageRequest(
        prompt=prompt,
        input_images=read_pictures(pictures),
        count=integer(config, "candidateCount", 1, MOST_PICTURES) or 1,
        aspect_ratio=read_aspect_ratio(shapes, model.upstream),
        image_size=read_image_size(shapes, model.upstream),
        seed=integer(config, "seed", LOWEST_SEED, HIGHEST_SEED),
        temperature=number(config, "temperature"),
    )
    return GeminiRequest(image_request, names_for_header(ignored_fields(fields, config, model.upstream)))


# Objects of protobuf JSON


def camel_cased(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object with its names in camelCase, as protobuf JSON accepts both, and without members that are null."""
    return {camel_case(name): inner for name, inner in value.items() if inner is not None}


def camel_case(name: str) -> str:
    """`inline_data` -> `inlineData`."""
    first, *others = name.split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


def message(value: Any, place: str) -> dict[str, Any]:
    """An object with its names in camelCase, empty if it is absent."""
    if not isinstance(value, dict | None):
        raise ApiError(ErrorKind.INVALID_TYPE, f"Invalid value at '{place}' (TYPE_MESSAGE)", place)
    return camel_cased(value or {})


def each(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of an array, or a single one instead of it, each with its place."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item is not None:
                yield f"{place}[{index}]", message(item, f"{place}[{index}]")
    elif value is not None:
        yield place, message(value, place)


def is_set(value: Any) -> bool:
    """Whether a value is other than empty, false or null."""
    return not (value is None or value is False or value in ("", [], {}))


def invalid(place: str, reason: str, kind: ErrorKind = ErrorKind.INVALID_VALUE) -> ApiError:
    return ApiError(kind, f"Invalid value at '{place}': {reason}", param=place)


# Contents


@dataclass(frozen=True)
class Picture:
    """A picture that is not read until it is needed: its place, and the object at it."""

    place: str
    fields: Mapping[str, Any]
    is_address: bool


def read_turn(content: Mapping[str, Any], place: str) -> Turn[Picture]:
    role = content.get("role") or USER
    if role not in (USER, MODEL):
        raise invalid(f"{place}.role", f"supported are '{USER}' and '{MODEL}'.")
    parts = each(content.get("parts"), f"{place}.parts")
    return Turn(tuple(one for place, part in parts for one in read_part(part, place)), role == MODEL)


def read_part(part: Mapping[str, Any], place: str) -> Iterator[str | Picture]:
    """The text or picture of a part. Thoughts of the model are not part of the conversation."""
    if part.get("thought") in (True, "true"):
        return
    for name, value in part.items():
        if name == "text":
            if value:
                yield value
        elif name in ("inlineData", "fileData"):
            inner = f"{place}.{snake_case(name)}"
            yield Picture(inner, message(value, inner), name == "fileData")
        elif name not in ("thought", "thoughtSignature", *PART_OPTIONS) and is_set(value):
            raise invalid(f"{place}.{snake_case(name)}", "the server of this model takes only texts and pictures.")


def read_system(fields: Mapping[str, Any]) -> str:
    """The text of the system instruction."""
    turn = read_turn(
        {**message(fields.get("systemInstruction"), "system_instruction"), "role": USER}, "system_instruction"
    )
    if turn.pictures:
        raise invalid(turn.pictures[0].place, "a system instruction can have texts only.")
    return "\n".join(turn.texts)


def read_pictures(pictures: list[Picture]) -> tuple[InputImage, ...]:
    if len(pictures) > MOST_IMAGES:
        raise invalid(
            "contents",
            f"the server of this model takes at most {MOST_IMAGES} pictures, and these are {len(pictures)}.",
            ErrorKind.ARRAY_TOO_LONG,
        )
    return tuple(read_picture(picture) for picture in pictures)


def read_picture(picture: Picture) -> InputImage:
    """A picture by its bytes, which show its type, or by its address."""
    declared = str(picture.fields.get("mimeType", "")).lower()
    if declared.startswith(OTHER_MEDIA) and declared != UNKNOWN_TYPE:
        raise invalid(
            f"{picture.place}.mime_type", f"the server of this model takes only pictures, not {declared[:40]}."
        )
    if picture.is_address:
        return read_address(str(picture.fields.get("fileUri", "")), f"{picture.place}.file_uri")
    return from_base64(str(picture.fields.get("data", "")), f"{picture.place}.data")


def read_address(address: str, place: str) -> InputImage:
    """A picture that the server opens itself."""
    if address.lower().startswith("gs://") or is_google_file(address):
        raise invalid(place, "only Google can open this address. Send the picture itself, or a public https address.")
    if not address.lower().startswith(("https://", "http://")):
        raise invalid(place, "an http or https address was expected.")
    return InputImage(mime_type_of_address(address), uri=address)


def is_google_file(address: str) -> bool:
    """Whether an address is one of Google's Files API."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.hostname == FILES_API_HOST and "/files/" in parts.path


# The configuration


def refuse_tools_and_caches(fields: Mapping[str, Any]) -> None:
    """Refuses tools and cached contents: they change what is drawn, and only Google has them."""
    tools = fields.get("tools")
    if any(is_set(tool) for tool in (tools if isinstance(tools, list) else [tools])):
        raise invalid("tools", "the server of this model has no tools.")
    if is_set(fields.get("cachedContent")):
        raise invalid("cached_content", "the server of this model keeps no contents.")


def modalities_of(config: Mapping[str, Any]) -> list[str]:
    """The names of the response modalities."""
    given = config.get("responseModalities")
    names = [str(one).upper() for one in (given if isinstance(given, list) else [given]) if one is not None]
    return [name for name in (MODALITIES.get(name, name) for name in names) if name]


def check_modalities(config: Mapping[str, Any]) -> None:
    modalities = modalities_of(config)
    if modalities and "IMAGE" not in modalities:
        raise invalid("generation_config.response_modalities", "this model draws: 'IMAGE' must be among them.")


def number(config: Mapping[str, Any], name: str) -> float | None:
    """A number, which protobuf JSON may write as a string."""
    value = config.get(name)
    if value is None:
        return None
    place = f"generation_config.{snake_case(name)}"
    try:
        read = float(value)
    except (ValueError, OverflowError):
        raise invalid(place, "a number was expected.") from None
    if not isfinite(read):
        raise invalid(place, "a finite number was expected.")
    return read


def integer(config: Mapping[str, Any], name: str, minimum: int, maximum: int) -> int | None:
    """A whole number within bounds, both included."""
    value = number(config, name)
    if value is None:
        return None
    place = f"generation_config.{snake_case(name)}"
    if not value.is_integer():
        raise invalid(place, "a whole number was expected.")
    if not minimum <= value <= maximum:
        kind = ErrorKind.NUMBER_TOO_SMALL if value < minimum else ErrorKind.NUMBER_TOO_LARGE
        raise invalid(place, f"a number from {minimum} to {maximum} was expected.", kind)
    return int(value)


@dataclass(frozen=True)
class Shape:
    """The object of imageConfig or responseFormat that describes the picture: where it stands, and its fields."""

    place: str  # for errors
    name: str  # for ignored names
    fields: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """The value of a field; None if it is not given or unspecified."""
        value = self.fields.get(name)
        if not isinstance(value, str | None):
            raise invalid(f"{self.place}.{snake_case(name)}", "a string was expected.", ErrorKind.INVALID_TYPE)
        return None if value is None or value.upper() in UNSPECIFIED else value


def read_shapes(config: Mapping[str, Any]) -> Iterator[Shape]:
    """The picture's shape, in imageConfig or in the newer responseFormat, which is an object or a list of them."""
    place = "generation_config.image_config"
    yield Shape(place, "generationConfig.imageConfig", message(config.get("imageConfig"), place))
    for place, one in each(config.get("responseFormat"), "generation_config.response_format"):
        place = f"{place}.image"
        yield Shape(place, "generationConfig.responseFormat.image", message(one.get("image"), place))


def read_aspect_ratio(shapes: list[Shape], model: ImageModel) -> str | None:
    for shape in shapes:
        if given := shape.text("aspectRatio"):
            return check_choice(ratio_in_digits(given), model.pixels, f"{shape.place}.aspect_ratio")
    return None


def ratio_in_digits(ratio: str) -> str:
    """`ASPECT_RATIO_SIXTEEN_BY_NINE` -> `16:9`; anything else is unchanged."""
    width, by, height = ratio.upper().removeprefix(RATIO_PREFIX).partition("_BY_")
    return f"{DIGITS[width]}:{DIGITS[height]}" if by and width in DIGITS and height in DIGITS else ratio


def read_image_size(shapes: list[Shape], model: ImageModel) -> str | None:
    """The tier; None for a model without tiers."""
    for shape in shapes:
        if model.tiers and (given := shape.text("imageSize")):
            return check_choice(SIZE_NAMES.get(given.upper(), given), model.tiers, f"{shape.place}.image_size")
    return None


# Ignored fields


def json_name(field: str) -> str:
    """A field of ImageRequest as JSON names it: `generationConfig.imageConfig.aspectRatio`."""
    return camel_case(GEMINI.name_of(field) or field)


def ignored_fields(fields: Mapping[str, Any], config: Mapping[str, Any], model: ImageModel) -> Iterator[str]:
    """The names of the fields that have no counterpart in another API."""
    yield from (name for name, value in fields.items() if name not in READ and is_set(value))
    for name, value in config.items():
        if name not in READ_CONFIG and is_set(value):
            yield f"generationConfig.{name}"
    if not {"TEXT", "IMAGE"}.issuperset(modalities_of(config)):
        yield "generationConfig.responseModalities"
    for shape in read_shapes(config):
        for name, value in shape.fields.items():
            if is_set(value) and (name not in READ_SHAPE or (name == "imageSize" and not model.tiers)):
                yield f"{shape.name}.{name}"
    for _, one in each(config.get("responseFormat"), "generation_config.response_format"):
        yield from (f"generationConfig.responseFormat.{name}" for name in one if name != "image" and is_set(one[name]))
    for _, content in each(fields.get("contents"), "contents"):
        for _, part in each(content.get("parts"), "parts"):
            yield from (f"contents.parts.{name}" for name in PART_OPTIONS if is_set(part.get(name)))
