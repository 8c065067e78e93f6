"""Asks a server once, or n times at once, for one stream of events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import gevent
from gevent.queue import Empty, SimpleQueue

from compat.errors import ApiError, Bought, ErrorKind
from compat.images import Event, Failure, Finish, ImageRequest, Silence
from proxy.generation.target import Target
from proxy.pictures.holding import HeldImage, hold_pictures, release
from proxy.pictures.spool import SpoolMemory

Ask = Callable[[], Iterator[Event]]  # one call
Held = list[Event | HeldImage]
Hold = Callable[[Iterator[Event], Held], None]  # adds the events to the list, pictures whole

INTERNAL_MESSAGE = "The server had an error while processing your request."

log = logging.getLogger("twinlens")


def generate(
    target: Target,
    image_request: ImageRequest,
    memory: SpoolMemory,
    *,
    silence: float | None = None,
) -> Iterator[Event]:
    """The events of all requested pictures, in the order in which answers arrive.

    The events of a picture come when it is whole; until then it is held, in `memory` if there is room. With `silence` a
    Silence comes after each so many seconds without an event. Raises an ApiError if there is no picture at all.
    """
    try:
        calls = target.language.write(image_request, target.model, silence is not None)
    except ApiError as error:
        raise target.explain(error) from None
    hold = partial(hold_pictures, memory=memory)
    ask = partial(target.ask, text_suffices="TEXT" in image_request.modalities)
    if len(calls) == 1 and silence is None:
        return ask_alone(partial(ask, calls[0]), hold)
    return ask_at_once([partial(ask, call) for call in calls], silence, hold)


def ask_alone(ask: Ask, hold: Hold) -> Iterator[Event]:
    """The events of one call, once it is whole."""
    held: Held = []
    try:
        hold(ask(), held)
    except ApiError as error:
        outcome = whole_pictures(held, error)
        if isinstance(outcome, ApiError):
            raise
        held = outcome
    yield from release(held)


def ask_at_once(asks: Sequence[Ask], silence: float | None, hold: Hold) -> Iterator[Event]:
    """The events of calls made at once, each held until it is whole; failures come last."""
    outcomes: SimpleQueue = SimpleQueue()
    calls = [gevent.spawn(lambda ask=ask: outcomes.put(outcome_of(ask, hold))) for ask in asks]
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


def outcome_of(ask: Ask, hold: Hold) -> Held | ApiError:
    """All events of a call, or its error. A whole picture is kept, whatever comes after it."""
    held: Held = []
    try:
        hold(ask(), held)
    except ApiError as error:
        failure = error
    except BaseException as error:
        if not isinstance(error, gevent.GreenletExit):
            log.exception("unexpected error in a call")
        failure = ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE, bought=Bought.UNKNOWN)
    else:
        return held
    return whole_pictures(held, failure)


def whole_pictures(held: Held, failure: ApiError) -> Held | ApiError:
    """What was whole before a call failed, with its failure; the failure alone if nothing was."""
    whole = max((index for index, event in enumerate(held, 1) if isinstance(event, HeldImage)), default=0)
    return [*held[:whole], Finish(), Failure(failure)] if whole else failure


def next_outcome(outcomes: SimpleQueue, silence: float | None) -> Held | ApiError | None:
    """The next outcome; None if there is none within so many seconds."""
    try:
        outcome: Held | ApiError = outcomes.get(timeout=silence)
    except Empty:
        return None
    return outcome


def worst(failures: list[ApiError]) -> ApiError:
    """The error that represents all: the first after which a retry may pay again, or else could not help."""
    return max(failures, key=lambda failure: (failure.bought is not Bought.NO, not failure.may_repeat))
