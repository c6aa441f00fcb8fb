"""Packages that import names when they are used offer exactly what their type checker sees."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from assay_node.cli import failures

SOURCES = [Path(__file__).parents[3] / part / "src" for part in ("node", "prover")]
LAZY = sorted(
    (".".join(path.parent.relative_to(source).parts), path)
    for source in SOURCES
    for path in source.rglob("__init__.py")
    if "lazy_attributes(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("name", "path"), LAZY, ids=[name for name, _ in LAZY])
def test_names_are_what_the_type_checker_sees(name: str, path: Path) -> None:
    package = importlib.import_module(name)
    guarded = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If))
    for node in guarded.body:
        assert isinstance(node, ast.ImportFrom)
        module = importlib.import_module("." * node.level + (node.module or ""), name)
        for alias in node.names:
            assert getattr(package, alias.name) is getattr(module, alias.name), alias.name
            assert alias.name in dir(package)
    assert all(hasattr(package, public) for public in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


@pytest.mark.parametrize("name", failures.STATUS_OF)
def test_every_error_with_an_exit_status_exists(name: str) -> None:
    package, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(package), kind)
    assert failures.exit_code_of(found.__new__(found)) is failures.STATUS_OF[name]
