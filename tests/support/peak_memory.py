"""The most memory that a proxy has held within a block."""

from pathlib import Path
from typing import Self

from tests.support.proxy_server import ProxyServer

RESET_PEAK = "5"  # proc_pid_clear_refs(5): "reset the peak resident set size to the current"


class PeakMemory:
    """`with PeakMemory(server) as memory:`, and then `memory.growth`: bytes by which the workers grew at most.

    Whatever they held before, and however much that was, does not count.
    """

    def __init__(self, server: ProxyServer) -> None:
        self.server = server
        self.growth = 0

    def __enter__(self) -> Self:
        self.workers = self.server.workers()
        for worker in self.workers:
            Path(f"/proc/{worker}/clear_refs").write_text(RESET_PEAK)
        self.before = self.read("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.server.workers() == self.workers, "a worker has ended"
        self.growth = self.read("VmHWM") - self.before

    def read(self, name: str) -> int:
        """A line of the status of all workers, in bytes."""
        lines = [line for pid in self.workers for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
