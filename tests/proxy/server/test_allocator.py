"""proxy/server/allocator.py: freed memory stays with the process, if the C library supports that."""

import platform
import subprocess
import sys

import pytest

from proxy.server.allocator import keep_freed_memory

FAULTS = """
import resource, sys
from proxy.server.allocator import keep_freed_memory
keep_freed_memory() if sys.argv[1] == "kept" else None
def picture():
    pieces = [b"x" * 200_000 for _ in range(5)]
picture()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    picture()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    """Pages that the kernel provided for a hundred pictures in pieces."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library has no mallopt")
def test_the_next_picture_uses_the_memory_of_the_last_one():
    assert page_faults("kept") < 500 < 5000 < page_faults("given back")


def test_a_c_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
