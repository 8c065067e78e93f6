"""What became of every picture that the upstream sold: none is lost, and none is bought twice for one call."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING

from bench.soak.connection import BrokenOff, Connection
from bench.soak.faults import Delivery, End
from bench.soak.outcomes import KILL, Call, Disruption, Outcome
from bench.soak.returning import Request, check
from bench.soak.upstream import SoakUpstream

if TYPE_CHECKING:
    from bench.soak.callers import Caller

KEPT = 40  # seconds for which the answer to a caller that counts its tries is surely kept; the service keeps it 60
LATE = 1  # seconds after a call's end in which its sale may still be counted: the upstream's thread had waited its time
TAKEN_UP = 40  # promises that are taken up at the end


class Fate(StrEnum):
    """What became of a picture that was sold."""

    HANDED_OUT = "pictures sold and handed out"
    PROMISED = "pictures sold and kept for a caller that may come back"
    UNKNOWN = "pictures sold whose calls ended in an error or a cut"
    LEFT = "pictures sold to callers that left and mark nothing"
    KILLED = "pictures sold again after a kill, to callers without a key"


@dataclass(frozen=True)
class Promise:
    """A caller that left for good, with what it asked for."""

    call: Call
    request: Request
    began: float
    left: float

    def is_good(self, now: float) -> bool:
        """Whether its answer has to be there still."""
        return bool(self.request.key) or now - self.left < KEPT


@dataclass
class Ledger:
    """Counts the sales by what became of them. What is impossible is a finding."""

    upstream: SoakUpstream
    disruptions: list[Disruption]
    fates: Counter[Fate] = field(default_factory=Counter)
    promises: list[Promise] = field(default_factory=list)
    left: set[str] = field(default_factory=set)  # prompts of callers that left and mark nothing
    ended: dict[str, Outcome] = field(default_factory=dict)  # by prompt
    lock: Lock = field(default_factory=Lock)

    def enter(self, call: Call, outcome: Outcome, sold: int) -> str:
        """Records what became of a call's sales. Returns what is wrong with it, in words; empty if nothing is."""
        self.ended[call.prompt] = outcome
        handed = min(outcome.pictures, sold)
        rest = sold - handed
        with self.lock:
            self.fates[Fate.HANDED_OUT] += handed
            if rest and outcome.end in (End.PICTURES, End.UNCHANGED) and rest > len(outcome.failures):
                killed = any(one.possible_ends is KILL and one.overlaps(outcome) for one in self.disruptions)
                if not (call.delivery is Delivery.COUNTED and killed):
                    return f"SOLD TWICE: {sold} pictures were sold, and {handed} handed out"
                self.fates[Fate.KILLED] += rest
            else:
                self.fates[Fate.UNKNOWN] += rest
        if outcome.pictures > sold and call.delivery is not Delivery.PASSTHROUGH:
            return f"{outcome.pictures} pictures arrived, and {sold} were sold"
        return ""

    def leave(self, prompt: str) -> None:
        """A caller that marks nothing has left."""
        with self.lock:
            self.left.add(prompt)

    def promise(self, call: Call, request: Request, began: float) -> None:
        """A caller has left that may come back."""
        with self.lock:
            self.promises.append(Promise(call, request, began, time.monotonic()))

    # At the end

    def close(self, caller: Caller) -> Iterator[str]:
        """Takes promises up, and sorts what is left of the sales. Yields findings."""
        now = time.monotonic()
        good = [one for one in self.promises if one.is_good(now) and not self.was_killed(one)]
        for promise in good[-TAKEN_UP:]:
            if self.upstream.sold[promise.call.prompt]:
                yield from self.take_up(caller, promise)
        promised = {promise.call.prompt: promise for promise in self.promises}
        for prompt, sold in self.upstream.sold.items():
            if prompt in self.left:
                self.fates[Fate.LEFT] += sold
            elif prompt in promised:
                again = min(1, sold) if sold > 1 and self.was_killed(promised[prompt]) else 0
                self.fates[Fate.KILLED] += again
                self.fates[Fate.PROMISED] += sold - again
                if sold - again > 1:
                    yield f"SOLD TWICE: {prompt} was sold {sold} times to a caller that left"
            elif sold and self.was_late(prompt):
                self.fates[Fate.UNKNOWN] += sold
            elif sold:
                outcome, at = self.ended.get(prompt), self.upstream.sold_at.get(prompt)
                yield f"SOLD TWICE: {prompt} was sold at {at}, when its caller had its answer: {outcome}"
        if self.upstream.sales != sum(self.fates.values()):
            yield f"{self.upstream.sales} pictures were sold, and {sum(self.fates.values())} are accounted for"

    def was_late(self, prompt: str) -> bool:
        """Whether a call ended without a picture, by a kill or an upstream that went down, while it was being sold."""
        outcome, at = self.ended.get(prompt), self.upstream.sold_at.get(prompt)
        if outcome is None or at is None or outcome.end in (End.PICTURES, End.UNCHANGED):
            return False
        return 0 <= at - outcome.ended < LATE

    def was_killed(self, promise: Promise) -> bool:
        """Whether the call may have ended with its worker."""
        lasted = Outcome(End.DROPPED, promise.began, promise.left + 10)
        return any(one.possible_ends is KILL and one.overlaps(lasted) for one in self.disruptions)

    def take_up(self, caller: Caller, promise: Promise) -> Iterator[str]:
        """The caller comes back after all: it gets its picture, and none is sold."""
        prompt, before = promise.call.prompt, self.upstream.sales
        try:
            received = promise.request.send(Connection(caller.shared.port, keeps=False), 1)
            end, _, _ = check(caller, promise.call, promise.request, received)
        except (BrokenOff, ValueError) as error:
            end = str(error)
        if end != End.PICTURES:
            yield f"a promise was broken: {prompt}: {end}"
        elif self.upstream.sales != before:
            yield f"SOLD TWICE: {prompt}, when its caller came back at the end"
        else:
            caller.shared.tally.count("promises taken up at the end")
