"""How long one input may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 1.0  # of the processor, for any input
BYTES_IN_A_SECOND = 10_000  # of which it may take more; byte by byte, and with every branch traced


@contextmanager
def time_is_bounded(length: int) -> Iterator[None]:
    """Raises AssertionError if more processor time was spent than an input of that length is worth."""
    started = time.process_time()
    yield
    spent = time.process_time() - started
    assert spent < SECONDS + length / BYTES_IN_A_SECOND, f"{length} bytes took {spent:.1f} s"
