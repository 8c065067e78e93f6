"""generateContent requests: what Google accepts, and those that we send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from compat.errors import ApiError, ErrorKind
from compat.images import ImageRequest, InputImage
from compat.json_text import dicts, dumps
from compat.validation import Array, JsonField, LenientSchema, Object, Problem, instance_for, invalid, problems

MASK_INSTRUCTION = (
    "The last image is a mask for the first one: change the first image only where the mask is transparent, and keep "
    "everything else exactly as it is."
)

# In place of a thought signature that nobody has kept, as Google documents it (thought signatures, FAQ). Gemini 3
# refuses text of the model's without one (googleapis/js-genai#1116).
NO_SIGNATURE = "skip_thought_signature_validator"

NO_DATA = b'"data":""'  # the base64 of a picture goes between the last two quotes
MOST_ITEMS = 10_000  # of an array, and parts of all contents: checking more would block the worker
ASPECT_RATIO = re.compile(r"\d{1,4}:\d{1,4}", re.ASCII)  # one that can be reported in a header


class ProtoValue(JsonField):
    """A scalar of protobuf JSON: any value of these JSON types."""

    def __init__(self, type_name: str, *types: type, **options: Any):
        super().__init__(**options)
        self.type_name = type_name
        self.types = types

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            raise invalid(ErrorKind.INVALID_TYPE, f"Invalid value at '{{param}}' ({self.type_name})")
        return value


def string() -> ProtoValue:
    """A string, or bytes as base64 in either alphabet, which Google checks."""
    return ProtoValue("TYPE_STRING", str)


def number() -> ProtoValue:
    """A number; protobuf JSON accepts a string as well."""
    return ProtoValue("TYPE_NUMBER", int, float, str)


def flag() -> ProtoValue:
    return ProtoValue("TYPE_BOOL", bool, str)


def enum() -> ProtoValue:
    """An enum's value by name or by number: google-generativeai 0.8 sends numbers."""
    return ProtoValue("TYPE_ENUM", str, int)


def message(**members: JsonField) -> Object:
    """An object; protobuf JSON accepts both the camelCase and the snake_case name of each member."""
    return ProtoMessage({name: field for camel, field in members.items() for name in {camel, snake_case(camel)}})


class ProtoMessage(Object):
    """An object, with Google's message for anything else."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid(ErrorKind.INVALID_TYPE, "Invalid value at '{param}' (TYPE_MESSAGE)")
        return super()._deserialize(value, attr, data, **options)


def repeated(item: JsonField) -> Array:
    """An array, or one item instead of it."""
    return Array(item, or_single=True, max_length=MOST_ITEMS)


def snake_case(name: str) -> str:
    """`inlineData` -> `inline_data`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


PART = message(
    text=string(),
    inlineData=message(mimeType=string(), data=string()),
    fileData=message(mimeType=string(), fileUri=string()),
    thought=flag(),
    thoughtSignature=string(),
)
CONTENT = message(role=string(), parts=repeated(PART))
IMAGE_CONFIG = message(aspectRatio=string(), imageSize=string())
GENERATION_CONFIG = message(
    candidateCount=number(),
    maxOutputTokens=number(),
    temperature=number(),
    topP=number(),
    topK=number(),
    seed=number(),
    stopSequences=repeated(string()),
    responseModalities=repeated(enum()),
    imageConfig=IMAGE_CONFIG,
)
SAFETY_SETTING = message(category=enum(), threshold=enum())
REQUEST_FIELDS: dict[str, JsonField] = message(
    systemInstruction=CONTENT,
    safetySettings=repeated(SAFETY_SETTING),
    generationConfig=GENERATION_CONFIG,
    tools=repeated(message()),
    toolConfig=message(),
    cachedContent=string(),
).members  # type: ignore[assignment]

CONTENTS_MISSING = Problem(ErrorKind.MISSING_PARAMETER, "* GenerateContentRequest.contents: contents is not specified")


class OptionalContents(Array):
    """One content or several, whose parts are counted before any of them is checked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CONTENT, or_single=True, max_length=MOST_ITEMS, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        parts = number_of_parts(value)
        if parts > MOST_ITEMS:
            raise invalid(
                ErrorKind.ARRAY_TOO_LONG,
                f"Invalid '{{param}}': at most {MOST_ITEMS} parts are accepted in all, and there are {parts}.",
            )
        return super()._deserialize(value, attr, data, **options)


class Contents(OptionalContents):
    """At least one content."""

    default_error_messages = {"required": CONTENTS_MISSING, "null": CONTENTS_MISSING}

    def __init__(self) -> None:
        super().__init__(required=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if value == []:
            raise ValidationError(CONTENTS_MISSING)
        return super()._deserialize(value, attr, data, **options)


def number_of_parts(contents: Any) -> int:
    """How many parts all contents have together. Contents may be any JSON value."""
    return sum(len(parts) for content in dicts(contents) if isinstance(parts := content.get("parts"), list))


GenerateContentSchema = LenientSchema.from_dict(
    {"contents": Contents(), **REQUEST_FIELDS}, name="GenerateContentSchema"
)
CountTokensSchema = LenientSchema.from_dict(
    {
        "contents": OptionalContents(),
        "generateContentRequest": message(contents=OptionalContents()),
        "generate_content_request": message(contents=OptionalContents()),
    },
    name="CountTokensSchema",
)
SCHEMAS: Mapping[str, type[Schema]] = {
    "generateContent": GenerateContentSchema,
    "streamGenerateContent": GenerateContentSchema,
    "countTokens": CountTokensSchema,
}


def check_request(method: str, body: Any) -> None:
    """Checks JSON types, and that there are contents, as Google does. Unknown fields are for Google to judge.

    Raises an ApiError whose `violations` are all problems, each with the path of its field in snake_case, as in
    Google's errors.
    """
    if not isinstance(body, dict):
        raise ApiError(ErrorKind.INVALID_TYPE, "Invalid JSON payload received. The request must be an object.")
    messages = instance_for(SCHEMAS[method], body).validate(body)
    if messages:
        found = tuple(
            (snake_case(path), text.replace("{param}", snake_case(path)))
            for path, text in problems(ValidationError(messages))
        )
        raise ApiError(ErrorKind.INVALID_ARGUMENT, "\n".join(text for _, text in found), violations=found)


def build_request(image_request: ImageRequest) -> dict[str, Any]:
    """The generateContent body for one picture, with `gemini` of the request merged in, which takes precedence.

    The base64 of input pictures is in it as bytes.
    """
    generation_config: dict[str, Any] = {"responseModalities": list(image_request.modalities)}
    image_config = {
        name: value
        for name, value in (("aspectRatio", image_request.aspect_ratio), ("imageSize", image_request.image_size))
        if value is not None
    }
    if image_config:
        generation_config["imageConfig"] = image_config
    for name in ("seed", "temperature"):
        if (value := getattr(image_request, name)) is not None:
            generation_config[name] = value
    body: dict[str, Any] = {"contents": list(build_contents(image_request)), "generationConfig": generation_config}
    if image_request.system:
        body["systemInstruction"] = {"parts": [{"text": image_request.system}]}
    return merge(body, in_their_places(image_request.gemini))


def write_request(image_request: ImageRequest) -> tuple[bytes, ...]:
    """The same as JSON, in pieces. The base64 of a picture is a piece of its own: it is neither escaped nor copied."""
    body = build_request(image_request)
    parts = [part for content in body["contents"] for part in content["parts"]]
    pictures = [take_data(part["inlineData"]) for part in parts if "inlineData" in part]
    # `contents` come first, and a quote within a text is written as \": so these places are the pictures'.
    first, *others = dumps(body).split(NO_DATA, len(pictures))
    pieces = [first]
    for picture, after in zip(pictures, others, strict=True):
        pieces[-1] += NO_DATA[:-1]
        pieces += picture, NO_DATA[-1:] + after
    return tuple(pieces)


def take_data(inline_data: dict[str, Any]) -> bytes:
    """The base64 of a picture, which becomes empty."""
    data: bytes = inline_data["data"]
    inline_data["data"] = ""
    return data


def sent_aspect_ratio(image_request: ImageRequest) -> str | None:
    """The aspect ratio that the model is asked for: that of `gemini`, which is sent verbatim, or the request's."""
    config = in_their_places(image_request.gemini).get("generationConfig")
    inner = config.get("imageConfig") if isinstance(config, Mapping) else None
    ratio = inner.get("aspectRatio") if isinstance(inner, Mapping) else None
    return ratio if isinstance(ratio, str) and ASPECT_RATIO.fullmatch(ratio) else image_request.aspect_ratio


def build_contents(image_request: ImageRequest) -> Iterator[dict[str, Any]]:
    """The turns of a conversation, or one for a request that is none.

    What the model drew goes up in the user's next turn: Gemini 3 refuses a picture of the model's without its
    signature. It comes after the user's own pictures there, for Gemini 2.5 draws in the shape of the last picture.
    """
    if not image_request.turns:
        yield {"role": "user", "parts": list(build_parts(image_request))}
    drawn: list[str | InputImage] = []
    for turn in image_request.turns:
        if turn.by_model:
            drawn += turn.pictures
            if turn.texts:
                parts = [{"text": text, "thoughtSignature": NO_SIGNATURE} for text in turn.texts]
                yield {"role": "model", "parts": parts}
        else:
            pictures = [place for place, part in enumerate(turn.parts, 1) if isinstance(part, InputImage)]
            last = pictures[-1] if pictures else 0
            yield {"role": "user", "parts": list(map(build_part, [*turn.parts[:last], *drawn, *turn.parts[last:]]))}
            drawn = []
    if drawn:
        yield {"role": "user", "parts": list(map(build_part, drawn))}


def build_part(part: str | InputImage) -> dict[str, Any]:
    return {"text": part} if isinstance(part, str) else build_image_part(part)


def build_parts(image_request: ImageRequest) -> Iterator[dict[str, Any]]:
    for image in image_request.input_images:
        yield build_image_part(image)
    if image_request.mask:
        yield build_image_part(image_request.mask)
        yield {"text": f"{image_request.prompt}\n\n{MASK_INSTRUCTION}"}
    else:
        yield {"text": image_request.prompt}


def build_image_part(image: InputImage) -> dict[str, Any]:
    if image.uri is not None:
        return {"fileData": {"mimeType": image.mime_type, "fileUri": image.uri}}
    return {"inlineData": {"mimeType": image.mime_type, "data": image.data}}


# The objects that we write ourselves, and their members: in snake_case they would be added beside ours.
OUR_NAMES = {
    "system_instruction": "systemInstruction",
    "generation_config": "generationConfig",
    "response_modalities": "responseModalities",
    "image_config": "imageConfig",
    "aspect_ratio": "aspectRatio",
    "image_size": "imageSize",
}
OUR_OBJECTS = ("generationConfig", "imageConfig")


def camel_cased(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same body with the names that we write ourselves in camelCase, without members that are null."""
    cased = {OUR_NAMES.get(name, name): value for name, value in body.items() if value is not None}
    for name in OUR_OBJECTS:
        if isinstance(value := cased.get(name), Mapping):
            cased[name] = camel_cased(value)
    return cased


# Members of generationConfig, which callers put beside it too.
CONFIG_MEMBERS = frozenset({*GENERATION_CONFIG.members, "thinkingConfig", "thinking_config"})


def in_their_places(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same body in camelCase, with members of generationConfig that stand beside it moved into it."""
    cased = camel_cased(body)
    moved = {name: cased.pop(name) for name in list(cased) if name in CONFIG_MEMBERS}
    config = cased.get("generationConfig")
    if moved and isinstance(config, Mapping | None):
        cased["generationConfig"] = merge(camel_cased(moved), config or {})
    return cased


def merge(body: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with all members of `other`; objects that both have are merged in turn."""
    for name, value in other.items():
        mine = body.get(name)
        body[name] = merge(mine, value) if isinstance(mine, dict) and isinstance(value, Mapping) else value
    return body
