"""The project's gunicorn configuration, with the fault that MUTANT names, if any."""

import os
from pathlib import Path

from tests.mutants.loading import install
from tests.mutants.mutants import MUTANTS

if name := os.environ.get("MUTANT"):
    install(MUTANTS[name])

own = Path(__file__).resolve().parents[2] / "gunicorn.conf.py"
exec(compile(own.read_text(encoding="utf-8"), own, "exec"))
