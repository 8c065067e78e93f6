"""Servers that the contract suite tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.upstream import Answer, ScriptedUpstream

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def server_answering(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that gives every request the same answer."""
    with ScriptedUpstream() as server:
        server.answers(Answer(body, status))
        yield server.url
