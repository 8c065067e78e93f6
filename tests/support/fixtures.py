"""Fixtures of all tests that need a scripted upstream."""

from collections.abc import Iterator

import pytest

from tests.support.keys import new_key
from tests.support.upstream import ScriptedUpstream


@pytest.fixture(scope="session")
def google() -> Iterator[ScriptedUpstream]:
    """The server that plays Google, for the whole run."""
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(google: ScriptedUpstream) -> ScriptedUpstream:
    """The server that plays Google, before the first call; the test says what it answers."""
    google.answers()
    return google


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return new_key()
