"""Keeps the interpreter's recursion limit where it was when py_ecc is imported.

eth-account imports py_ecc, which raises the limit to 100,000 for the whole process: more than the stack of a
thread holds, so that recursion on what a stranger wrote would end the process where it should raise
`RecursionError`. The import happens late, wherever a key is first used, hence a finder and not an import.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

RAISES_IT = "py_ecc"


class _Restoring(Loader):
    """Loads a module as another loader does, and restores the limit."""

    def __init__(self, inner: Loader) -> None:
        self._inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the other does."""
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """As the other does, with the limit as before."""
        limit = sys.getrecursionlimit()
        try:
            self._inner.exec_module(module)
        finally:
            sys.setrecursionlimit(limit)


class _Finder(MetaPathFinder):
    """Finds py_ecc, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's specification, with a loader that restores the limit."""
        if fullname != RAISES_IT:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Restoring(spec.loader)
        return spec


def keep() -> None:
    """From now on an import of py_ecc leaves the limit alone. Does nothing the second time."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
