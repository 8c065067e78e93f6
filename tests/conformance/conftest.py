"""The servers that these tests share."""

from collections.abc import Iterator

import pytest

from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """A server that plays Google."""
    with ScriptedUpstream() as upstream:
        yield upstream
