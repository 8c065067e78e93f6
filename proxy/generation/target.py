"""The server that draws for one request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from compat.dialect import Dialect
from compat.errors import ApiError, Bought, ErrorKind
from compat.gemini_content.error import names_model
from compat.image_models import SUCCESSOR, Api, ServedModel
from compat.images import Event, Failure, OutgoingRequest
from proxy.access.key_pool import KeyPool, without_secrets
from proxy.generation.languages import LANGUAGES, Language
from proxy.generation.linked_images import fetch_links
from proxy.observation.record import UpstreamTimes
from proxy.upstream.client import Body, Upstream, UpstreamAnswer

log = logging.getLogger("twinlens")


@dataclass(frozen=True)
class Target:
    """A server, with all that the calls of one request have in common."""

    upstream: Upstream
    model: ServedModel
    key: str | None  # that the server gets; None for none, or for one of the pool
    dialect: Dialect  # the caller's, in whose names errors speak of fields
    is_operators_key: bool = False  # whether the key is that of the model's row
    pool: KeyPool | None = None  # the operator's keys, of which each call takes one
    follows: bool = False  # whether the model's successor is asked where the server has ended it
    new_times: Callable[[], UpstreamTimes] = UpstreamTimes  # called once per call

    def drawing(self, model: ServedModel) -> Target:
        """The same server and key for another model, such as this one's successor."""
        return self if model is self.model else replace(self, model=model)

    @property
    def language(self) -> Language:
        """How requests for this server are written and its answers read."""
        return LANGUAGES[self.model.upstream.api]

    def call(self, path: str, body: Body, times: list[UpstreamTimes] | None = None, **options: Any) -> UpstreamAnswer:
        """The answer to one call, with the target's key or one of the pool; `options` are those of `Upstream.call`.

        `times` gets the record of each call that is made. Raises an ApiError when there is no answer.
        """

        def send(key: str | None) -> UpstreamAnswer:
            record = self.new_times()
            if times is not None:
                times.append(record)
            return self.upstream.call(path, body, key, times=record, **options)

        if self.pool:
            return self.pool.ask(self.model.upstream_name, send, self.language.read_error)
        return send(self.key)

    def ask(self, call: OutgoingRequest, *, text_suffices: bool = False) -> Iterator[Event]:
        """The events of one call. Raises an ApiError when it fails.

        With `text_suffices` words alone are an answer.
        """
        times: list[UpstreamTimes] = []
        try:
            answer = self.call(call.path, call.body, times, content_type=call.content_type)
            try:
                if answer.status >= 300:
                    raise self.language.read_error(answer.status, answer.read_error(), answer.headers)
                yield from self.read(answer, text_suffices=text_suffices)
            finally:
                answer.close()
        except ApiError as error:
            if times:
                times[-1].failure = ApiError(error.kind, "", bought=error.bought, usage=error.usage)
            raise self.explain(error) from None
        except BaseException:
            if times:
                times[-1].failure = ApiError(ErrorKind.INTERNAL, "", bought=Bought.UNKNOWN)
            raise

    def read(self, answer: UpstreamAnswer, *, text_suffices: bool = False) -> Iterator[Event]:
        """The events of an answer. OpenAI's servers may send links to pictures, and failures among pictures."""
        events = self.language.read(answer.chunks, answer.content_type, text_suffices)
        if self.model.upstream.api is not Api.OPENAI:
            return events
        events = fetch_links(events, self.upstream, answer.key)
        return (Failure(self.explain(event.error)) if isinstance(event, Failure) else event for event in events)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys that an error must not repeat."""
        return self.pool.secrets if self.pool else (self.key,) if self.key else ()

    def refuses_operators_key(self, error: ApiError) -> bool:
        """Whether an error is about a key that the caller does not have."""
        return self.is_operators_key and error.kind in (ErrorKind.INVALID_KEY, ErrorKind.PERMISSION_DENIED)

    def explain(self, error: ApiError) -> ApiError:
        """An error of the server for the caller: without the key, in the caller's field names, and with advice."""
        message = without_secrets(error.message, self.secrets)
        missing_model = None
        if self.refuses_operators_key(error):
            row = self.model.upstream
            log.error("the server of model %s refuses its row's key = %r: %s", self.model.name, row.key, message)
            return ApiError(
                ErrorKind.OPERATOR_KEY_REFUSED,
                f"The server of '{self.model.name}' refuses this proxy's own key. Its operator has to see to it.",
            )
        if error.kind is ErrorKind.MODEL_NOT_FOUND and self.model.upstream.api is Api.GEMINI:
            if names_model(message, self.model.upstream_name):
                missing_model = self.model.upstream_name
            message += self.advice()
        param = self.language.dialect.translate(error.param, self.dialect)
        return replace(error, message=message, param=param, missing_model=missing_model)

    def advice(self) -> str:
        """What an operator can do about a model that its server does not have, unless that is done already."""
        name, successor = self.model.upstream_name, self.model.successor
        if name == SUCCESSOR or (self.follows and successor):
            return ""
        return (
            f" If the upstream model '{name}' has been retired, the operator of this proxy can set "
            f"UPSTREAM_MODELS={self.model.name}={successor.name if successor else SUCCESSOR}."
        )
