"""Models that their server has ended: the same request goes to the successor, and so do later ones of the same key."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import names_model
from compat.image_models import ServedModel
from proxy.generation.target import Target
from proxy.limits import MOST_SUCCESSION_KEYS, SUCCESSOR_SECONDS
from proxy.observation import metrics
from proxy.upstream.client import UpstreamAnswer

NOT_FOUND = 404
Made = TypeVar("Made")

log = logging.getLogger("twinlens")


class Successors:
    """Which keys have been answered that a model is not there, and by which models.

    A 404 can depend on the key ("no longer available to new users"), and an end can be withdrawn: so it is remembered
    for each key, and for an hour. A 404 buys nothing.
    """

    def __init__(
        self,
        *,
        are_followed: bool = True,
        seconds: float = SUCCESSOR_SECONDS,
        most: int = MOST_SUCCESSION_KEYS,
        now: Callable[[], float] = time.monotonic,
    ):
        """`are_followed` is the setting FOLLOW_SUCCESSORS; `now` is a clock in seconds."""
        self.are_followed = are_followed
        self.seconds = seconds
        self.most = most
        self.now = now
        self.until: dict[str, dict[str, float]] = {}  # by fingerprint, oldest first, and by the name of the row
        self.logged: set[tuple[str, str]] = set()

    def retired_for(self, fingerprint: str) -> Collection[str]:
        """The rows whose successors draw for a key at present."""
        ends = self.until.get(fingerprint)
        if not ends:
            return ()
        now = self.now()
        return frozenset(name for name, end in ends.items() if end > now)

    def may_follow(self, model: ServedModel) -> bool:
        """Whether the model has a successor that is asked where it is not there."""
        return self.are_followed and model.successor is not None

    def follow(self, fingerprint: str, model: ServedModel, make: Callable[[ServedModel], Made]) -> Made:
        """What `make` makes of a model, or of its successor if the model is not there.

        `make` raises an ApiError with `missing_model` then. If the successor is not there either, the first error is
        the answer.
        """
        try:
            return make(model)
        except ApiError as error:
            if error.missing_model != model.upstream_name:
                raise
            if not self.may_follow(model):
                self.forget(fingerprint)
                raise
            first, successor = error, model.succeeded()
        try:
            made = make(successor)
        except ApiError as error:
            if error.kind is ErrorKind.MODEL_NOT_FOUND:
                message = f"{first.message} Its successor '{successor.upstream_name}' is not available either."
                raise replace(first, message=message) from None
            self.remember(fingerprint, model, successor)
            raise
        self.remember(fingerprint, model, successor)
        return made

    def follow_answer(
        self,
        fingerprint: str,
        target: Target,
        ask: Callable[[Target], UpstreamAnswer],
        *,
        remember: bool = True,
    ) -> tuple[Target, UpstreamAnswer]:
        """The answer of a target, or of its successor if it says that the model is not there, and whose it is."""
        answer = ask(target)
        if answer.status != NOT_FOUND or not is_about_its_model(answer, target):
            return target, answer
        if not self.may_follow(target.model):
            self.forget(fingerprint)
            return target, answer
        successor = target.drawing(target.model.succeeded())
        try:
            other = ask(successor)
        except BaseException:
            answer.close()
            raise
        if other.status == NOT_FOUND:
            other.close()
            return target, answer
        answer.close()
        if remember:
            self.remember(fingerprint, target.model, successor.model)
        return successor, other

    def forget(self, fingerprint: str) -> None:
        """The next request with this key tries the models themselves again, where a successor is not there."""
        self.until.pop(fingerprint, None)

    def remember(self, fingerprint: str, model: ServedModel, successor: ServedModel) -> None:
        """Later requests with this key go to the successor."""
        ends = self.until.pop(fingerprint, {})
        self.until[fingerprint] = {**ends, model.upstream.name: self.now() + self.seconds}
        while len(self.until) > self.most:
            del self.until[next(iter(self.until))]
        names = model.upstream_name, successor.upstream_name
        metrics.series(metrics.FOLLOWED, *names).inc()
        if names not in self.logged:
            self.logged.add(names)
            log.warning(
                "the upstream does not have %s: its successor %s draws (FOLLOW_SUCCESSORS). To choose the model "
                "yourself set UPSTREAM_MODELS=%s=...",
                *names,
                model.name,
            )


def is_about_its_model(answer: UpstreamAnswer, target: Target) -> bool:
    """Whether an error names the model that was asked for. Its body stays to be read."""
    body = answer.read_error()
    answer.chunks = iter([body])
    error = target.language.read_error(answer.status, body, answer.headers)
    return error.kind is ErrorKind.MODEL_NOT_FOUND and names_model(error.message, target.model.upstream_name)
