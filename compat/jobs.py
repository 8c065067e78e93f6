"""What both APIs show of a job, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED = "queued", "in_progress", "completed", "failed", "cancelled"
STATUSES = (QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED)


@dataclass(frozen=True)
class Job:
    """A job without what it brought. Times are in seconds since 1970."""

    id: str  # 32 hexadecimal digits; each API has a name of its own around it
    status: str
    created_at: float
    completed_at: float | None = None
    expires_at: float | None = None  # when the job and its result are forgotten; None until it is over

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status not in (QUEUED, IN_PROGRESS)
