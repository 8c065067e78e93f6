"""There and back again: what was drawn comes back in the next turn, and a chat survives both other APIs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.base64_stream import encode
from compat.conversation import Turn
from compat.gemini_content.request import check_request, write_request
from compat.gemini_content.request_reader import read_request
from compat.image_models import ModelCatalogue
from compat.images import Event, Finish, ImageData, ImageEnd, ImageStart, InputImage, StoredImage, Text
from compat.openai_chat.messages import StoredPictures
from compat.openai_chat.request import parse_chat
from compat.openai_chat.response import write_answer, write_event_stream
from tests.compat.gemini_requests import sent
from tests.compat.openai_chat.test_request import OneModel
from tests.compat.openai_chat.test_response import HEADING, put_together
from tests.compat.openai_servers import ALL_FIELDS
from tests.compat.pictures import base64_of, draw
from tests.compat.test_round_trips import through_openai

DRAWN = (draw("PNG", 3, 2), draw("JPEG", 2, 1, quality=5), draw("WEBP", 5, 4, quality=5))
TYPES = dict(zip(DRAWN, ("image/png", "image/jpeg", "image/webp"), strict=True))
OURS = "https://pictures.example/images/"
RED = {"role": "user", "content": "make it red"}

Message = dict[str, Any]
said = st.text("ab !", min_size=1, max_size=6).filter(str.strip).map(str.strip)
pieces = st.lists(said | st.sampled_from(DRAWN), min_size=1, max_size=5)


def events_of(some: Iterable[str | bytes], stored: dict[str, bytes] | None = None) -> list[Event]:
    """The events of an answer; its pictures go into `stored`, if that is given."""
    events: list[Event] = []
    for piece in some:
        if isinstance(piece, str):
            events.append(Text(piece))
        elif stored is None:
            events += [ImageStart(TYPES[piece], 1, 1), ImageData(piece), ImageEnd()]
        else:
            url = f"{OURS}{len(stored)}"
            stored[url] = piece
            events.append(StoredImage(url, TYPES[piece], 1, 1))
    return [*events, Finish()]


def whole(events: Iterable[Event]) -> Message:
    """The message of an answer."""
    body = b"".join(write_answer(events, HEADING, prices=None))
    message: Message = json.loads(body)["choices"][0]["message"]
    return message


def streamed(events: Iterable[Event]) -> Message:
    """The message that a client makes of the chunks."""
    body = b"".join(write_event_stream(events, HEADING, prices=None)).decode()
    *lines, _ = [line.removeprefix("data: ") for line in body.split("\n\n") if line]
    message: Message = put_together([json.loads(line) for line in lines])[0]["message"]
    return message


def shown_by_user(message: Message) -> list[Message]:
    """As clients send a picture that keep none of the model's: in a turn of the user's (big-AGI, Cherry Studio)."""
    return [
        {**message, "images": []},
        {"role": "user", "content": [*message.get("images", []), *text_part("make it red")]},
    ]


def text_part(text: str) -> list[Message]:
    return [{"type": "text", "text": text}]


def sent_back(message: Message) -> list[Message]:
    return [message, RED]


def as_parts(message: Message) -> list[Message]:
    """As clients send an answer whose history has parts only."""
    return [{"role": "assistant", "content": [*text_part(message["content"]), *message.get("images", [])]}, RED]


@pytest.mark.parametrize("answered", [whole, streamed])
@pytest.mark.parametrize("send", [sent_back, as_parts, shown_by_user])
@given(pieces)
@settings(max_examples=60)
def test_what_was_drawn_comes_back(
    answered: Callable[[Iterable[Event]], Message], send: Callable[[Message], list[Message]], some: list[str | bytes]
) -> None:
    history = [{"role": "user", "content": "a sun"}, *send(answered(events_of(some)))]
    asked = parse_chat({"messages": history}, ModelCatalogue(), StoredPictures()).image_request
    assert list(asked.input_images) == [InputImage(TYPES[one], encode(one)) for one in some if isinstance(one, bytes)]
    words = "".join(one for one in some if isinstance(one, str))
    assert asked.prompt == "\n".join(["a sun", *([words] if words else []), "make it red"])
    last = sent(asked)["contents"][-1]
    assert (last["role"], last["parts"][-1]) == ("user", {"text": "make it red"})
    drawn = [one for one in some if isinstance(one, bytes)]
    assert [part["inlineData"]["data"] for part in last["parts"][:-1]] == list(map(base64_of, drawn))


@pytest.mark.parametrize("answered", [whole, streamed])
@given(pieces)
@settings(max_examples=60)
def test_what_was_stored_comes_back_in_its_order(
    answered: Callable[[Iterable[Event]], Message], some: list[str | bytes]
) -> None:
    stored: dict[str, bytes] = {}
    message = answered(events_of(some, stored))
    assert "images" not in message
    asked = parse_chat({"messages": [message, RED]}, ModelCatalogue(), StoredPictures((OURS,), stored.get))
    turn, _ = asked.image_request.turns
    expected: list[str | InputImage] = []
    for one in some:
        if isinstance(one, bytes):
            expected.append(InputImage(TYPES[one], encode(one)))
        elif expected and isinstance(expected[-1], str):
            expected[-1] += one  # words that follow one another are one text
        else:
            expected.append(one)
    assert turn == Turn(tuple(expected), by_model=True)


# Requests

AT_GOOGLE = replace(ALL_FIELDS, upstream=replace(ALL_FIELDS.upstream, openai=None))
users_parts = st.lists(
    said.map(lambda text: text_part(text)[0])
    | st.sampled_from(DRAWN).map(
        lambda one: {"type": "image_url", "image_url": {"url": f"data:{TYPES[one]};base64,{base64_of(one)}"}}
    ),
    max_size=3,
)
models_turns = pieces.map(lambda some: whole(events_of(some)))
chats = st.fixed_dictionaries(
    {
        "messages": st.tuples(
            st.lists(said.map(lambda text: {"role": "system", "content": text}), max_size=1),
            st.lists(users_parts.map(lambda parts: {"role": "user", "content": parts}) | models_turns, max_size=4),
            said.map(lambda text: [{"role": "user", "content": text}]),
        ).map(lambda lists: [message for some in lists for message in some]),
    },
    optional={
        "n": st.integers(1, 10),
        "size": st.sampled_from(["1024x1024", "16:9", "auto"]),
        "image_config": st.fixed_dictionaries({}, optional={"image_size": st.sampled_from(["1K", "2K"])}),
        "seed": st.integers(-(2**31), 2**31 - 1),
        "temperature": st.floats(0, 2),
    },
)


@given(chats)
@settings(max_examples=200)
def test_a_chat_survives_geminis_api(body: dict[str, Any]) -> None:
    """All its words in their order, all its pictures, with those that were drawn last at the end, and its shape."""
    asked = parse_chat(body, OneModel(AT_GOOGLE), StoredPictures()).image_request
    written = json.loads(b"".join(write_request(asked)))
    check_request("generateContent", written)
    back = read_request(written, ALL_FIELDS).image_request
    assert sorted(map(str, back.input_images)) == sorted(map(str, asked.input_images))
    *_, last = [(), *(tuple(turn.pictures) for turn in asked.turns if turn.by_model)]
    if len(asked.turns) > 1 and asked.turns[-2].by_model:
        assert back.input_images[len(back.input_images) - len(last) :] == last
    same = {"count": asked.count, "input_images": asked.input_images, "modalities": asked.modalities}
    assert replace(back, **same) == replace(asked, turns=(), system=None)


@given(chats)
@settings(max_examples=200)
def test_what_a_chat_comes_to_survives_openais_api(body: dict[str, Any]) -> None:
    asked = parse_chat(body, OneModel(ALL_FIELDS), StoredPictures()).image_request
    back = through_openai(asked, ALL_FIELDS).image_request
    same = {"image_size": asked.image_size or back.image_size, "modalities": ("IMAGE",)}  # a ratio has a tier in pixels
    assert back == replace(asked, **same)
