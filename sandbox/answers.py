"""Answers with pictures, whole or as a stream, byte for byte in Google's form."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from sandbox.image_models import ImageModel
from sandbox.request import GenerateRequest
from sandbox.situations import compact, pretty
from sandbox.tokens import spoken_tokens, text_tokens

SIGNATURE_BYTES = 150_000  # real ones are larger still
_MARK = secrets.token_hex(12)  # stands for base64 while the JSON around it is written
_MARKED = re.compile(f"{_MARK}-(\\w+)")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_DRAWN = ("Here you go: ", "Here's your picture! ", "Of course, here is what you asked for: ", "Sure, here it is: ")
_CHANGED = ("Here is the changed picture: ", "I've changed it as you asked: ", "Here's the new version: ")
_DRAWN_KOREAN = ("요청하신 그림입니다: ", "네, 이렇게 그려 보았어요: ", "그림을 완성했습니다! ")
_CHANGED_KOREAN = ("요청하신 대로 바꾸어 보았어요: ", "수정한 그림입니다: ")


@dataclass(frozen=True)
class DrawnPicture:
    """A finished picture, already in base64 (standard alphabet, padded)."""

    mime_type: str
    base64: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Answer:
    """Everything one call returns. The picture is drawn when it is first needed."""

    model: ImageModel
    request: GenerateRequest
    text: str
    thought: str
    draw: Callable[[], DrawnPicture] | None
    response_id: str

    def usage(self, spoken: str, pictures: int) -> dict[str, Any]:
        """usageMetadata after some words and pictures have gone out."""
        texts, seen = self.request.texts, self.request.pictures
        read = sum(text_tokens(text) for text in texts)
        looked_at = len(seen) * self.model.tokens_per_input_picture
        drawn = pictures * self.model.picture_tokens(self.request.image_size)
        said = spoken_tokens(spoken)
        thought = spoken_tokens(self.thought) if self.thought else 0
        usage: dict[str, Any] = {
            "promptTokenCount": read + looked_at,
            "candidatesTokenCount": said + drawn,
            "totalTokenCount": read + looked_at + said + drawn + thought,
            "promptTokensDetails": prompt_details(read, looked_at),
        }
        if pictures:
            usage["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": drawn}]
        if thought:
            usage["thoughtsTokenCount"] = thought
        usage["serviceTier"] = "standard"
        return usage


def prompt_details(read: int, looked_at: int) -> list[dict[str, Any]]:
    """The prompt's tokens by modality; one that is absent has no row."""
    rows = (("TEXT", read), ("IMAGE", looked_at))
    return [{"modality": modality, "tokenCount": count} for modality, count in rows if count]


def count_answer(request: GenerateRequest, model: ImageModel) -> dict[str, Any]:
    """The answer of countTokens."""
    read = sum(text_tokens(text) for text in request.texts)
    looked_at = len(request.pictures) * model.tokens_per_input_picture
    return {"totalTokens": read + looked_at, "promptTokensDetails": prompt_details(read, looked_at)}


def prepare_answer(request: GenerateRequest, model: ImageModel, draw: Callable[[], DrawnPicture]) -> Answer:
    """What a request is answered with: words by default, a picture unless only words are wanted."""
    wants_picture = "IMAGE" in request.modalities
    text = _words(request) if "TEXT" in request.modalities else ""
    if not wants_picture:
        text = "This is the sandbox: it draws pictures, and has few words. Ask for an image to see one."
    thought = ""
    if model.thinks:
        thought = f"**Composing the scene**\n\nI am looking for the light and the lines of: {request.prompt[:200]}\n"
    return Answer(model, request, text, thought, draw if wants_picture else None, secrets.token_urlsafe(16))


def _words(request: GenerateRequest) -> str:
    choices: tuple[str, ...]
    korean = bool(_HANGUL.search(request.prompt))
    if request.pictures_to_change:
        choices = _CHANGED_KOREAN if korean else _CHANGED
    else:
        choices = _DRAWN_KOREAN if korean else _DRAWN
    return choices[int.from_bytes(hashlib.sha256(request.prompt.encode()).digest()[:4]) % len(choices)]


def whole_answer(answer: Answer) -> Iterator[bytes]:
    """The body of generateContent, in pieces: the base64 is never copied into a larger string."""
    parts = _thought_parts(answer) + ([{"text": answer.text}] if answer.text else [])
    pictures: dict[str, bytes] = {}
    if answer.draw:
        parts.append(_picture_part(answer, pictures))
    body = {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": answer.usage(answer.text, 1 if answer.draw else 0),
        "modelVersion": answer.model.name,
        "responseId": answer.response_id,
    }
    yield from _pieces(pretty(body), pictures)


def stream_events(answer: Answer) -> Iterator[tuple[dict[str, Any], Mapping[str, bytes]]]:
    """The events of a stream: words as they come, the whole picture at once, an empty text that says STOP."""
    for part in _thought_parts(answer):
        yield _event(answer, part, "", 0), {}
    spoken = ""
    for delta in _deltas(answer.text):
        spoken += delta
        yield _event(answer, {"text": delta}, spoken, 0), {}
    count = 0
    if answer.draw:
        count = 1
        pictures: dict[str, bytes] = {}
        part = _picture_part(answer, pictures)
        yield _event(answer, part, spoken, count), pictures
    last = _event(answer, {"text": ""}, spoken, count)
    last["candidates"] = [{**last["candidates"][0], "finishReason": "STOP"}]
    yield last, {}


def sse_answer(answer: Answer) -> Iterator[bytes]:
    """The body of streamGenerateContent?alt=sse."""
    for event, pictures in stream_events(answer):
        yield from _pieces(f"data: {compact(event)}\r\n\r\n", pictures)


def array_answer(answer: Answer) -> Iterator[bytes]:
    """The body of streamGenerateContent without alt=sse: one JSON array."""
    before = "["
    for event, pictures in stream_events(answer):
        yield from _pieces(before + pretty(event), pictures)
        before = ",\r\n"
    yield b"]"


def _event(answer: Answer, part: dict[str, Any], spoken: str, pictures: int) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
        "usageMetadata": answer.usage(spoken, pictures),
        "modelVersion": answer.model.name,
        "responseId": answer.response_id,
    }


def _thought_parts(answer: Answer) -> list[dict[str, Any]]:
    return [{"text": answer.thought, "thought": True}] if answer.thought and answer.request.include_thoughts else []


def _picture_part(answer: Answer, pictures: dict[str, bytes]) -> dict[str, Any]:
    assert answer.draw is not None
    drawn = answer.draw()
    pictures["picture"] = drawn.base64
    part: dict[str, Any] = {"inlineData": {"mimeType": drawn.mime_type, "data": f"{_MARK}-picture"}}
    if answer.model.thinks:
        pictures["signature"] = b64encode(Random(answer.request.prompt).randbytes(SIGNATURE_BYTES))
        part["thoughtSignature"] = f"{_MARK}-signature"
    return part


def _deltas(text: str) -> Sequence[str]:
    return re.findall(r"\s*\S+(?:\s+\S+)?\s*$|\s*\S+(?:\s+\S+)?", text)


def _pieces(text: str, pictures: Mapping[str, bytes]) -> Iterator[bytes]:
    end = 0
    for mark in _MARKED.finditer(text):
        yield text[end : mark.start()].encode()
        yield pictures[mark[1]]
        end = mark.end()
    yield text[end:].encode()
