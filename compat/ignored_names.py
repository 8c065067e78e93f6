"""The names of ignored fields, as a header reports them."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_NAMES = 20
HEADER_NAME = re.compile(r"[\w.\-\[\]]{1,64}", re.ASCII)


def names_for_header(names: Iterable[str]) -> tuple[str, ...]:
    """The names that a header can hold, each once, at most MOST_NAMES."""
    return tuple(dict.fromkeys(name for name in names if HEADER_NAME.fullmatch(name)))[:MOST_NAMES]
