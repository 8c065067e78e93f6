"""A real S3-compatible server, started for a test and stopped with it."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import free_port, listens, running

ACCESS_KEY, SECRET_KEY, BUCKET = "an-access-key", "a-secret-key-of-the-store", "pictures"


@contextmanager
def object_store(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the environment with which a client reaches it; its objects are files below the folder."""
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    if not rclone:
        pytest.fail("rclone is missing: it comes with requirements-dev.txt")
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    command = [rclone, "serve", "s3", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--addr", f"127.0.0.1:{port}"]
    with running([*command, folder], folder / "log", lambda: listens(port)):
        yield {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
        }
