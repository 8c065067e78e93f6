"""Answers of generateContent and streamGenerateContent in Google's format, made by hypothesis."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.compat.pictures import base64_of, draw, with_segments
from tests.compat.spelled_json import spellings
from tests.support.chunks import cuts_of

JSON = "application/json; charset=UTF-8"
EVENT_STREAM = "text/event-stream"

PICTURES = (
    draw("PNG", 1, 1),
    draw("PNG", 3, 2, "RGBA"),
    draw("JPEG", 2, 1, quality=5),
    with_segments(draw("JPEG", 1, 3, quality=5), 150),
    draw("WEBP", 5, 4, quality=5),
    draw("GIF", 2, 2, "L"),
)
NASTY_TEXTS = (
    '"data": "',
    '{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}',
    '\\"data\\": \\"iVBORw0KGgo=\\"',
    "\\",
    '"',
    "]}]}]}",
    "\\u0022,\\/",
    "ein Wort — 그림 🖼️ \u2028\u2029\x85",
    "\ud83d",  # half of a surrogate pair
    "\x00\x1f\x7f",
)
MANY_REASONS = ("STOP", "MAX_TOKENS", "SAFETY", "IMAGE_SAFETY", "NO_IMAGE", "SOMETHING_NEW")

texts = st.one_of(st.sampled_from(NASTY_TEXTS), st.text(max_size=8))
tokens = st.integers(0, 5000)


def body_of(*parts: dict[str, Any], **others: Any) -> bytes:
    """An answer with one candidate, as Google writes it."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", "index": 0}
    return json.dumps({"candidates": [candidate], **others}, indent=2).encode()


def inline(picture: bytes, **others: Any) -> dict[str, Any]:
    """A part with a picture."""
    return {"inlineData": {"mimeType": "image/png", "data": base64_of(picture)}, **others}


@dataclass(frozen=True)
class Answer:
    """An answer as its bytes arrive, and its responses as `json` reads them."""

    content_type: str
    body: bytes
    chunks: list[bytes]
    responses: list[Any]


@st.composite
def base64_texts(draw: st.DrawFn) -> str:
    """A picture as base64 in either alphabet, padded or not."""
    text = base64_of(draw(st.sampled_from(PICTURES)))
    if draw(st.booleans()):
        text = text.replace("+", "-").replace("/", "_")
    return text.rstrip("=") if draw(st.booleans()) else text


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    """A picture or a text, perhaps a thought, perhaps with a signature, its members in any order."""
    casing = draw(
        st.sampled_from(
            [("inlineData", "mimeType", "thoughtSignature"), ("inline_data", "mime_type", "thought_signature")]
        )
    )
    if draw(st.booleans()):
        part: dict[str, Any] = {casing[0]: {casing[1]: "image/png", "data": draw(base64_texts())}}
    else:
        part = {"text": draw(texts)}
    if draw(st.booleans()):
        part[casing[2]] = draw(base64_texts())
    if draw(st.integers(0, 3)) == 0:
        part["thought"] = draw(st.booleans())
    if draw(st.integers(0, 5)) == 0:
        part["partMetadata"] = {"data": draw(texts), "text": draw(texts)}
    return part


@st.composite
def candidates(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A candidate with some parts, or without any."""
    candidate: dict[str, Any] = {"index": index}
    candidate |= draw(
        st.one_of(
            st.lists(parts(), max_size=3).map(lambda some: {"content": {"parts": some, "role": "model"}}),
            st.sampled_from([{}, {"content": {}}, {"content": {"parts": None}}, {"content": None}]),
        )
    )
    if draw(st.booleans()):
        candidate["finishReason"] = draw(st.sampled_from(MANY_REASONS))
    if draw(st.integers(0, 3)) == 0:
        candidate["finishMessage"] = draw(texts)
    if draw(st.integers(0, 3)) == 0:
        candidate["groundingMetadata"] = {"inlineData": {"data": draw(texts)}, "parts": [{"text": draw(texts)}]}
    return candidate


@st.composite
def details(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Tokens by modality, in any order."""
    modalities = draw(st.permutations(["TEXT", "IMAGE"]))[: draw(st.integers(0, 2))]
    return [{"modality": modality, "tokenCount": draw(tokens)} for modality in modalities]


usage_metadata = st.fixed_dictionaries(
    {"promptTokenCount": tokens, "totalTokenCount": tokens},
    optional={
        "candidatesTokenCount": tokens,
        "thoughtsTokenCount": tokens,
        "promptTokensDetails": details(),
        "candidatesTokensDetails": details(),
        "serviceTier": st.just("standard"),
    },
)


@st.composite
def responses(draw: st.DrawFn) -> dict[str, Any]:
    """One GenerateContentResponse."""
    response: dict[str, Any] = {"modelVersion": draw(texts)}
    if count := draw(st.integers(0, 2)):
        response["candidates"] = [draw(candidates(index)) for index in range(count)]
    if draw(st.booleans()):
        response["usageMetadata"] = draw(usage_metadata)
    if draw(st.integers(0, 5)) == 0:
        response["promptFeedback"] = draw(st.sampled_from([{"blockReason": "SAFETY"}, {"safetyRatings": []}]))
    return response


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """One response, an array of several, or an event stream of several; written and cut in any way."""
    form = draw(st.sampled_from(["one", "array", "events"]))
    if form == "one":
        body = draw(spellings()).write(draw(responses())).encode()
        content_type, read = JSON, [json.loads(body)]
    elif form == "array":
        body = draw(spellings()).write(draw(st.lists(responses(), min_size=1, max_size=3))).encode()
        content_type, read = JSON, json.loads(body)
    else:
        spelling = draw(spellings(one_line=True))
        lines = [spelling.write(response) for response in draw(st.lists(responses(), min_size=1, max_size=3))]
        body = draw(framed_events(lines))
        content_type, read = EVENT_STREAM, [json.loads(line) for line in lines]
    return Answer(content_type, body, draw(cuts_of(body)), read)


@st.composite
def framed_events(draw: st.DrawFn, lines: list[str]) -> bytes:
    """The lines as data of events, between other lines that an event stream may have."""
    end = draw(st.sampled_from(["\r\n", "\n"]))
    extra = st.lists(
        st.sampled_from([": ping", "event: message", "id: 1", "retry: 10", "", "data-like: x"]), max_size=2
    )
    space = draw(st.sampled_from([" ", ""]))
    framed = [line for data in lines for line in (*draw(extra), f"data:{space}{data}", "")]
    return "".join(line + end for line in framed).encode()
