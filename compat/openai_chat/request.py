"""Requests of chat completions that draw, read into an ImageRequest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from compat.conversation import Turn, current_request, pictures_of, texts_of
from compat.errors import ApiError, ErrorKind
from compat.ignored_names import names_for_header
from compat.image_models import ModelCatalogue, ServedModel
from compat.images import ImageRequest, InputImage, OutputOptions
from compat.input_images import MOST_IMAGES
from compat.openai_chat.messages import Conversation, Messages, Picture, StoredPictures, read_messages
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
from compat.validation import (
    Array,
    Boolean,
    Choice,
    JsonField,
    LenientSchema,
    Object,
    String,
    instance_of,
    invalid,
)

IMAGE_OUTPUTS = ("images", "markdown")
MODALITIES = ("text", "image")
SHAPE = ("aspect_ratio", "image_size")
IMAGE_SIZES = {"0.5K": "512"}  # OpenRouter's name of a tier, and ours
# What goes to a server of the Images API as it is; of our fields, those that this API has as well.
OF_THE_IMAGES_API = (
    *("background", "quality", "style", "moderation", "input_fidelity", "user", "safety_identifier"),
    *("output_format", "output_compression"),
)
DEFAULTS = {"top_p": 1, "response_format": {"type": "text"}, "parallel_tool_calls": True}  # of what is ignored


class Modality(JsonField):
    """TEXT or IMAGE, in any case."""

    one = Choice(*MODALITIES, required=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        return str(self.one.deserialize(value.lower() if isinstance(value, str) else value)).upper()


class ToolChoice(JsonField):
    """Which tools are called: the model has none, so that a call cannot be demanded."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if value not in ("auto", "none"):
            raise invalid(ErrorKind.INVALID_VALUE, "Invalid '{param}': this model draws, and calls no tools.")
        return str(value)


ChatSchema = LenientSchema.from_dict(
    {
        "messages": Messages(),
        "modalities": Array(Modality(required=True)),
        "image_config": Object({"aspect_ratio": String(), "image_size": String()}),
        "image_output": Choice(*IMAGE_OUTPUTS),
        "stream_options": Object({"include_usage": Boolean()}),
        "tool_choice": ToolChoice(),
        "function_call": ToolChoice(),
        **FIELDS,
    },
    name="ChatSchema",
)


@dataclass(frozen=True)
class ChatRequest:
    """A request of chat completions: what is asked of the model, and how it is answered."""

    image_request: ImageRequest
    model: ServedModel
    output: OutputOptions
    image_output: str | None = None  # images or markdown; None: as the service is set up
    stream: bool = False
    include_usage: bool = False  # whether a stream ends with the usage
    ignored: tuple[str, ...] = ()  # fields that cannot be met, by name
    drawn_by: Callable[[ServedModel], ChatRequest] = field(compare=False, repr=False, kw_only=True)  # another model


def parse_chat(body: Any, catalogue: ModelCatalogue, stored: StoredPictures) -> ChatRequest:
    """A chat from its JSON body; `stored` are the pictures of our own store, which messages have by URL.

    Raises an ApiError that names the field at fault, such as `messages[2].content[1].image_url.url`.
    """
    checked = check(ChatSchema, body)
    model = catalogue.resolve(checked.get("model"))
    conversation = read_messages(checked["messages"], stored)
    return read_for(checked, conversation, take_shape(checked), stored, model)


def read_for(
    checked: Mapping[str, Any],
    conversation: Conversation,
    names: Mapping[str, str],
    stored: StoredPictures,
    model: ServedModel,
) -> ChatRequest:
    """The request of validated fields and messages for a model. `names` are those of the shape."""
    output = read_output(checked)
    aspect_ratio = read_aspect_ratio(checked, model, names["aspect_ratio"])
    image_request = ImageRequest(
        **read_conversation(conversation, model, stored),
        count=checked.get("n", 1),
        aspect_ratio=aspect_ratio,
        image_size=read_image_size(checked, model, aspect_ratio, names["image_size"]),
        seed=checked.get("seed"),
        temperature=checked.get("temperature"),
        gemini=read_google(checked, "'messages'"),
        openai={name: checked[name] for name in OF_THE_IMAGES_API if model.upstream.openai and name in checked},
        modalities=read_modalities(checked, model),
    )
    return ChatRequest(
        image_request,
        model,
        output,
        image_output=checked.get("image_output"),
        stream=checked.get("stream", False),
        include_usage=wants_usage(checked),
        ignored=names_for_header([*ignored_names(checked, names, model), *conversation.ignored]),
        drawn_by=partial(read_for, checked, conversation, names, stored),
    )


def take_shape(checked: dict[str, Any]) -> dict[str, str]:
    """Moves `aspect_ratio` and `image_size` up from `image_config`; those at the top win.

    Returns the names that the caller has for the two.
    """
    config = checked.get("image_config", {})
    names = {name: name if name in checked else f"image_config.{name}" for name in SHAPE}
    checked |= {name: config[name] for name in SHAPE if name not in checked and config.get(name)}
    if "image_size" in checked:
        checked["image_size"] = IMAGE_SIZES.get(checked["image_size"], checked["image_size"])
    return names


def read_modalities(checked: Mapping[str, Any], model: ServedModel) -> tuple[str, ...]:
    """What is asked for: words and pictures, unless the caller says otherwise."""
    modalities = tuple(dict.fromkeys(checked.get("modalities") or ("TEXT", "IMAGE")))
    if model.upstream.openai and "IMAGE" not in modalities:
        raise ApiError(
            ErrorKind.INVALID_VALUE,
            "The server of this model only draws: 'image' must be among 'modalities'.",
            "modalities",
        )
    return modalities


def wants_usage(checked: Mapping[str, Any]) -> bool:
    """Whether a stream ends with the usage, asked for as at OpenAI or at OpenRouter (`usage: {"include": true}`)."""
    usage = checked.get("usage")
    return bool(
        checked.get("stream_options", {}).get("include_usage") or (isinstance(usage, dict) and usage.get("include"))
    )


def read_conversation(conversation: Conversation, model: ServedModel, stored: StoredPictures) -> dict[str, Any]:
    """The fields of an ImageRequest that say what to draw: all turns, or the one request that they come to."""
    if all(turn.by_model for turn in conversation.turns):
        raise ApiError(ErrorKind.MISSING_PARAMETER, "'messages' has neither words nor pictures of a user.", "messages")
    if not model.upstream.openai:
        turns = tuple(read_turn(turn, stored) for turn in conversation.turns)
        return {
            "prompt": prompt_of(conversation, texts_of(turns)),
            "input_images": tuple(pictures_of(turns)),
            "turns": turns,
            "system": conversation.system or None,
        }
    texts, pictures = current_request(conversation.turns)
    prompt = prompt_of(conversation, texts)
    if not prompt.strip():
        raise ApiError(
            ErrorKind.MISSING_PARAMETER, "The server of this model needs a prompt: 'messages' has no text.", "messages"
        )
    if len(pictures) > MOST_IMAGES:
        raise ApiError(
            ErrorKind.ARRAY_TOO_LONG,
            f"The server of this model takes {MOST_IMAGES} pictures, and the conversation comes to {len(pictures)}.",
            "messages",
        )
    return {"prompt": prompt, "input_images": tuple(picture.read(stored) for picture in pictures)}


def read_turn(turn: Turn[Picture], stored: StoredPictures) -> Turn[InputImage]:
    """The turn with its pictures read."""
    parts = (part if isinstance(part, str) else part.read(stored) for part in turn.parts)
    return Turn(tuple(parts), turn.by_model)


def prompt_of(conversation: Conversation, texts: list[str]) -> str:
    return "\n\n".join(text for text in (conversation.system, "\n".join(texts)) if text)


def ignored_names(checked: Mapping[str, Any], names: Mapping[str, str], model: ServedModel) -> Iterator[str]:
    """The fields that say something and change nothing. `names` are those of the shape, as the caller has them."""
    understood = {*instance_of(ChatSchema).fields, "usage", *(OF_THE_IMAGES_API if model.upstream.openai else ())}
    for name, value in checked.items():
        if name not in understood and value not in ("", "auto", "none", False, [], {}, DEFAULTS.get(name)):
            yield name
    for name, value in checked.get("image_config", {}).items():
        if value and names.get(name) != f"image_config.{name}":
            yield f"image_config.{name}"
    if checked.get("image_size") and not model.upstream.tiers:
        yield names["image_size"]
    yield from ignored_sampling(checked, model)
    if model.upstream.openai and checked.get("google"):
        yield "google"
    if ignores_compression(checked):
        yield "output_compression"
