"""The project's gunicorn configuration with a sampler in each worker that records where CPU time is spent."""

import os
from pathlib import Path

from bench.sampler import Sampler

exec(Path("gunicorn.conf.py").read_text())  # noqa: S102


def post_worker_init(worker):
    """After the fork, so that the samples are of this worker only."""
    worker.sampler = Sampler()
    worker.sampler.start()


def worker_exit(server, worker):
    """Write the samples."""
    worker.sampler.stop()
    worker.sampler.write(Path(os.environ["PROFILE_FOLDER"]) / f"{os.getpid()}.json")
