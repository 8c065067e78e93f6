"""compat/gemini_content/response_writer.py: answers written from events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from google.genai import types

from compat.errors import ApiError, Bought, ErrorKind
from compat.gemini_content.response import BLOCKED, parse_usage
from compat.gemini_content.response_writer import (
    ARRAY,
    EVENTS,
    WHOLE,
    build_refusal,
    build_usage,
    frame,
    write_answer,
    write_array,
    write_event_stream,
)
from compat.images import (
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageStart,
    RevisedPrompt,
    Silence,
    Text,
    Usage,
)
from tests.compat.gemini_answers import NASTY_TEXTS
from tests.compat.pictures import Held, picture, raising

NAMES = {"model_version": "own-model", "response_id": "abc"}
ABOUT = {"modelVersion": "own-model", "responseId": "abc"}
SQUARE, WIDE = ImageStart("image/png", 1024, 1024), ImageStart("image/jpeg", 1344, 768)
BLOCKED_ERROR = ApiError(ErrorKind.CONTENT_BLOCKED, "No.", bought=Bought.YES)
LATE = ApiError(ErrorKind.UPSTREAM_TIMEOUT, "Late.", retry_after=3)
WRITTEN_USAGE = {
    "promptTokenCount": 263,
    "candidatesTokenCount": 1300,
    "totalTokenCount": 1563,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}, {"modality": "IMAGE", "tokenCount": 258}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
}
USAGE = Usage(5, 258, 10, 1290)


def inline(start: ImageStart, data: str, **others: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": start.mime_type, "data": data}, **others}


def candidate(index: int, *parts: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"content": {"parts": list(parts), "role": "model"}, "index": index, **others}


def stopped(index: int, *parts: dict[str, Any]) -> dict[str, Any]:
    return candidate(index, *parts, finishReason="STOP")


def failed(index: int, reason: str, message: str) -> dict[str, Any]:
    return {"content": {"role": "model"}, "finishReason": reason, "index": index, "finishMessage": message}


def written(events: Iterable[Event]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(b"".join(write_answer(events, **NAMES)))
    return answer


def streamed(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The responses of a stream of events."""
    *frames, rest = b"".join(write_event_stream(events, **NAMES)).decode("ascii").split("\r\n\r\n")
    assert rest == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


AAAA, BBBB = picture(SQUARE, b"AAAA"), picture(WIDE, b"BBBB")
A_PART, B_PART = inline(SQUARE, "AAAA"), inline(WIDE, "BBBB")
END = {"text": ""}
# Events; the candidates of the answer; the candidates of each response of the stream
ANSWERS: dict[str, tuple[list[Event], list[dict[str, Any]], list[list[dict[str, Any]]]]] = {
    "one picture": ([*AAAA, Finish()], [stopped(0, A_PART)], [[candidate(0, A_PART)], [stopped(0, END)]]),
    "texts before and after": (
        [Text("Here "), Text("is:"), *AAAA, Text("The sea."), Finish()],
        [stopped(0, {"text": "Here "}, {"text": "is:"}, A_PART, {"text": "The sea."})],
        [
            [candidate(0, {"text": "Here "}, {"text": "is:"}, A_PART)],
            [candidate(0, {"text": "The sea."})],
            [stopped(0, END)],
        ],
    ),
    "two answers, each with its text": (
        [*AAAA, Text("one"), Finish(), Text("two"), *BBBB, Finish()],
        [stopped(0, A_PART, {"text": "one"}), stopped(1, {"text": "two"}, B_PART)],
        [
            [candidate(0, A_PART)],
            [candidate(0, {"text": "one"})],
            [candidate(1, {"text": "two"}, B_PART)],
            [stopped(0, END), stopped(1, END)],
        ],
    ),
    "two pictures of one answer": (
        [*AAAA, Text("two"), *BBBB, Finish()],
        [stopped(0, A_PART), stopped(1, {"text": "two"}, B_PART)],
        [[candidate(0, A_PART)], [candidate(1, {"text": "two"}, B_PART)], [stopped(0, END), stopped(1, END)]],
    ),
    "drafts": (
        [
            Text("So:"),
            *picture(WIDE, b"CCCC", draft=True),
            *AAAA,
            Finish(),
            *picture(WIDE, draft=True),
            *BBBB,
            Finish(),
        ],
        [
            stopped(0, {"text": "So:"}, inline(WIDE, "CCCC", thought=True), A_PART),
            stopped(1, inline(WIDE, "", thought=True), B_PART),
        ],
        [
            [candidate(0, {"text": "So:"}, inline(WIDE, "CCCC", thought=True))],
            [candidate(0, A_PART)],
            [candidate(1, inline(WIDE, "", thought=True))],
            [candidate(1, B_PART)],
            [stopped(0, END), stopped(1, END)],
        ],
    ),
    "some of n failed": (
        [Failure(BLOCKED_ERROR), *AAAA, Finish(), Failure(LATE)],
        [stopped(0, A_PART), failed(1, "IMAGE_SAFETY", "No."), failed(2, "IMAGE_OTHER", "Late.")],
        [
            [candidate(0, A_PART)],
            [stopped(0, END), failed(1, "IMAGE_SAFETY", "No."), failed(2, "IMAGE_OTHER", "Late.")],
        ],
    ),
    "only failures": (
        [Failure(BLOCKED_ERROR)],
        [failed(0, "IMAGE_SAFETY", "No.")],
        [[failed(0, "IMAGE_SAFETY", "No.")]],
    ),
    "events without an equivalent": (
        [Silence(), RevisedPrompt("A sun."), *AAAA, Silence(), RevisedPrompt("B"), Finish(), Silence()],
        [stopped(0, A_PART)],
        [[candidate(0, A_PART)], [stopped(0, END)]],
    ),
    "an answer without its end": (AAAA, [stopped(0, A_PART)], [[candidate(0, A_PART)], [stopped(0, END)]]),
}


@pytest.mark.parametrize(("events", "candidates", "responses"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer(events: list[Event], candidates: list[Any], responses: list[list[Any]]) -> None:
    assert written(events) == {"candidates": candidates, **ABOUT}
    assert streamed(events) == [{"candidates": one, **ABOUT} for one in responses]
    assert json.loads(b"".join(write_array(events, **NAMES))) == streamed(events)


@pytest.mark.parametrize("events", [events for events, _, _ in ANSWERS.values()], ids=ANSWERS.keys())
def test_googles_own_client_reads_it(events: list[Event]) -> None:
    for response in [written(events), *streamed(events)]:
        types.GenerateContentResponse.model_validate(response)


@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_texts_are_written_in_ascii_and_unchanged(text: str) -> None:
    events = [Text(text), *AAAA, Finish()]
    assert b"".join(write_answer(events, **NAMES)).isascii()
    assert written(events)["candidates"][0]["content"]["parts"][0] == {"text": text}
    assert streamed(events)[0]["candidates"][0]["content"]["parts"][0] == {"text": text}


def test_usage_is_summed_and_written_last() -> None:
    events = [*AAAA, Finish(USAGE), *BBBB, Finish(), *AAAA, Finish(USAGE)]
    doubled = Usage(10, 516, 20, 2580)
    assert written(events)["usageMetadata"] == build_usage(doubled)
    assert ["usageMetadata" in one for one in streamed(events)] == [False, False, False, True]
    assert streamed(events)[-1]["usageMetadata"] == build_usage(doubled)


@pytest.mark.parametrize(
    ("usage", "body"),
    [
        (USAGE, WRITTEN_USAGE),
        (Usage(), {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}),
        (
            Usage(input_text_tokens=3, output_text_tokens=4),
            {
                "promptTokenCount": 3,
                "candidatesTokenCount": 4,
                "totalTokenCount": 7,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
                "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
            },
        ),
    ],
)
def test_usage(usage: Usage, body: dict[str, Any]) -> None:
    assert build_usage(usage) == body
    assert parse_usage(body) == usage


# Errors


Writer = Callable[..., Iterator[bytes]]
every_writer = pytest.mark.parametrize("write", [write_answer, write_event_stream, write_array])


@every_writer
def test_nothing_is_written_before_the_first_picture(write: Writer) -> None:
    with pytest.raises(ApiError):
        next(write(raising([Text("Here"), Silence(), Failure(LATE)], BLOCKED_ERROR), **NAMES))


@every_writer
def test_a_picture_that_is_held_passes_as_it_is(write: Writer) -> None:
    held = Held(bytes(65536))
    chunks = list(write([SQUARE, ImageData(held), ImageEnd(), Finish()], **NAMES))
    assert [chunk is held for chunk in chunks].count(True) == 1


@every_writer
def test_a_picture_that_breaks_cuts_the_answer(write: Writer) -> None:
    found = b""
    with pytest.raises(ApiError):  # noqa: PT012
        for chunk in write(raising([*AAAA, Finish(), *BBBB[:-1]], BLOCKED_ERROR), **NAMES):
            found += chunk
    assert found.endswith(b"BBBB")


def test_an_error_between_two_pictures_cuts_a_document() -> None:
    with pytest.raises(ApiError):
        written(raising([*AAAA, Finish()], BLOCKED_ERROR))


def test_an_error_between_two_pictures_is_the_last_response_of_a_stream() -> None:
    error = {
        "error": {
            "code": 504,
            "message": "Late.",
            "status": "DEADLINE_EXCEEDED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "UPSTREAM_TIMEOUT",
                    "domain": "twinlens",
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"},
            ],
        }
    }
    assert streamed(raising([*AAAA, Finish()], LATE)) == [{"candidates": [candidate(0, A_PART)], **ABOUT}, error]
    array = b"".join(write_array(raising([*AAAA, Finish()], LATE), **NAMES))
    assert json.loads(array) == streamed(raising([*AAAA, Finish()], LATE))


# Refusals


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BLOCKED_ERROR, "IMAGE_SAFETY"),
        (ApiError(ErrorKind.NO_IMAGE, "Text only."), "NO_IMAGE"),
        (ApiError(ErrorKind.NO_IMAGE, "The model made no image (SAFETY)."), "NO_IMAGE"),
        (ApiError(ErrorKind.CONTENT_BLOCKED, "Rejected (OTHER)."), "IMAGE_SAFETY"),
        *(
            (ApiError(ErrorKind.CONTENT_BLOCKED, f"Rejected by the safety system ({reason}). Why."), reason)
            for reason in sorted(BLOCKED)
        ),
    ],
)
def test_a_refusal_is_an_answer_without_a_picture(error: ApiError, reason: str) -> None:
    refusal = build_refusal(error, **NAMES)
    assert refusal == {"candidates": [failed(0, reason, error.message)], **ABOUT}
    types.GenerateContentResponse.model_validate(refusal)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind.name not in ("CONTENT_BLOCKED", "NO_IMAGE")])
def test_other_errors_are_not_refusals(kind: ErrorKind) -> None:
    assert build_refusal(ApiError(kind, "Oh."), **NAMES) is None


def test_a_refusal_in_every_framing() -> None:
    refusal = build_refusal(BLOCKED_ERROR, **NAMES)
    assert refusal
    assert json.loads(frame(refusal, WHOLE)) == refusal
    assert json.loads(frame(refusal, ARRAY)) == [refusal]
    event = frame(refusal, EVENTS)
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\r\n\r\n")
    assert json.loads(event.removeprefix(b"data: ")) == refusal
