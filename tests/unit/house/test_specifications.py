"""Docstrings and comments that are specification keep their lines: a re-wrap once ran them together."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "prover" / "src").rglob("*.py"), *(ROOT / "node" / "src").rglob("*.py")])

SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
ENTRY = re.compile(r"^\*{0,2}[\w.]+(, [\w.]+)*: \S")
SECOND_ENTRY = re.compile(r"[.;] [\w.]+(, [\w.]+)?: ")
CODE = re.compile(r"^((async )?(with|for) .*:|(async )?def .*:|await .*|\w+ = await .*)$")


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                yield node.body[0].lineno, inspect.cleandoc(text)


def entries(text: str) -> Iterator[list[str]]:
    """The lines of each section but Returns and Yields, which hold prose."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if SECTION.match(line) and line not in {"Returns:", "Yields:"}:
            block = []
            for below in lines[number + 1 :]:
                if below and not below.startswith(" "):
                    break
                block.append(below)
            yield [below for below in block if below]


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_sections_hold_one_name_a_line(path: Path) -> None:
    for line, text in docstrings(path):
        for block in entries(text):
            assert block, f"{path}:{line}: an empty section"
            for part in block:
                depth = len(part) - len(part.lstrip())
                assert depth in (4, 8), f"{path}:{line}: {part!r} is indented by {depth}"
                if depth == 4:
                    assert ENTRY.match(part.strip()), f"{path}:{line}: {part!r} is no `name: what it is`"
                assert not SECOND_ENTRY.search(part), f"{path}:{line}: two entries on one line: {part!r}"


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_code_in_docstrings_is_indented(path: Path) -> None:
    for line, text in docstrings(path):
        for part in text.splitlines():
            assert not CODE.match(part), f"{path}:{line}: {part!r} reads as prose; indent the example"


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_a_banner_is_one_line(path: Path) -> None:
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines[:-1], 1):
        if line.lstrip().startswith("# --"):
            below = lines[number].lstrip()
            assert not below.startswith("#"), f"{path}:{number}: a banner of two lines"


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_sql_has_one_statement_a_line(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert not re.search(r";\s+(CREATE|INSERT|DELETE|UPDATE) ", line), f"{path}:{number}: {line!r}"
