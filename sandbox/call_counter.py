"""How often each call was made before."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

REMEMBERED_CALLS = 1000


class CallCounter:
    """Counts equal calls in this process; safe to use from several threads. Forgets all but the latest names."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def before(self, name: str, count: int = 1) -> int:
        """How often a name was counted before now; it is counted `count` times more."""
        with self._lock:
            before = self._counts.pop(name, 0)
            self._counts[name] = before + count
            if len(self._counts) > REMEMBERED_CALLS:
                self._counts.popitem(last=False)
            return before
