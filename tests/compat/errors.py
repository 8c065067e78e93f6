"""The error that a call raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compat.errors import ApiError


def error_of(call: Callable[..., object], *arguments: Any, **fields: Any) -> ApiError:
    """The ApiError that the call must raise."""
    with pytest.raises(ApiError) as caught:
        call(*arguments, **fields)
    return caught.value
