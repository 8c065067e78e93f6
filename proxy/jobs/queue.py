"""Starts jobs: oldest first, fair between callers, and as many at once as the upstream takes."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING

from compat.errors import ApiError, Bought, ErrorKind
from proxy.caller import Caller
from proxy.greenlets import Event, Stopped, Task, sleep
from proxy.jobs import registry
from proxy.jobs.attempt import Attempt
from proxy.jobs.lanes import Lane
from proxy.jobs.request import JobRequest, read_request
from proxy.limits import JOB_LOOK_SECONDS, LEASE_SECONDS, LONGEST_BACKOFF_SECONDS, MORE_RECORD_TRIES
from proxy.pictures.spool import SpoolMemory
from proxy.purchases.call import INTERNAL_MESSAGE, Call, Made
from proxy.purchases.keeping import Keeping
from proxy.purchases.keyed_calls import micros
from proxy.purchases.orders import Order, Render
from proxy.state.database import DatabaseUnavailable

if TYPE_CHECKING:
    from proxy.jobs.records import JobRecord, JobRecords, Waiting  # which imports SQLAlchemy: only at its first use

WAITED_OUT = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_UNAVAILABLE, ErrorKind.UPSTREAM_BROKEN})

log = logging.getLogger("twinlens")

Prepare = Callable[[Attempt, JobRequest], None]  # sets `make`, or raises an ApiError


class Queue:
    """The jobs that this worker runs, and those that only it can run."""

    def __init__(
        self,
        keeping: Keeping,
        memory: SpoolMemory,
        most: int,
        job_seconds: int,
        any_owner: bool,
        prepare: Prepare,
        render: Callable[[str], Render],
    ):
        """At most `most` jobs run at once. `any_owner`: there are models with keys of the operator's.

        `prepare` reads a stored request as if it had just come; `render` gives what writes errors for a surface.
        """
        self.keeping = keeping
        self.memory = memory
        self.most = most
        self.job_seconds = job_seconds
        self.any_owner = any_owner
        self.prepare = prepare
        self.render = render
        self.callers: dict[str, Caller] = {}  # of jobs whose upstream key is their caller's: it is nowhere else
        self.running: dict[str, Call] = {}
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.served: dict[str, int] = {}  # by caller: when its last job was started, as a number that only grows
        self.turns = count(1)
        self.wake = Event()
        self.stopping = False
        self.ended = Event()
        self.task: Task | None = None
        self.settled_at = time.monotonic()
        self.asked_at = 0.0  # when it last asked which running jobs were cancelled elsewhere
        self.others: list[Callable[[], None]] = []  # what else is to be done at each look
        registry.queues.add(self)

    @cached_property
    def records(self) -> JobRecords:
        """The records of jobs."""
        from proxy.jobs.records import JobRecords

        return JobRecords(self.keeping.records, self.job_seconds)

    @property
    def is_over(self) -> bool:
        """Whether it has stopped and recorded that, or has never begun."""
        return self.task is None or self.ended.is_set()

    @property
    def looks_at_once(self) -> bool:
        """Whether there can be something to do before a job is accepted here."""
        return self.any_owner or bool(self.others)

    # Accepting

    def start_looking(self) -> None:
        """Looks for jobs from now on."""
        if self.task is None and not self.stopping:
            self.task = Task(self.look_until_stopped)

    def accepted(self, job: JobRecord, caller: Caller) -> None:
        """A job was accepted here."""
        if not job.key_is_ours:
            self.callers[job.id] = caller
            self.keeping.hold(job.id)
        self.start_looking()
        self.wake.set()

    def withdraw(self, job: JobRecord) -> None:
        """The answer that would have named the job did not reach its caller: it is not started, if it was not yet."""
        if self.keeping.insist(lambda: self.records.delete(job.id)):
            self.let_go(job.id)
            self.keeping.drop(job.request)

    def stop(self) -> None:
        """No job starts any more. Those that wait, and that no other worker can run, fail as not bought."""
        self.stopping = True
        self.wake.set()

    # Looking

    def look_until_stopped(self) -> None:
        trouble = False
        while not self.stopping:
            self.wake.clear()
            try:
                self.look()
                trouble = False
            except DatabaseUnavailable as error:
                if not trouble:
                    log.warning("no job can be started: %s", error)
                trouble = True
                self.settled_at = time.monotonic()  # once it is back, everybody has to renew its leases first
            except Exception:
                log.exception("jobs cannot be started")
            self.wake.wait(self.pause())
        waiting = [id for id in self.callers if id not in self.running]
        if waiting:
            self.keeping.insist(lambda: self.records.abandon_own(waiting))
        self.ended.set()

    def look(self) -> None:
        """Starts what can start, and ends what was cancelled elsewhere."""
        if time.monotonic() > self.settled_at + LEASE_SECONDS:
            self.settled_at = time.monotonic()
            self.settle()
        while len(self.running) < self.most and not self.stopping and self.start_next():
            pass
        if self.running and time.monotonic() > self.asked_at + JOB_LOOK_SECONDS:  # not with each of a thousand new ones
            self.asked_at = time.monotonic()
            for id in self.records.no_longer_mine(list(self.running)):
                if call := self.running.get(id):
                    call.stop()
        for other in self.others:
            other()

    def settle(self) -> None:
        """Records what dead workers left, and lets go of own jobs that were cancelled elsewhere, and of idle lanes."""
        self.records.settle()
        self.lanes = {name: lane for name, lane in self.lanes.items() if not lane.is_as_new()}
        if waiting := [id for id in self.callers if id not in self.running]:
            for id in self.records.no_longer_mine(waiting):
                self.let_go(id)

    def pause(self) -> float | None:
        """Seconds until the next look, if nothing happens before."""
        if not (self.any_owner or self.callers or self.running or self.others):
            return None
        now = time.monotonic()
        rests = [lane.rests_until - now for lane in self.lanes.values() if lane.rests_until > now]
        return min([JOB_LOOK_SECONDS, *rests]) + 0.001

    def start_next(self) -> bool:
        """Starts a job of the caller that has waited longest for its turn; whether there was one."""
        if not (self.any_owner or len(self.callers) > len(self.running)):
            return False
        waiting = [one for one in self.records.waiting(self.any_owner) if self.lane(one.lane).is_open()]
        self.served = {scope: self.served[scope] for scope in {one.scope for one in waiting} & self.served.keys()}
        if not waiting:
            return False
        first = min(waiting, key=lambda one: (self.served.get(one.scope, 0), one.oldest))
        if job := self.records.claim(first):
            self.served[first.scope] = next(self.turns)
            self.start(job, first)
        return True

    def lane(self, name: tuple[str, str]) -> Lane:
        return self.lanes.setdefault(name, Lane())

    # Running

    def start(self, job: JobRecord, waiting: Waiting) -> None:
        lane = self.lane(waiting.lane)
        lane.running += 1
        self.keeping.hold(job.id)
        attempts: list[Attempt] = []
        self.running[job.id] = Call(
            partial(self.make, job, attempts), self.memory, partial(self.end, job, lane, attempts)
        )

    def make(self, job: JobRecord, attempts: list[Attempt]) -> Made:
        """Reads the stored request again, records that the upstream is asked, and asks it."""
        if self.age_now(job) >= self.job_seconds:
            raise self.too_late(ApiError(ErrorKind.OVERLOADED, "No attempt of the job could be made in time."))
        attempt = Attempt(job.id, job.surface or "", job.scope, self.callers.get(job.id))
        attempts.append(attempt)
        try:
            self.prepare(attempt, self.request_of(job))
        except (ApiError, Stopped):
            raise
        except BaseException:
            log.exception("the request of a job cannot be carried out")
            raise ApiError(ErrorKind.INTERNAL, INTERNAL_MESSAGE) from None
        make = attempt.make
        assert make
        while True:
            try:
                if not self.records.sent(job.id):
                    raise Stopped
                break
            except DatabaseUnavailable as error:
                log.warning("a job cannot be sent: %s", error)
                sleep(JOB_LOOK_SECONDS)
        return make()

    def request_of(self, job: JobRecord) -> JobRequest:
        """The stored request. Raises an ApiError."""
        try:
            chunks = self.keeping.bodies.read_kept(job.request) if job.request else None
            if chunks is None:
                raise ApiError(ErrorKind.JOB_LOST, "The stored request of this job is gone. Nothing was bought.")
            return read_request(chunks)
        except OSError as error:
            log.warning("the request of a job cannot be read: %s", error.strerror)
            message = "The stored request of this job cannot be read. Nothing was bought."
            raise ApiError(ErrorKind.UPSTREAM_UNAVAILABLE, message) from None

    def end(self, job: JobRecord, lane: Lane, attempts: list[Attempt], call: Call) -> None:
        """Lets the job wait for its next attempt, or records how it ended."""
        error = call.failure or call.refusal
        try:
            if call.was_ended:
                self.forget(job, attempts)
                return
            if error is None:
                lane.served()
            pause = self.pause_after(error, job, lane) if error and error.bought is Bought.NO else None
            if pause is None:
                self.finish(job, attempts, call)
            elif not self.keeping.insist(lambda: self.records.put_back(job.id, pause), MORE_RECORD_TRIES):
                self.forget(job, attempts)
        finally:
            lane.running -= 1
            self.running.pop(job.id, None)
            if job.key_is_ours:
                self.keeping.leased.discard(job.id)
            self.wake.set()

    def pause_after(self, error: ApiError, job: JobRecord, lane: Lane) -> float | None:
        """Seconds until the next attempt of a job that bought nothing; None if there is none."""
        if error.kind not in WAITED_OUT:
            return None
        if self.stopping and not job.key_is_ours:
            return None
        delay = error.retry_after
        if delay is None:
            delay = min(2.0 ** (job.attempts - 1), LONGEST_BACKOFF_SECONDS) * random.uniform(0.75, 1.25)  # noqa: S311
        if error.kind is ErrorKind.RATE_LIMITED:
            lane.rest(delay)
        if self.age_now(job) + delay > self.job_seconds:
            return None
        return 0.0 if error.kind is ErrorKind.RATE_LIMITED else delay

    def age_now(self, job: JobRecord) -> float:
        """Seconds since the job was accepted."""
        return job.age + time.monotonic() - job.read_at

    def finish(self, job: JobRecord, attempts: list[Attempt], call: Call) -> None:
        """Keeps the answer, which may be an error, and records it."""
        keeping = self.keeping
        attempt = attempts[-1] if attempts else None
        if call.failure and call.failure.kind in WAITED_OUT and call.failure.bought is Bought.NO:
            call.failure = self.too_late(call.failure)
        order = Order(job.scope, job.fingerprint, self.render(job.surface or ""), key=job.id if job.has_key else None)
        answer, body = keeping.keep(call, order, keeping.keep_seconds)
        cost = micros(attempt.cost) if attempt else None
        recorded = keeping.insist(
            lambda: self.records.finish(job.id, answer.status, answer.headers, body, call.bought, cost),
            MORE_RECORD_TRIES,
        )
        if attempt:
            attempt.record(answer.status, call.failure or call.refusal)
        if not recorded:
            keeping.drop(body)
        self.let_go(job.id)
        keeping.drop(job.request)

    def forget(self, job: JobRecord, attempts: list[Attempt]) -> None:
        """A job that ran here was cancelled, or is another worker's by now."""
        if attempts:
            attempts[-1].record(499, None)  # as for a caller that hangs up
        self.let_go(job.id)

    def too_late(self, error: ApiError) -> ApiError:
        """The error of a job that has waited long enough."""
        if self.stopping:
            return replace(error, message=f"{error.message} The job could not wait any longer: its worker stopped.")
        return replace(error, message=f"{error.message} The job waited for {self.job_seconds} s (JOB_SECONDS).")

    def let_go(self, id: str) -> None:
        """A job is over, as far as this worker is concerned."""
        self.callers.pop(id, None)
        self.keeping.leased.discard(id)

    def cancelled(self, id: str) -> None:
        """A job was cancelled; if it runs here, its call ends."""
        if call := self.running.get(id):
            call.stop()
        self.let_go(id)
