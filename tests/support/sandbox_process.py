"""`python -m sandbox`, a server that plays Google and knows good keys from bad ones."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.proxy_server import PROJECT


@contextmanager
def running_sandbox() -> Iterator[str]:
    """Its address, on a free port, until the block ends."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
