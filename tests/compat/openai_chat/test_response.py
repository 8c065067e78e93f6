"""compat/openai_chat/response.py: chat completions written from events, whole and in chunks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.errors import ApiError, ErrorKind
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
from compat.openai_chat.response import DONE, Heading, write_answer, write_event_stream
from compat.openai_envelope import build_error
from tests.compat.gemini_answers import texts
from tests.compat.pictures import Held

HEADING = Heading("chatcmpl-1", 1_700_000_000, "gemini-2.5-flash-image")
PRICES = Prices(0.30, 2.50, 30)
STORED = StoredImage("https://example.com/images/a.png", "image/png", 1024, 1024)
BLOCKED = ApiError(ErrorKind.CONTENT_BLOCKED, "No.")
BLOCKED_OBJECT = build_error(BLOCKED)[1]["error"]
USAGE = Usage(5, 258, 10, 1290, output_thought_tokens=7)


def picture(*data: bytes, mime_type: str = "image/png") -> list[Event]:
    return [ImageStart(mime_type, 1024, 1024), *map(ImageData, map(base64.b64decode, data)), ImageEnd()]


def image(data: str, index: int = 0, mime_type: str = "image/png") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{data}"}, "index": index}


def whole(events: Iterable[Event], prices: Prices | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(b"".join(write_answer(events, HEADING, prices=prices)))
    return answer


def stream(events: Iterable[Event], prices: Prices | None = None, *, include_usage: bool = False) -> Iterator[bytes]:
    return write_event_stream(events, HEADING, prices=prices, include_usage=include_usage)


def chunks(events: Iterable[Event], prices: Prices | None = None, *, include_usage: bool = False) -> list[Any]:
    """The data of every event of a stream; it ends with [DONE], and comments are left out."""
    body = b"".join(stream(events, prices, include_usage=include_usage))
    assert body.endswith(DONE)
    lines = [event for event in body.removesuffix(DONE).decode("ascii").split("\n\n") if event]
    return [json.loads(line.removeprefix("data: ")) for line in lines if not line.startswith(":")]


def choice(content: str, *images: dict[str, Any], reason: str | None = None, index: int = 0) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": None, **({"images": [*images]} if images else {})}
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": "length" if reason == "MAX_TOKENS" else "stop",
        "native_finish_reason": reason,
    }


def answered(choices: list[dict[str, Any]], **others: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gemini-2.5-flash-image",
        "choices": choices,
        **others,
    }


MARKDOWN = f"![image]({STORED.url})"
ANSWERS: dict[str, tuple[list[Event], list[dict[str, Any]]]] = {
    "a picture and no words": ([*picture(b"AAAA", b"BBBB"), Finish()], [choice("", image("AAAABBBB"))]),
    "words and no picture": ([Text("I would "), Text("rather not."), Finish()], [choice("I would rather not.")]),
    "words before and after a picture": (
        [Text("Here: "), *picture(b"AAAA"), Text("the sea."), Finish(finish_reason="STOP")],
        [choice("Here: the sea.", image("AAAA"), reason="STOP")],
    ),
    "two pictures, each with its type": (
        [*picture(b"AAAA"), Text("and"), *picture(b"BA==", mime_type="image/jpeg"), Finish()],
        [choice("and", image("AAAA"), image("BA==", 1, "image/jpeg"))],
    ),
    "several answers are several choices": (
        [*picture(b"AAAA"), Text("one"), Finish(), Text("two"), Finish(), *picture(b"CCCC"), Finish()],
        [choice("one", image("AAAA")), choice("two", index=1), choice("", image("CCCC"), index=2)],
    ),
    "an answer that lost its picture is no choice": (
        [Finish(), *picture(b"AAAA"), Finish(), Finish()],
        [choice("", image("AAAA"))],
    ),
    "the model was cut short": ([Text("The se"), Finish(None, "MAX_TOKENS")], [choice("The se", reason="MAX_TOKENS")]),
    "a stored picture is Markdown": ([STORED, Finish()], [choice(MARKDOWN)]),
    "words and stored pictures keep their order": (
        [Text("One:"), STORED, STORED, Text("and "), Text("two."), Finish()],
        [choice(f"One:\n\n{MARKDOWN}\n\n{MARKDOWN}\n\nand two.")],
    ),
    "a prompt that was rewritten is not an answer": (
        [RevisedPrompt("a red fox"), *picture(b"AAAA"), Finish()],
        [choice("", image("AAAA"))],
    ),
    "nothing of a silence": ([Silence(), *picture(b"AAAA"), Silence(), Finish()], [choice("", image("AAAA"))]),
}


@pytest.mark.parametrize(("events", "choices"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_whole_answer(events: list[Event], choices: list[dict[str, Any]]) -> None:
    assert whole(events) == answered(choices)


@pytest.mark.parametrize(("events", "choices"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_stream_comes_to_the_same(events: list[Event], choices: list[dict[str, Any]]) -> None:
    assert put_together(chunks(events)) == choices


def put_together(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The choices that a client makes of chunks, which are checked for what clients rely on."""
    choices: dict[int, dict[str, Any]] = {}
    for chunk in found:
        assert chunk.items() >= {**answered([]), "object": "chat.completion.chunk", "choices": chunk["choices"]}.items()
        [part] = chunk["choices"]
        delta = part["delta"]
        if part["index"] not in choices:
            assert delta == {"role": "assistant", "content": ""}
            choices[part["index"]] = choice("", index=part["index"])
            choices[part["index"]]["message"]["images"] = []
        made = choices[part["index"]]
        if "images" in delta:
            assert (delta["content"], len(delta["images"]), part["finish_reason"]) == ("", 1, None)
            made["message"]["images"] += delta["images"]
        if part["finish_reason"]:
            assert delta == {}
            made |= {name: part[name] for name in ("finish_reason", "native_finish_reason")}
        made["message"]["content"] += delta.get("content", "")
    for made in choices.values():
        if not made["message"]["images"]:
            del made["message"]["images"]
    return list(choices.values())


def test_the_chunks_of_a_stream_in_their_order() -> None:
    events = [Text("Here: "), *picture(b"AAAA", b"BBBB"), Text("the sea."), Finish(USAGE, "STOP")]
    *found, last = chunks(events, PRICES, include_usage=True)
    assert [chunk["choices"][0]["delta"] for chunk in found] == [
        {"role": "assistant", "content": ""},
        {"content": "Here: "},
        {"content": "", "images": [image("AAAABBBB")]},
        {"content": "the sea."},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None, None, None, None, "stop"]
    assert (last["choices"], last["usage"]) == ([], {**USAGE_OBJECT, "cost": PRICES.cost(USAGE)})


# Usage

USAGE_OBJECT = {
    "prompt_tokens": 263,
    "completion_tokens": 1300,
    "total_tokens": 1563,
    "prompt_tokens_details": {"cached_tokens": 0, "image_tokens": 258},
    "completion_tokens_details": {"reasoning_tokens": 7, "image_tokens": 1290},
}


def test_usage_is_summed_over_the_choices_and_costs_what_the_prices_say() -> None:
    usage = whole([*picture(b"AAAA"), Finish(USAGE), Text("no"), Finish(USAGE), Finish(None)], PRICES)["usage"]
    assert usage == {
        "prompt_tokens": 526,
        "completion_tokens": 2600,
        "total_tokens": 3126,
        "prompt_tokens_details": {"cached_tokens": 0, "image_tokens": 516},
        "completion_tokens_details": {"reasoning_tokens": 14, "image_tokens": 2580},
        "cost": pytest.approx(2 * (263 * 0.30 + 10 * 2.50 + 1290 * 30) / 1e6),
    }


def test_no_cost_without_prices_and_no_usage_that_nobody_counted() -> None:
    assert whole([*picture(b"AAAA"), Finish(USAGE)])["usage"] == USAGE_OBJECT
    assert "usage" not in whole([*picture(b"AAAA"), Finish()], PRICES)


def test_a_stream_has_the_usage_that_was_asked_for_even_if_nobody_counted() -> None:
    assert chunks([*picture(b"AAAA"), Finish()], include_usage=True)[-1]["usage"]["total_tokens"] == 0
    assert all("usage" not in chunk for chunk in chunks([*picture(b"AAAA"), Finish(USAGE)]))


# Trouble


def raising(events: list[Event], error: ApiError) -> Iterator[Event]:
    yield from events
    raise error


def test_what_failed_beside_others_comes_last() -> None:
    events = [Failure(BLOCKED), *picture(b"AAAA"), Finish(USAGE)]
    assert whole(events) == answered([choice("", image("AAAA"))], usage=USAGE_OBJECT, errors=[BLOCKED_OBJECT])
    *found, usage, error = chunks(events, include_usage=True)
    assert put_together(found) == [choice("", image("AAAA"))]
    assert usage["usage"] == USAGE_OBJECT
    assert error == {"error": BLOCKED_OBJECT}


@pytest.mark.parametrize("before", [[], [Text("Here")], [Silence()]])
def test_a_whole_answer_is_not_begun_before_a_picture(before: list[Event]) -> None:
    with pytest.raises(ApiError):
        next(write_answer(raising(before, BLOCKED), HEADING, prices=None))


def test_trouble_before_a_stream_has_begun_is_raised() -> None:
    with pytest.raises(ApiError):
        list(stream(raising([], BLOCKED)))


@pytest.mark.parametrize("before", [[Silence()], [Text("Here")], [*picture(b"AAAA"), Finish()]])
def test_trouble_after_a_stream_has_begun_is_an_error_in_it(before: list[Event]) -> None:
    assert chunks(raising(before, BLOCKED))[-1] == {"error": BLOCKED_OBJECT}


def test_trouble_within_a_picture_breaks_its_chunk_off() -> None:
    pieces = stream(raising([ImageStart("image/png", 1, 1), ImageData(bytes(3))], BLOCKED))
    with pytest.raises(ApiError):
        list(pieces)


def test_a_silence_is_a_comment() -> None:
    first, *_ = stream([Silence(), *picture(b"AAAA"), Finish()])
    assert first.startswith(b": ")
    assert first.endswith(b"\n\n")


def test_a_picture_that_is_held_passes_as_it_is() -> None:
    held = Held(bytes(65536))
    events = [ImageStart("image/png", 1, 1), ImageData(held), ImageEnd(), Finish()]
    for pieces in (stream(events), write_answer(events, HEADING, prices=None)):
        assert sum(piece is held for piece in pieces) == 1


words = texts.filter(bool).map(lambda text: [Text(text)])
pictures = st.sampled_from(["image/png", "image/webp"]).map(lambda kind: picture(b"AAAA", b"BBBB", mime_type=kind))
stored = st.integers(0, 9).map(lambda name: [StoredImage(f"https://example.com/{name}", "image/png", 1, 1)])
usages = st.none() | st.builds(Usage, *[st.integers(0, 9)] * 5)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """The events of several answers, with pictures of one of both kinds."""
    kind = draw(st.sampled_from([pictures, stored]))
    parts = st.lists(words | kind, max_size=4).map(lambda some: [*chain.from_iterable(some)])
    return [*chain.from_iterable([*draw(parts), Finish(draw(usages))] for _ in range(draw(st.integers(1, 3))))]


@given(answers())
@settings(max_examples=300)
def test_any_events_are_the_same_whole_and_streamed(events: list[Event]) -> None:
    answer = whole(events, PRICES)
    *found, last = chunks(events, PRICES, include_usage=True)
    assert put_together(found) == answer["choices"]
    assert last["usage"] == answer.get("usage", last["usage"])
    messages = [one["message"] for one in answer["choices"]]
    assert sum(len(one.get("images", ())) for one in messages) == sum(isinstance(one, ImageStart) for one in events)
    content = "".join(one["content"] for one in messages)
    for event in events:  # words and stored pictures, in their order
        if isinstance(event, Text | StoredImage):
            said = event.text if isinstance(event, Text) else f"![image]({event.url})"
            assert said in content
            content = content.partition(said)[2]
