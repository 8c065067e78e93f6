"""Imports a module with a fault: its source is changed on import, and no file is written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.mutants.mutants import Mutant


class MutatedLoader(SourceFileLoader):
    """Compiles the changed source, and ignores compiled files."""

    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """The changed module, compiled."""
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        return compile(self.mutant.mutated(source), path, "exec", dont_inherit=True)


class MutatingFinder(MetaPathFinder):
    """Finds one module with a fault; all others are found as usual."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's spec, if it is the one with the fault."""
        if fullname != self.mutant.module:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.origin is not None:
            found.loader = MutatedLoader(fullname, found.origin, self.mutant)
        return found


def install(mutant: Mutant) -> None:
    """Make the module be imported with its fault. Raises ImportError if it is already imported."""
    if mutant.module in sys.modules:
        raise ImportError(f"{mutant.module} is already imported without its fault")
    sys.meta_path.insert(0, MutatingFinder(mutant))
