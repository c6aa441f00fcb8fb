"""Loading every module of a package, so that what they register by decorator or by subclass is there."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def load_modules(package: ModuleType) -> None:
    """Import all modules of a package, those of its subpackages included, in the order of their names."""
    for found in iter_modules(package.__path__, package.__name__ + "."):
        module = import_module(found.name)
        if found.ispkg:
            load_modules(module)
