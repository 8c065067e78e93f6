"""Whether what came of a call is what the upstream's fault, or a blow from outside, leads to."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.soak.faults import FAULTS, NONE, End, Manner


class Unexplained(Exception):
    """Something came of a call that should not have."""


@dataclass(frozen=True)
class Call:
    """What is asked for. The fault befalls the first `hit` answers of those to `count` calls upstream."""

    name: str
    manner: Manner
    fault: str = NONE
    count: int = 1
    hit: int = 1

    @property
    def prompt(self) -> str:
        """It tells the upstream what to do."""
        return f"{self.name} fault={self.fault} hit={self.hit}"


@dataclass(frozen=True)
class Outcome:
    """What came of a call: its end, the right pictures, and the failures that were told beside them."""

    end: str  # an End, or the words of an error that is none of them
    began: float
    ended: float
    pictures: int = 0
    failures: tuple[str, ...] = ()
    kept: bool = False  # whether it was asked on a connection on which something had been asked before


Leads = Mapping[Manner, frozenset[End]]

# What a blow may lead to. A reload only ends connections on which nothing is asked: a call that was begun is answered.
KILL: Leads = dict.fromkeys(Manner, frozenset((End.CUT, End.DROPPED)))
RELOAD: Leads = dict.fromkeys(Manner, frozenset((End.DROPPED,)))
AWAY: Leads = {**dict.fromkeys(Manner, frozenset((End.CUT, End.BROKEN))), Manner.HELD: frozenset((End.BROKEN,))}


@dataclass
class Blow:
    """Something done to a worker, to the server or to the upstream; not over until it has ended."""

    name: str
    leads_to: Leads
    began: float
    ended: float = math.inf

    def __str__(self) -> str:
        return f"the last blow, {self.name}, began {time.monotonic() - self.began:.2f} s ago"

    def met(self, outcome: Outcome) -> bool:
        """Whether it fell while the call was on its way."""
        return outcome.began <= self.ended and self.began <= outcome.ended

    def explains(self, end: str, call: Call, outcome: Outcome) -> bool:
        """Whether it can have led to such an end of a call that it met."""
        return end in self.leads_to[call.manner] and (self.leads_to is not RELOAD or outcome.kept)


def explain(call: Call, outcome: Outcome, blows: Iterable[Blow]) -> str:
    """What the outcome is to be counted as. Raises Unexplained."""
    expected = FAULTS[call.fault].ends(call.manner)
    met = [blow for blow in blows if blow.met(outcome)]
    if outcome.end == End.PICTURES:
        return explain_pictures(call, outcome, expected, met)
    if outcome.end in expected and call.hit >= call.count:
        return str(outcome.end) if call.fault == NONE else f"{outcome.end}, as {call.fault}"
    for blow in met:
        if blow.explains(outcome.end, call, outcome):
            return f"{outcome.end}, by {blow.name}"
        if outcome.end in expected and blow.explains(End.BROKEN, call, outcome):
            return f"{outcome.end}, as {call.fault} and by {blow.name}"  # one answer broke, and so the others
    raise Unexplained(outcome.end)


def explain_pictures(call: Call, outcome: Outcome, expected: frozenset[End], met: Sequence[Blow]) -> str:
    """The same of an answer with pictures: each of those that were asked for has come, or is told to have failed."""
    failures = outcome.failures
    broken = 0 if End.PICTURES in expected else min(call.hit, call.count)
    if outcome.pictures + len(failures) != call.count:
        raise Unexplained(f"LOST: {outcome.pictures} pictures and {len(failures)} failures are not {call.count}")
    if len(failures) < broken:
        raise Unexplained(f"a picture in spite of {call.fault}")
    foreseen = [failure for failure in failures if failure in expected]
    others = [failure for failure in failures if failure not in expected] + foreseen[broken:]
    if not all(any(blow.explains(failure, call, outcome) for blow in met) for failure in others):
        raise Unexplained(f"{outcome.pictures} of {call.count} pictures, and: {', '.join(others)}")
    if others:
        return f"some of {call.count} pictures, by a blow"
    return f"some of {call.count} pictures, as {call.fault}" if broken else str(End.PICTURES)
