"""Programs and packages that a test needs: where one is missing the test is skipped, or fails with REQUIRE_ALL=1."""

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def program(*names: str) -> Path:
    """The path of the first of these programs that is installed."""
    found = next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)
    return Path(found) if found else missing(f"{names[0]} is not installed")


def package(name: str) -> ModuleType:
    """A Python package that only some tests need."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"the Python package {name} is not installed")


def missing(what: str) -> NoReturn:
    """Skips the test, or fails it with REQUIRE_ALL=1."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)
