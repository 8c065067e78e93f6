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
    UNKNOWN = "an error: the outcome is unknown"
    CUT = "cut off"  # in the body
    DROPPED = "dropped"  # before a status


class Delivery(StrEnum):
    """When an answer is sent, which decides whether a fault can still become an error."""

    HELD = "held"  # when it is complete
    PASSTHROUGH = "passthrough"  # as it arrives
    COUNTED = "to a caller that counts its tries"  # held, for a caller that leaves and comes back
    KEYED = "to a key"  # the same for a caller with an idempotency key


@dataclass(frozen=True)
class Ends:
    """How a call may end, by delivery."""

    held: End
    passthrough: End

    def of(self, delivery: Delivery) -> frozenset[End]:
        """How a call with this delivery may end."""
        return frozenset((self.passthrough if delivery is Delivery.PASSTHROUGH else self.held,))


ENDS = {  # held, passthrough
    NONE: Ends(End.PICTURES, End.UNCHANGED),
    "slow": Ends(End.PICTURES, End.UNCHANGED),
    "mislabelled": Ends(End.PICTURES, End.UNCHANGED),
    "quota": Ends(End.QUOTA, End.UNCHANGED),
    "html": Ends(End.BROKEN, End.UNCHANGED),
    "refusal": Ends(End.REFUSED, End.UNCHANGED),
    "empty": Ends(End.BROKEN, End.UNCHANGED),
    "not-a-picture": Ends(End.BROKEN, End.UNCHANGED),
    "truncated": Ends(End.BROKEN, End.UNCHANGED),
    "short-length": Ends(End.BROKEN, End.UNCHANGED),
    "broken-gzip": Ends(End.BROKEN, End.UNCHANGED),
    "silence": Ends(End.LATE, End.LATE),
    "reset": Ends(End.BROKEN, End.BROKEN),
    "reset-after-head": Ends(End.BROKEN, End.BROKEN),
    "reset-in-picture": Ends(End.BROKEN, End.CUT),
    "cut": Ends(End.BROKEN, End.CUT),
    "stall": Ends(End.LATE, End.CUT),
    "drip": Ends(End.LATE, End.CUT),
    "broken-chunk": Ends(End.BROKEN, End.CUT),
}
HARMFUL = tuple(name for name in ENDS if name != NONE)
SOLD = (NONE, "slow", "mislabelled")  # a whole picture is sent, which is what the upstream counts as a sale
