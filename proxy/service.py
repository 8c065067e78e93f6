"""What the routes work with, made once per worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from compat.errors import ApiError, ErrorKind
from compat.image_models import CALLERS_KEY, Api, ModelCatalogue, ServedModel
from proxy.access.access import Access
from proxy.caller import Caller
from proxy.generation.successors import Successors
from proxy.generation.target import Target
from proxy.greenlets import Threads
from proxy.jobs.jobs import Jobs
from proxy.limits import OVERLOADED_RETRY_SECONDS
from proxy.observation.readiness import Readiness
from proxy.pictures.spool import SpoolMemory
from proxy.pictures.store import Store
from proxy.purchases.purchases import Purchases
from proxy.settings import Settings
from proxy.upstream.client import Upstream


class Places:
    """The calls that may be in flight in one worker at once. A request for n pictures takes n places."""

    def __init__(self, most: int):
        self.most = most
        self.taken = 0

    def take(self, calls: int = 1, held: int = 0) -> None:
        """Takes places for all calls of a request that has some already. Raises OVERLOADED if none is free.

        One free place is enough for all of them, so that a small limit does not refuse a large n forever.
        """
        if self.taken - held >= self.most:
            raise ApiError(
                ErrorKind.OVERLOADED,
                f"The server is overloaded: {self.most} calls are in flight (MAX_IN_FLIGHT).",
                retry_after=OVERLOADED_RETRY_SECONDS,
            )
        self.taken += calls - held

    def give_back(self, calls: int) -> None:
        """Gives places back."""
        self.taken -= calls


@dataclass(frozen=True)
class Service:
    """The settings and what was made of them."""

    settings: Settings
    catalogue: ModelCatalogue
    upstreams: Mapping[str, Upstream]  # by base URL
    store: Store
    places: Places
    readiness: Readiness
    memory: SpoolMemory  # for answers that are not whole yet
    purchases: Purchases
    jobs: Jobs
    input_threads: Threads  # for input pictures that have to be converted
    successors: Successors
    access: Access | None = None  # with ACCESS=keys
    situations: Mapping[str, Sequence[str]] = field(default_factory=dict)  # that the sandbox plays, by API

    def target(self, model: ServedModel, caller: Caller, **options: Any) -> Target:
        """The server that draws a model for a caller; the options are further fields of Target."""
        upstream = self.upstreams[self.settings.server_of(model.upstream)[1]]
        options["follows"] = self.successors.are_followed
        if self.access and caller.access and model.upstream.key == CALLERS_KEY:
            return Target(upstream, model, None, caller.dialect, pool=self.access.pool, **options)
        key = self.settings.key_of(model.upstream, caller.key)
        is_operators = self.settings.has_key_of_its_own(model.upstream, caller.key)
        return Target(upstream, model, key, caller.dialect, is_operators_key=is_operators, **options)

    @cached_property
    def has_openai_servers(self) -> bool:
        """Whether the server of any model speaks OpenAI's API."""
        return any(upstream.api is Api.OPENAI for upstream in self.upstreams.values())
