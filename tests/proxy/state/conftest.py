"""A database that is migrated, of both kinds."""

from collections.abc import Iterator

import pytest

from proxy.state.database import Database
from proxy.state.migrate import migrate


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with its tables."""
    migrate(database_url)
    database = Database(database_url, wait=0.2)
    yield database
    database.close()
