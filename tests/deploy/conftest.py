"""The image that the Dockerfile makes, and what every test of `deploy/` reads."""

import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Image, build


@pytest.fixture(scope="session")
def deploy(project: Path) -> Path:
    """The folder of the deployment files."""
    return project / "deploy"


@pytest.fixture(scope="session")
def unit(deploy: Path) -> dict[str, list[str]]:
    """Every line of the unit, by name."""
    lines: dict[str, list[str]] = defaultdict(list)
    for name, value in re.findall(r"(?m)^(\w+)=(.*)$", (deploy / "twinlens.service").read_text()):
        lines[name].append(value)
    return lines


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="twinlens-deploy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(project: Path, deploy: Path) -> Iterator[Image]:
    """The project as the Dockerfile installs it, in a clean folder with a Python of its own."""
    root = Path(tempfile.mkdtemp(prefix="twinlens-image-"))
    root.chmod(0o755)
    try:
        yield build(deploy / "Dockerfile", project, root)
    finally:
        shutil.rmtree(root)
