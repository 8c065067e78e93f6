"""What the purchases speak of: an order, its delivery to one caller, and the error where an outcome is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from compat.errors import ApiError, Bought, ErrorKind
from proxy.purchases.call import Call

UNKNOWN_OUTCOME = (
    "It is not known whether a picture was bought with this request: the server that asked for it ended before it had "
    "the answer. It is not asked for again."
)
NOT_KEPT = "The answer to this request was bought, but could not be kept. It is not bought again."
NEW_KEY = " The same Idempotency-Key gets this error again; a new one makes a new purchase."

Render = Callable[[ApiError], tuple[int, Mapping[str, str], bytes]]  # an error as status, headers and body


def unknown_cost() -> float | None:
    """The cost of a call whose model has no prices."""
    return None


@dataclass(frozen=True)
class Order:
    """A request that can buy, as far as buying it once is concerned."""

    scope: str  # whose it is: a hash of the caller's key, or the id of a key of ours
    fingerprint: str  # the same for a request that is sent again
    render: Render
    cost: Callable[[], float | None] = unknown_cost  # in USD, once its call is over
    started: Callable[[Call], None] = lambda call: None  # hears of the call that is begun for it
    key: str | None = None  # a hash of the idempotency key
    retry_count: int | None = None  # how often its SDK has tried before; None if the SDK does not say

    def is_for(self, other: Order) -> bool:
        """Whether both want the same thing for the same caller."""
        return (self.scope, self.fingerprint) == (other.scope, other.fingerprint)

    def explained(self, error: ApiError) -> ApiError:
        """The error of this order's call; where a key repeats it, it says so."""
        if self.key and error.bought is not Bought.NO and NEW_KEY not in error.message:
            return replace(error, message=error.message + NEW_KEY)
        return error

    def outcome_unknown(self) -> ApiError:
        """The worker that bought is gone."""
        return self.explained(ApiError(ErrorKind.OUTCOME_UNKNOWN, UNKNOWN_OUTCOME, bought=Bought.UNKNOWN))

    def not_kept(self) -> ApiError:
        """The answer reached its first caller, or nobody, and is gone."""
        return self.explained(ApiError(ErrorKind.OUTCOME_UNKNOWN, NOT_KEPT, bought=Bought.YES))


class Delivery:
    """An answer for one caller. It is to be closed when its response is over, sent or not."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        chunks: Iterator[bytes],
        *,
        call: Call | None = None,
        how: str | None = None,
        saved: Callable[[], float | None] = unknown_cost,
        on_close: Callable[[bool], None] | None = None,
    ):
        """`how` is `joined` or `replayed`, None for the caller that bought; `saved` gives the USD not spent again.

        `on_close` hears whether the caller has all of the body, as far as can be known.
        """
        self.status = status
        self.headers = headers
        self.call = call
        self.how = how
        self.saved = saved
        self.on_close = on_close
        self.is_whole = False
        self.chunks = self.read(chunks)

    def read(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield from chunks
        self.is_whole = True

    def close(self, has_arrived: bool = True) -> None:
        """The response is over. `has_arrived` is false if the caller refused what was sent."""
        on_close, self.on_close = self.on_close, None
        if on_close:
            on_close(self.is_whole and has_arrived)
