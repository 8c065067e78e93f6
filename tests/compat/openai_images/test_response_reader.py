"""compat/openai_images/response_reader.py: answers of the Images API read as events."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
from compat.formats import read_header
from compat.images import (
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageStart,
    LinkedImage,
    RevisedPrompt,
    Text,
    Usage,
)
from compat.openai_images.response_reader import find_usage, parse_usage, read_answer
from tests.compat.gemini_answers import EVENT_STREAM, JSON, NASTY_TEXTS, PICTURES, base64_texts, framed_events, texts
from tests.compat.pictures import base64_of, draw, with_segments
from tests.compat.spelled_json import spellings
from tests.support.chunks import cut_every, cuts_of

PNG, JPEG, WEBP = draw("PNG", 3, 2), draw("JPEG", 5, 4), draw("WEBP", 5, 4, quality=5)
ADDRESS = "https://example.com/a.png?st=1&se=2"
USAGE = {
    "total_tokens": 1563,
    "input_tokens": 263,
    "output_tokens": 1300,
    "input_tokens_details": {"text_tokens": 5, "image_tokens": 258},
    "output_tokens_details": {"text_tokens": 10, "image_tokens": 1290},
}
READ_USAGE = Usage(5, 258, 10, 1290)
SAFETY = {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "No.", "param": None}


def joined(events: Iterable[Event]) -> list[Event]:
    """The events, the data of each picture in one piece."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, ImageData) and found and isinstance(found[-1], ImageData):
            found[-1] = ImageData(found[-1].data + event.data)
        else:
            found.append(event)
    return found


def read(body: bytes | Iterable[bytes], content_type: str = JSON) -> list[Event]:
    return joined(read_answer([body] if isinstance(body, bytes) else body, content_type))


def refusal(body: bytes | Iterable[bytes], content_type: str = JSON) -> ApiError:
    """The error that an answer is."""
    with pytest.raises(ApiError) as caught:
        read(body, content_type)
    return caught.value


def body_of(*items: Any, **others: Any) -> bytes:
    """An ImagesResponse."""
    return json.dumps({"created": 1, "data": list(items), **others}, indent=2).encode()


def encoded(picture: bytes, **others: Any) -> dict[str, Any]:
    return {"b64_json": base64_of(picture), **others}


def events_of(picture: bytes, draft: bool = False) -> list[Event]:
    header = read_header(picture)
    assert header
    return [
        ImageStart(header.format.mime_type, header.width, header.height),
        ImageData(base64.b64encode(picture)),
        ImageEnd(draft),
    ]


def stream_of(*events: dict[str, Any] | str, end: str = "\n\n") -> bytes:
    """A stream of events as OpenAI writes it; a text is a line as it stands."""
    return "".join(
        (event if isinstance(event, str) else f"event: {event.get('type')}\ndata: {json.dumps(event)}") + end
        for event in events
    ).encode()


def completed(picture: bytes, operation: str = "image_generation", **others: Any) -> dict[str, Any]:
    return {"type": f"{operation}.completed", **encoded(picture), "created_at": 1, "size": "auto", **others}


def partial(picture: bytes, operation: str = "image_generation", **others: Any) -> dict[str, Any]:
    return {"type": f"{operation}.partial_image", **encoded(picture), "partial_image_index": 0, **others}


# Whole answers

ANSWERS: dict[str, tuple[bytes, list[Event]]] = {
    "one picture": (body_of(encoded(PNG)), [*events_of(PNG), Finish()]),
    "its tokens after it": (body_of(encoded(PNG), usage=USAGE), [*events_of(PNG), Finish(READ_USAGE)]),
    "its tokens before it": (
        json.dumps({"usage": USAGE, "data": [encoded(PNG)]}).encode(),
        [*events_of(PNG), Finish(READ_USAGE)],
    ),
    "several pictures, in order, each with its own end": (
        body_of(encoded(PNG), encoded(JPEG), {"url": ADDRESS}, usage=USAGE),
        [
            *events_of(PNG),
            Finish(),
            *events_of(JPEG),
            Finish(),
            LinkedImage(ADDRESS),
            Finish(READ_USAGE),
        ],
    ),
    "an address with a prompt that was rewritten": (
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
    "words": (
        body_of(encoded(PNG, text="Here it is.", revised_prompt="A sun.")),
        [*events_of(PNG), RevisedPrompt("A sun."), Text("Here it is."), Finish()],
    ),
    "words that come first": (
        body_of({"revised_prompt": "A sun.", "text": "Here it is.", **encoded(PNG)}),
        [RevisedPrompt("A sun."), Text("Here it is."), *events_of(PNG), Finish()],
    ),
    "a data URL": (
        body_of({"url": f"data:image/webp;base64,{base64_of(WEBP)}"}),
        [*events_of(WEBP), Finish()],
    ),
    "a data URL in the place of base64": (
        body_of({"b64_json": f"data:image/png;base64,{base64_of(PNG)}"}),
        [*events_of(PNG), Finish()],
    ),
    "an item without a picture": (body_of({}, encoded(PNG), {"b64_json": ""}, None), [*events_of(PNG), Finish()]),
    "some of n failed": (
        body_of(encoded(PNG), errors=[SAFETY]),
        [*events_of(PNG), Finish(), Failure(ApiError(ErrorKind.CONTENT_BLOCKED, "No."))],
    ),
}


def same(found: list[Event], expected: list[Event]) -> bool:
    """Whether these are the same events; of errors, kind and message count."""
    return [told(event) for event in found] == [told(event) for event in expected]


def told(event: Event) -> object:
    return (event.error.kind, event.error.message) if isinstance(event, Failure) else event


@pytest.mark.parametrize(("body", "events"), ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("length", [1, 7, 10_000])
def test_an_answer(body: bytes, events: list[Event], length: int) -> None:
    assert same(read(cut_every(body, length)), events)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    """A picture or its address, with words or without, in any order."""
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
        words = [event for event in events if isinstance(event, Text | RevisedPrompt)]
        assert [event for event in events if event not in words] == expected_of_item(item)
        assert {type(word): word for word in words} == {
            kind: kind(item[name])
            for name, kind in (("text", Text), ("revised_prompt", RevisedPrompt))
            if item.get(name)
        }
        assert finish == Finish(READ_USAGE if item is listed[-1] else None)


# Streams

STREAMS: dict[str, tuple[bytes, list[Event]]] = {
    "one picture": (stream_of(completed(PNG, usage=USAGE)), [*events_of(PNG), Finish(READ_USAGE)]),
    "an edit": (stream_of(completed(PNG, "image_edit", usage=USAGE)), [*events_of(PNG), Finish(READ_USAGE)]),
    "drafts": (
        stream_of(partial(JPEG), partial(WEBP), completed(PNG, usage=USAGE)),
        [*events_of(JPEG, True), *events_of(WEBP, True), *events_of(PNG), Finish(READ_USAGE)],
    ),
    "the type comes last": (
        stream_of({**encoded(JPEG), "type": "image_edit.partial_image"}, {**encoded(PNG), **completed(PNG)}),
        [*events_of(JPEG, True), *events_of(PNG), Finish()],
    ),
    "several pictures": (
        stream_of(completed(PNG, usage=USAGE), completed(JPEG, usage=USAGE)),
        [*events_of(PNG), Finish(READ_USAGE), *events_of(JPEG), Finish(READ_USAGE)],
    ),
    "comments and an end that is told": (
        b": waiting\n\n" + stream_of(": waiting", completed(PNG), ": waiting", "data: [DONE]"),
        [*events_of(PNG), Finish()],
    ),
    "lines that end as on Windows": (
        stream_of(completed(PNG), "data:[DONE] ", end="\r\n\r\n").replace(b"\ndata", b"\r\ndata"),
        [*events_of(PNG), Finish()],
    ),
    "an end that is told and cut": (stream_of(completed(PNG)) + b"data: [DONE]", [*events_of(PNG), Finish()]),
    "other events": (
        stream_of({"type": "image_generation.in_progress"}, completed(PNG), {"type": "ping"}),
        [*events_of(PNG), Finish()],
    ),
    "an address": (
        stream_of({"type": "image_generation.completed", "url": ADDRESS, "usage": USAGE}),
        [LinkedImage(ADDRESS), Finish(READ_USAGE)],
    ),
    "a whole answer as an event": (
        stream_of("data: " + json.dumps({"created": 1, "data": [encoded(PNG), encoded(JPEG)]})),
        [*events_of(PNG), Finish(), *events_of(JPEG), Finish()],
    ),
    "a whole answer that is no stream": (body_of(encoded(PNG), usage=USAGE), [*events_of(PNG), Finish(READ_USAGE)]),
    "an error after a picture": (
        stream_of(completed(PNG), {"type": "error", "error": SAFETY, "sequence_number": 0}),
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
        expected += [*events_of(picture, draft), *([] if draft else [Finish(READ_USAGE)])]
    assert read(chunks, EVENT_STREAM) == expected


@pytest.mark.parametrize("error", [{"type": "error", "error": SAFETY}, {**SAFETY, "type": "error"}, {"error": SAFETY}])
@pytest.mark.parametrize("before", [[], [partial(JPEG)]], ids=["nothing", "a draft"])
def test_an_error_before_a_picture_is_whole_is_the_answer(before: list[dict[str, Any]], error: dict[str, Any]) -> None:
    told = refusal(stream_of(*before, error), EVENT_STREAM)
    assert (told.kind, told.message, told.may_repeat) == (ErrorKind.CONTENT_BLOCKED, "No.", False)


@pytest.mark.parametrize("events", [[partial(PNG)], [{"type": "image_generation.completed"}], ["data: [DONE]"], []])
def test_a_stream_without_a_whole_picture_is_broken(events: list[Any]) -> None:
    error = refusal(stream_of(*events), EVENT_STREAM)
    assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


def test_a_picture_of_a_stream_is_finished_before_the_next_one_arrives() -> None:
    def chunks() -> Iterator[bytes]:
        yield stream_of(completed(PNG))
        pytest.fail("the next chunk was waited for")

    events = read_answer(chunks(), EVENT_STREAM)
    while next(events) != Finish():
        pass


# Answers without a picture, and broken ones


@pytest.mark.parametrize(
    "body", [b"{}", body_of(), b'{"data": null}', body_of({}), body_of({"b64_json": ""}), body_of("x"), body_of([1])]
)
def test_an_answer_without_a_picture(body: bytes) -> None:
    error = refusal(body)
    assert (error.kind, error.may_repeat) == (ErrorKind.NO_IMAGE, False)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SAFETY, ErrorKind.CONTENT_BLOCKED),
        ({"message": "Full.", "code": 503}, ErrorKind.UPSTREAM_UNAVAILABLE),
        ({"message": "Odd.", "code": 7}, ErrorKind.UPSTREAM_INTERNAL),
        ({"message": "Wrong.", "type": "invalid_request_error"}, ErrorKind.INVALID_ARGUMENT),
        ("Out of memory.", ErrorKind.UPSTREAM_INTERNAL),
    ],
)
def test_an_error_with_status_200(error: Any, kind: ErrorKind) -> None:
    told = refusal(json.dumps({"error": error}).encode())
    assert told.kind is kind
    assert told.message == (error if isinstance(error, str) else error["message"])


def test_errors_without_a_picture_are_the_first_of_them() -> None:
    assert refusal(body_of(errors=[SAFETY, {"message": "Late."}])).kind is ErrorKind.CONTENT_BLOCKED


@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b"<html>502</html>", b"OK", b'"text"'])
@pytest.mark.parametrize("content_type", [JSON, EVENT_STREAM])
def test_a_body_that_is_no_answer_is_broken(body: bytes, content_type: str) -> None:
    error = refusal(body, content_type)
    assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


WHOLE = {
    "indented": (body_of(encoded(PNG, text="Here"), encoded(JPEG), usage=USAGE), JSON),
    "escaped": (body_of(encoded(JPEG)).replace(b"/", b"\\/"), JSON),
    "data URL": (body_of({"url": f"data:image/png;base64,{base64_of(PNG)}"}), JSON),
    "address": (body_of({"url": ADDRESS}), JSON),
    "one event": (b"data: " + json.dumps(completed(PNG, usage=USAGE)).encode(), EVENT_STREAM),
    "after a draft": (stream_of(partial(WEBP)) + b"data: " + json.dumps(completed(PNG)).encode(), EVENT_STREAM),
}


@pytest.mark.parametrize(("body", "content_type"), WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_that_ends_early_at_any_place_is_broken(body: bytes, content_type: str) -> None:
    assert isinstance(read(body, content_type)[-1], Finish)
    for length in range(len(body)):
        for chunks in ([body[:length]], cut_every(body[:length], 7)):
            error = refusal(chunks, content_type)
            assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


BASE64_OF_PNG = base64_of(draw("PNG", 9, 9))
NOT_A_PICTURE: dict[str, dict[str, Any]] = {
    "a note in place of the rest": {"b64_json": BASE64_OF_PNG[:100] + "<truncated>"},
    "words": {"b64_json": "no picture at all"},
    "a text in base64": {"b64_json": base64_of(b"hello")},
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
def test_a_picture_that_is_none_is_broken(item: dict[str, Any], length: int) -> None:
    error = refusal(cut_every(body_of(item), length))
    assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


@given(st.sampled_from([*ANSWERS.values(), *STREAMS.values()]), st.data())
@settings(max_examples=300)
def test_an_answer_that_is_damaged_anywhere_is_read_or_an_api_error(
    answer: tuple[bytes, list[Event]], data: st.DataObject
) -> None:
    body, _ = answer
    place = data.draw(st.integers(0, len(body)))
    body = body[:place] + data.draw(st.binary(max_size=3)) + body[place + data.draw(st.integers(0, 3)) :]
    try:
        events = read(data.draw(cuts_of(body)), data.draw(st.sampled_from([JSON, EVENT_STREAM])))
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
ODD_PLACES: list[Callable[[Any], Any]] = [
    lambda odd: odd,
    lambda odd: {"data": odd},
    lambda odd: {"data": [odd]},
    lambda odd: {"data": {"b64_json": odd, "url": odd}},
    lambda odd: {"data": [{"b64_json": {"b64_json": odd}}]},
    lambda odd: {"data": [{"text": odd, "revised_prompt": odd}], "usage": odd},
    lambda odd: {"error": odd, "errors": odd},
    lambda odd: {"errors": [odd]},
    lambda odd: {"type": odd},
    lambda odd: {"type": "error", "error": odd, "message": odd, "code": odd},
    lambda odd: {"error": {"code": odd, "message": odd, "type": odd, "param": odd}},
]


@pytest.mark.parametrize("place", range(len(ODD_PLACES)))
@given(any_json, st.sampled_from([JSON, EVENT_STREAM]))
@settings(max_examples=60)
def test_an_odd_value_in_any_place_is_an_api_error(place: int, odd: Any, content_type: str) -> None:
    refusal(json.dumps(ODD_PLACES[place](odd)).encode(), content_type)


@given(any_json)
@settings(max_examples=60)
def test_an_odd_value_beside_a_picture_does_not_cost_it(odd: Any) -> None:
    events = read(body_of(encoded(PNG, text=odd, revised_prompt=odd), usage=odd, size=odd, errors=odd))
    assert [event for event in events if not isinstance(event, Text | RevisedPrompt | Failure)][:3] == events_of(PNG)


# Pictures


@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_words_are_told_as_they_are(text: str) -> None:
    assert Text(text) in read(body_of(encoded(PNG, text=text)))


def test_nothing_is_told_of_a_picture_before_its_header_is_known() -> None:
    picture = with_segments(JPEG, 60_000, 60_000)
    assert next(read_answer(cut_every(body_of(encoded(picture)), 1000))) == ImageStart("image/jpeg", 5, 4)


@pytest.mark.parametrize("start", [b'"b64_json": "', b'"url": "data:image/png;base64,'], ids=["base64", "data URL"])
def test_a_picture_of_30_megabytes_flows_in_little_memory(start: bytes) -> None:
    filler = b"A" * 65536
    head = base64.b64encode(draw("PNG", 3, 2)[:48])

    def chunks() -> Iterator[bytes]:
        yield b'{"created": 1, "data": [{' + start
        yield head
        for _ in range(480):
            yield filler
        yield b'"}]}'

    tracemalloc.start()
    try:
        length = sum(len(event.data) for event in read_answer(chunks()) if isinstance(event, ImageData))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length == len(head) + 480 * len(filler)
    assert peak < 2 * 1024 * 1024


# Usage

USAGES: list[tuple[Any, Usage | None]] = [
    (USAGE, READ_USAGE),
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


@pytest.mark.parametrize(("told", "usage"), USAGES)
def test_usage(told: Any, usage: Usage | None) -> None:
    assert parse_usage(told) == usage
    assert read(body_of(encoded(PNG), usage=told))[-1] == Finish(usage)


@pytest.mark.parametrize(
    ("tail", "usage"),
    [
        (body_of(encoded(PNG), usage=USAGE), READ_USAGE),
        (body_of(encoded(PNG), usage=USAGE)[-200:], None),
        (stream_of(completed(PNG, usage={"input_tokens": 1}), completed(PNG, usage=USAGE), "data: [DONE]"), READ_USAGE),
        (b'...","usage":null,"size":{"input_tokens":3}}', None),
        (b'"svg_usage":{"input_tokens":3}}', None),
        (b'"usage":{"input_tokens":3,"outp', None),
        (b"", None),
        (b'\xff"usage" : {"input_tokens": 3}}', Usage(3)),
    ],
)
def test_usage_is_found_in_the_last_bytes_of_an_answer(tail: bytes, usage: Usage | None) -> None:
    assert find_usage(tail) == usage
