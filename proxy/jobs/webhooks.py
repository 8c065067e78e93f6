"""Delivers the events of jobs to the operator's address, signed as Standard Webhooks says (spec 1.0.0, 2026-08-17).

An event is a mark on the record of its job: it is delivered at least once, by any worker, whatever is restarted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from compat.json_stream import MalformedJson, Path, Take, Value, read_json
from compat.json_text import dumps
from proxy.greenlets import Task
from proxy.jobs.jobs import Jobs
from proxy.limits import FIRST_WEBHOOK_PAUSE, LONGEST_WEBHOOK_PAUSE, WEBHOOK_DAY, WEBHOOK_SECONDS, WEBHOOKS_AT_ONCE
from proxy.observation.metrics import WEBHOOKS

if TYPE_CHECKING:
    from standardwebhooks.webhooks import Webhook

    from proxy.jobs.records import JobRecord

log = logging.getLogger("twinlens")

Post = Callable[[str, bytes, Mapping[str, str], float], tuple[int, float | None]]

PICTURES = ("b64_json", "data")  # members that hold base64: OpenAI's, and those of Google's inlineData
GONE = 410  # the receiver wants no more of this event


class Webhooks:
    """The events that this worker delivers."""

    def __init__(self, jobs: Jobs, url: str, secret: str, post: Post):
        """`post` takes an address, a body, headers and seconds, and returns a status and a delay, or raises OSError."""
        self.jobs = jobs
        self.url = url
        self.secret = secret
        self.post = post
        self.delivering = 0

    @cached_property
    def signer(self) -> Webhook:
        """What signs, imported at its first use."""
        from standardwebhooks.webhooks import Webhook

        return Webhook(self.secret)

    def deliver_due(self) -> None:
        """Starts to deliver what is due now. Raises DatabaseUnavailable."""
        records = self.jobs.records()
        while self.delivering < WEBHOOKS_AT_ONCE and (record := records.take_event(2 * WEBHOOK_SECONDS)):
            self.delivering += 1
            Task(self.deliver, record)

    def deliver(self, record: JobRecord) -> None:
        """Delivers an event, or says when to try again."""
        try:
            again_in = self.try_to_deliver(record)
            self.jobs.keeping.insist(lambda: self.jobs.records().end_event(record.id, again_in))
        except Exception:
            log.exception("an event could not be delivered")
        finally:
            self.delivering -= 1
            self.jobs.queue.wake.set()

    def try_to_deliver(self, record: JobRecord) -> float | None:
        """Seconds until the next try; None if there is none."""
        id, now = f"msg_{record.id}", datetime.now(UTC)
        body = dumps(self.event(record, now))
        headers = {
            "content-type": "application/json",
            "user-agent": "twinlens",
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self.signer.sign(id, now, body.decode()),
        }
        try:
            status, delay = self.post(self.url, body, headers, WEBHOOK_SECONDS)
        except OSError:
            status, delay = 0, None
        if 200 <= status < 300:
            WEBHOOKS.labels("delivered").inc()
            return None
        tries = record.webhook_tries or 1
        if status == GONE or now.timestamp() - (record.completed_at or 0) > WEBHOOK_DAY:
            WEBHOOKS.labels("given_up").inc()
            log.error("the event of job %s is given up after %d tries (status %d)", record.id, tries, status)
            return None
        WEBHOOKS.labels("failed").inc()
        log.warning("the event of job %s is delivered again later (status %d)", record.id, status)
        return min(max(FIRST_WEBHOOK_PAUSE * 2.0 ** min(tries - 1, 30), delay or 0), LONGEST_WEBHOOK_PAUSE)

    def event(self, record: JobRecord, now: datetime) -> dict[str, Any]:
        """The event: the job as its surface shows it, without the bytes of its pictures."""
        written = self.jobs.write(record, record.surface or "", record.model or "")
        status = record.job.status
        return {
            "type": f"image.job.{status}",
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": without_pictures(written),
        }


def without_pictures(chunks: Iterable[bytes]) -> Any:
    """A JSON document without the members that hold pictures; None if it is none. The base64 is never held."""

    def take(path: Path) -> Take | None:
        return Take.SKIP if path and path[-1] in PICTURES else None

    try:
        for token in read_json(chunks, take, lambda path: False):
            if isinstance(token, Value):
                return pruned(token.value)
    except MalformedJson:
        pass
    return None


def pruned(value: Any) -> Any:
    """The value without members that were taken out."""
    if isinstance(value, list):
        return [pruned(one) for one in value]
    if isinstance(value, dict):
        return {name: pruned(one) for name, one in value.items() if not (name in PICTURES and one == "")}
    return value
