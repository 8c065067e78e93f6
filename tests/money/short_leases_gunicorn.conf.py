"""The project's own gunicorn configuration, with times of purchases that a test can wait for."""

from pathlib import Path

from proxy import limits

# The workers are forked later and inherit these.
TIMES = {
    "ABANDONED_SECONDS": 3.0,
    "HEARTBEAT_SECONDS": 0.5,
    "LEASE_SECONDS": 3.0,
    "JOB_LOOK_SECONDS": 0.3,
    "FIRST_WEBHOOK_PAUSE": 0.2,
}
for name, limit in TIMES.items():
    assert hasattr(limits, name), f"proxy/limits.py has no {name}"
    setattr(limits, name, limit)

exec(Path("gunicorn.conf.py").read_text())
