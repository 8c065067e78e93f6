"""What glibc's allocator does with memory that is freed."""

from __future__ import annotations

import ctypes

from proxy.limits import MIB

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as mallopt(3) numbers them
KEPT = 64 * MIB  # free bytes at the end of the heap that stay with the process
LARGE = 8 * MIB  # bytes of a block that is given back at once, such as a form with many pictures


def keep_freed_memory() -> bool:
    """Keeps the memory of one picture for the next. Returns whether the C library can.

    By default glibc gives it back to the kernel, which then clears two hundred pages for the next picture, a quarter of
    the time of a single one, and three thousand for an edit with 4 MB, a third of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(M_TRIM_THRESHOLD, KEPT) and mallopt(M_MMAP_THRESHOLD, LARGE))
