"""No import runs up a floor, and no two modules import each other but for types within one folder."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from unit.house.floors import DOCUMENT, FLOORS, PERMITTED, START, document
from unit.house.imports import DISTRIBUTIONS, ROOT, Import, imports, modules

LONGEST_FILE = 450
MOST_FILES = 24


def _room(module: str) -> str:
    """The first part below the distribution."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _floor(top: str) -> dict[str, int]:
    return {room: height for height, rooms in enumerate(FLOORS[top]) for room in rooms}


@pytest.mark.parametrize("top", DISTRIBUTIONS)
def test_every_room_has_a_floor(top: str) -> None:
    assert {_room(module) for module in modules(top)} == set(_floor(top))


@pytest.mark.parametrize("top", DISTRIBUTIONS)
def test_no_import_runs_up_or_sideways(top: str) -> None:
    floor = _floor(top)
    wrong = [
        str(one)
        for one in imports(top)
        if _room(one.source) != _room(one.target)
        and floor[_room(one.target)] >= floor[_room(one.source)]
        and not (one.lazy and (one.source, one.target) in PERMITTED)
        and not (one.source == top and one.typing)  # names that the package loads when they are used
    ]
    assert not wrong, "\n".join([*wrong, "see FLOORS in tests/unit/house/floors.py"])


def test_every_permitted_exception_is_there() -> None:
    lazy = {(one.source, one.target) for top in DISTRIBUTIONS for one in imports(top) if one.lazy}
    assert set(PERMITTED) <= lazy


def test_the_prover_knows_nothing_of_the_node() -> None:
    for path in modules("assay_prover").values():
        assert "assay_node" not in path.read_text(), path


def _cycle(edges: Iterable[Import]) -> list[str]:
    """A circle of modules, or nothing."""
    targets: dict[str, set[str]] = {}
    for one in edges:
        targets.setdefault(one.source, set()).add(one.target)
    state: dict[str, int] = {}

    def visit(module: str, path: list[str]) -> list[str]:
        state[module] = 1
        for target in sorted(targets.get(module, ())):
            if state.get(target) == 1:
                return [*path[path.index(target) :], target]
            if target not in state and (found := visit(target, [*path, target])):
                return found
        state[module] = 2
        return []

    for module in sorted(targets):
        if module not in state and (found := visit(module, [module])):
            return found
    return []


@pytest.mark.parametrize("top", DISTRIBUTIONS)
def test_no_modules_import_each_other_when_they_run(top: str) -> None:
    running = [one for one in imports(top) if not one.typing and (one.source, one.target) not in PERMITTED]
    assert _cycle(running) == []


@pytest.mark.parametrize("top", DISTRIBUTIONS)
def test_circles_of_types_stay_within_one_folder(top: str) -> None:
    """Each module of a folder counts as the folder: between folders there is no circle at all."""
    files = modules(top)

    def folder(module: str) -> str:
        beside = module.count(".") == 1  # a package, or a module that stands alone
        return module if beside or files[module].name == "__init__.py" else module.rpartition(".")[0]

    between = [
        Import(folder(one.source), folder(one.target), one.line, one.lazy, one.typing)
        for one in imports(top)
        if _room(one.source) != _room(one.target) and (one.source, one.target) not in PERMITTED
    ]
    assert _cycle(between) == []


def test_the_document_shows_these_floors() -> None:
    text = DOCUMENT.read_text()
    assert START in text
    assert document(text) == text, "run: python tests/unit/house/floors.py"


def test_no_source_file_is_long_and_no_folder_is_full() -> None:
    for root in DISTRIBUTIONS.values():
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            files = sorted(folder.glob("*.py"))
            assert len(files) <= MOST_FILES, f"{folder.relative_to(ROOT)} has {len(files)} files"
            for path in files:
                length = len(path.read_text().splitlines())
                assert length <= LONGEST_FILE, f"{path.relative_to(ROOT)} has {length} lines"


def test_no_test_file_is_long() -> None:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        length = len(path.read_text().splitlines())
        assert length <= LONGEST_FILE, f"{path.relative_to(ROOT)} has {length} lines: split it by topic"
