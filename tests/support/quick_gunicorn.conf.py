"""The project's own gunicorn configuration, with a sandbox that draws quickly, and retries that soon find something."""

from pathlib import Path

import tests.support.quick_drawing  # noqa: F401
from proxy import limits

# The workers are forked later and inherit this.
assert limits.RETRY_LOOK_SECONDS == 1.0
limits.RETRY_LOOK_SECONDS = 0.1

exec(Path("gunicorn.conf.py").read_text())
