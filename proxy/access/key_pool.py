"""The keys of the upstream: a call takes the least busy one that is not resting, and goes on with the next if it fails.

Each worker learns for itself which keys rest: it costs a refused call, which buys nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import is_out_of_credit
from proxy.caller import without_key
from proxy.limits import LIMITED_KEY_SECONDS, REFUSED_KEY_SECONDS
from proxy.observation import metrics
from proxy.upstream.client import UpstreamAnswer

log = logging.getLogger("twinlens")

ABOUT_THE_KEY = frozenset({400, 401, 402, 403, 429})  # statuses that may say something about it
LIMITS = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.QUOTA_EXHAUSTED})
REFUSALS = frozenset({ErrorKind.INVALID_KEY, ErrorKind.PERMISSION_DENIED})
ABOUT_CONTENT = re.compile(r"\b(?:files?|cached ?contents?|tuned ?models?)\b", re.IGNORECASE)  # of a caller's request
ALL_MODELS = ""

ReadError = Callable[[int, bytes, Mapping[str, str]], ApiError]


@dataclass(frozen=True)
class Rest:
    """Why a key is left alone, and until when, in seconds since 1970."""

    until: float
    error: ApiError


@dataclass(eq=False)
class UpstreamKey:
    """One of the operator's keys."""

    secret: str = field(repr=False)
    fingerprint: str
    in_flight: int = 0
    taken_at: float = 0.0
    rests: dict[str, Rest] = field(default_factory=dict)  # by model, or for ALL_MODELS

    def rest_for(self, model: str, now: float) -> Rest | None:
        """Why it is not to be used for a model now; None if it may be."""
        found = [rest for name in (ALL_MODELS, model) if (rest := self.rests.get(name)) and rest.until > now]
        return max(found, key=lambda rest: rest.until) if found else None


class KeyPool:
    """The keys, as one worker knows them."""

    def __init__(self, secrets: Sequence[str], fingerprint: Callable[[str], str], now: Callable[[], float] = time.time):
        """`fingerprint` gives what stands for a key in logs and metrics; `now` the seconds since 1970."""
        self.keys = [UpstreamKey(secret, fingerprint(secret)) for secret in secrets]
        self.secrets = tuple(secrets)
        self.now = now

    def ask(self, model: str, send: Callable[[str], UpstreamAnswer], read_error: ReadError) -> UpstreamAnswer:
        """The answer of the upstream to a call that `send` makes with a key.

        A key that is at its limit or refused rests, and the call goes on with the next one, each at most once: nothing
        was bought. Any other answer, and any error of `send`, is the outcome. Raises RATE_LIMITED or QUOTA_EXHAUSTED
        with the shortest delay if all keys rest, and OPERATOR_KEY_REFUSED if all are refused.
        """
        tried: dict[UpstreamKey, Rest] = {}
        while key := self.take(model, tried):
            try:
                answer = send(key.secret)
            except BaseException:
                self.give_back(key)
                raise
            if answer.status not in ABOUT_THE_KEY:
                answer.chunks = Lent(answer.chunks, partial(self.give_back, key))
                return answer
            try:
                body = answer.read_error()
            finally:
                answer.close()
                self.give_back(key)
            error = read_error(answer.status, body, answer.headers)
            rest = self.rest_after(answer.status, error)
            if rest is None:
                answer.chunks = iter((body,))
                return answer
            tried[key] = rest
            self.lay_down(key, model, answer.status, rest)
        raise self.refusal(model, tried)

    def take(self, model: str, tried: Collection[UpstreamKey] = ()) -> UpstreamKey | None:
        """The least busy key that may be used for a model; None if there is none. It is to be given back."""
        now = self.now()
        free = [key for key in self.keys if key not in tried and not key.rest_for(model, now)]
        if not free:
            return None
        key = min(free, key=lambda key: (key.in_flight, key.taken_at))
        key.in_flight += 1
        key.taken_at = time.monotonic()
        metrics.KEY_IN_FLIGHT.labels(key.fingerprint).inc()
        return key

    def give_back(self, key: UpstreamKey) -> None:
        """The key's call is over."""
        key.in_flight -= 1
        metrics.KEY_IN_FLIGHT.labels(key.fingerprint).dec()

    def rest_after(self, status: int, error: ApiError) -> Rest | None:
        """How long a key rests after an error; None if the error is not about the key."""
        now = self.now()
        if error.kind is ErrorKind.RATE_LIMITED:
            delay = LIMITED_KEY_SECONDS if error.retry_after is None else error.retry_after
            return Rest(now + delay, error)
        if error.kind is ErrorKind.QUOTA_EXHAUSTED:
            broke = is_out_of_credit(status, error.message)
            return Rest(now + REFUSED_KEY_SECONDS if broke else next_pacific_midnight(now), error)
        if error.kind in REFUSALS and not ABOUT_CONTENT.search(error.message):
            return Rest(now + REFUSED_KEY_SECONDS, error)
        return None

    def lay_down(self, key: UpstreamKey, model: str, status: int, rest: Rest) -> None:
        """The key rests from now on: for the model that it is at its limit for, or for all."""
        for_all = rest.error.kind in REFUSALS or is_out_of_credit(status, rest.error.message)
        name = ALL_MODELS if for_all else model
        key.rests[name] = rest
        metrics.note_resting_key(key.fingerprint, name, status, rest.until)
        if for_all:
            message = without_secrets(rest.error.message, self.secrets)
            log.error("the upstream refuses key %s of GEMINI_API_KEYS: %s", key.fingerprint, message)

    def refusal(self, model: str, tried: Mapping[UpstreamKey, Rest]) -> ApiError:
        """The error of a request for which no key is left."""
        now = self.now()
        rests = [rest for key in self.keys if (rest := key.rest_for(model, now) or tried.get(key))]
        limits = [rest for rest in rests if rest.error.kind in LIMITS]
        if not limits:
            return ApiError(
                ErrorKind.OPERATOR_KEY_REFUSED,
                "The upstream refuses all keys of this proxy. Its operator has to see to it.",
            )
        shortest = min(limits, key=lambda rest: rest.until)
        message = without_secrets(shortest.error.message, self.secrets)
        if shortest.error.kind is ErrorKind.QUOTA_EXHAUSTED:
            return ApiError(ErrorKind.QUOTA_EXHAUSTED, message)
        return ApiError(ErrorKind.RATE_LIMITED, message, retry_after=max(0.001, shortest.until - now))


class Lent:
    """The chunks of an answer; the key of its call is given back when they end or are dropped."""

    def __init__(self, chunks: Iterator[bytes], give_back: Callable[[], None]):
        self.chunks = chunks
        self.give_back: Callable[[], None] | None = give_back

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.chunks)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """The call is over."""
        give_back, self.give_back = self.give_back, None
        if give_back:
            give_back()

    __del__ = end  # a caller that leaves drops the answer, perhaps before its first chunk


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """The text with `[key]` in place of every key."""
    for secret in secrets:
        text = without_key(text, secret)
    return text


def next_pacific_midnight(now: float) -> float:
    """When Google's daily quotas begin again, in seconds since 1970 (rate limits page, 2026-09: midnight Pacific)."""
    try:
        pacific: ZoneInfo | timezone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:  # a system without time zones
        pacific = timezone(timedelta(hours=-8))
    day = datetime.fromtimestamp(now, pacific).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=pacific).timestamp()
