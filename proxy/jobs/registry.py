"""The queue of this process, for the server: it imports nothing, since gunicorn reads it before it has forked."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet


class Startable(Protocol):
    """What the server does with a queue."""

    @property
    def is_over(self) -> bool:
        """Whether it has stopped and recorded that, or has never begun."""

    @property
    def looks_at_once(self) -> bool:
        """Whether there can be something to do before a job is accepted here."""

    def start_looking(self) -> None:
        """Looks for jobs from now on."""

    def stop(self) -> None:
        """No job starts any more."""


queues: WeakSet[Startable] = WeakSet()  # a worker has one


def start_looking() -> None:
    """This worker serves now: it looks for jobs that others have left, if there can be any."""
    for queue in queues:
        if queue.looks_at_once:
            queue.start_looking()


def stop_starting() -> None:
    """This worker is to stop: no job starts any more."""
    for queue in queues:
        queue.stop()


def is_busy() -> bool:
    """Whether a queue has still to record what it has stopped."""
    return any(not queue.is_over for queue in queues)
