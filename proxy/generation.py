"""Asks the upstream, once or n times at once, for one stream of events. The one room that knows gevent."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import gevent
from gevent.queue import Empty, SimpleQueue
from gevent.socket import wait_read

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import parse_error
from compat.gemini_content.request import build_request
from compat.gemini_content.response import read_answer
from compat.image_models import SUCCESSOR, ServedModel
from compat.images import Event, Failure, ImageEnd, ImageRequest, ImageStart, Silence
from proxy.upstream import Upstream

Result = TypeVar("Result")


class CallerGone(Exception):
    """The caller closed the connection: whatever is done for him ends here."""


log = logging.getLogger("twinlens")


def generate(
    upstream: Upstream,
    image_request: ImageRequest,
    model: ServedModel,
    key: str,
    *,
    timeout: float | None = None,
    silence: float | None = None,
) -> Iterator[Event]:
    """The events of all pictures that were asked for, in the order in which answers arrive.

    One picture flows as it comes. Several, those of a model that draws drafts, and those of a stream that must not
    fall silent (a Silence follows every `silence` seconds without an event) are held until they are whole. Raises an
    ApiError if there is no picture at all.
    """
    body = json.dumps(build_request(image_request), separators=(",", ":")).encode()

    def ask() -> Iterator[Event]:
        return ask_once(upstream, body, model, key, timeout)

    if image_request.count == 1 and not model.upstream.draws_drafts and silence is None:
        return ask()
    return ask_at_once(ask, image_request.count, silence)


def ask_once(upstream: Upstream, body: bytes, model: ServedModel, key: str, timeout: float | None) -> Iterator[Event]:
    """The events of one call."""
    try:
        answer = upstream.call(f"{model.upstream_name}:generateContent", body, key, timeout=timeout)
        try:
            if answer.status >= 300:
                raise parse_error(answer.status, answer.read_error())
            yield from read_answer(answer.chunks, answer.content_type)
        finally:
            answer.close()
    except ApiError as error:
        raise explained(error, model, key) from None


def explained(error: ApiError, model: ServedModel, key: str) -> ApiError:
    """The error as a caller may see it: without the key, and with what to do about a model that is gone."""
    message = without_key(error.message, key)
    if error.kind is ErrorKind.MODEL_NOT_FOUND:
        message += (
            f" If the upstream model '{model.upstream_name}' has been retired, the operator of this proxy can set "
            f"UPSTREAM_MODELS={model.name}={SUCCESSOR}."
        )
    return replace(error, message=message)


def without_key(text: str, key: str) -> str:
    """The text with `[key]` where it repeats the key."""
    return text.replace(key, "[key]")


def ask_at_once(ask: Callable[[], Iterator[Event]], count: int, silence: float | None) -> Iterator[Event]:
    """The events of `count` calls made at once, each held until it is whole; those that failed come last."""
    outcomes: SimpleQueue = SimpleQueue()
    calls = [gevent.spawn(lambda: outcomes.put(outcome_of(ask))) for _ in range(count)]
    failures: list[ApiError] = []
    try:
        for _ in range(count):
            while (outcome := next_outcome(outcomes, silence)) is None:
                yield Silence()
            if isinstance(outcome, ApiError):
                failures.append(outcome)
            else:
                yield from outcome
        if len(failures) == count:
            raise worst(failures)
        yield from map(Failure, failures)
    finally:
        gevent.killall(calls, block=False)


def outcome_of(ask: Callable[[], Iterator[Event]]) -> list[Event] | ApiError:
    """All events of a call, or what it failed of."""
    try:
        return without_drafts(ask())
    except ApiError as error:
        return error
    except Exception:
        log.exception("a call failed unforeseen")
        return ApiError(ErrorKind.INTERNAL, "The server had an error while processing your request.", may_repeat=False)


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


def without_drafts(events: Iterable[Event]) -> list[Event]:
    """The events of a whole answer but for the pictures that turned out to be drafts."""
    kept: list[Event] = []
    start = 0
    for event in events:
        if isinstance(event, ImageStart):
            start = len(kept)
        kept.append(event)
        if isinstance(event, ImageEnd) and event.draft:
            del kept[start:]
    return kept


def run_in_thread(function: Callable[..., Result], *args: Any) -> Result:
    """Runs what would block everybody, such as drawing, in gevent's thread pool."""
    result: Result = gevent.get_hub().threadpool.apply(function, args)
    return result


def interrupt_when_gone(caller: socket.socket) -> Callable[[], None]:
    """Raises CallerGone in the current greenlet as soon as the caller's connection is closed, if only by half.

    Returns what ends the watch; it must be called before the connection serves another request.
    """
    here = gevent.getcurrent()

    def watch() -> None:
        try:
            wait_read(caller.fileno())
            gone = not caller.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        if gone:
            gevent.kill(here, CallerGone)

    watcher = gevent.spawn(watch)
    return lambda: watcher.kill(block=False)
