"""Whether the outcome of a call is what the upstream's fault, or a disruption, can lead to."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.soak.faults import ENDS, Delivery, End
from tests.support.upstream_faults import NONE


class Unexplained(Exception):
    """The outcome of a call has no explanation."""


@dataclass(frozen=True)
class Call:
    """What is asked for. The fault affects the first `hit` of the `count` calls upstream."""

    name: str
    delivery: Delivery
    fault: str = NONE
    count: int = 1
    hit: int = 1

    @property
    def prompt(self) -> str:
        """The prompt, which says to the upstream what to do."""
        return f"{self.name} fault={self.fault} hit={self.hit}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call: its end, the number of right pictures, and the failures that the answer reports."""

    end: str  # an End, or the words of any other error
    began: float
    ended: float
    pictures: int = 0
    failures: tuple[str, ...] = ()
    kept: bool = False  # whether the connection had been used before


PossibleEnds = Mapping[Delivery, frozenset[End]]

# The ends that a disruption can lead to. A reload closes idle connections only: a call that has begun is answered.
# Who comes back gets its answer after all, unless nobody knows it any more: neither a key nor a count buys again then.
RETURNING = (Delivery.COUNTED, Delivery.KEYED)
KILL: PossibleEnds = {
    **dict.fromkeys(Delivery, frozenset((End.CUT, End.DROPPED))),
    **dict.fromkeys(RETURNING, frozenset((End.UNKNOWN,))),
}
RELOAD: PossibleEnds = {**dict.fromkeys(Delivery, frozenset((End.DROPPED,))), **dict.fromkeys(RETURNING, frozenset())}
UPSTREAM_DOWN: PossibleEnds = {
    **dict.fromkeys(Delivery, frozenset((End.BROKEN,))),
    Delivery.PASSTHROUGH: frozenset((End.CUT, End.BROKEN)),
}


@dataclass
class Disruption:
    """Something done to a worker, the server or the upstream, from `began` to `ended`."""

    name: str
    possible_ends: PossibleEnds
    began: float
    ended: float = math.inf

    def __str__(self) -> str:
        return f"the last disruption, {self.name}, began {time.monotonic() - self.began:.2f} s ago"

    def overlaps(self, outcome: Outcome) -> bool:
        """Whether it happened during the call."""
        return outcome.began <= self.ended and self.began <= outcome.ended

    def explains(self, end: str, call: Call, outcome: Outcome) -> bool:
        """Whether it can have led to this end of a call that it overlaps."""
        return end in self.possible_ends[call.delivery] and (self.possible_ends is not RELOAD or outcome.kept)


def explain(call: Call, outcome: Outcome, disruptions: Iterable[Disruption]) -> str:
    """The explanation of an outcome, for the counts. Raises Unexplained."""
    expected = ENDS[call.fault].of(call.delivery)
    overlapping = [disruption for disruption in disruptions if disruption.overlaps(outcome)]
    if outcome.end == End.PICTURES:
        return explain_pictures(call, outcome, expected, overlapping)
    if outcome.end in expected and call.hit >= call.count:
        return str(outcome.end) if call.fault == NONE else f"{outcome.end}, as {call.fault}"
    for disruption in overlapping:
        if disruption.explains(outcome.end, call, outcome):
            return f"{outcome.end}, by {disruption.name}"
        if outcome.end in expected and disruption.explains(End.BROKEN, call, outcome):
            return f"{outcome.end}, as {call.fault} and by {disruption.name}"  # one answer broke, and so the others
    raise Unexplained(outcome.end)


def explain_pictures(call: Call, outcome: Outcome, expected: frozenset[End], overlapping: Sequence[Disruption]) -> str:
    """The same for an answer with pictures: each requested picture has arrived or is reported as failed."""
    failures = outcome.failures
    broken = 0 if End.PICTURES in expected else min(call.hit, call.count)
    if outcome.pictures + len(failures) != call.count:
        raise Unexplained(f"LOST: {outcome.pictures} pictures and {len(failures)} failures are not {call.count}")
    if len(failures) < broken:
        raise Unexplained(f"a picture in spite of {call.fault}")
    foreseen = [failure for failure in failures if failure in expected]
    others = [failure for failure in failures if failure not in expected] + foreseen[broken:]
    if not all(any(one.explains(failure, call, outcome) for one in overlapping) for failure in others):
        raise Unexplained(f"{outcome.pictures} of {call.count} pictures, and: {', '.join(others)}")
    if others:
        return f"some of {call.count} pictures, by a disruption"
    return f"some of {call.count} pictures, as {call.fault}" if broken else str(End.PICTURES)
