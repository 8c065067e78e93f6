"""What a test of `deploy/` cannot do without: where it is missing the test is skipped by name, or fails."""

import importlib
import os
import shutil
from types import ModuleType
from typing import Any, NoReturn

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def program(name: str) -> str:
    """Where a program of the system lies."""
    return shutil.which(name, path=PATH) or missing(f"{name} is not installed")


def package(name: str) -> Any:
    """A Python package that only these tests use."""
    try:
        module: ModuleType = importlib.import_module(name)
    except ImportError:
        missing(f"the Python package {name} is not installed")
    return module


def missing(what: str) -> NoReturn:
    """Skips the test, or fails it with REQUIRE_ALL=1."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)
