"""What the routes work with, made once for each worker."""

from __future__ import annotations

from dataclasses import dataclass

from compat.errors import ApiError, ErrorKind
from compat.image_models import ModelCatalogue
from proxy.image_store import Store
from proxy.limits import OVERLOADED_RETRY_SECONDS
from proxy.readiness import Readiness
from proxy.settings import Settings
from proxy.upstream import Upstream


class Places:
    """The calls that may be in flight in one worker at once."""

    def __init__(self, most: int):
        self.most = most
        self.taken = 0

    def take(self) -> None:
        """Takes a place. Raises OVERLOADED if there is none."""
        if self.taken >= self.most:
            raise ApiError(
                ErrorKind.OVERLOADED,
                f"The server is overloaded: {self.most} calls are in flight (MAX_IN_FLIGHT).",
                retry_after=OVERLOADED_RETRY_SECONDS,
            )
        self.taken += 1

    def give_back(self) -> None:
        """Gives a place back."""
        self.taken -= 1


@dataclass(frozen=True)
class Service:
    """The settings and what was made from them."""

    settings: Settings
    catalogue: ModelCatalogue
    upstream: Upstream
    store: Store
    places: Places
    readiness: Readiness
