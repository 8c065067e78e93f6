"""The replaying upstream."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from contract.replay import ReplayingUpstream, decoded

MODEL = "gemini-2.5-flash-image"


@pytest.fixture(scope="module")
def google() -> Iterator[ReplayingUpstream]:
    """A running upstream."""
    with ReplayingUpstream().running() as upstream:
        yield upstream


def ask(google: ReplayingUpstream, prompt: str, method: str = "generateContent", **body: Any) -> requests.Response:
    """The answer to a call with a key."""
    return requests.post(
        f"{google.url}/v1beta/models/{MODEL}:{method}",
        json={"contents": [{"parts": [{"text": prompt}]}], **body},
        headers={"x-goog-api-key": "k"},
        timeout=5,
    )


def test_a_picture_has_the_requested_aspect_ratio(google: ReplayingUpstream) -> None:
    config = {"imageConfig": {"aspectRatio": "21:9"}, "responseModalities": ["IMAGE"]}
    (part,) = ask(google, "a kite", generationConfig=config).json()["candidates"][0]["content"]["parts"]
    with Image.open(io.BytesIO(decoded(part["inlineData"]["data"]))) as image:
        assert image.width * 9 == image.height * 21


def test_two_pictures_of_one_prompt_differ(google: ReplayingUpstream) -> None:
    first, second = (ask(google, "twice").json()["candidates"][0]["content"]["parts"][-1] for _ in range(2))
    assert first != second


def test_situations_take_turns(google: ReplayingUpstream) -> None:
    statuses = [ask(google, "now [[overloaded|picture]]").status_code for _ in range(4)]
    assert statuses == [503, 200, 503, 200]


def test_a_situation_is_answered_in_the_requested_form(google: ReplayingUpstream) -> None:
    assert ask(google, "[[picture]]", "streamGenerateContent?alt=sse").text.startswith("data: {")
    assert isinstance(ask(google, "[[streamed_picture]]", "streamGenerateContent").json(), list)
    assert ask(google, "[[streamed_picture]]").json()["candidates"][0]["content"]["parts"]


@pytest.mark.parametrize(("situation", "status"), [("error_mid_stream", 503), ("bare_error_mid_stream", 500)])
def test_an_error_in_the_middle_of_a_stream_is_the_whole_answer(
    google: ReplayingUpstream, situation: str, status: int
) -> None:
    answer = ask(google, f"[[{situation}]]")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


def test_an_unknown_situation_is_named_in_the_error(google: ReplayingUpstream) -> None:
    answer = ask(google, "[[no_such_thing]]")
    assert (answer.status_code, "no_such_thing" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({"x-goog-api-key": "k", "Authorization": "Bearer k"}, 400), ({"x-goog-api-key": "k"}, 200)],
    ids=str,
)
def test_exactly_one_credential_is_accepted(google: ReplayingUpstream, headers: dict[str, str], status: int) -> None:
    body = {"contents": [{"parts": [{"text": "a kite"}]}]}
    url = f"{google.url}/v1/models/{MODEL}:generateContent"
    assert requests.post(url, json=body, headers=headers, timeout=5).status_code == status


def test_a_cut_answer_breaks_off(google: ReplayingUpstream) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(google, "[[truncated]]")


def test_calls_are_recorded(google: ReplayingUpstream) -> None:
    ask(google, "find me again")
    (call,) = google.calls_with("find me again")
    assert (call.texts, call.credentials) == (["find me again"], ["k"])
