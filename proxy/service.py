"""What the routes work with, made once for each worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from compat.errors import ApiError, ErrorKind
from compat.image_models import Api, ModelCatalogue, ServedModel
from proxy.limits import OVERLOADED_RETRY_SECONDS
from proxy.observation.readiness import Readiness
from proxy.pictures.store import Store
from proxy.settings import Settings
from proxy.upstream.client import Upstream


class Places:
    """The calls that may be in flight in one worker at once. A request for n pictures is n of them."""

    def __init__(self, most: int):
        self.most = most
        self.taken = 0

    def take(self, calls: int = 1, held: int = 0) -> None:
        """Takes places for all calls of a request that holds some already.

        They come in together if there is a place for one, so that a small limit refuses nobody for ever. Raises
        OVERLOADED if there is none.
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
    """The settings and what was made from them."""

    settings: Settings
    catalogue: ModelCatalogue
    upstreams: Mapping[str, Upstream]  # by base URL
    store: Store
    places: Places
    readiness: Readiness

    def upstream_of(self, model: ServedModel) -> Upstream:
        """The server that draws for a model."""
        return self.upstreams[self.settings.server_of(model.upstream)[1]]

    @cached_property
    def has_windows(self) -> bool:
        """Whether requests of OpenAI's API may have to pass as they came."""
        return any(upstream.api is Api.OPENAI for upstream in self.upstreams.values())
