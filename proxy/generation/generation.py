"""Asks the upstream, once or n times at once, for one stream of events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import gevent
from gevent.queue import Empty, SimpleQueue

from compat.errors import ApiError, Bought, ErrorKind
from compat.image_models import SUCCESSOR, Api, ServedModel
from compat.images import Event, Failure, Finish, ImageRequest, Silence
from proxy.caller import without_key
from proxy.generation.languages import LANGUAGES, Call, Language
from proxy.generation.linked_images import fetch_links
from proxy.observation.record import UpstreamTimes
from proxy.pictures.holding import HeldImage, hold_pictures, release
from proxy.pictures.spool import SpoolMemory
from proxy.upstream.client import Upstream

INTERNAL_MESSAGE = "The server had an error while processing your request."

log = logging.getLogger("twinlens")


def generate(
    upstream: Upstream,
    image_request: ImageRequest,
    model: ServedModel,
    key: str | None,
    memory: SpoolMemory,
    *,
    silence: float | None = None,
    new_times: Callable[[], UpstreamTimes] = UpstreamTimes,
) -> Iterator[Event]:
    """The events of all pictures that were asked for, in the order in which answers arrive.

    A picture's events come when it is whole; until then it is held, in `memory` as long as that has room. A Silence
    follows every `silence` seconds without an event. Every call notes in times of its own how long it waited. A key of
    None is none. Raises an ApiError if there is no picture at all.
    """
    language = LANGUAGES[model.upstream.api]
    asks = [
        partial(ask_once, upstream, call, language, model, key, new_times)
        for call in language.write(image_request, model, silence is not None)
    ]
    if len(asks) == 1 and silence is None:
        return ask_alone(asks[0], memory)
    return ask_at_once(asks, silence, memory)


def ask_once(
    upstream: Upstream,
    call: Call,
    language: Language,
    model: ServedModel,
    key: str | None,
    new_times: Callable[[], UpstreamTimes],
) -> Iterator[Event]:
    """The events of one call."""
    try:
        answer = upstream.call(call.path, call.body, key, content_type=call.content_type, times=new_times())
        try:
            if answer.status >= 300:
                raise language.read_error(answer.status, answer.read_error(), answer.headers)
            events = language.read(answer.chunks, answer.content_type)
            if model.upstream.api is Api.OPENAI:  # whose answers may hold links, and failures among pictures
                events = explain_failures(fetch_links(events, upstream, key), model, key)
            yield from events
        finally:
            answer.close()
    except ApiError as error:
        raise explained(error, model, key) from None


def explain_failures(events: Iterable[Event], model: ServedModel, key: str | None) -> Iterator[Event]:
    """The events, with every failure among them as a caller may see it."""
    for event in events:
        yield Failure(explained(event.error, model, key)) if isinstance(event, Failure) else event


def explained(error: ApiError, model: ServedModel, key: str | None) -> ApiError:
    """The error as a caller may see it: without the key, and with what to do about a model that is gone."""
    message = without_key(error.message, key)
    if error.kind is ErrorKind.MODEL_NOT_FOUND and model.upstream.api is Api.GEMINI:
        message += (
            f" If the upstream model '{model.upstream_name}' has been retired, the operator of this proxy can set "
            f"UPSTREAM_MODELS={model.name}={SUCCESSOR}."
        )
    return replace(error, message=message)


def ask_alone(ask: Callable[[], Iterator[Event]], memory: SpoolMemory) -> Iterator[Event]:
    """The events of one call, made here and held until it is whole. Raises what it failed with."""
    outcome = outcome_of(ask, memory)
    if isinstance(outcome, ApiError):
        raise outcome
    yield from release(outcome)


def ask_at_once(
    asks: Sequence[Callable[[], Iterator[Event]]], silence: float | None, memory: SpoolMemory
) -> Iterator[Event]:
    """The events of calls made at once, each held until it is whole; those that failed come last."""
    outcomes: SimpleQueue = SimpleQueue()
    calls = [gevent.spawn(lambda ask=ask: outcomes.put(outcome_of(ask, memory))) for ask in asks]
    failures: list[ApiError] = []
    answered = 0
    try:
        for _ in calls:
            while (outcome := next_outcome(outcomes, silence)) is None:
                yield Silence()
            if isinstance(outcome, ApiError):
                failures.append(outcome)
            else:
                yield from release(event for event in outcome if not isinstance(event, Failure))
                failures += [event.error for event in outcome if isinstance(event, Failure)]
                answered += 1
        if not answered:
            raise worst(failures)
        yield from map(Failure, failures)
    finally:
        gevent.killall(calls, block=False)


def outcome_of(ask: Callable[[], Iterator[Event]], memory: SpoolMemory) -> list[Event | HeldImage] | ApiError:
    """All events of a call, or what it failed with. A whole picture is kept, whatever comes after it."""
    events: list[Event | HeldImage] = []
    try:
        hold_pictures(ask(), events, memory)
    except ApiError as error:
        failure = error
    except BaseException as error:
        if not isinstance(error, gevent.GreenletExit):
            log.exception("a call failed unforeseen")
        failure = ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, may_repeat=False, bought=Bought.UNKNOWN)
    else:
        return events
    whole = max((index for index, event in enumerate(events, 1) if isinstance(event, HeldImage)), default=0)
    return [*events[:whole], Finish(), Failure(failure)] if whole else failure


def next_outcome(outcomes: SimpleQueue, silence: float | None) -> list[Event | HeldImage] | ApiError | None:
    """The next outcome; None if there is none for so many seconds."""
    try:
        outcome: list[Event | HeldImage] | ApiError = outcomes.get(timeout=silence)
    except Empty:
        return None
    return outcome


def worst(failures: list[ApiError]) -> ApiError:
    """The error that stands for all: the one that may have cost most, for asking again would be paid again."""
    return max(failures, key=lambda failure: (failure.bought is not Bought.NO, failure.may_repeat is False))
