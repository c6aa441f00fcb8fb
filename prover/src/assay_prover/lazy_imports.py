"""Packages whose names are imported when they are used (PEP 562).

Compiler, devnet and worker take a second to load. A package that offers them by name would make every program
that imports anything of it wait for all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from warnings import warn


def moved_names(package: str, moved: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__`` for public names that have moved: they work, with a warning, for one minor
    version.

    Args:
        package: the package's ``__name__``.
        moved: where each name is now, as ``package.module:Name``.

    Example:
        >>> __getattr__ = moved_names("assay_prover.old", {"Bad": "assay_prover.errors:InputError"})
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     name = __getattr__("Bad").__name__
        >>> name, str(told[0].message)
        ('InputError', 'assay_prover.old.Bad is now assay_prover.errors.InputError')
    """

    def load(name: str) -> Any:
        if name not in moved:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        return _moved(package, name, moved[name])

    return load


def _moved(package: str, name: str, place: str) -> Any:
    module, _, new = place.partition(":")
    warn(f"{package}.{name} is now {module}.{new}", DeprecationWarning, stacklevel=3)
    return getattr(import_module(module), new)


def lazy_attributes(
    package: str, modules: Mapping[str, str], moved: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``, which import a name's module at its first use.

    Type checkers don't see through this: the package imports the same names under ``TYPE_CHECKING``.

    Args:
        package: the package's ``__name__``.
        modules: for each module, relative to the package (``.bundle``), the names it holds, separated by
            blanks.
        moved: as of `moved_names`.

    Example:
        >>> __getattr__, __dir__ = lazy_attributes("assay_prover", {".errors": "InputError ModelError"})
        >>> __getattr__("InputError").__module__
        'assay_prover.errors'
    """
    module_of = {name: module for module, names in modules.items() for name in names.split()}

    def load(name: str) -> Any:
        if moved is not None and name in moved:
            return _moved(package, name, moved[name])
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(module_of[name], package), name)
        setattr(sys.modules[package], name, value)  # from here on without this function
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *module_of})

    return load, names
