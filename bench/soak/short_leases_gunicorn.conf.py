"""The project's own gunicorn configuration, with leases that a caller of the soak can wait for after a kill."""

from pathlib import Path

from proxy import limits

# The workers are forked later and inherit these.
limits.HEARTBEAT_SECONDS = 1.5
limits.LEASE_SECONDS = 12.0
limits.LIMITED_KEY_SECONDS = 0.0  # with --budget: a 429 is for one call, as it is without

exec(Path("gunicorn.conf.py").read_text())  # noqa: S102
