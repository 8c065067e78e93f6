"""Scripts that are run with the Node packages of the documentation."""

import subprocess
import uuid

from tests.money.conftest import Service
from tests.support.environments import environment
from tests.support.installed import program


def run_node(script: str, service: Service, **variables: str) -> str:
    """What a module prints; it finds the service in BASE_URL, the caller's key in KEY, and further variables."""
    file = environment("docs-node") / f"money-{uuid.uuid4()}.mjs"
    file.write_text(script)
    variables |= {"BASE_URL": f"{service.url()}/v1", "ROOT_URL": service.url(), "KEY": service.key}
    try:
        done = subprocess.run([program("node"), file], env=variables, capture_output=True, text=True, timeout=60)
    finally:
        file.unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout
