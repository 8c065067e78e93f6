"""The server that draws for one request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from compat.dialect import Dialect
from compat.errors import ApiError, ErrorKind
from compat.gemini_content.error import names_model
from compat.image_models import SUCCESSOR, Api, ServedModel
from compat.images import Event, Failure, OutgoingRequest
from proxy.caller import without_key
from proxy.generation.languages import LANGUAGES, Language
from proxy.generation.linked_images import fetch_links
from proxy.observation.record import UpstreamTimes
from proxy.upstream.client import Upstream, UpstreamAnswer

log = logging.getLogger("twinlens")


@dataclass(frozen=True)
class Target:
    """A server, with all that the calls of one request have in common."""

    upstream: Upstream
    model: ServedModel
    key: str | None  # that the server gets; None for none
    dialect: Dialect  # the caller's, in whose names errors speak of fields
    is_operators_key: bool = False  # whether the key is that of the model's row
    follows: bool = False  # whether the model's successor is asked where the server has ended it
    new_times: Callable[[], UpstreamTimes] = UpstreamTimes  # called once per call

    def drawing(self, model: ServedModel) -> Target:
        """The same server and key for another model, such as this one's successor."""
        return self if model is self.model else replace(self, model=model)

    @property
    def language(self) -> Language:
        """How requests for this server are written and its answers read."""
        return LANGUAGES[self.model.upstream.api]

    def ask(self, call: OutgoingRequest) -> Iterator[Event]:
        """The events of one call. Raises an ApiError when it fails."""
        try:
            answer = self.upstream.call(
                call.path,
                call.body,
                self.key,
                content_type=call.content_type,
                times=self.new_times(),
            )
            try:
                if answer.status >= 300:
                    raise self.language.read_error(answer.status, answer.read_error(), answer.headers)
                yield from self.read(answer)
            finally:
                answer.close()
        except ApiError as error:
            raise self.explain(error) from None

    def read(self, answer: UpstreamAnswer) -> Iterator[Event]:
        """The events of an answer. OpenAI's servers may send links to pictures, and failures among pictures."""
        events = self.language.read(answer.chunks, answer.content_type)
        if self.model.upstream.api is not Api.OPENAI:
            return events
        events = fetch_links(events, self.upstream, self.key)
        return (Failure(self.explain(event.error)) if isinstance(event, Failure) else event for event in events)

    def refuses_operators_key(self, error: ApiError) -> bool:
        """Whether an error is about a key that the caller does not have."""
        return self.is_operators_key and error.kind in (ErrorKind.INVALID_KEY, ErrorKind.PERMISSION_DENIED)

    def explain(self, error: ApiError) -> ApiError:
        """An error of the server for the caller: without the key, in the caller's field names, and with advice."""
        message = without_key(error.message, self.key)
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
