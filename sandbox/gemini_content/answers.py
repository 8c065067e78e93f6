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

from sandbox.gemini_content.image_models import ImageModel
from sandbox.gemini_content.pictures import DrawnPicture
from sandbox.gemini_content.request import GenerateRequest
from sandbox.gemini_content.situations import event_text
from sandbox.situations import indented_json
from sandbox.tokens import answer_tokens, text_tokens

SIGNATURE_BYTES = 150_000  # real ones are larger still
_MARK = secrets.token_hex(12)  # stands for base64 while the JSON around it is written
_MARKED = re.compile(f"{_MARK}-(\\w+)")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_DRAWN = ("Here you go: ", "Here's your picture! ", "Of course, here is what you asked for: ", "Sure, here it is: ")
_CHANGED = ("Here is the changed picture: ", "I've changed it as you asked: ", "Here's the new version: ")
_DRAWN_KOREAN = ("요청하신 이미지입니다: ", "네, 이렇게 만들어 보았습니다: ", "이미지를 완성했습니다! ")
_CHANGED_KOREAN = ("요청하신 대로 수정했습니다: ", "수정한 이미지입니다: ")


@dataclass(frozen=True)
class Answer:
    """Everything one call returns. The picture is drawn when it is first needed."""

    model: ImageModel
    request: GenerateRequest
    text: str
    thought: str
    draw: Callable[[], DrawnPicture] | None
    response_id: str

    def usage(self, text: str, pictures: int) -> dict[str, Any]:
        """usageMetadata after some text and a number of pictures have gone out."""
        prompt = _prompt_tokens(self.request, self.model)
        text_count = answer_tokens(text)
        picture_count = pictures * self.model.picture_tokens(self.request.image_size)
        thought_count = answer_tokens(self.thought)
        usage: dict[str, Any] = {
            "promptTokenCount": sum(prompt.values()),
            "candidatesTokenCount": text_count + picture_count,
            "totalTokenCount": sum(prompt.values()) + text_count + picture_count + thought_count,
            "promptTokensDetails": _details(prompt),
        }
        if pictures:
            usage["candidatesTokensDetails"] = _details({"IMAGE": picture_count})
        if thought_count:
            usage["thoughtsTokenCount"] = thought_count
        usage["serviceTier"] = "standard"
        return usage


def _prompt_tokens(request: GenerateRequest, model: ImageModel) -> dict[str, int]:
    """The tokens of a request's texts and pictures."""
    texts = sum(text_tokens(text) for text in request.texts)
    return {"TEXT": texts, "IMAGE": len(request.pictures) * model.tokens_per_input_picture}


def _details(tokens: Mapping[str, int]) -> list[dict[str, Any]]:
    """Tokens by modality; one that is absent has no row."""
    return [{"modality": modality, "tokenCount": count} for modality, count in tokens.items() if count]


def count_answer(request: GenerateRequest, model: ImageModel) -> dict[str, Any]:
    """The answer of countTokens."""
    prompt = _prompt_tokens(request, model)
    return {"totalTokens": sum(prompt.values()), "promptTokensDetails": _details(prompt)}


def prepare_answer(request: GenerateRequest, model: ImageModel, draw: Callable[[], DrawnPicture]) -> Answer:
    """The answer to a request: a text and a picture, or the one of them that `responseModalities` names."""
    wants_picture = "IMAGE" in request.modalities
    text = _text(request) if "TEXT" in request.modalities else ""
    if not wants_picture:
        text = "This is the sandbox. It draws pictures and knows no other text than this: ask for an image."
    thought = ""
    if model.thinks:
        thought = f"**Composing the scene**\n\nI am planning the composition and the light of: {request.prompt[:200]}\n"
    return Answer(model, request, text, thought, draw if wants_picture else None, secrets.token_urlsafe(16))


def _text(request: GenerateRequest) -> str:
    choices: tuple[str, ...]
    korean = bool(_HANGUL.search(request.prompt))
    if request.pictures_to_change:
        choices = _CHANGED_KOREAN if korean else _CHANGED
    else:
        choices = _DRAWN_KOREAN if korean else _DRAWN
    digest = hashlib.sha256(request.prompt.encode("utf-8", "surrogatepass")).digest()
    return choices[int.from_bytes(digest[:4]) % len(choices)]


def whole_answer(answer: Answer) -> Iterator[bytes]:
    """The body of generateContent, in chunks: the base64 is never copied into a larger string."""
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
    yield from _chunks(indented_json(body), pictures)


def stream_events(answer: Answer) -> Iterator[tuple[dict[str, Any], Mapping[str, bytes]]]:
    """The events of a stream: the text in pieces, the picture in one event, and an empty text that says STOP."""
    for part in _thought_parts(answer):
        yield _event(answer, part, "", 0), {}
    text = ""
    for piece in _text_pieces(answer.text):
        text += piece
        yield _event(answer, {"text": piece}, text, 0), {}
    count = 0
    if answer.draw:
        count = 1
        pictures: dict[str, bytes] = {}
        part = _picture_part(answer, pictures)
        yield _event(answer, part, text, count), pictures
    last = _event(answer, {"text": ""}, text, count)
    last["candidates"] = [{**last["candidates"][0], "finishReason": "STOP"}]
    yield last, {}


def sse_answer(answer: Answer) -> Iterator[bytes]:
    """The body of streamGenerateContent?alt=sse."""
    for event, pictures in stream_events(answer):
        yield from _chunks(event_text(event), pictures)


def array_answer(answer: Answer) -> Iterator[bytes]:
    """The body of streamGenerateContent without alt=sse: one JSON array."""
    before = "["
    for event, pictures in stream_events(answer):
        yield from _chunks(before + indented_json(event), pictures)
        before = ",\r\n"
    yield b"]"


def _event(answer: Answer, part: dict[str, Any], text: str, pictures: int) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
        "usageMetadata": answer.usage(text, pictures),
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


def _text_pieces(text: str) -> Sequence[str]:
    return re.findall(r"\s*\S+(?:\s+\S+)?\s*$|\s*\S+(?:\s+\S+)?", text)


def _chunks(text: str, pictures: Mapping[str, bytes]) -> Iterator[bytes]:
    end = 0
    for mark in _MARKED.finditer(text):
        yield text[end : mark.start()].encode()
        yield pictures[mark[1]]
        end = mark.end()
    yield text[end:].encode()
