"""How many jobs an upstream key and model take at once, as their 429s teach it."""

from __future__ import annotations

import random
import time
from math import inf

from proxy.limits import LANE_SECONDS

LARGEST_JITTER = 1.0  # seconds, so that workers and machines do not come back at the same moment


class Lane:
    """All jobs of one worker with the same upstream key and model.

    A 429 lets them rest together, and says that one job less than now is enough at once. Jobs that end well raise that
    number slowly again; without a 429 for LANE_SECONDS there is none.
    """

    def __init__(self) -> None:
        self.running = 0
        self.most: float = inf
        self.rests_until = 0.0  # by the monotonic clock
        self.refused_at = -inf

    def is_open(self) -> bool:
        """Whether a job may start now."""
        now = time.monotonic()
        if now - self.refused_at > LANE_SECONDS:
            self.most = inf
        return now >= self.rests_until and self.running < self.most

    def is_as_new(self) -> bool:
        """Whether nothing is known of it any more."""
        return not self.running and self.is_open() and self.most == inf

    def rest(self, seconds: float) -> None:
        """A job got a 429, and is still counted as running."""
        self.refused_at = time.monotonic()
        self.most = max(1, min(self.most, self.running - 1))
        jitter = random.uniform(0, min(LARGEST_JITTER, seconds / 4))  # noqa: S311
        self.rests_until = max(self.rests_until, self.refused_at + seconds + jitter)

    def served(self) -> None:
        """A job got its answer."""
        self.most += 1 / self.most
