"""What imports what in the two distributions, read from their sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = {
    "assay_prover": ROOT / "prover" / "src" / "assay_prover",
    "assay_node": ROOT / "node" / "src" / "assay_node",
}


@dataclass(frozen=True)
class Import:
    """One module that another one names; `lazy` inside a function, `typing` for annotations alone."""

    source: str
    target: str
    line: int
    lazy: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def modules(top: str) -> dict[str, Path]:
    """Every module of a distribution and its file."""
    root = DISTRIBUTIONS[top]
    found = {}
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.pyi")]):
        parts = [top, *path.relative_to(root).with_suffix("").parts]
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def room(module: str, files: dict[str, Path]) -> str:
    """The package that a module belongs to, without the distribution's name; "" for those beside it."""
    package = module if files[module].name == "__init__.py" else module.rpartition(".")[0]
    return package.partition(".")[2]


def _marked(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    """Imports, and whether each is in a function and under TYPE_CHECKING."""
    waiting: list[tuple[ast.AST, bool, bool]] = [(tree, False, False)]
    while waiting:
        node, lazy, typing = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, lazy, typing
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing = typing or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        waiting += [(child, lazy, typing) for child in ast.iter_child_nodes(node)]


def imports(top: str) -> Iterator[Import]:
    """Every import of a module of the same distribution."""
    files = modules(top)
    for module, path in files.items():
        if path.suffix == ".pyi":
            continue  # the native module depends on nothing; its stub names types
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node, lazy, typing in _marked(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                base = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*above, *([base] if base else [])])
                names = [full if (full := f"{base}.{alias.name}") in files else base for alias in node.names]
            for name in sorted(set(names)):
                if name in files:
                    yield Import(module, name, node.lineno, lazy, typing)


def rooms(top: str) -> dict[str, set[str]]:
    """For each package the others that it imports, types included."""
    files = modules(top)
    found: dict[str, set[str]] = {room(module, files): set() for module in files}
    for one in imports(top):
        a, b = room(one.source, files), room(one.target, files)
        if a != b:
            found[a].add(b)
    return found


if __name__ == "__main__":
    for name in DISTRIBUTIONS:
        print(name)
        for package, others in sorted(rooms(name).items()):
            print(f"  {package or '(top)'}: {', '.join(sorted(o or '(top)' for o in others))}")
