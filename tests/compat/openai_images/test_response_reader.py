"""compat/openai_images/response_reader.py: answers read as events. What both readers share: test_answer_readers.py."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.images import Event, Failure, Finish, LinkedImage, RevisedPrompt, Text, Usage
from compat.openai_images.response_reader import find_usage, parse_usage, read_answer
from tests.compat.errors import error_of
from tests.compat.gemini_answers import EVENT_STREAM, JSON, PICTURES, base64_texts, framed_events, texts
from tests.compat.openai_answers import BLOCKED, PARSED_USAGE, USAGE, body_of, completed, encoded, partial, stream_of
from tests.compat.pictures import base64_of, draw, events_of, joined
from tests.compat.spelled_json import any_json, spellings
from tests.support.chunks import cut_every, cuts_of

PNG, JPEG, WEBP = draw("PNG", 3, 2), draw("JPEG", 5, 4), draw("WEBP", 5, 4, quality=5)
ADDRESS = "https://example.com/a.png?st=1&se=2"


def read(body: bytes | Iterable[bytes], content_type: str = JSON) -> list[Event]:
    return joined(read_answer([body] if isinstance(body, bytes) else body, content_type))


def refusal(body: bytes | Iterable[bytes], content_type: str = JSON) -> ApiError:
    return error_of(read, body, content_type)


# Whole answers

ANSWERS: dict[str, tuple[bytes, list[Event]]] = {
    "one picture": (body_of(encoded(PNG)), [*events_of(PNG), Finish()]),
    "its tokens after it": (body_of(encoded(PNG), usage=USAGE), [*events_of(PNG), Finish(PARSED_USAGE)]),
    "its tokens before it": (
        json.dumps({"usage": USAGE, "data": [encoded(PNG)]}).encode(),
        [*events_of(PNG), Finish(PARSED_USAGE)],
    ),
    "several pictures, in order, each with its own end": (
        body_of(encoded(PNG), encoded(JPEG), {"url": ADDRESS}, usage=USAGE),
        [
            *events_of(PNG),
            Finish(),
            *events_of(JPEG),
            Finish(),
            LinkedImage(ADDRESS),
            Finish(PARSED_USAGE),
        ],
    ),
    "an address with a revised prompt": (
        body_of({"revised_prompt": "A red sun.", "url": ADDRESS}),
        [RevisedPrompt("A red sun."), LinkedImage(ADDRESS), Finish()],
    ),
    "an address of the server itself": (body_of({"url": "/images/a.png"}), [LinkedImage("/images/a.png"), Finish()]),
    "nulls": (
        body_of({"b64_json": None, "url": ADDRESS, "revised_prompt": None, "text": None}, usage=None, error=None),
        [LinkedImage(ADDRESS), Finish()],
    ),
    "both, base64 first": (body_of(encoded(PNG, url=ADDRESS)), [*events_of(PNG), Finish()]),
    "both, base64 last": (body_of({"url": ADDRESS, **encoded(PNG)}), [*events_of(PNG), Finish()]),
    "an empty text beside an address": (
        body_of({"b64_json": "", "url": ADDRESS}),
        [LinkedImage(ADDRESS), Finish()],
    ),
    "an empty address beside base64": (body_of({"url": "", **encoded(PNG)}), [*events_of(PNG), Finish()]),
    "texts": (
        body_of(encoded(PNG, text="Here it is.", revised_prompt="A sun.")),
        [*events_of(PNG), RevisedPrompt("A sun."), Text("Here it is."), Finish()],
    ),
    "texts that come first": (
        body_of({"revised_prompt": "A sun.", "text": "Here it is.", **encoded(PNG)}),
        [RevisedPrompt("A sun."), Text("Here it is."), *events_of(PNG), Finish()],
    ),
    "a data URL": (
        body_of({"url": f"data:image/webp;base64,{base64_of(WEBP)}"}),
        [*events_of(WEBP), Finish()],
    ),
    "a data URL instead of base64": (
        body_of({"b64_json": f"data:image/png;base64,{base64_of(PNG)}"}),
        [*events_of(PNG), Finish()],
    ),
    "an item without a picture": (body_of({}, encoded(PNG), {"b64_json": ""}, None), [*events_of(PNG), Finish()]),
    "some of n failed": (
        body_of(encoded(PNG), errors=[BLOCKED]),
        [*events_of(PNG), Finish(), Failure(ApiError(ErrorKind.CONTENT_BLOCKED, "No."))],
    ),
}


def same(found: list[Event], expected: list[Event]) -> bool:
    """Whether these are the same events; errors are compared by kind and message."""
    return list(map(comparable, found)) == list(map(comparable, expected))


def comparable(event: Event) -> object:
    return (event.error.kind, event.error.message) if isinstance(event, Failure) else event


@pytest.mark.parametrize(("body", "events"), ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("length", [1, 7, 10_000])
def test_an_answer(body: bytes, events: list[Event], length: int) -> None:
    assert same(read(cut_every(body, length)), events)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    """A picture or its address, perhaps with texts, in any order."""
    item: dict[str, Any] = draw(
        st.one_of(
            base64_texts().map(lambda text: {"b64_json": text}),
            base64_texts().map(lambda text: {"url": f"data:image/png;base64,{text}"}),
            st.just({"url": ADDRESS, "b64_json": None}),
            st.just({}),
        )
    )
    for name in ("text", "revised_prompt"):
        if draw(st.booleans()):
            item[name] = draw(texts)
    return item


def expected_of_item(item: dict[str, Any]) -> list[Event]:
    text = item.get("b64_json") or item.get("url", "")
    if text == ADDRESS:
        return [LinkedImage(ADDRESS)]
    text = text.rpartition(",")[2].replace("-", "+").replace("_", "/")
    return events_of(base64.b64decode(text + "=" * (-len(text) % 4)))


@given(st.lists(items(), max_size=3), st.data())
@settings(max_examples=500)
def test_events_are_what_json_reads_wherever_the_bytes_are_cut(
    listed: list[dict[str, Any]], data: st.DataObject
) -> None:
    body = data.draw(spellings()).write({"created": 1, "data": listed, "usage": USAGE}).encode()
    listed = [item for item in listed if item.get("b64_json") or item.get("url")]
    chunks = data.draw(cuts_of(body))
    if not listed:
        assert refusal(chunks).kind is ErrorKind.NO_IMAGE
        return
    answers: list[list[Event]] = [[]]
    for event in read(chunks):
        answers[-1].append(event)
        if isinstance(event, Finish):
            answers.append([])
    assert answers.pop() == []
    assert len(answers) == len(listed)
    for item, (*events, finish) in zip(listed, answers, strict=True):
        found = [event for event in events if isinstance(event, Text | RevisedPrompt)]
        assert [event for event in events if event not in found] == expected_of_item(item)
        assert {type(event): event for event in found} == {
            kind: kind(item[name])
            for name, kind in (("text", Text), ("revised_prompt", RevisedPrompt))
            if item.get(name)
        }
        assert finish == Finish(PARSED_USAGE if item is listed[-1] else None)


# Streams

STREAMS: dict[str, tuple[bytes, list[Event]]] = {
    "one picture": (stream_of(completed(PNG, usage=USAGE)), [*events_of(PNG), Finish(PARSED_USAGE)]),
    "an edit": (stream_of(completed(PNG, "image_edit", usage=USAGE)), [*events_of(PNG), Finish(PARSED_USAGE)]),
    "drafts": (
        stream_of(partial(JPEG), partial(WEBP), completed(PNG, usage=USAGE)),
        [*events_of(JPEG, True), *events_of(WEBP, True), *events_of(PNG), Finish(PARSED_USAGE)],
    ),
    "the type comes last": (
        stream_of({**encoded(JPEG), "type": "image_edit.partial_image"}, {**encoded(PNG), **completed(PNG)}),
        [*events_of(JPEG, True), *events_of(PNG), Finish()],
    ),
    "several pictures": (
        stream_of(completed(PNG, usage=USAGE), completed(JPEG, usage=USAGE)),
        [*events_of(PNG), Finish(PARSED_USAGE), *events_of(JPEG), Finish(PARSED_USAGE)],
    ),
    "comments and a last line": (
        b": waiting\n\n" + stream_of(": waiting", completed(PNG), ": waiting", "data: [DONE]"),
        [*events_of(PNG), Finish()],
    ),
    "lines that end with CRLF": (
        stream_of(completed(PNG), "data:[DONE] ", end="\r\n\r\n").replace(b"\ndata", b"\r\ndata"),
        [*events_of(PNG), Finish()],
    ),
    "a last line that is cut off": (stream_of(completed(PNG)) + b"data: [DONE]", [*events_of(PNG), Finish()]),
    "other events": (
        stream_of({"type": "image_generation.in_progress"}, completed(PNG), {"type": "ping"}),
        [*events_of(PNG), Finish()],
    ),
    "an address": (
        stream_of({"type": "image_generation.completed", "url": ADDRESS, "usage": USAGE}),
        [LinkedImage(ADDRESS), Finish(PARSED_USAGE)],
    ),
    "a whole answer as an event": (
        stream_of("data: " + json.dumps({"created": 1, "data": [encoded(PNG), encoded(JPEG)]})),
        [*events_of(PNG), Finish(), *events_of(JPEG), Finish()],
    ),
    "a whole answer that is no stream": (body_of(encoded(PNG), usage=USAGE), [*events_of(PNG), Finish(PARSED_USAGE)]),
    "an error after a picture": (
        stream_of(completed(PNG), {"type": "error", "error": BLOCKED, "sequence_number": 0}),
        [*events_of(PNG), Finish(), Failure(ApiError(ErrorKind.CONTENT_BLOCKED, "No."))],
    ),
    "a flat error between pictures": (
        stream_of(completed(PNG), {"type": "error", "message": "Oh.", "code": "server_error"}, completed(JPEG)),
        [
            *events_of(PNG),
            Finish(),
            Failure(ApiError(ErrorKind.UPSTREAM_INTERNAL, "Oh.")),
            *events_of(JPEG),
            Finish(),
        ],
    ),
}


@pytest.mark.parametrize(("body", "events"), STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("length", [1, 7, 10_000])
def test_a_stream(body: bytes, events: list[Event], length: int) -> None:
    assert same(read(cut_every(body, length), EVENT_STREAM), events)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PICTURES)), min_size=1, max_size=4), st.data())
@settings(max_examples=300)
def test_a_stream_is_read_wherever_the_bytes_are_cut(pictures: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    spelling = data.draw(spellings(one_line=True))
    lines = [spelling.write((partial if draft else completed)(picture, usage=USAGE)) for draft, picture in pictures]
    chunks = data.draw(
        cuts_of(data.draw(framed_events(lines)) + data.draw(st.sampled_from([b"", b"data: [DONE]\n\n"])))
    )
    if all(draft for draft, _ in pictures):
        assert refusal(chunks, EVENT_STREAM).kind is ErrorKind.UPSTREAM_BROKEN
        return
    expected: list[Event] = []
    for draft, picture in pictures:
        expected += [*events_of(picture, draft), *([] if draft else [Finish(PARSED_USAGE)])]
    assert read(chunks, EVENT_STREAM) == expected


@pytest.mark.parametrize(
    "error", [{"type": "error", "error": BLOCKED}, {**BLOCKED, "type": "error"}, {"error": BLOCKED}]
)
@pytest.mark.parametrize("before", [[], [partial(JPEG)]], ids=["nothing", "a draft"])
def test_an_error_before_a_complete_picture_is_the_answer(before: list[dict[str, Any]], error: dict[str, Any]) -> None:
    raised = refusal(stream_of(*before, error), EVENT_STREAM)
    assert (raised.kind, raised.message, raised.may_repeat) == (ErrorKind.CONTENT_BLOCKED, "No.", False)


@pytest.mark.parametrize("events", [[partial(PNG)], [{"type": "image_generation.completed"}], ["data: [DONE]"], []])
def test_a_stream_without_a_complete_picture_is_broken(events: list[Any]) -> None:
    error = refusal(stream_of(*events), EVENT_STREAM)
    assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


def test_a_picture_of_a_stream_is_finished_before_the_next_one_arrives() -> None:
    def chunks() -> Iterator[bytes]:
        yield stream_of(completed(PNG))
        pytest.fail("it waited for the next chunk")

    events = read_answer(chunks(), EVENT_STREAM)
    while next(events) != Finish():
        pass


# Answers without a picture


@pytest.mark.parametrize(
    "body", [b"{}", body_of(), b'{"data": null}', body_of({}), body_of({"b64_json": ""}), body_of("x"), body_of([1])]
)
def test_an_answer_without_a_picture(body: bytes) -> None:
    error = refusal(body)
    assert (error.kind, error.may_repeat) == (ErrorKind.NO_IMAGE, False)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BLOCKED, ErrorKind.CONTENT_BLOCKED),
        ({"message": "Full.", "code": 503}, ErrorKind.UPSTREAM_UNAVAILABLE),
        ({"message": "Odd.", "code": 7}, ErrorKind.UPSTREAM_INTERNAL),
        ({"message": "Wrong.", "type": "invalid_request_error"}, ErrorKind.INVALID_ARGUMENT),
        ("Out of memory.", ErrorKind.UPSTREAM_INTERNAL),
    ],
)
def test_an_error_with_status_200(error: Any, kind: ErrorKind) -> None:
    raised = refusal(json.dumps({"error": error}).encode())
    assert raised.kind is kind
    assert raised.message == (error if isinstance(error, str) else error["message"])


def test_of_several_errors_the_first_is_raised() -> None:
    assert refusal(body_of(errors=[BLOCKED, {"message": "Late."}])).kind is ErrorKind.CONTENT_BLOCKED


NOT_A_PICTURE: dict[str, dict[str, Any]] = {
    "the start of a data URL": {"b64_json": "dat"},
    "a data URL without an end of its head": {"b64_json": "data:image/png;base64"},
    "a data URL that is not base64": {"url": "data:image/svg+xml,<svg/>"},
    "a data URL of nothing": {"url": "data:image/png;base64,"},
    "a data URL with a long head": {"url": "data:" + "x" * 1000},
    "an address of a file": {"url": "file:///etc/passwd"},
    "an address of another kind": {"url": "javascript:alert(1)"},
    "a long address": {"url": "https://example.com/" + "x" * 20_000},
}


@pytest.mark.parametrize("item", NOT_A_PICTURE.values(), ids=NOT_A_PICTURE.keys())
@pytest.mark.parametrize("length", [1, 30, 100_000])
def test_a_string_that_does_not_hold_a_picture_is_broken(item: dict[str, Any], length: int) -> None:
    error = refusal(cut_every(body_of(item), length))
    assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


@given(any_json())
@settings(max_examples=60)
def test_an_odd_value_beside_a_picture_is_ignored(odd: Any) -> None:
    events = read(body_of(encoded(PNG, text=odd, revised_prompt=odd), usage=odd, size=odd, errors=odd))
    assert [event for event in events if not isinstance(event, Text | RevisedPrompt | Failure)][:3] == events_of(PNG)


# Usage

USAGES: list[tuple[Any, Usage | None]] = [
    (USAGE, PARSED_USAGE),
    (None, None),
    ({}, None),
    ("many", None),
    ({"prompt_tokens": 3}, None),
    ({"input_tokens": 10, "output_tokens": 1056}, Usage(10, 0, 0, 1056)),
    ({"input_tokens": 10, "input_tokens_details": None, "output_tokens": None}, Usage(10)),
    ({"input_tokens": 10, "input_tokens_details": {"image_tokens": 7}}, Usage(3, 7)),
    ({"input_tokens": 10, "input_tokens_details": {"text_tokens": 4, "image_tokens": None}}, Usage(4, 6)),
    ({"output_tokens": 10, "output_tokens_details": {"text_tokens": 4}}, Usage(0, 0, 4, 6)),
    ({"output_tokens": 10, "output_tokens_details": {"image_tokens": 4}}, Usage(0, 0, 6, 4)),
    ({"input_tokens": "10", "output_tokens": True, "output_tokens_details": [3]}, Usage()),
    ({"input_tokens": -5, "output_tokens": 1.5}, Usage()),
]


@pytest.mark.parametrize(("body", "usage"), USAGES)
def test_usage(body: Any, usage: Usage | None) -> None:
    assert parse_usage(body) == usage
    assert read(body_of(encoded(PNG), usage=body))[-1] == Finish(usage)


@pytest.mark.parametrize(
    ("tail", "usage"),
    [
        (body_of(encoded(PNG), usage=USAGE), PARSED_USAGE),
        (body_of(encoded(PNG), usage=USAGE)[-200:], None),
        (
            stream_of(completed(PNG, usage={"input_tokens": 1}), completed(PNG, usage=USAGE), "data: [DONE]"),
            PARSED_USAGE,
        ),
        (b'...","usage":null,"size":{"input_tokens":3}}', None),
        (b'"svg_usage":{"input_tokens":3}}', None),
        (b'"usage":{"input_tokens":3,"outp', None),
        (b"", None),
        (b'\xff"usage" : {"input_tokens": 3}}', Usage(3)),
    ],
)
def test_usage_is_found_in_the_last_bytes_of_an_answer(tail: bytes, usage: Usage | None) -> None:
    assert find_usage(tail) == usage
