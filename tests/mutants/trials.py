"""Runs rows against the service with a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from contract.replay import ReplayingUpstream
from contract.rows import all_rows
from contract.suite.clients import Clients
from contract.suite.row import Row, State
from contract.suite.run import Result, run
from contract.suite.server import Server
from tests.mutants.mutants import MUTANTS
from tests.support.proxy_server import ProxyServer

CONFIGURATION = Path(__file__).with_name("gunicorn.conf.py")
MODEL = "gemini-2.5-flash-image"
KEY = "AIza-key-of-the-mutants"


class DidNotStart(Exception):
    """The service with a fault did not start."""


@dataclass(frozen=True)
class Trial:
    """The results of the rows for one fault."""

    name: str
    results: Sequence[Result]

    @property
    def failed(self) -> list[str]:
        """The rows that failed."""
        return [result.row.id for result in self.results if result.state == State.FAIL]

    @property
    def unnoticed(self) -> list[str]:
        """The patterns of which no row failed."""
        patterns = MUTANTS[self.name].rows or ("*",) if self.name else ()
        return [one for one in patterns if not any(fnmatchcase(row, one) for row in self.failed)]


def expected_rows(name: str) -> list[Row]:
    """The rows that should notice a fault."""
    return [row for row in all_rows() if any(fnmatchcase(row.id, pattern) for pattern in MUTANTS[name].rows)]


def try_out(name: str, rows: Sequence[Row]) -> Trial:
    """Run rows against the service with a fault, or without one if the name is empty. Raises DidNotStart."""
    clients = Clients()
    upstream = ReplayingUpstream(port=0)
    try:
        with TemporaryDirectory() as folder, upstream.running(), service(Path(folder), name, upstream.url) as url:
            server = Server(base_url=url, key=KEY, model=MODEL, clients=clients, reference=upstream, upstream=upstream)
            return Trial(name, list(run(rows, server)))
    finally:
        clients.close()


@contextmanager
def service(folder: Path, name: str, upstream: str) -> Iterator[str]:
    """The address of the service, which runs until the block ends."""
    server = ProxyServer(folder, str(CONFIGURATION), GEMINI_BASE_URL=upstream, MUTANT=name)
    try:
        server.__enter__()
    except AssertionError as error:
        raise DidNotStart(str(error)[-2000:]) from None
    try:
        yield server.url
    finally:
        server.__exit__()
