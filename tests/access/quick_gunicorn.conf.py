"""The project's own gunicorn configuration, with leases and sweeps that a test can wait for."""

from pathlib import Path

from proxy import limits

# The workers are forked later and inherit these.
for name, limit in {"HEARTBEAT_SECONDS": 0.5, "LEASE_SECONDS": 3.0, "SWEEP_SECONDS": 0.5}.items():
    assert hasattr(limits, name), f"proxy/limits.py has no {name}"
    setattr(limits, name, limit)

exec(Path("gunicorn.conf.py").read_text())
