"""The project's own gunicorn configuration, with two threads and short timeouts for a bucket."""

from pathlib import Path

from proxy import limits

# The workers are forked later and inherit these.
for name, value in {"STORE_THREADS": 2, "STORE_ANSWER_SECONDS": 1.5}.items():
    assert hasattr(limits, name), f"proxy/limits.py has no {name}"
    setattr(limits, name, value)

exec(Path("gunicorn.conf.py").read_text())
