"""The project's own gunicorn configuration, with a sampler in each worker that writes down where its CPU time goes."""

import os
from pathlib import Path

from bench.sampler import Sampler

exec(Path("gunicorn.conf.py").read_text())  # noqa: S102


def post_worker_init(worker):
    """Behind the fork: samples are of this worker alone."""
    worker.sampler = Sampler()
    worker.sampler.start()


def worker_exit(server, worker):
    """Writes what was seen."""
    worker.sampler.stop()
    worker.sampler.write(Path(os.environ["PROFILE_FOLDER"]) / f"{os.getpid()}.json")
