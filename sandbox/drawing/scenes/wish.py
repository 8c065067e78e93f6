"""What a prompt adds to a scene."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """What a prompt adds to a scene."""

    cat: bool = False
    dream: bool = False
    snow: bool = False
