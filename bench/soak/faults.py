"""How a call may end when an answer of the upstream breaks: one row for each fault of tests/support/upstream_faults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.support.upstream_faults import NONE


class End(StrEnum):
    """How a call can end."""

    PICTURES = "pictures"
    UNCHANGED = "unchanged"  # passed through, byte for byte
    BROKEN = "an error: the upstream broke"
    LATE = "an error: the upstream is too late"
    QUOTA = "an error: quota"
    REFUSED = "an error: refused"
    CUT = "cut off"  # in the body
    DROPPED = "dropped"  # before a status


class Delivery(StrEnum):
    """When an answer is sent, which decides whether a fault can still become an error."""

    HELD = "held"  # when it is complete
    STREAMED = "streamed"  # from the start of the picture
    PASSTHROUGH = "passthrough"  # as it arrives


@dataclass(frozen=True)
class Ends:
    """How a call may end, by delivery."""

    held: frozenset[End]
    streamed: frozenset[End]
    passthrough: frozenset[End]

    def of(self, delivery: Delivery) -> frozenset[End]:
        """How a call with this delivery may end."""
        ends: frozenset[End] = getattr(self, delivery.value)
        return ends


def ends(held: End, streamed: End | tuple[End, ...], passthrough: End) -> Ends:
    streamed_ends = frozenset(streamed if isinstance(streamed, tuple) else (streamed,))
    return Ends(frozenset((held,)), streamed_ends, frozenset((passthrough,)))


ENDS = {  # held, streamed, passthrough
    NONE: ends(End.PICTURES, End.PICTURES, End.UNCHANGED),
    "slow": ends(End.PICTURES, End.PICTURES, End.UNCHANGED),
    "mislabelled": ends(End.PICTURES, End.PICTURES, End.UNCHANGED),
    "quota": ends(End.QUOTA, End.QUOTA, End.UNCHANGED),
    "html": ends(End.BROKEN, End.BROKEN, End.UNCHANGED),
    "refusal": ends(End.REFUSED, End.REFUSED, End.UNCHANGED),
    "empty": ends(End.BROKEN, End.BROKEN, End.UNCHANGED),
    "not-a-picture": ends(End.BROKEN, End.BROKEN, End.UNCHANGED),
    "truncated": ends(End.BROKEN, End.CUT, End.UNCHANGED),
    "short-length": ends(End.BROKEN, End.CUT, End.UNCHANGED),
    "broken-gzip": ends(End.BROKEN, (End.BROKEN, End.CUT), End.UNCHANGED),
    "silence": ends(End.LATE, End.LATE, End.LATE),
    "reset": ends(End.BROKEN, End.BROKEN, End.BROKEN),
    "reset-after-head": ends(End.BROKEN, End.BROKEN, End.BROKEN),
    "reset-in-picture": ends(End.BROKEN, End.CUT, End.CUT),
    "cut": ends(End.BROKEN, End.CUT, End.CUT),
    "stall": ends(End.LATE, End.CUT, End.CUT),
    "drip": ends(End.LATE, End.CUT, End.CUT),
    "broken-chunk": ends(End.BROKEN, End.CUT, End.CUT),
}
HARMFUL = tuple(name for name in ENDS if name != NONE)
