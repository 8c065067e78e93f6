"""generateContent requests, read for a server that does not speak Google's API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import GEMINI
from compat.gemini_content.request import snake_case
from compat.ignored_names import names_for_header
from compat.image_models import ImageModel, ServedModel
from compat.images import MOST_PICTURES, ImageRequest, InputImage
from compat.input_images import MOST_IMAGES, from_base64, mime_type_of_address
from compat.sizes import known_aspect_ratio, quoted

USER, MODEL = "user", "model"
READ = ("contents", "systemInstruction", "generationConfig", "tools", "cachedContent", "model")
READ_CONFIG = (
    "candidateCount",
    "seed",
    "temperature",
    "responseModalities",
    "imageConfig",
    "responseFormat",
)
READ_SHAPE = ("aspectRatio", "imageSize")
ABOUT_A_PART = ("mediaResolution", "videoMetadata", "partMetadata")  # say nothing by themselves
NO_PICTURES = ("audio/", "video/", "text/", "application/")
UNKNOWN_TYPE = "application/octet-stream"
GOOGLES_FILES = "generativelanguage.googleapis.com"
LOWEST_SEED, HIGHEST_SEED = -(2**31), 2**31 - 1

MODALITIES = {"0": None, "1": "TEXT", "2": "IMAGE", "3": "AUDIO", "MODALITY_UNSPECIFIED": None}
RATIO_NAME = "ASPECT_RATIO_"  # of responseFormat's enum, as in ASPECT_RATIO_SIXTEEN_BY_NINE (google-genai 3.4.0)
FIGURES = {
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
    """A request of generateContent: what is asked of the model, and the wishes that are left out, by name."""

    image_request: ImageRequest
    ignored: tuple[str, ...]


def read_request(body: Mapping[str, Any], model: ServedModel) -> GeminiRequest:
    """The request that a body makes whose shape `check_request` has found right.

    Raises an ApiError for what would give a wrong picture, with the field in Google's words.
    """
    fields = named(body)
    refuse_what_only_google_has(fields)
    system = read_system(fields)
    turns = [read_turn(content, place) for place, content in each(fields.get("contents"), "contents")]
    texts, pictures = conversation(turns)
    prompt = "\n\n".join(text for text in (system, "\n".join(texts)) if text)
    if not prompt.strip():
        raise ApiError(
            ErrorKind.MISSING_PARAMETER, "The server of this model needs a prompt: 'contents' has no text.", "contents"
        )
    config = message(fields.get("generationConfig"), "generation_config")
    check_modalities(config)
    wishes = list(shape_wishes(config))
    image_request = ImageRequest(
        prompt=prompt,
        input_images=read_pictures(pictures),
        count=whole(config, "candidateCount", 1, MOST_PICTURES) or 1,
        aspect_ratio=read_aspect_ratio(wishes, model.upstream),
        image_size=read_image_size(wishes, model.upstream),
        seed=whole(config, "seed", LOWEST_SEED, HIGHEST_SEED),
        temperature=number(config, "temperature"),
    )
    return GeminiRequest(image_request, names_for_header(left_out(fields, config, model.upstream)))


# Objects of protobuf JSON


def named(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object with its names in camelCase, as protobuf JSON accepts both; what is null is absent."""
    return {camel_case(name): inner for name, inner in value.items() if inner is not None}


def camel_case(name: str) -> str:
    """`inline_data` -> `inlineData`."""
    first, *others = name.split("_")
    return first + "".join(other[:1].upper() + other[1:] for other in others)


def message(value: Any, place: str) -> dict[str, Any]:
    """An object with its names in camelCase, empty if it is absent."""
    if not isinstance(value, dict | None):
        raise ApiError(ErrorKind.INVALID_TYPE, f"Invalid value at '{place}' (TYPE_MESSAGE)", place)
    return named(value or {})


def each(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of an array, or the one that stands for it, each with its place."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            if one is not None:
                yield f"{place}[{index}]", message(one, f"{place}[{index}]")
    elif value is not None:
        yield place, message(value, place)


def is_wish(value: Any) -> bool:
    """Whether a value says anything."""
    return not (value is None or value is False or value in ("", [], {}))


def refused(place: str, why: str, kind: ErrorKind = ErrorKind.INVALID_VALUE) -> ApiError:
    return ApiError(kind, f"Invalid value at '{place}': {why}", param=place)


# Contents


@dataclass(frozen=True)
class Picture:
    """The object that tells a picture, and its place; it is read only if the picture is needed."""

    place: str
    fields: Mapping[str, Any]
    is_address: bool


@dataclass(frozen=True)
class Turn:
    """What one content says."""

    by_model: bool
    texts: list[str]
    pictures: list[Picture]


def read_turn(content: Mapping[str, Any], place: str) -> Turn:
    role = content.get("role") or USER
    if role not in (USER, MODEL):
        raise refused(f"{place}.role", f"supported are '{USER}' and '{MODEL}'.")
    turn = Turn(role == MODEL, [], [])
    for part_place, part in each(content.get("parts"), f"{place}.parts"):
        read_part(part, part_place, turn)
    return turn


def read_part(part: Mapping[str, Any], place: str, turn: Turn) -> None:
    """Adds what a part says to its turn. What the model thought on its way is no part of the conversation."""
    if part.get("thought") in (True, "true"):
        return
    for name, value in part.items():
        if name == "text":
            turn.texts.extend([value] if value else [])
        elif name in ("inlineData", "fileData"):
            inner = f"{place}.{snake_case(name)}"
            turn.pictures.append(Picture(inner, message(value, inner), name == "fileData"))
        elif name not in ("thought", "thoughtSignature", *ABOUT_A_PART) and is_wish(value):
            raise refused(
                f"{place}.{snake_case(name)}", "the server of this model takes texts and pictures, and nothing else."
            )


def read_system(fields: Mapping[str, Any]) -> str:
    """The text of the system instruction."""
    turn = Turn(False, [], [])
    for place, part in each(
        message(fields.get("systemInstruction"), "system_instruction").get("parts"), "system_instruction.parts"
    ):
        read_part(part, place, turn)
    if turn.pictures:
        raise refused(turn.pictures[0].place, "a system instruction can have texts only.")
    return "\n".join(turn.texts)


def conversation(turns: list[Turn]) -> tuple[list[str], list[Picture]]:
    """The texts and pictures that say in one request what a conversation has come to.

    Where the model has drawn, its last pictures are what is edited, and what was said after them is what is asked;
    what the user showed before comes last. Otherwise it is all that was said, and all that the user showed.
    """
    drawn = [index for index, turn in enumerate(turns) if turn.by_model and turn.pictures]
    if not drawn:
        return texts_of(turns), pictures_of(turns)
    last = drawn[-1]
    users = [turn for turn in turns[:last] if not turn.by_model]
    return texts_of(turns[last + 1 :]), pictures_of([*turns[last:], *users])


def texts_of(turns: list[Turn]) -> list[str]:
    return [text for turn in turns for text in turn.texts]


def pictures_of(turns: list[Turn]) -> list[Picture]:
    return [picture for turn in turns for picture in turn.pictures]


def read_pictures(pictures: list[Picture]) -> tuple[InputImage, ...]:
    if len(pictures) > MOST_IMAGES:
        raise refused(
            "contents",
            f"the server of this model takes {MOST_IMAGES} pictures, and these are {len(pictures)}.",
            ErrorKind.ARRAY_TOO_LONG,
        )
    return tuple(read_picture(picture) for picture in pictures)


def read_picture(picture: Picture) -> InputImage:
    """A picture by its bytes, whose type is read from them, or by its address."""
    told = str(picture.fields.get("mimeType", "")).lower()
    if told.startswith(NO_PICTURES) and told != UNKNOWN_TYPE:
        raise refused(f"{picture.place}.mime_type", f"the server of this model takes pictures only, not {told[:40]}.")
    if picture.is_address:
        return read_address(str(picture.fields.get("fileUri", "")), f"{picture.place}.file_uri")
    return from_base64(str(picture.fields.get("data", "")), f"{picture.place}.data")


def read_address(address: str, place: str) -> InputImage:
    """A picture that its server opens itself: not one that only Google can open."""
    if address.startswith("gs://") or is_googles(address):
        raise refused(place, "only Google can open this address. Send the picture itself, or a public https address.")
    if not address.startswith(("https://", "http://")):
        raise refused(place, "an http or https address was expected.")
    return InputImage(mime_type_of_address(address), uri=address)


def is_googles(address: str) -> bool:
    """Whether an address is one of Google's Files API."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.hostname == GOOGLES_FILES and "/files/" in parts.path


# The configuration


def refuse_what_only_google_has(fields: Mapping[str, Any]) -> None:
    """Tools and cached contents change what is drawn, and no other server has them."""
    tools = fields.get("tools")
    if any(is_wish(tool) for tool in (tools if isinstance(tools, list) else [tools])):
        raise refused("tools", "the server of this model has no tools.")
    if is_wish(fields.get("cachedContent")):
        raise refused("cached_content", "the server of this model keeps no contents.")


def modalities_of(config: Mapping[str, Any]) -> list[str]:
    """The names of the modalities that are asked for."""
    told = config.get("responseModalities")
    names = [str(one).upper() for one in (told if isinstance(told, list) else [told]) if one is not None]
    return [name for name in (MODALITIES.get(name, name) for name in names) if name]


def check_modalities(config: Mapping[str, Any]) -> None:
    modalities = modalities_of(config)
    if modalities and "IMAGE" not in modalities:
        raise refused("generation_config.response_modalities", "this model draws: 'IMAGE' must be among them.")


def number(config: Mapping[str, Any], name: str) -> float | None:
    """A number, which protobuf JSON may tell as a string."""
    value = config.get(name)
    if value is None:
        return None
    place = f"generation_config.{snake_case(name)}"
    try:
        read = float(value)
    except (ValueError, OverflowError):
        raise refused(place, "a number was expected.") from None
    if not isfinite(read):
        raise refused(place, "a finite number was expected.")
    return read


def whole(config: Mapping[str, Any], name: str, lowest: int, highest: int) -> int | None:
    """A whole number within bounds, both included."""
    value = number(config, name)
    if value is None:
        return None
    place = f"generation_config.{snake_case(name)}"
    if not value.is_integer():
        raise refused(place, "a whole number was expected.")
    if not lowest <= value <= highest:
        kind = ErrorKind.NUMBER_TOO_SMALL if value < lowest else ErrorKind.NUMBER_TOO_LARGE
        raise refused(place, f"a number from {lowest} to {highest} was expected.", kind)
    return int(value)


@dataclass(frozen=True)
class ShapeWish:
    """What imageConfig or responseFormat says of the picture, and its place in Google's words and in camelCase."""

    place: str
    name: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """The value of one field, None if it says nothing."""
        value = self.fields.get(name)
        if not isinstance(value, str | None):
            raise refused(f"{self.place}.{snake_case(name)}", "a string was expected.", ErrorKind.INVALID_TYPE)
        return None if value is None or value.upper() in UNSPECIFIED else value


def shape_wishes(config: Mapping[str, Any]) -> Iterator[ShapeWish]:
    """What is said of the picture's shape, in imageConfig or in the newer responseFormat: an object or a list."""
    place = "generation_config.image_config"
    yield ShapeWish(place, "generationConfig.imageConfig", message(config.get("imageConfig"), place))
    for place, one in each(config.get("responseFormat"), "generation_config.response_format"):
        place = f"{place}.image"
        yield ShapeWish(place, "generationConfig.responseFormat.image", message(one.get("image"), place))


def read_aspect_ratio(wishes: list[ShapeWish], model: ImageModel) -> str | None:
    for wish in wishes:
        if ratio := wish.text("aspectRatio"):
            return known_aspect_ratio(ratio_in_figures(ratio), model, param=f"{wish.place}.aspect_ratio")
    return None


def ratio_in_figures(ratio: str) -> str:
    """`ASPECT_RATIO_SIXTEEN_BY_NINE` -> `16:9`; what is no such name stays as it is."""
    width, by, height = ratio.upper().removeprefix(RATIO_NAME).partition("_BY_")
    return f"{FIGURES[width]}:{FIGURES[height]}" if by and width in FIGURES and height in FIGURES else ratio


def read_image_size(wishes: list[ShapeWish], model: ImageModel) -> str | None:
    """The tier that is asked for; None for a model without tiers."""
    for wish in wishes:
        if model.tiers and (told := wish.text("imageSize")):
            size = SIZE_NAMES.get(told.upper(), told)
            if size not in model.tiers:
                raise refused(
                    f"{wish.place}.image_size", f"'{size[:40]}'. Supported values are: {quoted(model.tiers)}."
                )
            return size
    return None


# Wishes that are left out


def json_name(field: str) -> str:
    """A field of ImageRequest as JSON names it: `generationConfig.imageConfig.aspectRatio`."""
    return camel_case(GEMINI.name_of(field) or field)


def left_out(fields: Mapping[str, Any], config: Mapping[str, Any], model: ImageModel) -> Iterator[str]:
    """The names of the wishes that a server without Google's API cannot be told."""
    yield from (name for name, value in fields.items() if name not in READ and is_wish(value))
    for name, value in config.items():
        if name not in READ_CONFIG and is_wish(value):
            yield f"generationConfig.{name}"
    if not {"TEXT", "IMAGE"}.issuperset(modalities_of(config)):
        yield "generationConfig.responseModalities"
    for wish in shape_wishes(config):
        for name, value in wish.fields.items():
            if is_wish(value) and (name not in READ_SHAPE or (name == "imageSize" and not model.tiers)):
                yield f"{wish.name}.{name}"
    for _, one in each(config.get("responseFormat"), "generation_config.response_format"):
        yield from (f"generationConfig.responseFormat.{name}" for name in one if name != "image" and is_wish(one[name]))
    for _, content in each(fields.get("contents"), "contents"):
        for _, part in each(content.get("parts"), "parts"):
            yield from (f"contents.parts.{name}" for name in ABOUT_A_PART if is_wish(part.get(name)))
