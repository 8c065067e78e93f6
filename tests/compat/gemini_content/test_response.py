"""compat/gemini_content/response.py: answers read as events. What both readers share is in test_answer_readers.py."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings

from compat import formats, picture_reader
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.response import BLOCKED, find_usage, read_answer
from compat.images import Event, Finish, ImageEnd, ImageStart, Text, Usage
from tests.compat.errors import error_of
from tests.compat.gemini_answers import EVENT_STREAM, JSON, PICTURES, Answer, answers, body_of, inline
from tests.compat.pictures import base64_of, content_in, draw, events_of, joined, with_segments, without_drafts
from tests.support.chunks import cut_every

PNG, JPEG = draw("PNG", 3, 2), draw("JPEG", 5, 4)


def read(body: bytes | Iterable[bytes], content_type: str = JSON) -> list[Event]:
    """The events without drafts, the data of each picture in one piece."""
    return without_drafts(joined(read_answer([body] if isinstance(body, bytes) else body, content_type)))


def refusal(body: bytes | Iterable[bytes], content_type: str = JSON) -> ApiError:
    return error_of(read, body, content_type)


# The same events, made from what `json` reads


def expected(responses: list[Any]) -> list[Event] | ErrorKind:
    events: list[Event] = []
    usage, reasons, blocked = None, {}, False
    for one in responses:
        for index, candidate in enumerate(one.get("candidates", [])):
            for part in (candidate.get("content") or {}).get("parts") or []:
                events += expected_of_part(part)
            reasons |= {index: candidate["finishReason"]} if "finishReason" in candidate else {}
        has_picture = any(isinstance(event, ImageStart) for event in events)
        usage = expected_usage(one["usageMetadata"], has_picture) if "usageMetadata" in one else usage
        blocked |= bool(one.get("promptFeedback", {}).get("blockReason"))
    reason = next((reason for reason in reasons.values() if reason != "STOP"), "STOP" if reasons else None)
    if not any(isinstance(event, ImageStart) for event in events):
        return ErrorKind.CONTENT_BLOCKED if blocked or reason in BLOCKED else ErrorKind.NO_IMAGE
    return [*events, Finish(usage, reason)]


def expected_of_part(part: dict[str, Any]) -> list[Event]:
    if part.get("thought"):
        return []
    if inline_data := part.get("inlineData") or part.get("inline_data"):
        text = inline_data["data"].replace("-", "+").replace("_", "/")
        return events_of(base64.b64decode(text + "=" * (-len(text) % 4)))
    return [Text(part["text"])] if part.get("text") else []


def expected_usage(metadata: dict[str, Any], has_picture: bool) -> Usage:
    def images(name: str) -> int:
        return sum(one["tokenCount"] for one in metadata.get(name, []) if one["modality"] == "IMAGE")

    came, made = images("promptTokensDetails"), images("candidatesTokensDetails")
    if has_picture and not metadata.get("candidatesTokensDetails"):
        made = metadata.get("candidatesTokenCount", 0)
    return Usage(
        max(metadata["promptTokenCount"] - came, 0),
        came,
        max(metadata.get("candidatesTokenCount", 0) - made, 0) + metadata.get("thoughtsTokenCount", 0),
        made,
    )


@given(answers())
@settings(max_examples=1500)
def test_events_are_what_json_reads_wherever_the_bytes_are_cut(answer: Answer) -> None:
    events = expected(answer.responses)
    if isinstance(events, ErrorKind):
        assert refusal(answer.chunks, answer.content_type).kind is events
    else:
        assert read(answer.chunks, answer.content_type) == events


NO_PICTURES: dict[str, dict[str, Any]] = {
    "sound": {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": base64_of(bytes(range(200)))}},
    "sound, its type last": {"inlineData": {"data": base64_of(bytes(range(200))), "mimeType": "audio/L16"}},
    "SVG": {"inlineData": {"mimeType": "image/svg+xml", "data": base64_of(b"<svg/>" * 9)}},
    "empty data": {"inlineData": {"mimeType": "image/png", "data": ""}},
    "no base64": {"inlineData": {"mimeType": "image/png", "data": "???? ????"}},
    "half a header": {"inlineData": {"mimeType": "image/png", "data": base64_of(PNG[:20])}},
}


@pytest.mark.parametrize("part", NO_PICTURES.values(), ids=NO_PICTURES.keys())
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_part_that_is_no_picture_is_left_out(part: dict[str, Any], size: int) -> None:
    for parts in ((inline(PNG), part), (part, inline(PNG)), (part, {"text": "x"}, inline(PNG), part)):
        body = body_of(*parts)
        events = list(read_answer(body[start : start + size] for start in range(0, len(body), size)))
        pictures = [event for event in events if isinstance(event, ImageStart | ImageEnd)]
        assert pictures == [events_of(PNG)[0], ImageEnd()]
        assert content_in(events) == PNG


@pytest.mark.parametrize("part", [NO_PICTURES["sound"], NO_PICTURES["SVG"]])
def test_an_answer_of_other_parts_has_no_picture(part: dict[str, Any]) -> None:
    assert refusal([body_of(part)], JSON).kind is ErrorKind.NO_IMAGE


def test_tokens_of_tools_are_input_and_those_of_a_picture_without_details_are_a_pictures() -> None:
    metadata = {
        "promptTokenCount": 9,
        "candidatesTokenCount": 1290,
        "toolUsePromptTokenCount": 500,
        "totalTokenCount": 1799,
    }
    assert read(body_of(inline(PNG), usageMetadata=metadata))[-1] == Finish(Usage(509, 0, 0, 1290), "STOP")
    assert find_usage(json.dumps({"usageMetadata": metadata}).encode()) == Usage(509, 0, 1290, 0)


def test_the_message_of_a_blocked_prompt_is_repeated() -> None:
    feedback = {"blockReason": "OTHER", "blockReasonMessage": "Not in this\nregion."}
    error = refusal([json.dumps({"promptFeedback": feedback}).encode()], JSON)
    assert error.kind is ErrorKind.CONTENT_BLOCKED
    assert error.message.endswith("(OTHER). Not in this region.")


def test_a_part_with_two_pictures_is_broken() -> None:
    part = inline(PNG)
    part["inline_data"] = part["inlineData"]
    assert refusal(body_of(part)).kind is ErrorKind.UPSTREAM_BROKEN


# Answers without a picture

REFUSALS = (
    "SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION",
    "IMAGE_RECITATION",
)  # fmt: skip
OTHER_REASONS = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "LANGUAGE", "OTHER", "MALFORMED_FUNCTION_CALL", "IMAGE_OTHER",
    "NO_IMAGE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE",
    "ESCALATION", "PUP_LIMITED_DISABLED", "CONTINUATION", "AN_UNKNOWN_REASON",
)  # fmt: skip
FINISH_REASONS = {
    **dict.fromkeys(REFUSALS, ErrorKind.CONTENT_BLOCKED),
    **dict.fromkeys(OTHER_REASONS, ErrorKind.NO_IMAGE),
}
BLOCK_REASONS = (
    "BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "MODEL_ARMOR",
    "JAILBREAK", "AN_UNKNOWN_REASON",
)  # fmt: skip


@pytest.mark.parametrize(("reason", "kind"), FINISH_REASONS.items())
def test_a_finish_reason_without_a_picture(reason: str, kind: ErrorKind) -> None:
    candidate = {"content": {}, "finishReason": reason, "finishMessage": "Because\n of this.", "index": 0}
    error = refusal(json.dumps({"candidates": [candidate]}).encode())
    assert (error.kind, error.may_repeat) == (kind, False)
    assert reason in error.message
    assert error.message.endswith("Because of this.")


@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_a_picture_is_a_success_whatever_the_finish_reason(reason: str) -> None:
    candidate = {"content": {"parts": [inline(PNG)]}, "finishReason": reason}
    assert read(json.dumps({"candidates": [candidate]}).encode()) == [*events_of(PNG), Finish(None, reason)]


@pytest.mark.parametrize("reason", BLOCK_REASONS)
def test_a_blocked_prompt(reason: str) -> None:
    error = refusal(json.dumps({"promptFeedback": {"blockReason": reason}, "usageMetadata": {}}).encode())
    assert (error.kind, error.may_repeat) == (ErrorKind.CONTENT_BLOCKED, False)
    assert reason in error.message


def test_a_text_without_a_picture_is_in_the_error() -> None:
    error = refusal(body_of({"text": "Which sea?\n"}, {"text": "Tell me more."}))
    assert (error.kind, error.may_repeat) == (ErrorKind.NO_IMAGE, False)
    assert error.message.endswith("Which sea? Tell me more.")


def test_a_thought_is_not_in_the_error() -> None:
    error = refusal(body_of({"text": "a secret thought", "thought": True}))
    assert error.kind is ErrorKind.NO_IMAGE
    assert "secret" not in error.message


def test_a_long_explanation_is_shortened() -> None:
    assert len(refusal(body_of({"text": "word " * 100_000})).message) < 5000


def test_a_draft_is_not_a_picture() -> None:
    assert refusal(body_of(inline(PNG, thought=True))).kind is ErrorKind.NO_IMAGE


def test_a_picture_in_another_place_is_ignored() -> None:
    body = json.dumps({"candidates": [{"inlineData": inline(PNG)["inlineData"]}], "parts": [inline(PNG)]}).encode()
    assert refusal(body).kind is ErrorKind.NO_IMAGE


# Words that are an answer


@pytest.mark.parametrize("reason", ["STOP", "MAX_TOKENS", "NO_IMAGE", "SOMETHING_NEW"])
def test_words_alone_are_an_answer_where_they_suffice(reason: str) -> None:
    body = json.dumps({"candidates": [{"content": {"parts": [{"text": "Which sea?"}]}, "finishReason": reason}]})
    assert list(read_answer([body.encode()], text_suffices=True)) == [Text("Which sea?"), Finish(None, reason)]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        ({"candidates": [{"content": {"parts": [{"text": "No."}]}, "finishReason": "SAFETY"}]}, "CONTENT_BLOCKED"),
        (
            {"candidates": [{"content": {"parts": [{"text": "No."}]}}], "promptFeedback": {"blockReason": "X"}},
            "CONTENT_BLOCKED",
        ),
        (
            {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}, "finishReason": "STOP"}]},
            "NO_IMAGE",
        ),
        ({"candidates": [{"content": {}, "finishReason": "IMAGE_OTHER"}]}, "NO_IMAGE"),
    ],
)
def test_a_refusal_and_an_answer_without_words_are_errors_all_the_same(response: dict[str, Any], kind: str) -> None:
    with pytest.raises(ApiError) as caught:
        list(read_answer([json.dumps(response).encode()], text_suffices=True))
    assert caught.value.kind is ErrorKind[kind]


# Errors within an answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}, ErrorKind.UPSTREAM_UNAVAILABLE),
        ({"code": 429, "message": "Slow down."}, ErrorKind.RATE_LIMITED),
        ({"code": 400, "message": "No.", "details": [{"reason": "API_KEY_INVALID"}]}, ErrorKind.INVALID_KEY),
        ({"message": "no code"}, ErrorKind.UPSTREAM_INTERNAL),
    ],
)
@pytest.mark.parametrize("frame", ["data: {}\r\n\r\n", "{}"], ids=["event", "plain"])
def test_an_error_within_a_stream(frame: str, error: dict[str, Any], kind: ErrorKind) -> None:
    first = "data: " + json.dumps({"candidates": [{"content": {"parts": [{"text": "Here is"}]}}]}) + "\r\n\r\n"
    raised = refusal((first + frame.replace("{}", json.dumps({"error": error}))).encode(), EVENT_STREAM)
    assert (raised.kind, raised.message) == (kind, error["message"])


def test_an_error_after_a_picture_is_raised_before_the_answer_finishes() -> None:
    events = read_answer([b"[" + body_of(inline(PNG)) + b', {"error": {"code": 500, "message": "Oh."}}]'])
    found: list[Event] = []
    with pytest.raises(ApiError, match="Oh"):
        found.extend(events)
    assert joined(found) == events_of(PNG)


# Pictures


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("length", [1, 5, 64, 10_000])
def test_a_picture_is_read_in_chunks_of_any_length(picture: bytes, length: int) -> None:
    assert read(cut_every(body_of(inline(picture)), length)) == [*events_of(picture), Finish(None, "STOP")]


def test_the_type_comes_from_the_bytes_and_not_from_the_declared_one() -> None:
    assert read(body_of(inline(JPEG)))[0] == ImageStart("image/jpeg", 5, 4)


@pytest.mark.parametrize("before", [True, False], ids=["flag before", "flag after"])
def test_the_flag_of_a_draft_may_be_before_or_after_its_picture(before: bool) -> None:
    draft = {"thought": True, **inline(JPEG)} if before else inline(JPEG, thought=True)
    body = body_of(draft, {"text": "thinking", "thought": True}, inline(PNG, thought=False))
    assert read(body) == [*events_of(PNG), Finish(None, "STOP")]
    drafts = [event for event in read_answer([body]) if event == ImageEnd(draft=True)]
    assert len(drafts) == (0 if before else 1)


def test_a_header_is_not_looked_for_in_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def counted(data: bytes) -> Any:
        looks.append(len(data))
        return formats.read_header(data)

    monkeypatch.setattr(picture_reader, "read_header", counted)
    picture = with_segments(JPEG, *[60_000] * 20)
    assert read(cut_every(body_of(inline(picture)), 1000)) == [*events_of(picture), Finish(None, "STOP")]
    assert len(looks) < 20


# Usage


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        ({}, Usage()),
        ({"promptTokenCount": 5, "totalTokenCount": 5}, Usage(input_text_tokens=5)),
        (
            {
                "promptTokenCount": 264,
                "candidatesTokenCount": 1300,
                "thoughtsTokenCount": 44,
                "promptTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 258},
                    {"modality": "TEXT", "tokenCount": 6},
                ],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
            },
            Usage(6, 258, 54, 1290),
        ),
        (
            {
                "promptTokenCount": 522,
                "promptTokensDetails": [
                    {"modality": "IMAGE", "tokenCount": 258},
                    {"modality": "TEXT", "tokenCount": 6},
                    {"modality": "IMAGE", "tokenCount": 258},
                ],
            },
            Usage(6, 516),
        ),
        ({"promptTokenCount": "5", "candidatesTokenCount": None, "promptTokensDetails": 3}, Usage()),
    ],
    ids=["nothing", "text only", "all kinds", "two pictures", "odd values"],
)
def test_usage(metadata: dict[str, Any], usage: Usage) -> None:
    assert read(body_of(inline(PNG), usageMetadata=metadata))[-1] == Finish(usage, "STOP")


def test_the_last_usage_of_a_stream_counts() -> None:
    body = b",".join(
        [
            body_of({"text": "Here"}, usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2}),
            body_of(inline(PNG), usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 9}),
            body_of({"text": ""}),
        ]
    )
    assert read(b"[" + body + b"]")[-1] == Finish(Usage(5, 0, 0, 9), "STOP")
