"""What the readers of both APIs' answers have in common: cut off, damaged, odd and very large answers."""

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
from compat.gemini_content import response as gemini_response
from compat.images import Event, Finish, ImageStart, Text
from compat.openai_images import response_reader as openai_response
from tests.compat import gemini_answers, openai_answers
from tests.compat.errors import error_of
from tests.compat.gemini_answers import EVENT_STREAM, JSON, NASTY_TEXTS, inline
from tests.compat.openai_answers import USAGE, completed, encoded, partial, stream_of
from tests.compat.openai_images.test_response_reader import ANSWERS, STREAMS
from tests.compat.pictures import base64_of, content_in, draw, with_segments
from tests.compat.spelled_json import any_json
from tests.support.chunks import cut_every, cuts_of

PNG, JPEG, WEBP = draw("PNG", 3, 2), draw("JPEG", 5, 4), draw("WEBP", 5, 4, quality=5)
READERS = {"gemini": gemini_response.read_answer, "openai": openai_response.read_answer}
every_api = pytest.mark.parametrize("api", READERS)


def read(api: str, chunks: Iterable[bytes], content_type: str = JSON) -> list[Event]:
    return list(READERS[api](chunks, content_type))


def picture_answer(api: str, data: str, text: str | None = None) -> bytes:
    """An answer with a picture, whose base64 is given, and perhaps a text."""
    if api == "gemini":
        texts = [] if text is None else [{"text": text}]
        return gemini_answers.body_of({"inlineData": {"mimeType": "image/png", "data": data}}, *texts)
    return openai_answers.body_of({"b64_json": data, "text": text})


def assert_broken(api: str, chunks: Iterable[bytes], content_type: str = JSON) -> None:
    error = error_of(read, api, chunks, content_type)
    assert (error.kind, error.may_repeat) == (ErrorKind.UPSTREAM_BROKEN, False)


GEMINI_BODY = gemini_answers.body_of({"text": "{"}, inline(PNG), {"text": 'a "data": "', "thoughtSignature": "AAAA"})
OPENAI_BODY = openai_answers.body_of(encoded(PNG, text="Here"), encoded(JPEG), usage=USAGE)
WHOLE: dict[str, tuple[str, bytes, str]] = {
    "gemini": ("gemini", GEMINI_BODY, JSON),
    "gemini, an array": ("gemini", b"[" + GEMINI_BODY + b",\n" + gemini_answers.body_of({"text": ""}) + b"]", JSON),
    "gemini, escaped": ("gemini", gemini_answers.body_of(inline(JPEG)).replace(b"/", b"\\/"), JSON),
    "gemini, an event": ("gemini", b"data: " + json.dumps(json.loads(GEMINI_BODY)).encode(), EVENT_STREAM),
    "openai": ("openai", OPENAI_BODY, JSON),
    "openai, escaped": ("openai", OPENAI_BODY.replace(b"/", b"\\/"), JSON),
    "openai, a data URL": (
        "openai",
        openai_answers.body_of({"url": f"data:image/png;base64,{base64_of(PNG)}"}),
        JSON,
    ),
    "openai, an address": ("openai", openai_answers.body_of({"url": "https://example.com/a.png"}), JSON),
    "openai, an event": ("openai", b"data: " + json.dumps(completed(PNG, usage=USAGE)).encode(), EVENT_STREAM),
    "openai, after a draft": (
        "openai",
        stream_of(partial(WEBP)) + b"data: " + json.dumps(completed(PNG)).encode(),
        EVENT_STREAM,
    ),
}


@pytest.mark.parametrize(("api", "body", "content_type"), WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_that_is_cut_off_anywhere_is_broken(api: str, body: bytes, content_type: str) -> None:
    assert isinstance(read(api, [body], content_type)[-1], Finish)
    for length in range(len(body)):
        assert_broken(api, [body[:length]], content_type)
        assert_broken(api, cut_every(body[:length], 7), content_type)


@every_api
@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b"<html>502</html>", b"OK", b'"text"'])
@pytest.mark.parametrize("content_type", [JSON, EVENT_STREAM])
def test_a_body_that_is_not_an_answer_is_broken(api: str, body: bytes, content_type: str) -> None:
    assert_broken(api, [body], content_type)


BASE64_OF_PNG = base64_of(draw("PNG", 9, 9))
NOT_BASE64 = {
    "one character after the last group of four": BASE64_OF_PNG[:104] + "A",
    "a quotation mark": BASE64_OF_PNG[:100] + '"' + BASE64_OF_PNG[101:],
    "a backslash": BASE64_OF_PNG[:100] + "\\" + BASE64_OF_PNG[101:],
    "a line end": BASE64_OF_PNG[:100] + "\n" + BASE64_OF_PNG[100:],
    "padding in the middle": BASE64_OF_PNG[:100] + "====" + BASE64_OF_PNG[100:],
    "a note instead of the rest": BASE64_OF_PNG[:100] + "<truncated>",
    "a letter of another alphabet": BASE64_OF_PNG[:100] + "é",
    "text": "not a picture at all",
    "text in base64": base64_of(b"I cannot draw this, I am sorry."),
}


@every_api
@pytest.mark.parametrize("data", NOT_BASE64.values(), ids=NOT_BASE64.keys())
@pytest.mark.parametrize("length", [1, 30, 100_000])
def test_a_picture_that_is_not_base64_throughout_is_broken(api: str, data: str, length: int) -> None:
    assert_broken(api, cut_every(picture_answer(api, data), length))


SAMPLES: dict[str, st.SearchStrategy[tuple[bytes, str]]] = {
    "gemini": gemini_answers.answers().map(lambda answer: (answer.body, answer.content_type)),
    "openai": st.tuples(
        st.sampled_from([body for body, _ in (*ANSWERS.values(), *STREAMS.values())]),
        st.sampled_from([JSON, EVENT_STREAM]),
    ),
}


@every_api
@given(st.data())
@settings(max_examples=300)
def test_a_damaged_answer_is_read_or_an_api_error(api: str, data: st.DataObject) -> None:
    body, content_type = data.draw(SAMPLES[api])
    place = data.draw(st.integers(0, len(body)))
    body = body[:place] + data.draw(st.binary(max_size=3)) + body[place + data.draw(st.integers(0, 3)) :]
    try:
        events = read(api, data.draw(cuts_of(body)), content_type)
    except ApiError:
        return
    assert bool(content_in(events)) == any(isinstance(event, ImageStart) for event in events)


def gemini_parts(*parts: Any) -> Any:
    return {"candidates": [{"content": {"parts": list(parts)}}]}


ODD_PLACES: list[tuple[str, Callable[[Any], Any]]] = [
    ("gemini", lambda odd: odd),
    ("gemini", lambda odd: [odd]),
    ("gemini", lambda odd: {"candidates": odd}),
    ("gemini", lambda odd: {"candidates": [odd]}),
    (
        "gemini",
        lambda odd: {"candidates": [{"content": odd, "finishReason": odd, "finishMessage": odd, "index": odd}]},
    ),
    ("gemini", lambda odd: {"candidates": [{"content": {"parts": odd}}]}),
    ("gemini", lambda odd: gemini_parts(odd)),
    ("gemini", lambda odd: gemini_parts({"text": odd, "thought": odd, "thoughtSignature": odd})),
    ("gemini", lambda odd: gemini_parts({"inlineData": odd})),
    ("gemini", lambda odd: gemini_parts({"inlineData": {"data": odd, "mimeType": odd}})),
    ("gemini", lambda odd: {"promptFeedback": odd}),
    ("gemini", lambda odd: {"promptFeedback": {"blockReason": odd}}),
    ("gemini", lambda odd: {"usageMetadata": odd}),
    ("gemini", lambda odd: {"usageMetadata": {"promptTokenCount": odd, "promptTokensDetails": odd}}),
    ("gemini", lambda odd: {"usageMetadata": {"candidatesTokensDetails": [{"modality": odd, "tokenCount": odd}]}}),
    ("gemini", lambda odd: {"error": odd}),
    ("gemini", lambda odd: {"error": {"code": odd, "message": odd, "status": odd, "details": odd}}),
    ("gemini", lambda odd: {"error": {"code": 429, "details": [odd, {"@type": odd, "retryDelay": odd}]}}),
    ("openai", lambda odd: odd),
    ("openai", lambda odd: {"data": odd}),
    ("openai", lambda odd: {"data": [odd]}),
    ("openai", lambda odd: {"data": {"b64_json": odd, "url": odd}}),
    ("openai", lambda odd: {"data": [{"b64_json": {"b64_json": odd}}]}),
    ("openai", lambda odd: {"data": [{"text": odd, "revised_prompt": odd}], "usage": odd}),
    ("openai", lambda odd: {"error": odd, "errors": odd}),
    ("openai", lambda odd: {"errors": [odd]}),
    ("openai", lambda odd: {"type": odd}),
    ("openai", lambda odd: {"type": "error", "error": odd, "message": odd, "code": odd}),
    ("openai", lambda odd: {"error": {"code": odd, "message": odd, "type": odd, "param": odd}}),
]


@pytest.mark.parametrize("place", range(len(ODD_PLACES)))
@given(any_json(), st.sampled_from([JSON, EVENT_STREAM]))
@settings(max_examples=60)
def test_an_odd_value_in_any_place_is_an_api_error(place: int, odd: Any, content_type: str) -> None:
    api, document = ODD_PLACES[place]
    error_of(read, api, [json.dumps(document(odd)).encode()], content_type)


@every_api
@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_a_text_is_read_unchanged(api: str, text: str) -> None:
    assert Text(text) in read(api, [picture_answer(api, base64_of(PNG), text)])


@every_api
def test_a_picture_begins_when_its_header_is_known(api: str) -> None:
    body = picture_answer(api, base64_of(with_segments(JPEG, 60_000, 60_000)))
    assert next(iter(READERS[api](cut_every(body, 1000), JSON))) == ImageStart("image/jpeg", 5, 4)


FILLER = [b"A" * 65536] * 480
SIGNATURE = [b'"thoughtSignature": "', *FILLER, b'"']
PART_START, PART_END = b'{"candidates": [{"content": {"parts": [{', b"}]}}]}"
INLINE_START = b'"inlineData": {"mimeType": "image/png", "data": "'
LARGE: dict[str, tuple[str, list[bytes], list[bytes]]] = {  # what is before and after the base64
    "gemini": ("gemini", [PART_START, INLINE_START], [b'"}', PART_END]),
    "gemini, after a signature": ("gemini", [PART_START, *SIGNATURE, b",", INLINE_START], [b'"}', PART_END]),
    "gemini, before a signature": ("gemini", [PART_START, INLINE_START], [b'"},', *SIGNATURE, PART_END]),
    "openai": ("openai", [b'{"created": 1, "data": [{"b64_json": "'], [b'"}]}']),
    "openai, a data URL": ("openai", [b'{"data": [{"url": "data:image/png;base64,'], [b'"}]}']),
}


@pytest.mark.parametrize(("api", "before", "after"), LARGE.values(), ids=LARGE.keys())
def test_a_picture_of_30_megabytes_needs_little_memory(api: str, before: list[bytes], after: list[bytes]) -> None:
    start = base64.b64encode(PNG[:48])

    def chunks() -> Iterator[bytes]:
        yield from (*before, start, *FILLER, *after)

    tracemalloc.start()
    try:
        length = sum(len(content_in([event])) for event in READERS[api](chunks(), JSON))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert length * 4 == (len(start) + sum(map(len, FILLER))) * 3
    assert peak < 2 * 1024 * 1024
