"""The project's own gunicorn configuration on a disk that takes no file of more than a megabyte."""

import resource
from pathlib import Path

exec(Path("gunicorn.conf.py").read_text())

# Python ignores SIGXFSZ, so that a write beyond the limit is an OSError, as on a disk that is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
