"""Asks a server once, or n times at once, for one stream of events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import gevent
from gevent.queue import Empty, SimpleQueue

from compat.errors import ApiError, ErrorKind
from compat.images import Event, Failure, Finish, ImageData, ImageEnd, ImageRequest, ImageStart, Silence
from proxy.generation.target import Target

INTERNAL_MESSAGE = "The server had an error while processing your request."

log = logging.getLogger("twinlens")


def generate(target: Target, image_request: ImageRequest, *, silence: float | None = None) -> Iterator[Event]:
    """The events of all requested pictures, in the order in which answers arrive.

    One picture flows as it comes. Pictures are held until they are whole if there are several, if the model draws
    drafts, or if `silence` is given: a stream then has a Silence after each so many seconds without an event. Raises
    an ApiError if there is no picture at all.
    """
    try:
        calls = target.language.write(image_request, target.model, silence is not None)
    except ApiError as error:
        raise target.explain(error) from None
    if image_request.count == 1 and not target.model.upstream.draws_drafts and silence is None:
        return target.ask(calls[0])
    return ask_at_once([partial(target.ask, call) for call in calls], silence)


def ask_at_once(asks: Sequence[Callable[[], Iterator[Event]]], silence: float | None) -> Iterator[Event]:
    """The events of calls made at once, each held until it is whole; failures come last."""
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
    """All events of a call except drafts, or its error. A whole picture is kept, whatever comes after it."""
    events: list[Event] = []
    try:
        gather(ask(), events)
    except ApiError as error:
        failure = error
    except BaseException as error:
        if not isinstance(error, gevent.GreenletExit):
            log.exception("unexpected error in a call")
        failure = ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, may_repeat=False)
    else:
        return events
    whole = max((index for index, event in enumerate(events, 1) if isinstance(event, ImageEnd)), default=0)
    return [*events[:whole], Finish(), Failure(failure)] if whole else failure


def next_outcome(outcomes: SimpleQueue, silence: float | None) -> list[Event] | ApiError | None:
    """The next outcome; None if there is none within so many seconds."""
    try:
        outcome: list[Event] | ApiError = outcomes.get(timeout=silence)
    except Empty:
        return None
    return outcome


def worst(failures: list[ApiError]) -> ApiError:
    """The error that represents all: the first that forbids a retry, because a retry may pay again."""
    return next((failure for failure in failures if failure.may_repeat is False), failures[0])


def gather(events: Iterable[Event], gathered: list[Event]) -> None:
    """Adds the events to the list: pictures as base64 only, and without those that turn out to be drafts."""
    start = 0
    for event in events:
        if isinstance(event, ImageStart):
            start = len(gathered)
        gathered.append(ImageData(event.data) if isinstance(event, ImageData) else event)
        if isinstance(event, ImageEnd) and event.draft:
            del gathered[start:]
