"""Each fault is noticed by the rows that should notice it. That they pass without one, tests/contract shows."""

from __future__ import annotations

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.mutants.loading import install
from tests.mutants.mutants import MUTANTS
from tests.mutants.trials import Trial, expected_rows, try_out
from tests.support.processes import PROJECT

NOTICED = [name for name, mutant in MUTANTS.items() if mutant.rows]
TRIED = NOTICED[::3]  # each starts a server of its own: `make mutants` tries them all
AT_ONCE = 3


@pytest.fixture(scope="module")
def trials() -> dict[str, Trial]:
    """Every fault with the rows that should notice it, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {trial.name: trial for trial in pool.map(lambda name: try_out(name, expected_rows(name)), TRIED)}


@pytest.mark.parametrize("name", TRIED)
def test_a_fault_is_noticed_by_the_rows_that_should_notice_it(trials: dict[str, Trial], name: str) -> None:
    assert trials[name].results
    assert trials[name].unnoticed == []


def test_there_are_enough_faults() -> None:
    assert len(NOTICED) >= 10


@pytest.mark.parametrize("name", MUTANTS)
def test_the_service_contains_the_line_of_a_fault(name: str) -> None:
    mutant = MUTANTS[name]
    source = (PROJECT / Path(*mutant.module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
    compile(mutant.mutated(source), mutant.module, "exec")


def test_a_missing_line_is_reported() -> None:
    with pytest.raises(ValueError, match=r"proxy\.upstream\.client contains 0 times"):
        MUTANTS["key sent twice"].mutated("nothing")


def test_a_module_that_is_already_imported_cannot_be_changed() -> None:
    importlib.import_module("compat.sizes")
    with pytest.raises(ImportError, match="already imported"):
        install(MUTANTS["aspect ratio of the previous row"])


def test_the_fault_is_in_the_imported_module_only() -> None:
    program = (
        "from tests.mutants.loading import install\n"
        "from tests.mutants.mutants import MUTANTS\n"
        "install(MUTANTS['wrong size reported'])\n"
        "from compat.images import ImageStart\n"
        "from compat.openai_images.response import size_of\n"
        "print(size_of(ImageStart('image/png', 3, 4)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "4x3\n"
    program = program.replace("install(MUTANTS['wrong size reported'])\n", "")
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "3x4\n"
