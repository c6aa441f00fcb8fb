"""Public docstrings say what a caller has to know: errors, shapes of arrays, units of amounts."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, cast

import pytest

PACKAGES = (
    "assay_prover", "assay_prover.bundle", "assay_prover.circuit", "assay_prover.compiler",
    "assay_prover.data", "assay_prover.groth16", "assay_prover.quote", "assay_prover.reference",
    "assay_node", "assay_node.chain", "assay_node.client", "assay_node.devnet", "assay_node.local",
    "assay_node.web3", "assay_node.worker",
)  # fmt: skip
ARRAY = re.compile(r"ndarray|NDArray|ArrayLike|(Int|Float)64Array")
SHAPE = re.compile(
    r"shape|\[\w*,|\[batch|\(n\b|\bflat\b|one sample|as the network|vector|elementwise|for each|\brows?\b",
    re.I,
)
UNITS = (
    (re.compile(r"(^|_)(price|amount|balance|stake|collateral|wei|fee)$"), re.compile(r"\bwei\b|ether")),
    (re.compile(r"(^|_)(timeout|patience|seconds|interval|pause)$"), re.compile(r"\bseconds?\b|\d s\b")),
    (re.compile(r"(^|_)gas$"), re.compile(r"\bgas\b", re.I)),
)
OF_THE_LANGUAGE = {"AssertionError", "NotImplementedError", "StopIteration", "AttributeError"}


def functions() -> Iterator[Any]:
    """(name, syntax, documentation) of each public function and method, each once."""
    seen: set[object] = set()
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            ours = getattr(value, "__module__", "").startswith("assay")
            if not ours or not (inspect.isclass(value) or inspect.isfunction(value)) or value in seen:
                continue
            seen.add(value)
            tree = syntax(value)
            if isinstance(tree, ast.ClassDef):
                yield from methods(f"{package}.{name}", cast("type", value), tree)
            elif tree is not None:
                yield pytest.param(tree, inspect.getdoc(value) or "", id=f"{package}.{name}")


def methods(name: str, value: type, tree: ast.ClassDef) -> Iterator[Any]:
    """Those of a class; what a base class says of a method counts, and of `__init__` what the class says."""
    for part in tree.body:
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if part.name.startswith("_") and part.name != "__init__":
            continue
        sources = [value] if part.name == "__init__" else []
        sources += [vars(base)[part.name] for base in value.__mro__ if part.name in vars(base)]
        documented = "\n".join(inspect.getdoc(source) or "" for source in sources)
        yield pytest.param(part, documented, id=f"{name}.{part.name}")


def syntax(value: Any) -> Any:
    """Its syntax tree; None for what has no source, as the native classes."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    except (OSError, TypeError):
        return None


def raised(tree: ast.AST) -> set[str]:
    """Names of the error classes that a function raises itself."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = getattr(error, "id", getattr(error, "attr", ""))
            if name[:1].isupper():
                found.add(name)
    return found - OF_THE_LANGUAGE


def arguments(tree: Any) -> list[ast.arg]:
    return [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]


PUBLIC = list(functions())


def test_the_public_functions_are_found() -> None:
    assert len(PUBLIC) > 400


@pytest.mark.parametrize(("tree", "documented"), PUBLIC)
def test_errors_shapes_and_units_are_documented(tree: Any, documented: str) -> None:
    missing = [f"what raises {name}" for name in sorted(raised(tree)) if name not in documented]
    for argument in arguments(tree):
        kind = "" if argument.annotation is None else ast.unparse(argument.annotation)
        if ARRAY.search(kind) and not SHAPE.search(documented):
            missing.append(f"the shape of {argument.arg}")
        if re.search(r"\b(int|float)\b", kind):
            missing += [
                f"the unit of {argument.arg}"
                for names, words in UNITS
                if names.search(argument.arg) and not words.search(documented)
            ]
    if tree.returns is not None and ARRAY.search(ast.unparse(tree.returns)) and not SHAPE.search(documented):
        missing.append("the shape of what is returned")
    assert not missing, "; ".join(missing)
