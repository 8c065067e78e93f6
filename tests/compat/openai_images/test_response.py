"""compat/openai_images/response.py: answers written from events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.errors import ApiError, Bought, ErrorKind
from compat.formats import READABLE, PictureFormat
from compat.image_models import Prices
from compat.images import (
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageStart,
    RevisedPrompt,
    Silence,
    StoredImage,
    Text,
    Usage,
)
from compat.openai_images.response import write_answer, write_event_stream
from tests.compat.gemini_answers import texts
from tests.compat.openai_answers import PARSED_USAGE, USAGE
from tests.compat.pictures import Held, picture, raising

CREATED = 1_700_000_000
PRICES = Prices(0.30, 2.50, 30)
SQUARE = ImageStart("image/png", 1024, 1024)
WIDE = ImageStart("image/jpeg", 1344, 768)
STORED = StoredImage("https://example.com/images/a.png", "image/png", 1024, 1024)
FINISH = Finish(PARSED_USAGE)
BLOCKED = ApiError(ErrorKind.CONTENT_BLOCKED, "No.", bought=Bought.YES)


def written(events: Iterable[Event], prices: Prices | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(b"".join(write_answer(events, created=CREATED, prices=prices)))
    return answer


ABOUT_SQUARE = {"created": CREATED, "background": "opaque", "size": "1024x1024", "output_format": "png"}
ANSWERS: dict[str, tuple[list[Event], dict[str, Any]]] = {
    "one picture": (
        [*picture(SQUARE, b"AAAA", b"BBBB"), Finish()],
        {**ABOUT_SQUARE, "data": [{"b64_json": "AAAABBBB"}]},
    ),
    "one picture at a url": ([STORED, Finish()], {**ABOUT_SQUARE, "data": [{"url": STORED.url}]}),
    "texts before and after": (
        [Text("Here "), Text("is: "), *picture(SQUARE, b"AAAA"), Text("The sea."), Finish()],
        {**ABOUT_SQUARE, "data": [{"b64_json": "AAAA", "text": "Here is: The sea."}]},
    ),
    "two pictures of one answer, each with the text before it": (
        [Text("one"), *picture(SQUARE, b"AA=="), Text("two"), STORED, Text("end"), Finish()],
        {**ABOUT_SQUARE, "data": [{"b64_json": "AA==", "text": "one"}, {"url": STORED.url, "text": "twoend"}]},
    ),
    "texts stay with their own answer": (
        [*picture(SQUARE, b"AAAA"), Text("first"), Finish(), *picture(SQUARE, b"BBBB"), Finish()],
        {**ABOUT_SQUARE, "data": [{"b64_json": "AAAA", "text": "first"}, {"b64_json": "BBBB"}]},
    ),
    "pictures that differ": (
        [*picture(SQUARE, b"AAAA"), Finish(), *picture(WIDE, b"BBBB"), Finish(), *picture(SQUARE, b"CCCC"), Finish()],
        {
            **ABOUT_SQUARE,
            "data": [{"b64_json": "AAAA"}, {"size": "1344x768", "b64_json": "BBBB"}, {"b64_json": "CCCC"}],
        },
    ),
    "some of n failed": (
        [*picture(SQUARE, b"AAAA"), Finish(), Failure(BLOCKED), Failure(ApiError(ErrorKind.UPSTREAM_TIMEOUT, "Late."))],
        {
            **ABOUT_SQUARE,
            "data": [{"b64_json": "AAAA"}],
            "errors": [
                {"message": "No.", "type": "image_generation_user_error", "param": None, "code": "moderation_blocked"},
                {"message": "Late.", "type": "server_error", "param": None, "code": "upstream_timeout"},
            ],
        },
    ),
    "usage": (
        [*picture(SQUARE, b"AAAA"), FINISH],
        {**ABOUT_SQUARE, "data": [{"b64_json": "AAAA"}], "usage": USAGE},
    ),
    "silences": ([Silence(), STORED, Silence(), Finish()], {**ABOUT_SQUARE, "data": [{"url": STORED.url}]}),
}


@pytest.mark.parametrize(("events", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer(events: list[Event], answer: dict[str, Any]) -> None:
    assert written(events) == answer


@pytest.mark.parametrize("known", READABLE, ids=lambda known: known.name)
def test_the_format_is_reported(known: PictureFormat) -> None:
    assert written([*picture(ImageStart(known.mime_type, 1, 1), b"AAAA"), Finish()])["output_format"] == known.name


@pytest.mark.parametrize(
    "events",
    [
        [RevisedPrompt("a red fox"), STORED, Finish()],
        [STORED, RevisedPrompt("a red fox"), Finish()],
        [STORED, RevisedPrompt("a fox"), RevisedPrompt("a red fox"), Finish()],
    ],
)
def test_a_revised_prompt_belongs_to_its_picture(events: list[Event]) -> None:
    [first, second] = written([*events, STORED, Finish()])["data"]
    assert first == {"url": STORED.url, "revised_prompt": "a red fox"}
    assert second == {"url": STORED.url}


def test_usage_is_summed_over_answers_and_priced() -> None:
    answer = written([STORED, FINISH, STORED, FINISH, STORED, Finish()], PRICES)
    assert answer["usage"]["total_tokens"] == 2 * USAGE["total_tokens"]  # type: ignore[operator]
    assert answer["usage"]["output_tokens_details"] == {"text_tokens": 20, "image_tokens": 2580}
    assert answer["usage"]["cost"] == pytest.approx(2 * (263 * 0.30 + 10 * 2.50 + 1290 * 30) / 1e6)


@pytest.mark.parametrize(("events", "prices"), [([STORED, Finish()], PRICES), ([STORED, FINISH], None)])
def test_an_unknown_cost_is_absent(events: list[Event], prices: Prices | None) -> None:
    assert "cost" not in written(events, prices).get("usage", {})


def test_nothing_is_written_before_the_first_picture() -> None:
    with pytest.raises(ApiError):
        next(write_answer(raising([Text("Here"), Silence()], BLOCKED), created=CREATED, prices=None))


def test_a_picture_that_is_held_passes_as_it_is() -> None:
    held = Held(bytes(65536))
    chunks = list(write_answer([SQUARE, ImageData(held), ImageEnd(), Finish()], created=CREATED, prices=None))
    assert [chunk is held for chunk in chunks].count(True) == 1


def test_an_answer_that_breaks_off_is_not_valid_json() -> None:
    chunks = write_answer(raising(picture(SQUARE, b"AAAA"), BLOCKED), created=1, prices=None)
    found = b""
    with pytest.raises(ApiError):  # noqa: PT012
        for chunk in chunks:
            found += chunk
    assert b"AAAA" in found
    with pytest.raises(ValueError, match="Unterminated string"):
        json.loads(found)


pictures = st.builds(
    ImageStart, st.sampled_from(["image/png", "image/webp"]), st.integers(1, 3), st.integers(1, 3)
).map(lambda start: picture(start, b"AAAA")) | st.just([STORED])
remarks = texts.map(lambda text: [Text(text)])
usages = st.none() | st.builds(Usage, *[st.integers(0, 9)] * 4)


@st.composite
def answers_of_several(draw: st.DrawFn) -> list[list[Event]]:
    """The events of several answers, each with at least one picture."""
    return [
        [
            *chain.from_iterable(draw(st.lists(remarks | pictures, max_size=3))),
            *draw(pictures),
            *draw(remarks | st.just([])),
            Finish(draw(usages)),
        ]
        for _ in range(draw(st.integers(1, 3)))
    ]


@given(answers_of_several())
@settings(max_examples=300)
def test_any_events_are_one_json_with_all_pictures_and_texts(answers: list[list[Event]]) -> None:
    events = list(chain.from_iterable(answers))
    answer = written(events, PRICES)
    starts = [event for event in events if isinstance(event, ImageStart | StoredImage)]
    assert [one.get("size", answer["size"]) for one in answer["data"]] == [
        f"{one.width}x{one.height}" for one in starts
    ]
    assert all(("url" in one) != ("b64_json" in one) for one in answer["data"])
    assert "".join(one.get("text", "") for one in answer["data"]) == "".join(
        event.text for event in events if isinstance(event, Text)
    )
    known = [event.usage for event in events if isinstance(event, Finish) and event.usage]
    assert ("usage" in answer) == bool(known)
    if known:
        assert answer["usage"]["total_tokens"] == sum(
            one.input_text_tokens + one.input_image_tokens + one.output_text_tokens + one.output_image_tokens
            for one in known
        )


# Streams


def streamed(events: Iterable[Event], operation: str = "image_generation") -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream, each with its name."""
    chunks = write_event_stream(events, operation=operation, created=CREATED, prices=PRICES)
    found = []
    for frame in b"".join(chunks).decode("ascii").split("\n\n")[:-1]:
        if frame.startswith(":"):
            continue
        name, data = frame.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


@pytest.mark.parametrize("operation", ["image_generation", "image_edit"])
def test_a_completed_event_has_all_that_openais_client_requires(operation: str) -> None:
    events = [
        *picture(SQUARE, b"AAAA"),
        FINISH,
        *picture(WIDE, b"BBBB"),
        Finish(Usage(1, 0, 0, 1290)),
    ]
    (first_name, first), (second_name, second) = streamed(events, operation)
    assert {first_name, second_name} == {f"{operation}.completed"}
    assert first == {
        "type": f"{operation}.completed",
        "b64_json": "AAAA",
        "created_at": CREATED,
        "size": "1024x1024",
        "quality": "auto",
        "background": "opaque",
        "output_format": "png",
        "usage": {**USAGE, "cost": pytest.approx(0.0388039)},
    }
    assert (second["b64_json"], second["size"], second["output_format"]) == ("BBBB", "1344x768", "jpeg")
    assert second["usage"]["total_tokens"] == 1291


def test_every_event_has_usage_and_no_tokens_are_counted_twice() -> None:
    events = [
        *picture(SQUARE, b"AAAA"),
        *picture(SQUARE, b"BBBB"),
        FINISH,
        *picture(SQUARE, b"CCCC"),
        Finish(),
    ]
    assert [data["usage"]["total_tokens"] for _, data in streamed(events)] == [1563, 0, 0]


def test_a_picture_is_written_once_its_answer_is_complete() -> None:
    stream = write_event_stream(
        raising(picture(SQUARE, b"AAAA"), BLOCKED), operation="image_edit", created=1, prices=None
    )
    with pytest.raises(ApiError):
        list(stream)


def error_event(error: ApiError, code: str, number: int) -> tuple[str, dict[str, Any]]:
    return (
        "error",
        {
            "type": "error",
            "error": {"type": "image_generation_user_error", "code": code, "message": error.message, "param": None},
            "sequence_number": number,
        },
    )


def test_failures_come_last_as_nested_error_events() -> None:
    events = [Failure(BLOCKED), *picture(SQUARE, b"AAAA"), Finish(), Failure(ApiError(ErrorKind.NO_IMAGE, "None."))]
    completed, *errors = streamed(events)
    assert completed[0] == "image_generation.completed"
    assert errors == [
        error_event(BLOCKED, "moderation_blocked", 0),
        error_event(ApiError(ErrorKind.NO_IMAGE, "None."), "no_image_generated", 1),
    ]


@pytest.mark.parametrize("before", [[Silence()], [*picture(SQUARE, b"AAAA"), Finish()]], ids=["a comment", "a picture"])
def test_an_error_after_the_first_byte_is_an_event(before: list[Event]) -> None:
    *_, last = streamed(raising([*before, *picture(WIDE, b"lost")], BLOCKED))
    assert last == error_event(BLOCKED, "moderation_blocked", 0)


def test_an_error_before_the_first_byte_is_raised() -> None:
    with pytest.raises(ApiError):
        streamed(raising([Text("Here")], BLOCKED))


def test_a_silence_is_a_comment() -> None:
    first, *_ = write_event_stream(
        [Silence(), *picture(SQUARE, b"AAAA"), Finish()], operation="x", created=1, prices=None
    )
    assert first.startswith(b": ")
    assert first.endswith(b"\n\n")
