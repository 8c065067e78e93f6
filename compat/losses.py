"""What one API says and the other cannot. Tests prove every row; documents may be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Way(Enum):
    """What is translated, and into what."""

    GEMINI_REQUEST = "a generateContent request for a server that speaks OpenAI's API"
    OPENAI_REQUEST = "a request of the Images API for Gemini"
    OPENAI_ANSWER = "an answer of the Images API for a caller of generateContent"
    GEMINI_ANSWER = "an answer of generateContent for a caller of the Images API"


class Fate(Enum):
    """What happens to what cannot be said."""

    REFUSED = "refused"  # with the field in the caller's words
    LEFT_OUT = "left out"  # and named in a header, if the row has a field
    BECOMES = "becomes"  # something else, which the row tells


@dataclass(frozen=True)
class Loss:
    """One thing that cannot be said."""

    way: Way
    what: str
    fate: Fate
    field: str | None = None  # by which it is refused or named; [] stands for any place in an array
    becomes: str | None = None


def refused(way: Way, what: str, field: str) -> Loss:
    return Loss(way, what, Fate.REFUSED, field)


def left_out(way: Way, what: str, field: str | None = None) -> Loss:
    return Loss(way, what, Fate.LEFT_OUT, field)


def changed(way: Way, what: str, becomes: str) -> Loss:
    return Loss(way, what, Fate.BECOMES, becomes=becomes)


PART = "contents[].parts[]"
CONFIG = "generation_config"

LOSSES: tuple[Loss, ...] = (
    refused(Way.GEMINI_REQUEST, "no text at all", "contents"),
    refused(Way.GEMINI_REQUEST, "more than 16 pictures to start from", "contents"),
    refused(Way.GEMINI_REQUEST, "audio, video and documents", f"{PART}.inline_data.mime_type"),
    refused(Way.GEMINI_REQUEST, "files that only Google can open", f"{PART}.file_data.file_uri"),
    refused(Way.GEMINI_REQUEST, "calls of functions and code", f"{PART}.function_call"),
    refused(Way.GEMINI_REQUEST, "pictures in the system instruction", "system_instruction.parts[].inline_data"),
    refused(Way.GEMINI_REQUEST, "tools", "tools"),
    refused(Way.GEMINI_REQUEST, "cached contents", "cached_content"),
    refused(Way.GEMINI_REQUEST, "modalities without IMAGE", f"{CONFIG}.response_modalities"),
    refused(Way.GEMINI_REQUEST, "more than 10 candidates", f"{CONFIG}.candidate_count"),
    refused(Way.GEMINI_REQUEST, "an aspect ratio that the model has not", f"{CONFIG}.image_config.aspect_ratio"),
    refused(
        Way.GEMINI_REQUEST, "a tier that the model has not, though it has others", f"{CONFIG}.image_config.image_size"
    ),
    refused(Way.GEMINI_REQUEST, "pictures to start from, where the server has no edits", "contents"),
    refused(Way.GEMINI_REQUEST, "addresses of pictures, where the server opens none", "contents"),
    left_out(Way.GEMINI_REQUEST, "a tier, where the model has none", "generationConfig.imageConfig.imageSize"),
    left_out(Way.GEMINI_REQUEST, "a tier of an edit without an aspect ratio", "generationConfig.imageConfig.imageSize"),
    left_out(Way.GEMINI_REQUEST, "a seed that the server has no field for", "generationConfig.seed"),
    left_out(Way.GEMINI_REQUEST, "a temperature that the server has no field for", "generationConfig.temperature"),
    left_out(Way.GEMINI_REQUEST, "safety settings", "safetySettings"),
    left_out(Way.GEMINI_REQUEST, "how the model thinks", "generationConfig.thinkingConfig"),
    left_out(Way.GEMINI_REQUEST, "how words are sampled", "generationConfig.topK"),
    left_out(
        Way.GEMINI_REQUEST, "the type of the picture that comes", "generationConfig.responseFormat.image.mimeType"
    ),
    left_out(Way.GEMINI_REQUEST, "how closely a picture is looked at", "contents.parts.mediaResolution"),
    left_out(Way.GEMINI_REQUEST, "thoughts and their signatures"),
    changed(Way.GEMINI_REQUEST, "a system instruction", "the first lines of the prompt"),
    changed(Way.GEMINI_REQUEST, "a conversation", "one prompt: all its texts, or those after the model's last picture"),
    changed(
        Way.GEMINI_REQUEST, "the model's last picture", "the first picture to start from; what it drew before is gone"
    ),
    changed(Way.GEMINI_REQUEST, "the type that a picture is said to have", "the one that its bytes show"),
    changed(Way.GEMINI_REQUEST, "a tier without an aspect ratio", "the square of that tier"),
    changed(Way.GEMINI_REQUEST, "an aspect ratio without a tier", "the pixels that the model's row tells"),
    changed(Way.GEMINI_REQUEST, "half a character, in a form", "a question mark"),
    refused(Way.OPENAI_REQUEST, "a size that is far from every aspect ratio", "size"),
    refused(Way.OPENAI_REQUEST, "a file that OpenAI keeps", "images[].file_id"),
    left_out(Way.OPENAI_REQUEST, "quality", "quality"),
    left_out(Way.OPENAI_REQUEST, "style", "style"),
    left_out(Way.OPENAI_REQUEST, "a transparent background", "background"),
    left_out(Way.OPENAI_REQUEST, "how strictly is moderated", "moderation"),
    left_out(Way.OPENAI_REQUEST, "how true an edit is to its pictures", "input_fidelity"),
    left_out(Way.OPENAI_REQUEST, "who asks", "user"),
    left_out(Way.OPENAI_REQUEST, "partial pictures", "partial_images"),
    changed(Way.OPENAI_REQUEST, "n", "as many calls at once"),
    changed(Way.OPENAI_REQUEST, "a mask", "the last picture, and an instruction at the end of the prompt"),
    changed(Way.OPENAI_REQUEST, "exact pixels", "the nearest aspect ratio, and the nearest tier"),
    left_out(Way.OPENAI_ANSWER, "the prompt as the server rewrote it"),
    left_out(Way.OPENAI_ANSWER, "when it was drawn, its size, quality and background"),
    changed(Way.OPENAI_ANSWER, "a partial picture", "a thought"),
    changed(Way.OPENAI_ANSWER, "a refusal", "a candidate without a picture, with status 200"),
    changed(Way.OPENAI_ANSWER, "a failure of one of n", "a candidate without a picture"),
    left_out(Way.GEMINI_ANSWER, "a thought"),
    left_out(Way.GEMINI_ANSWER, "a draft"),
    left_out(Way.GEMINI_ANSWER, "why a candidate with a picture ended"),
    changed(Way.GEMINI_ANSWER, "where words stand beside a picture", "the text of the picture's item"),
    changed(Way.GEMINI_ANSWER, "tokens of thoughts", "text tokens of the output"),
)
