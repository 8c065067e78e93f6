"""Jobs as the routes use them: accepted, reported, ended."""

from __future__ import annotations

import errno
import json
import logging
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compat import jobs
from compat.errors import ApiError, Bought, ErrorKind
from compat.gemini_content import operation
from compat.openai_images import job as image_job
from proxy.caller import Caller
from proxy.greenlets import sleep
from proxy.jobs.queue import Queue
from proxy.jobs.request import JobRequest
from proxy.limits import LEASE_SECONDS, LONGEST_ERROR_BODY, LOOK_SECONDS, OVERLOADED_RETRY_SECONDS
from proxy.observation.metrics import note_jobs
from proxy.purchases.keeping import unavailable
from proxy.purchases.keyed_calls import REUSED
from proxy.purchases.orders import Order, Render
from proxy.state.database import DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.jobs.records import JobRecord

log = logging.getLogger("twinlens")

NO_ERROR_KEPT = "The job failed, and what it failed with could not be kept."


class Jobs:
    """The jobs of one worker, and the state of everybody's."""

    def __init__(self, queue: Queue, render: Callable[[str], Render], calls_back: bool):
        """`render` gives what writes errors for a surface; `calls_back`: the end of each job is an event to deliver."""
        self.queue = queue
        self.keeping = queue.keeping
        self.render = render
        self.calls_back = calls_back

    def accept(
        self, order: Order, surface: str, model: str, key_is_ours: bool, request: JobRequest, caller: Caller
    ) -> tuple[bool, JobRecord]:
        """The job that an order becomes, or has become before, and whether it is new.

        Raises STATE_UNAVAILABLE, OVERLOADED if too many jobs wait, and IDEMPOTENCY_KEY_REUSED.
        """
        if self.queue.stopping and not key_is_ours:
            raise ApiError(ErrorKind.OVERLOADED, "The server is stopping.", retry_after=OVERLOADED_RETRY_SECONDS)
        records = self.records()
        stored = None
        try:
            if records.is_full():
                raise ApiError(
                    ErrorKind.OVERLOADED, "Too many jobs are waiting.", retry_after=OVERLOADED_RETRY_SECONDS * 30
                )
            stored = self.store(request)
            is_first, record = records.add(
                order.scope,
                order.key,
                order.fingerprint,
                surface=surface,
                model=model,
                key_is_ours=key_is_ours,
                request=stored,
                calls_back=self.calls_back,
            )
        except DatabaseUnavailable as error:
            self.keeping.drop(stored)
            raise unavailable(f"A job cannot be accepted now: {error}") from None
        if is_first:
            self.queue.accepted(record, caller)
            return True, record
        self.keeping.drop(stored)
        if record.fingerprint != order.fingerprint:
            raise ApiError(ErrorKind.IDEMPOTENCY_KEY_REUSED, REUSED, param="Idempotency-Key")
        return False, record

    def store(self, request: JobRequest) -> str:
        """The name of the stored request. Raises STATE_UNAVAILABLE."""
        try:
            return self.keeping.bodies.keep(request.chunks(), self.queue.job_seconds + 2 * LEASE_SECONDS)
        except OSError as error:
            log.warning("the request of a job cannot be stored: %s", error.strerror or errno.errorcode)
            raise unavailable("A job cannot be accepted now: its request cannot be stored.") from None

    def records(self) -> Any:
        return self.queue.records

    def find(self, id: str, scope: str, surface: str) -> JobRecord | None:
        """The job of that id, if it is this caller's. Raises STATE_UNAVAILABLE."""
        try:
            record: JobRecord | None = self.records().find(id)
        except DatabaseUnavailable as error:
            raise unavailable(f"The job cannot be read now: {error}") from None
        is_this_callers = record and record.scope == scope and record.surface in (surface, None)
        return record if is_this_callers else None

    def wait(self, record: JobRecord, seconds: float) -> JobRecord:
        """The job when it is over, or after so many seconds as it is then."""
        until = time.monotonic() + seconds
        pause = LOOK_SECONDS
        while not record.job.is_over and (left := until - time.monotonic()) > 0:
            if call := self.queue.running.get(record.id):
                call.over.wait(min(pause, left))
            sleep(min(LOOK_SECONDS if call else pause, left))
            pause = min(2 * pause, 1.0)
            found = self.find(record.id, record.scope, record.surface or "")
            if found is None:
                break
            record = found
        return record

    def cancel(self, record: JobRecord) -> JobRecord:
        """Ends the job, unless it is over, and returns it as it is now. Raises STATE_UNAVAILABLE."""
        try:
            was_ended = self.records().cancel(record.id)
            now: JobRecord | None = self.records().find(record.id)
        except DatabaseUnavailable as error:
            raise unavailable(f"The job cannot be ended now: {error}") from None
        if was_ended:
            self.queue.cancelled(record.id)
            self.keeping.drop(record.request)
        return now or record

    def sweep(self) -> None:
        """Counts the jobs for the metrics, if this worker has used the database."""
        if self.keeping.is_used:
            try:
                note_jobs(*self.records().ages())
            except DatabaseUnavailable as error:
                log.warning("jobs cannot be counted: %s", error)

    # Writing

    def write(self, record: JobRecord, surface: str, model: str) -> Iterator[bytes]:
        """The JSON of a job, in the words of a surface. Raises STATE_UNAVAILABLE."""
        result, error = self.outcome(record, surface)
        job = replace(record.job, status=jobs.FAILED) if error and record.job.is_over else record.job
        if surface == "gemini":
            return operation.write_operation(job, model, result, error)
        return image_job.write_job(job, result, error)

    def outcome(self, record: JobRecord, surface: str) -> tuple[Iterator[bytes] | None, dict[str, Any] | None]:
        """What a job brought: the body of its answer, or its error; neither before its end, and if it was cancelled."""
        status = record.status_now
        if status not in (jobs.COMPLETED, jobs.FAILED):
            return None, None
        chunks = self.keeping.read(record.body, "The result of this job cannot be read now.")
        if status == jobs.COMPLETED and chunks is not None:
            return decompressed(chunks, record.headers), None
        error_of = operation.error_of if surface == "gemini" else image_job.error_of
        if chunks is None:
            code, _, body = self.render(surface)(self.error_without_body(record))
            return None, error_of(parsed(body), code)
        body = b"".join(decompressed(chunks, record.headers))[:LONGEST_ERROR_BODY]
        return None, error_of(parsed(body), record.status or 500)

    def error_without_body(self, record: JobRecord) -> ApiError:
        """The error of a job of whose answer nothing is there."""
        order = Order(record.scope, record.fingerprint, self.render(""), key=record.id if record.has_key else None)
        if record.is_unsent:
            return order.job_lost()
        if record.is_unknown:
            return order.outcome_unknown()
        if record.bought is Bought.NO:
            return ApiError(ErrorKind.STATE_UNAVAILABLE, f"{NO_ERROR_KEPT} Nothing was bought.")
        return order.not_kept()


def parsed(body: bytes) -> Any:
    """JSON; None for anything else."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def decompressed(chunks: Iterator[bytes], headers: Any) -> Iterator[bytes]:
    """The body of an answer that a server compressed although it was not asked to."""
    named = {name.lower(): value for name, value in headers.items()}
    if named.get("content-encoding", "identity") == "identity":
        return chunks
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    return (reader.decompress(chunk) for chunk in chunks)
