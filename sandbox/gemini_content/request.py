"""Reads generateContent and countTokens bodies: either casing, either base64 alphabet, Google's error messages."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.gemini_content import errors
from sandbox.gemini_content.image_models import SCALES, ImageModel

PROTO = "type.googleapis.com/google.ai.generativelanguage"
PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
MODALITIES: Mapping[Any, str] = {"TEXT": "TEXT", "IMAGE": "IMAGE", "AUDIO": "AUDIO", 1: "TEXT", 2: "IMAGE", 3: "AUDIO"}
SAMPLING = ("seed", "temperature", "topP", "topK")
_URL_SAFE_TO_STANDARD = str.maketrans("-_", "+/")
_CAMEL_HUMP = re.compile(r"(?<!^)([A-Z])")


@dataclass(frozen=True)
class Message:
    """One proto message: its fields by JSON name, and whether a field repeats. `None` stands for any value."""

    name: str
    fields: Mapping[str, Message | None]
    repeated: frozenset[str] = frozenset()


def _any(*names: str) -> dict[str, Message | None]:
    return dict.fromkeys(names)


_PART = Message(
    "Part",
    {
        **_any(
            "text",
            "functionCall",
            "functionResponse",
            "executableCode",
            "codeExecutionResult",
            "thought",
            "thoughtSignature",
            "videoMetadata",
            "partMetadata",
            "mediaResolution",
        ),
        "inlineData": Message("Blob", _any("mimeType", "data", "displayName")),
        "fileData": Message("FileData", _any("mimeType", "fileUri", "displayName")),
    },
)
_CONTENT = Message("Content", {"role": None, "parts": _PART}, frozenset({"parts"}))
_IMAGE_CONFIG = Message("ImageConfig", _any("aspectRatio", "imageSize"))
_GENERATION_CONFIG = Message(
    "GenerationConfig",
    {
        **_any(
            "candidateCount",
            "stopSequences",
            "maxOutputTokens",
            "temperature",
            "topP",
            "topK",
            "seed",
            "responseMimeType",
            "responseSchema",
            "responseJsonSchema",
            "presencePenalty",
            "frequencyPenalty",
            "responseLogprobs",
            "logprobs",
            "enableEnhancedCivicAnswers",
            "responseModalities",
            "speechConfig",
            "thinkingConfig",
            "mediaResolution",
        ),
        "imageConfig": _IMAGE_CONFIG,
        "responseFormat": Message("ResponseFormat", {**_any("text", "audio"), "image": _IMAGE_CONFIG}),
    },
    frozenset({"responseFormat"}),
)
_GENERATE = Message(
    "GenerateContentRequest",
    {
        **_any("model", "tools", "toolConfig", "safetySettings", "cachedContent"),
        **_any("serviceTier", "continuationToken", "store"),
        "contents": _CONTENT,
        "systemInstruction": _CONTENT,
        "generationConfig": _GENERATION_CONFIG,
    },
    frozenset({"contents"}),
)
_COUNT = Message(
    "CountTokensRequest",
    {"model": None, "contents": _CONTENT, "generateContentRequest": _GENERATE},
    frozenset({"contents"}),
)


@dataclass(frozen=True)
class InputPicture:
    """A picture in a request: its bytes, or its address."""

    mime_type: str
    data: bytes = b""
    uri: str = ""


@dataclass(frozen=True)
class GenerateRequest:
    """What a call asks for."""

    prompt: str  # the text of the last turn
    texts: tuple[str, ...]  # every text, the system instruction's too
    pictures: tuple[InputPicture, ...]  # every picture, in order
    pictures_to_change: tuple[InputPicture, ...]  # those of the last turn, or else the latest one
    modalities: frozenset[str] = frozenset({"TEXT", "IMAGE"})
    aspect_ratio: str | None = None
    image_size: str = "1K"
    include_thoughts: bool = False
    seed: int | None = None


@dataclass
class _Reader:
    """Reads JSON as proto messages and collects what is wrong with it."""

    version: str
    violations: list[tuple[str, str]] = field(default_factory=list)

    def message(self, value: Any, message: Message, path: str) -> dict[str, Any]:
        """A JSON object under its camelCase names; null fields are absent."""
        if not isinstance(value, dict):
            self.wrong(path, f"{PROTO}.{self.version}.{message.name}", value)
            return {}
        known: dict[str, Any] = {}
        for given, item in value.items():
            name = camel_case(given)
            if name not in message.fields:
                self.unknown(given, path)
            elif item is not None:
                known[name] = self.field(item, message, name, path)
        return known

    def field(self, item: Any, message: Message, name: str, path: str) -> Any:
        inner = message.fields[name]
        below = f"{path}.{snake_case(name)}" if path else snake_case(name)
        if inner is None:
            return item
        if name not in message.repeated:
            return self.message(item, inner, below)
        items = item if isinstance(item, list) else [item]
        one = not isinstance(item, list)
        return [self.message(each, inner, below if one else f"{below}[{i}]") for i, each in enumerate(items)]

    def unknown(self, name: str, path: str) -> None:
        at = f" at '{path}'" if path else ""
        self.violations.append((path, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'))

    def wrong(self, path: str, kind: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False)[:200]
        self.violations.append((path, f"Invalid value at '{path or 'body'}' ({kind}), {text}"))


def camel_case(name: str) -> str:
    """A field's JSON name, whichever of its two spellings is given."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def snake_case(name: str) -> str:
    """A field's proto name, as Google's error messages spell it."""
    return _CAMEL_HUMP.sub(r"_\1", name).lower()


def parse_json(body: bytes) -> Any:
    """The body's JSON. Raises GoogleError if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        line = body[:40].decode("utf-8", "replace").split("\n")[0]
        raise errors.field_violations(
            [("", f"Invalid JSON payload received. Unable to parse the request.\n{line}\n^")]
        ) from None


def parse_generate(body: bytes, model: ImageModel, version: str) -> GenerateRequest:
    """A generateContent body; raises GoogleError where Google would refuse it."""
    return _generate_request(parse_json(body), model, version)


def parse_count(body: bytes, model: ImageModel, version: str) -> GenerateRequest:
    """A countTokens body: contents of its own, or a whole generateContent request."""
    value = parse_json(body)
    reader = _Reader(version)
    read = reader.message(value, _COUNT, "")
    if reader.violations:
        raise errors.field_violations(reader.violations)
    if "generateContentRequest" in read:
        return _generate_request(next(v for k, v in value.items() if camel_case(k) != "model"), model, version)
    return _generate_request({"contents": read.get("contents")}, model, version)


def _generate_request(value: Any, model: ImageModel, version: str) -> GenerateRequest:
    reader = _Reader(version)
    read = reader.message(value, _GENERATE, "")
    config = read.get("generationConfig", {})
    modalities = frozenset(_modalities(config, reader))
    if reader.violations:
        raise errors.field_violations(reader.violations)
    contents = read.get("contents") or []
    _check_contents(contents)
    _check_config(config, model)
    turns = [(_texts(content), list(_pictures(content, f"contents[{i}]"))) for i, content in enumerate(contents)]
    system = read.get("systemInstruction", {})
    pictures = tuple(picture for _, found in turns for picture in found)
    prompt = "\n".join(turns[-1][0])
    image = _image_config(config)
    thinking = {camel_case(key): item for key, item in (config.get("thinkingConfig") or {}).items()}
    return GenerateRequest(
        prompt=prompt,
        texts=tuple(_texts(system)) + tuple(text for texts, _ in turns for text in texts),
        pictures=pictures,
        pictures_to_change=tuple(turns[-1][1]) or pictures[-1:],
        modalities=modalities or frozenset({"TEXT", "IMAGE"}),
        aspect_ratio=_aspect_ratio(image, model),
        image_size=_image_size(image, model),
        include_thoughts=bool(thinking.get("includeThoughts")),
        seed=config.get("seed") if isinstance(config.get("seed"), int) else None,
    )


def _check_contents(contents: list[dict[str, Any]]) -> None:
    if not contents:
        raise errors.invalid_argument("* GenerateContentRequest.contents: contents is not specified\n")
    for i, content in enumerate(contents):
        where = f"* GenerateContentRequest.contents[{i}].parts"
        if content.get("role", "user") not in ("user", "model", "function", ""):
            raise errors.invalid_argument("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise errors.invalid_argument(f"{where}: contents.parts must not be empty.\n")
        for j, part in enumerate(content["parts"]):
            if not set(part) - {"thought", "thoughtSignature", "videoMetadata", "partMetadata", "mediaResolution"}:
                raise errors.invalid_argument(
                    f"{where}[{j}].data: required oneof field 'data' must have one initialized field\n"
                )


def _check_config(config: Mapping[str, Any], model: ImageModel) -> None:
    count = config.get("candidateCount")
    if isinstance(count, int) and count > 1:
        raise errors.invalid_argument("Multiple candidates is not enabled for this model")
    refused = [name for name in SAMPLING if config.get(name) is not None]
    if refused and not model.samples:
        raise errors.invalid_argument(f"{', '.join(refused)}: not supported by {model.name}.")
    temperature = config.get("temperature")
    if isinstance(temperature, (int, float)) and not 0 <= temperature <= 2:
        raise errors.invalid_argument(
            f"* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n"
            f"{model.name} was asked for {temperature:g}"
        )


def _modalities(config: Mapping[str, Any], reader: _Reader) -> Iterator[str]:
    given = config.get("responseModalities") or []
    for i, item in enumerate(given if isinstance(given, list) else [given]):
        known = (
            MODALITIES.get(item.upper() if isinstance(item, str) else item) if isinstance(item, (str, int)) else None
        )
        if known:
            yield known
        else:
            kind = f"{PROTO}.{reader.version}.GenerationConfig.Modality"
            reader.wrong(f"generation_config.response_modalities[{i}]", kind, item)


def _image_config(config: Mapping[str, Any]) -> dict[str, Any]:
    image: dict[str, Any] = {}
    for form in config.get("responseFormat") or []:
        image.update(form.get("image") or {})
    return {**image, **(config.get("imageConfig") or {})}


def _aspect_ratio(image: Mapping[str, Any], model: ImageModel) -> str | None:
    ratio = image.get("aspectRatio")
    if not ratio:
        return None
    if not isinstance(ratio, str) or ratio not in model.ratios:
        known = ", ".join(f"'{name}'" for name in model.ratios)
        raise errors.invalid_argument(
            f"Invalid value for aspect_ratio: '{ratio}'. The aspect ratio must be one of {known}."
        )
    return ratio


def _image_size(image: Mapping[str, Any], model: ImageModel) -> str:
    size = image.get("imageSize") or "1K"
    if not isinstance(size, str) or size not in SCALES:
        known = ", ".join(f"'{name}'" for name in SCALES)
        raise errors.invalid_argument(f"Invalid value for image_size: '{size}'. The image size must be one of {known}.")
    return size if size in model.tokens_per_picture else "1K"


def _texts(content: Mapping[str, Any]) -> list[str]:
    return [part["text"] for part in content.get("parts", []) if isinstance(part.get("text"), str)]


def _pictures(content: Mapping[str, Any], path: str) -> Iterator[InputPicture]:
    for i, part in enumerate(content["parts"]):
        if "inlineData" in part:
            yield _inline_picture(part["inlineData"], f"{path}.parts[{i}].inline_data")
        elif "fileData" in part:
            blob = part["fileData"]
            yield InputPicture(str(blob.get("mimeType") or "image/jpeg"), uri=str(blob.get("fileUri", "")))


def _inline_picture(blob: Mapping[str, Any], path: str) -> InputPicture:
    mime_type = str(blob.get("mimeType", ""))
    if mime_type not in PICTURE_TYPES:
        raise errors.invalid_argument(f"Unsupported MIME type: {mime_type}")
    text = blob.get("data")
    try:
        if not isinstance(text, str) or not text:
            raise ValueError("no data")
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        return InputPicture(mime_type, base64.b64decode(padded.translate(_URL_SAFE_TO_STANDARD), validate=True))
    except (ValueError, binascii.Error):
        beginning = str(text or "")[:60]
        field = f"{path}.data"
        description = f"Invalid value at '{field}' (TYPE_BYTES), Base64 decoding failed for \"{beginning}\""
        raise errors.field_violations([(field, description)]) from None
