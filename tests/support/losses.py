"""What one API has and the other lacks. Tests prove every row, and `docs/translation.md` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Translation(Enum):
    """What is translated, and into what."""

    GEMINI_REQUEST = "a generateContent request for a server that speaks OpenAI's API"
    OPENAI_REQUEST = "a request of the Images API for Gemini"
    OPENAI_ANSWER = "an answer of the Images API for a caller of generateContent"
    GEMINI_ANSWER = "an answer of generateContent for a caller of the Images API"


class Outcome(Enum):
    """What happens to a feature without an equivalent."""

    REFUSED = "refused"  # with an error that names the field
    IGNORED = "ignored"  # and reported in a header, if the row has a field
    CHANGED = "changed"  # into what the row says


@dataclass(frozen=True)
class Loss:
    """One feature without an equivalent."""

    translation: Translation
    feature: str
    outcome: Outcome
    field: str | None = None  # the name in the error or the header; [] stands for any place in an array
    becomes: str | None = None


def refused(translation: Translation, feature: str, field: str) -> Loss:
    return Loss(translation, feature, Outcome.REFUSED, field)


def ignored(translation: Translation, feature: str, field: str | None = None) -> Loss:
    return Loss(translation, feature, Outcome.IGNORED, field)


def changed(translation: Translation, feature: str, becomes: str) -> Loss:
    return Loss(translation, feature, Outcome.CHANGED, becomes=becomes)


PART = "contents[].parts[]"
CONFIG = "generation_config"
IMAGE_SIZE = "generationConfig.imageConfig.imageSize"

LOSSES: tuple[Loss, ...] = (
    refused(Translation.GEMINI_REQUEST, "a request without text", "contents"),
    refused(Translation.GEMINI_REQUEST, "more than 16 input pictures", "contents"),
    refused(Translation.GEMINI_REQUEST, "audio, video and documents", f"{PART}.inline_data.mime_type"),
    refused(Translation.GEMINI_REQUEST, "files that only Google can open", f"{PART}.file_data.file_uri"),
    refused(Translation.GEMINI_REQUEST, "function calls and code", f"{PART}.function_call"),
    refused(Translation.GEMINI_REQUEST, "pictures in the system instruction", "system_instruction.parts[].inline_data"),
    refused(Translation.GEMINI_REQUEST, "tools", "tools"),
    refused(Translation.GEMINI_REQUEST, "cached contents", "cached_content"),
    refused(Translation.GEMINI_REQUEST, "modalities without IMAGE", f"{CONFIG}.response_modalities"),
    refused(Translation.GEMINI_REQUEST, "more than 10 candidates", f"{CONFIG}.candidate_count"),
    refused(
        Translation.GEMINI_REQUEST,
        "an aspect ratio that the model does not have",
        f"{CONFIG}.image_config.aspect_ratio",
    ),
    refused(
        Translation.GEMINI_REQUEST,
        "a tier that the model does not have among others",
        f"{CONFIG}.image_config.image_size",
    ),
    refused(Translation.GEMINI_REQUEST, "input pictures, if the server has no edits", "contents"),
    refused(Translation.GEMINI_REQUEST, "addresses of pictures, if the server does not open them", "contents"),
    ignored(Translation.GEMINI_REQUEST, "a tier, if the model has none", IMAGE_SIZE),
    ignored(Translation.GEMINI_REQUEST, "a tier of an edit without an aspect ratio", IMAGE_SIZE),
    ignored(Translation.GEMINI_REQUEST, "a seed, if the server has no field for it", "generationConfig.seed"),
    ignored(
        Translation.GEMINI_REQUEST, "a temperature, if the server has no field for it", "generationConfig.temperature"
    ),
    ignored(Translation.GEMINI_REQUEST, "safety settings", "safetySettings"),
    ignored(Translation.GEMINI_REQUEST, "thinking settings", "generationConfig.thinkingConfig"),
    ignored(Translation.GEMINI_REQUEST, "sampling settings", "generationConfig.topK"),
    ignored(
        Translation.GEMINI_REQUEST,
        "the MIME type of the output picture",
        "generationConfig.responseFormat.image.mimeType",
    ),
    ignored(Translation.GEMINI_REQUEST, "the resolution at which an input is read", "contents.parts.mediaResolution"),
    ignored(Translation.GEMINI_REQUEST, "thoughts and their signatures"),
    changed(Translation.GEMINI_REQUEST, "a system instruction", "the first lines of the prompt"),
    changed(
        Translation.GEMINI_REQUEST,
        "a conversation",
        "one prompt: all its texts, or those after the model's last picture",
    ),
    changed(
        Translation.GEMINI_REQUEST,
        "the model's last picture",
        "the first input picture; earlier pictures of the model are ignored",
    ),
    changed(Translation.GEMINI_REQUEST, "the declared MIME type of a picture", "the one that its bytes show"),
    changed(Translation.GEMINI_REQUEST, "a tier without an aspect ratio", "the square of that tier"),
    changed(Translation.GEMINI_REQUEST, "an aspect ratio without a tier", "the pixels in the model's row"),
    changed(Translation.GEMINI_REQUEST, "half of a surrogate pair, in a form", "a question mark"),
    refused(Translation.OPENAI_REQUEST, "a size that is far from every aspect ratio", "size"),
    refused(Translation.OPENAI_REQUEST, "a file that OpenAI stores", "images[].file_id"),
    ignored(Translation.OPENAI_REQUEST, "quality", "quality"),
    ignored(Translation.OPENAI_REQUEST, "style", "style"),
    ignored(Translation.OPENAI_REQUEST, "a transparent background", "background"),
    ignored(Translation.OPENAI_REQUEST, "the strictness of moderation", "moderation"),
    ignored(Translation.OPENAI_REQUEST, "the fidelity of an edit to its input", "input_fidelity"),
    ignored(Translation.OPENAI_REQUEST, "the id of the end user", "user"),
    ignored(Translation.OPENAI_REQUEST, "partial pictures", "partial_images"),
    changed(Translation.OPENAI_REQUEST, "n", "as many calls at once"),
    changed(Translation.OPENAI_REQUEST, "a mask", "the last picture, and an instruction at the end of the prompt"),
    changed(Translation.OPENAI_REQUEST, "exact pixels", "the nearest aspect ratio, and the nearest tier"),
    ignored(Translation.OPENAI_ANSWER, "the revised prompt"),
    ignored(Translation.OPENAI_ANSWER, "the picture's time, size, quality and background"),
    changed(Translation.OPENAI_ANSWER, "a partial picture", "a thought"),
    changed(Translation.OPENAI_ANSWER, "a refusal", "a candidate without a picture, with status 200"),
    changed(Translation.OPENAI_ANSWER, "a failure of one of n", "a candidate without a picture"),
    ignored(Translation.GEMINI_ANSWER, "a thought"),
    ignored(Translation.GEMINI_ANSWER, "a draft"),
    ignored(Translation.GEMINI_ANSWER, "the finish reason of a candidate with a picture"),
    changed(Translation.GEMINI_ANSWER, "texts around a picture", "the text of the picture's item"),
    changed(Translation.GEMINI_ANSWER, "tokens of thoughts", "text tokens of the output"),
)
