"""Whose calls go to a model's successor, and for how long."""

import logging

import pytest

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import names_model
from compat.image_models import SUCCESSOR, ModelCatalogue, ServedModel
from proxy.generation.successors import Successors

GONE = "gemini-2.5-flash-image"
CATALOGUE = ModelCatalogue(built_in=[GONE, "gemini-3.1-flash-image", "gemini-3-pro-image"])
MODEL = CATALOGUE.resolve(GONE)


class Clock:
    """A time that stands until it is set."""

    time = 0.0

    def __call__(self) -> float:
        return self.time


def gone(model: ServedModel) -> ApiError:
    return ApiError(ErrorKind.MODEL_NOT_FOUND, f"{model.upstream_name} is gone.", missing_model=model.upstream_name)


def only_the_successor_draws(model: ServedModel) -> str:
    if model.upstream_name != SUCCESSOR:
        raise gone(model)
    return model.upstream_name


def test_it_is_remembered_for_each_key_for_an_hour_and_logged_once(caplog: pytest.LogCaptureFixture):
    clock = Clock()
    successors = Successors(now=clock)
    with caplog.at_level(logging.WARNING):
        for key in ("one", "two"):
            assert not successors.retired_for(key)
            assert successors.follow(key, MODEL, only_the_successor_draws) == SUCCESSOR
            assert successors.retired_for(key) == {GONE}
    assert len(caplog.messages) == 1
    assert f"its successor {SUCCESSOR} draws" in caplog.text
    assert CATALOGUE.with_successors(successors.retired_for("one")).resolve(None).upstream_name == SUCCESSOR
    clock.time = 3599
    assert successors.retired_for("one") == {GONE}
    clock.time = 3600
    assert not successors.retired_for("one")


def test_the_oldest_keys_are_forgotten_beyond_a_limit():
    successors = Successors(most=2)
    other = CATALOGUE.resolve("gemini-3.1-flash-image")
    for key in ("one", "two", "one", "three"):
        successors.follow(key, other if key == "one" else MODEL, only_the_successor_draws)
    assert [bool(successors.retired_for(key)) for key in ("one", "two", "three")] == [True, False, True]
    successors.follow("one", MODEL, only_the_successor_draws)
    assert successors.retired_for("one") == {GONE, other.upstream_name}


def test_a_successor_that_is_gone_too_is_not_remembered_and_the_first_error_is_the_answer():
    def make(model: ServedModel) -> str:
        raise gone(model)

    successors = Successors()
    with pytest.raises(ApiError, match=f"{GONE} is gone. Its successor '{SUCCESSOR}' is not available either"):
        successors.follow("key", MODEL, make)
    assert not successors.retired_for("key")


def test_a_successor_that_ends_later_is_forgotten_at_once():
    successors = Successors()
    successors.follow("key", MODEL, only_the_successor_draws)
    later = CATALOGUE.with_successors(successors.retired_for("key")).resolve(GONE)

    def make(model: ServedModel) -> str:
        raise gone(model)

    with pytest.raises(ApiError, match=SUCCESSOR):
        successors.follow("key", later, make)
    assert not successors.retired_for("key")


def test_an_error_of_the_successor_is_the_answer_and_it_is_remembered():
    def make(model: ServedModel) -> str:
        raise gone(model) if model is MODEL else ApiError(ErrorKind.RATE_LIMITED, "slowly")

    successors = Successors()
    with pytest.raises(ApiError, match="slowly"):
        successors.follow("key", MODEL, make)
    assert successors.retired_for("key")


@pytest.mark.parametrize(
    ("model", "error", "are_followed"),
    [
        (MODEL, ApiError(ErrorKind.MODEL_NOT_FOUND, "File x not found."), True),
        (MODEL, ApiError(ErrorKind.MODEL_NOT_FOUND, "x", missing_model="gemini-3-pro-image"), True),
        (MODEL, ApiError(ErrorKind.RATE_LIMITED, GONE), True),
        (MODEL, gone(MODEL), False),
        (CATALOGUE.resolve("gemini-3-pro-image"), gone(CATALOGUE.resolve("gemini-3-pro-image")), True),
    ],
)
def test_other_errors_are_not_followed(model: ServedModel, error: ApiError, are_followed: bool):
    asked = []

    def make(one: ServedModel) -> str:
        asked.append(one)
        raise error

    with pytest.raises(ApiError) as caught:
        Successors(are_followed=are_followed).follow("key", model, make)
    assert caught.value is error
    assert asked == [model]


@pytest.mark.parametrize(
    ("message", "is_named"),
    [
        (f"This model models/{GONE} is no longer available.", True),
        (f"models/{GONE} is not found for API version v1beta, or is not supported for generateContent.", True),
        (f"No {GONE}.", True),
        (f"models/{GONE}-preview is not found", False),
        (f"models/my-{GONE} is not found", False),
        (f"{GONE}.5 is not found", False),
        ("Requested entity was not found.", False),
        ("", False),
    ],
)
def test_a_message_names_a_model_by_its_whole_name(message: str, is_named: bool):
    assert names_model(message, GONE) is is_named
