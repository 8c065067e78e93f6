"""The one exception of the service, in neither API's vocabulary. Each API's error.py writes it in its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compat.images import Usage


class Bought(Enum):
    """Whether an error may have cost something: it decides who may ask again."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class ErrorKind(Enum):
    """What went wrong. Every kind has a row in the table of each API."""

    MISSING_KEY = auto()
    INVALID_KEY = auto()
    OPERATOR_KEY_REFUSED = auto()  # the key of a model's row, which is not the caller's
    PERMISSION_DENIED = auto()
    LOCATION_NOT_SUPPORTED = auto()

    INVALID_ARGUMENT = auto()
    INVALID_JSON = auto()
    MISSING_PARAMETER = auto()
    INVALID_TYPE = auto()
    INVALID_VALUE = auto()
    INVALID_SIZE = auto()
    INVALID_IMAGE = auto()
    NUMBER_TOO_LARGE = auto()
    NUMBER_TOO_SMALL = auto()
    STRING_TOO_LONG = auto()
    STRING_EMPTY = auto()
    ARRAY_TOO_LONG = auto()
    ARRAY_TOO_SHORT = auto()

    MODEL_NOT_FOUND = auto()
    NOT_FOUND = auto()
    METHOD_NOT_ALLOWED = auto()
    BODY_TOO_SLOW = auto()
    BODY_TOO_LARGE = auto()
    UNSUPPORTED_MEDIA_TYPE = auto()

    CONTENT_BLOCKED = auto()
    NO_IMAGE = auto()

    QUOTA_EXHAUSTED = auto()
    BUDGET_EXHAUSTED = auto()  # of a key of ours
    RATE_LIMITED = auto()
    OVERLOADED = auto()  # the limit of calls in flight is reached

    UPSTREAM_REJECTED = auto()  # any other 4xx of the upstream; `status` is the upstream's
    UPSTREAM_INTERNAL = auto()
    UPSTREAM_UNAVAILABLE = auto()
    UPSTREAM_TIMEOUT = auto()
    UPSTREAM_BROKEN = auto()  # no connection, or an answer that cannot be read

    IDEMPOTENCY_KEY_REUSED = auto()
    OUTCOME_UNKNOWN = auto()  # of a purchase whose worker is gone
    STATE_UNAVAILABLE = auto()  # the database, or the store of kept answers

    INTERNAL = auto()


HOPELESS = frozenset(
    {
        ErrorKind.OPERATOR_KEY_REFUSED,
        ErrorKind.BODY_TOO_SLOW,
        ErrorKind.QUOTA_EXHAUSTED,
        ErrorKind.BUDGET_EXHAUSTED,
        ErrorKind.IDEMPOTENCY_KEY_REUSED,
    }
)


@dataclass(eq=False)
class ApiError(Exception):
    """An error, with all that any API's dialect needs to write it."""

    kind: ErrorKind
    message: str
    param: str | None = None  # the field, as the caller's API names it
    retry_after: float | None = None  # seconds
    bought: Bought = Bought.NO
    status: int | None = None  # the upstream's own, for UPSTREAM_REJECTED
    usage: Usage | None = None  # what an answer that is refused reports of its tokens
    violations: tuple[tuple[str, str], ...] = ()  # path and description of every wrong field, where there are several
    missing_model: str | None = None  # the name of the model that an upstream says it does not have

    @property
    def may_repeat(self) -> bool:
        """Whether the caller may send its request again: it costs nothing twice, and it may help."""
        return self.bought is Bought.NO and self.kind not in HOPELESS

    def __str__(self) -> str:
        return f"{self.kind.name}: {self.message}"


def broken(message: str, bought: Bought = Bought.UNKNOWN) -> ApiError:
    """The error for an upstream that gave no answer, or one that cannot be read. It may have been paid for."""
    return ApiError(ErrorKind.UPSTREAM_BROKEN, message, bought=bought)
