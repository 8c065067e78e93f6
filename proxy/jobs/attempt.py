"""One attempt at a job: what the routes make of its stored request, and what is needed to end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compat.errors import ApiError
from proxy.caller import Caller
from proxy.observation import metrics
from proxy.observation.logs import log_request
from proxy.observation.record import Observation
from proxy.purchases.call import Made


@dataclass
class Attempt:
    """A request that is carried out for a caller that is not there."""

    job_id: str
    surface: str
    scope: str  # whose it is
    callers_key: Caller | None  # the caller with its own key; None if the upstream gets the operator's
    make: Callable[[], Made] | None = None  # asks the upstream; set once the request has been read
    observation: Observation | None = None

    @property
    def cost(self) -> float | None:
        """In USD, where it is known."""
        return self.observation.cost if self.observation else None

    def record(self, status: int, error: ApiError | None) -> None:
        """Logs and counts the attempt, which was the job's last."""
        if self.observation:
            self.observation.status = status
            self.observation.error = error.kind.name.lower() if error else self.observation.error
            self.observation.job = self.job_id
            metrics.count(self.observation)
            log_request(self.observation)
