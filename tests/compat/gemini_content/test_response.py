"""compat/gemini_content/response.py: answers read as events."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat import picture_reader
from compat.errors import ApiError, ErrorKind
from compat.formats import read_header
from compat.gemini_content.response import BLOCKED, find_usage, read_answer
from compat.images import Event, Finish, ImageData, ImageEnd, ImageStart, Text, Usage
from tests.compat.gemini_answers import EVENT_STREAM, JSON, NASTY_TEXTS, PICTURES, Answer, answers
from tests.compat.pictures import base64_of, draw, with_segments
from tests.support.chunks import cut_every, cuts_of

PNG, JPEG = draw("PNG", 3, 2), draw("JPEG", 5, 4)


def read(body: bytes | Iterable[bytes], content_type: str = JSON) -> list[Event]:
    """The events, the data of each picture in one piece, without drafts."""
    events: list[Event] = []
    for event in read_answer([body] if isinstance(body, bytes) else body, content_type):
        if isinstance(event, ImageData) and isinstance(events[-1], ImageData):
            events[-1] = ImageData(events[-1].data + event.data)
        elif isinstance(event, ImageEnd) and event.draft:
            del events[-2:]
        else:
            events.append(event)
    return events


def refusal(body: bytes | Iterable[bytes], content_type: str = JSON) -> ApiError:
    """The error that an answer is."""
    with pytest.raises(ApiError) as caught:
        read(body, content_type)
    return caught.value


def body_of(*parts: dict[str, Any], **others: Any) -> bytes:
    """An answer with one candidate, as Google writes it."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": "STOP", "index": 0}
    return json.dumps({"candidates": [candidate], **others}, indent=2).encode()


def inline(picture: bytes, **others: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64_of(picture)}, **others}


def events_of(picture: bytes) -> list[Event]:
    header = read_header(picture)
    assert header
    return [
        ImageStart(header.format.mime_type, header.width, header.height),
        ImageData(base64.b64encode(picture)),
        ImageEnd(),
    ]


# What json reads, read once more in the plainest way


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
        data = b"".join(event.data for event in events if isinstance(event, ImageData))
        assert data == base64.b64encode(PNG)


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


# Broken answers

WHOLE = {
    "indented": (body_of({"text": "{"}, inline(PNG), {"text": 'a "data": "', "thoughtSignature": "AAAA"}), JSON),
    "array": (b"[" + body_of(inline(PNG)) + b",\n" + body_of({"text": ""}) + b"]", JSON),
    "escaped": (json.dumps(json.loads(body_of(inline(JPEG)))).replace("/", "\\/").encode(), JSON),
    "one event": (b"data: " + json.dumps(json.loads(body_of(inline(PNG)))).encode(), EVENT_STREAM),
}


@pytest.mark.parametrize(("body", "content_type"), WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_that_ends_early_at_any_place_is_broken(body: bytes, content_type: str) -> None:
    assert isinstance(read(body, content_type)[-1], Finish)
    for length in range(len(body)):
        for chunks in ([body[:length]], cut_every(body[:length], 7)):
            error = refusal(chunks, content_type)
            assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


@given(answers(), st.data())
@settings(max_examples=300)
def test_an_answer_that_is_damaged_anywhere_is_read_or_an_api_error(answer: Answer, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(answer.body)))
    damage = data.draw(st.binary(max_size=3))
    body = answer.body[:place] + damage + answer.body[place + data.draw(st.integers(0, 3)) :]
    try:
        events = read(data.draw(cuts_of(body)), answer.content_type)
    except ApiError:
        return
    for event in events:
        if isinstance(event, ImageData):
            base64.b64decode(event.data, validate=True)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
ODD_PLACES = [
    lambda odd: odd,
    lambda odd: [odd],
    lambda odd: {"candidates": odd},
    lambda odd: {"candidates": [odd]},
    lambda odd: {"candidates": [{"content": odd, "finishReason": odd, "finishMessage": odd, "index": odd}]},
    lambda odd: {"candidates": [{"content": {"parts": odd}}]},
    lambda odd: {"candidates": [{"content": {"parts": [odd]}}]},
    lambda odd: {"candidates": [{"content": {"parts": [{"text": odd, "thought": odd, "thoughtSignature": odd}]}}]},
    lambda odd: {"candidates": [{"content": {"parts": [{"inlineData": odd}]}}]},
    lambda odd: {"candidates": [{"content": {"parts": [{"inlineData": {"data": odd, "mimeType": odd}}]}}]},
    lambda odd: {"promptFeedback": odd},
    lambda odd: {"promptFeedback": {"blockReason": odd}},
    lambda odd: {"usageMetadata": odd},
    lambda odd: {"usageMetadata": {"promptTokenCount": odd, "promptTokensDetails": odd}},
    lambda odd: {"usageMetadata": {"candidatesTokensDetails": [{"modality": odd, "tokenCount": odd}]}},
    lambda odd: {"error": odd},
    lambda odd: {"error": {"code": odd, "message": odd, "status": odd, "details": odd}},
    lambda odd: {"error": {"code": 429, "details": [odd, {"@type": odd, "violations": odd, "retryDelay": odd}]}},
]


@pytest.mark.parametrize("place", range(len(ODD_PLACES)))
@given(any_json)
@settings(max_examples=60)
def test_an_odd_value_in_any_place_is_an_api_error(place: int, odd: Any) -> None:
    document = ODD_PLACES[place](odd)
    refusal(json.dumps(document).encode())


BASE64_OF_PNG = base64_of(draw("PNG", 9, 9))
NOT_BASE64 = {
    "one character after the last group of four": BASE64_OF_PNG[:104] + "A",
    "a quotation mark": BASE64_OF_PNG[:100] + '"' + BASE64_OF_PNG[101:],
    "a backslash": BASE64_OF_PNG[:100] + "\\" + BASE64_OF_PNG[101:],
    "a line end": BASE64_OF_PNG[:100] + "\n" + BASE64_OF_PNG[100:],
    "padding in the middle": BASE64_OF_PNG[:100] + "====" + BASE64_OF_PNG[100:],
    "a note in place of the rest": BASE64_OF_PNG[:100] + "<truncated>",
    "a letter of another alphabet": BASE64_OF_PNG[:100] + "é",
    "nothing": "",
    "words": "no picture at all",
    "a text in base64": base64_of(b"I cannot draw this, I am sorry."),
}


@pytest.mark.parametrize("data", NOT_BASE64.values(), ids=NOT_BASE64.keys())
def test_a_picture_that_is_no_base64_anywhere_in_it_is_broken(data: str) -> None:
    body = body_of({"inlineData": {"mimeType": "image/png", "data": data}})
    for chunks in ([body], cut_every(body, 30)):
        error = refusal(chunks)
        assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b"<html>502</html>", b"OK", b'"text"'])
def test_a_body_that_is_no_answer_is_broken(body: bytes) -> None:
    assert refusal(body).kind is ErrorKind.UPSTREAM_BROKEN


def test_a_part_with_two_pictures_is_broken() -> None:
    part = inline(PNG)
    part["inline_data"] = part["inlineData"]
    assert refusal(body_of(part)).kind is ErrorKind.UPSTREAM_BROKEN


# Answers without a picture

FINISH_REASONS = {
    **dict.fromkeys(
        (
            "SAFETY",
            "IMAGE_SAFETY",
            "PROHIBITED_CONTENT",
            "IMAGE_PROHIBITED_CONTENT",
            "BLOCKLIST",
            "SPII",
            "RECITATION",
            "IMAGE_RECITATION",
        ),
        ErrorKind.CONTENT_BLOCKED,
    ),
    **dict.fromkeys(
        (
            "FINISH_REASON_UNSPECIFIED",
            "STOP",
            "MAX_TOKENS",
            "LANGUAGE",
            "OTHER",
            "MALFORMED_FUNCTION_CALL",
            "IMAGE_OTHER",
            "NO_IMAGE",
            "UNEXPECTED_TOOL_CALL",
            "TOO_MANY_TOOL_CALLS",
            "MISSING_THOUGHT_SIGNATURE",
            "MALFORMED_RESPONSE",
            "ESCALATION",
            "PUP_LIMITED_DISABLED",
            "CONTINUATION",
            "A_REASON_OF_TOMORROW",
        ),
        ErrorKind.NO_IMAGE,
    ),
}


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


@pytest.mark.parametrize(
    "reason",
    [
        "BLOCK_REASON_UNSPECIFIED",
        "SAFETY",
        "OTHER",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "IMAGE_SAFETY",
        "MODEL_ARMOR",
        "JAILBREAK",
        "A_REASON_OF_TOMORROW",
    ],
)
def test_a_prompt_that_is_blocked(reason: str) -> None:
    error = refusal(json.dumps({"promptFeedback": {"blockReason": reason}, "usageMetadata": {}}).encode())
    assert (error.kind, error.may_repeat) == (ErrorKind.CONTENT_BLOCKED, False)
    assert reason in error.message


def test_words_without_a_picture_are_told() -> None:
    error = refusal(body_of({"text": "Which sea?\n"}, {"text": "Tell me more."}))
    assert (error.kind, error.may_repeat) == (ErrorKind.NO_IMAGE, False)
    assert error.message.endswith("Which sea? Tell me more.")


def test_what_a_model_thinks_is_not_told() -> None:
    error = refusal(body_of({"text": "a secret thought", "thought": True}))
    assert error.kind is ErrorKind.NO_IMAGE
    assert "secret" not in error.message


def test_a_long_explanation_is_shortened() -> None:
    assert len(refusal(body_of({"text": "word " * 100_000})).message) < 5000


def test_only_drafts_are_no_picture() -> None:
    assert refusal(body_of(inline(PNG, thought=True))).kind is ErrorKind.NO_IMAGE


def test_a_picture_in_another_place_is_no_picture() -> None:
    body = json.dumps({"candidates": [{"inlineData": inline(PNG)["inlineData"]}], "parts": [inline(PNG)]}).encode()
    assert refusal(body).kind is ErrorKind.NO_IMAGE


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
def test_an_error_in_the_midst_of_a_stream(frame: str, error: dict[str, Any], kind: ErrorKind) -> None:
    first = "data: " + json.dumps({"candidates": [{"content": {"parts": [{"text": "Here is"}]}}]}) + "\r\n\r\n"
    told = refusal((first + frame.replace("{}", json.dumps({"error": error}))).encode(), EVENT_STREAM)
    assert (told.kind, told.message) == (kind, error["message"])


def test_an_error_after_a_picture_is_raised_before_the_answer_finishes() -> None:
    stream = read_answer([b"[" + body_of(inline(PNG)) + b', {"error": {"code": 500, "message": "Oh."}}]'])
    found = []
    with pytest.raises(ApiError, match="Oh"):
        found += list(stream)
    assert not found


# Pictures


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("length", [1, 5, 64, 10_000])
def test_a_picture_is_read_in_chunks_of_any_length(picture: bytes, length: int) -> None:
    assert read(cut_every(body_of(inline(picture)), length)) == [*events_of(picture), Finish(None, "STOP")]


def test_the_type_comes_from_the_bytes_and_not_from_what_the_answer_says() -> None:
    assert read(body_of(inline(JPEG)))[0] == ImageStart("image/jpeg", 5, 4)


@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_words_are_told_as_they_are(text: str) -> None:
    assert read(body_of({"text": text}, inline(PNG)))[0] == Text(text)


@pytest.mark.parametrize("before", [True, False], ids=["flag before", "flag after"])
def test_a_draft_is_no_result_and_its_flag_may_stand_on_either_side(before: bool) -> None:
    draft = {"thought": True, **inline(JPEG)} if before else inline(JPEG, thought=True)
    body = body_of(draft, {"text": "thinking", "thought": True}, inline(PNG, thought=False))
    assert read(body) == [*events_of(PNG), Finish(None, "STOP")]
    drafts = [event for event in read_answer([body]) if event == ImageEnd(draft=True)]
    assert len(drafts) == (0 if before else 1)


def test_nothing_is_told_of_a_picture_before_its_header_is_known() -> None:
    picture = with_segments(JPEG, 60_000, 60_000)
    body = body_of(inline(picture))
    events = read_answer(cut_every(body, 1000))
    assert next(events) == ImageStart("image/jpeg", 5, 4)
    assert ImageEnd() in list(events)


def test_a_header_that_is_far_away_is_not_looked_for_in_every_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def counted(data: bytes) -> Any:
        looks.append(len(data))
        return read_header(data)

    monkeypatch.setattr(picture_reader, "read_header", counted)
    picture = with_segments(JPEG, *[60_000] * 20)
    assert read(cut_every(body_of(inline(picture)), 1000)) == [*events_of(picture), Finish(None, "STOP")]
    assert len(looks) < 20


@pytest.mark.parametrize("signed", ["before", "after", "alone"])
def test_a_picture_of_30_megabytes_and_a_signature_flow_in_little_memory(signed: str) -> None:
    filler = b"A" * 65536
    start = base64.b64encode(draw("PNG", 3, 2)[:48])
    picture = [b'"inlineData": {"mimeType": "image/png", "data": "', start, *[filler] * 480, b'"}']
    signature = [b'"thoughtSignature": "', *[filler] * 480, b'"']
    members = {
        "before": [*signature, b",", *picture],
        "after": [*picture, b",", *signature],
        "alone": picture,
    }[signed]

    def chunks() -> Iterator[bytes]:
        yield b'{"candidates": [{"content": {"parts": [{'
        yield from members
        yield b"}]}}]}"

    tracemalloc.start()
    try:
        length = sum(len(event.data) for event in read_answer(chunks()) if isinstance(event, ImageData))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == len(start) + 480 * len(filler)
    assert peak < 2 * 1024 * 1024


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


def test_a_stream_repeats_its_usage_and_the_last_one_counts() -> None:
    body = b",".join(
        [
            body_of({"text": "Here"}, usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2}),
            body_of(inline(PNG), usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 9}),
            body_of({"text": ""}),
        ]
    )
    assert read(b"[" + body + b"]")[-1] == Finish(Usage(5, 0, 0, 9), "STOP")
