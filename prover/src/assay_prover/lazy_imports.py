"""Packages whose names are imported when they are used (PEP 562).

Compiler, devnet and worker take a second to load. A package that offers them by name would make every program
that imports anything of it wait for all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_attributes(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``, which import a name's module at its first use.

    Type checkers don't see through this: the package imports the same names under ``TYPE_CHECKING``.

    Args:
        package: the package's ``__name__``.
        modules: for each module, relative to the package (``.bundle``), the names it holds, separated by
            blanks.

    Example:
        >>> __getattr__, __dir__ = lazy_attributes("assay_prover", {".errors": "InputError ModelError"})
        >>> __getattr__("InputError").__module__
        'assay_prover.errors'
    """
    module_of = {name: module for module, names in modules.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(module_of[name], package), name)
        setattr(sys.modules[package], name, value)  # from here on without this function
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return load, names
