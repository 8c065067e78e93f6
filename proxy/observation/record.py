"""What is recorded of one request while it is answered, for its line in the log and for the metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from urllib.parse import quote

from compat.errors import ApiError
from compat.image_models import Prices, ServedModel
from compat.images import Event, Finish, ImageEnd, StoredImage, Usage
from proxy.limits import TAIL

PLAIN = re.compile(r"[\x21-\x7e]+")  # what a header can hold


@lru_cache(maxsize=64)
def header_value(name: str) -> str:
    """The name of a model as a header can hold it: other characters are percent-encoded."""
    return name if PLAIN.fullmatch(name) else quote(name)


@dataclass
class UpstreamTimes:
    """Seconds that one call waited for the upstream: until its first byte, and in total; and how it failed."""

    first_byte: float | None = None
    total: float | None = None
    failure: ApiError | None = None


@dataclass
class Observation:
    """One request. It never holds a prompt, a picture or a key."""

    request_id: str
    method: str
    surface: str = "service"
    operation: str = "unknown"
    model: str | None = None
    upstream_model: str | None = None  # the one that is asked for, by its server's name
    prices: Prices | None = None
    price_per_picture: float | None = None
    retires: date | None = None
    key: str | None = None  # the fingerprint of the key
    key_name: str | None = None  # the name of a key of ours
    charged: float | None = None  # USD that the key has paid in the end, an unknown outcome included
    started: float = field(default_factory=time.monotonic)
    first_byte: float | None = None  # seconds from the start
    status: int = 0
    error: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    pictures: int = 0
    usage: Usage | None = None
    usage_is_unknown: bool = False
    delivery: str | None = None  # `joined` or `replayed`, for an answer that another request bought
    job: str | None = None  # the id of the job that was carried out
    saved: float | None = None  # USD that it would have cost to buy it again
    upstream: list[UpstreamTimes] = field(default_factory=list)

    def note_model(self, model: ServedModel) -> None:
        """Records the model that was requested, once it is known to be served."""
        self.model = model.name
        self.upstream_model = model.upstream_name
        self.prices = model.upstream.prices
        self.price_per_picture = model.upstream.price_per_picture
        self.retires = model.upstream.retires

    def model_header(self) -> dict[str, str]:
        """The header that says which model is asked, by its server's name, once that is known."""
        return {"x-twinlens-model": header_value(self.upstream_model)} if self.upstream_model else {}

    def call(self) -> UpstreamTimes:
        """Where the times of one more call to the upstream are recorded."""
        self.upstream.append(UpstreamTimes())
        return self.upstream[-1]

    def events(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events, whose pictures and tokens are counted as they pass."""
        for event in events:
            if isinstance(event, StoredImage) or (isinstance(event, ImageEnd) and not event.draft):
                self.pictures += 1
            elif isinstance(event, Finish) and event.usage:
                self.usage = self.usage + event.usage if self.usage else event.usage
            yield event

    def chunks(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks of the answer, whose bytes are counted and whose first one is timed."""
        for chunk in chunks:
            if self.first_byte is None:
                self.first_byte = time.monotonic() - self.started
            self.bytes_out += len(chunk)
            yield chunk

    def native_chunks(
        self, chunks: Iterable[bytes], find_usage: Callable[[bytes], Usage | None] | None
    ) -> Iterator[bytes]:
        """The chunks of an answer that passes unread. `find_usage` finds the usage in its last bytes.

        An answer with image tokens counts as one picture, unless `pictures` is set already.
        """
        tail = b""
        for chunk in chunks:
            if find_usage:
                tail = chunk[-TAIL:] if len(chunk) >= TAIL else (tail + chunk)[-TAIL:]
            yield chunk
        self.usage = find_usage(tail) if find_usage else None
        self.usage_is_unknown = self.usage is None
        if self.usage and self.usage.output_image_tokens and not self.pictures:
            self.pictures = 1

    @property
    def cost(self) -> float | None:
        """In USD, with the tokens of answers that were refused; None unless both tokens and prices are known."""
        if self.price_per_picture is not None:
            return round(self.price_per_picture * self.pictures, 9) if self.pictures else None
        usage = self.usage
        for times in self.upstream:
            if times.failure and times.failure.usage:
                usage = usage + times.failure.usage if usage else times.failure.usage
        return self.prices.cost(usage) if self.prices and usage else None

    def upstream_first_byte(self) -> float | None:
        """Seconds until the first answer of the upstream began."""
        return min((times.first_byte for times in self.upstream if times.first_byte is not None), default=None)

    def upstream_total(self) -> float | None:
        """Seconds that the longest call waited for the upstream in total."""
        return max((times.total for times in self.upstream if times.total is not None), default=None)
