"""A good answer of the upstream, in JSON or in events as it was asked for, and the same with a fault."""

from tests.support import pictures
from tests.support.upstream import SSE, Answer, Call, Script
from tests.support.upstream_faults import FAULTS

PICTURE = pictures.heavy_png(side=300)  # long enough to arrive in several pieces
ANSWER = pictures.drawn(pictures.picture_part(PICTURE))


def good_answer(call: Call) -> Answer:
    """A picture."""
    if ":streamGenerateContent" in call.target:
        return Answer(pictures.as_events(ANSWER), content_type=SSE)
    return Answer(pictures.as_google_writes(ANSWER))


def with_fault(name: str) -> Script:
    """Every answer has this fault."""
    return lambda call: FAULTS[name].befall(good_answer(call))
