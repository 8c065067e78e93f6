"""The servers that these tests share."""

from collections.abc import Iterator

import pytest

from tests.support.replaying_upstream import ReplayingUpstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[ReplayingUpstream]:
    """A server that plays Google."""
    with ReplayingUpstream().running() as upstream:
        yield upstream
