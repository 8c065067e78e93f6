"""Asks the upstream, once or n times at once, for one stream of events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import gevent
from gevent.queue import Empty, SimpleQueue

from compat.errors import ApiError, ErrorKind
from compat.image_models import SUCCESSOR, Api, ServedModel
from compat.images import (
    Event,
    Failure,
    Finish,
    ImageData,
    ImageEnd,
    ImageRequest,
    ImageStart,
    OutgoingRequest,
    Silence,
)
from proxy.caller import without_key
from proxy.generation.languages import LANGUAGES, Language
from proxy.generation.linked_images import fetch_links
from proxy.observation.record import UpstreamTimes
from proxy.upstream.client import Upstream

INTERNAL_MESSAGE = "The server had an error while processing your request."

log = logging.getLogger("twinlens")


def generate(
    upstream: Upstream,
    image_request: ImageRequest,
    model: ServedModel,
    key: str | None,
    *,
    timeout: float | None = None,
    silence: float | None = None,
    new_times: Callable[[], UpstreamTimes] = UpstreamTimes,
) -> Iterator[Event]:
    """The events of all pictures that were asked for, in the order in which answers arrive.

    One picture flows as it comes. Several, those of a model that draws drafts, and those of a stream that must not
    fall silent (a Silence follows every `silence` seconds without an event) are held until they are whole. Every
    call notes in times of its own how long it waited. A key of None is none. Raises an ApiError if there is no picture
    at all.
    """
    language = LANGUAGES[model.upstream.api]
    asks = [
        partial(ask_once, upstream, call, language, model, key, timeout, new_times)
        for call in language.write(image_request, model, silence is not None)
    ]
    if image_request.count == 1 and not model.upstream.draws_drafts and silence is None:
        return asks[0]()
    return ask_at_once(asks, silence)


def ask_once(
    upstream: Upstream,
    call: OutgoingRequest,
    language: Language,
    model: ServedModel,
    key: str | None,
    timeout: float | None,
    new_times: Callable[[], UpstreamTimes],
) -> Iterator[Event]:
    """The events of one call."""
    try:
        answer = upstream.call(
            call.path, call.body, key, content_type=call.content_type, timeout=timeout, times=new_times()
        )
        try:
            if answer.status >= 300:
                raise language.read_error(answer.status, answer.read_error(), answer.headers)
            events = language.read(answer.chunks, answer.content_type)
            if model.upstream.api is Api.OPENAI:  # whose answers may hold links, and failures among pictures
                events = explain_failures(fetch_links(events, upstream, key, timeout), model, key)
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


def ask_at_once(asks: Sequence[Callable[[], Iterator[Event]]], silence: float | None) -> Iterator[Event]:
    """The events of calls made at once, each held until it is whole; those that failed come last."""
    outcomes: SimpleQueue = SimpleQueue()
    calls = [gevent.spawn(lambda ask=ask: outcomes.put(outcome_of(ask))) for ask in asks]
    failures: list[ApiError] = []
    answered = 0
    try:
        for _ in calls:
            while (outcome := next_outcome(outcomes, silence)) is None:
                yield Silence()
            if isinstance(outcome, ApiError):
                failures.append(outcome)
            else:
                yield from (event for event in outcome if not isinstance(event, Failure))
                failures += [event.error for event in outcome if isinstance(event, Failure)]
                answered += 1
        if not answered:
            raise worst(failures)
        yield from map(Failure, failures)
    finally:
        gevent.killall(calls, block=False)


def outcome_of(ask: Callable[[], Iterator[Event]]) -> list[Event] | ApiError:
    """All events of a call but for drafts, or what it failed of. A whole picture is kept, whatever comes after it."""
    events: list[Event] = []
    try:
        gather(ask(), events)
    except ApiError as error:
        failure = error
    except BaseException as error:
        if not isinstance(error, gevent.GreenletExit):
            log.exception("a call failed unforeseen")
        failure = ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, may_repeat=False)
    else:
        return events
    whole = max((index for index, event in enumerate(events, 1) if isinstance(event, ImageEnd)), default=0)
    return [*events[:whole], Finish(), Failure(failure)] if whole else failure


def next_outcome(outcomes: SimpleQueue, silence: float | None) -> list[Event] | ApiError | None:
    """The next outcome; None if there is none for so many seconds."""
    try:
        outcome: list[Event] | ApiError = outcomes.get(timeout=silence)
    except Empty:
        return None
    return outcome


def worst(failures: list[ApiError]) -> ApiError:
    """The error that stands for all: the first that forbids to ask again, for that would be paid again."""
    return next((failure for failure in failures if failure.may_repeat is False), failures[0])


def gather(events: Iterable[Event], gathered: list[Event]) -> None:
    """Adds the events to the list, pictures as base64 alone, and without those that turn out to be drafts."""
    start = 0
    for event in events:
        if isinstance(event, ImageStart):
            start = len(gathered)
        gathered.append(ImageData(event.data) if isinstance(event, ImageData) else event)
        if isinstance(event, ImageEnd) and event.draft:
            del gathered[start:]
