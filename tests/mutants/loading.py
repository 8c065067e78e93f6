"""A module with a fault in it: its text is changed while it is imported, and nothing is written anywhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.mutants.mutants import Mutant


class MutatedLoader(SourceFileLoader):
    """Compiles the changed text instead of the file's own, whatever compiled form of it lies about."""

    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self.mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """The changed module, compiled."""
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        return compile(self.mutant.mutated(source), path, "exec", dont_inherit=True)


class MutatingFinder(MetaPathFinder):
    """Finds one module with a fault in it; all others are found as ever."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the module is, if it is the one."""
        if fullname != self.mutant.module:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.origin is not None:
            found.loader = MutatedLoader(fullname, found.origin, self.mutant)
        return found


def install(mutant: Mutant) -> None:
    """From now on the module is imported with its fault. Raises ImportError if it was imported before."""
    if mutant.module in sys.modules:
        raise ImportError(f"{mutant.module} is already imported without its fault")
    sys.meta_path.insert(0, MutatingFinder(mutant))
