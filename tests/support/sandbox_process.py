"""`python -m sandbox`, a server that plays Google and checks keys."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.processes import running


@contextmanager
def running_sandbox(*options: str) -> Iterator[str]:
    """Its address, on a free port, until the block ends."""
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")  # its first line is the address

        def has_an_address() -> bool:
            return log.read_text().endswith("\n")

        with running([sys.executable, "-m", "sandbox", "--port", "0", *options], log, has_an_address):
            yield log.read_text().splitlines()[0]
