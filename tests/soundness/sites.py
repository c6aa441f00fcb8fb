"""The places in the compiler that emit constraints: found in its source, traced to the rows that come from
each, and left out or weakened one at a time.

A mutant is what the compiler would be with one call deleted: the same circuit without the constraints that
the call adds, and with the wires they were about, which now hold what a prover likes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import assay_prover
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, Wires
from assay_prover.circuit.lookup import LookupTable
from assay_prover.circuit.plan import Plan, Tile
from assay_prover.circuit.rows import RowGroup
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.reference.tensor import Int64Array

ROOT = Path(assay_prover.__file__).parent
SOURCES = [*sorted((ROOT / "gadgets").rglob("*.py")), ROOT / "circuit/builder.py", ROOT / "lowering/lower.py"]
VERBS = {"constrain", "constrain_field", "push", "_push", "lookup"}
"""A builder's methods that add constraints."""

RANGE = "gadgets/range.py"


@dataclass(frozen=True, order=True)
class Site:
    """One call, by where it ends."""

    file: str
    line: int
    column: int
    function: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.function}: {self.text}"


@cache
def sites() -> tuple[Site, ...]:
    """Every call that emits constraints: of a builder's own methods, and of what is given a builder and
    calls them in the end."""
    functions = [
        (path.relative_to(ROOT).as_posix(), node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    emitters: set[str] = set()
    while True:
        emitting = [(name, f, calls) for name, f in functions if (calls := list(_calls(f, emitters)))]
        found = {f.name for _, f, _ in emitting if any(arg.arg == "b" for arg in f.args.args)}
        if found <= emitters:
            break
        emitters |= found
    result = tuple(
        Site(name, call.end_lineno or 0, call.end_col_offset or 0, f.name, ast.unparse(call))
        for name, f, calls in emitting
        for call in calls
    )
    assert len({(s.file, s.line, s.column) for s in result}) == len(result), "a nested function emits"
    return result


def _calls(function: ast.FunctionDef, emitters: set[str]) -> Iterator[ast.Call]:
    for call in ast.walk(function):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func).rpartition(".")[2]
        given = bool(call.args) and ast.unparse(call.args[0]) in ("b", "self.b")
        if (isinstance(call.func, ast.Attribute) and name in VERBS) or (given and name in emitters):
            yield call


@cache
def _by_end() -> dict[tuple[str, int, int], Site]:
    return {(site.file, site.line, site.column): site for site in sites()}


@lru_cache(maxsize=4096)
def _positions(code: CodeType) -> tuple[str, list[tuple[int, int]]]:
    path = Path(code.co_filename)
    if path not in SOURCES:
        return "", []
    ends = [(end or 0, column or 0) for _, end, _, column in code.co_positions()]
    return path.relative_to(ROOT).as_posix(), ends


def _stack() -> Iterator[tuple[FrameType, Site | None]]:
    """Frames of the compiler, innermost first, and the site that each is at."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name, ends = _positions(frame.f_code)
        if name:
            line, column = ends[frame.f_lasti // 2]
            yield frame, _by_end().get((name, line, column))
        frame = frame.f_back


@dataclass(eq=False)
class RangeCheck:
    """x in [0, 2^width), and its limbs: wires, and which bits of x they are."""

    x: LinearTensor
    width: int
    limbs: list[tuple[Wires, int, int]] = field(default_factory=list)


@dataclass(eq=False)
class Trace:
    """What was emitted where, while `tracing`.

    checks: the range check that a group belongs to. emitted: sites that were passed. limbs: wires of range
    checks. allocated: region, offset, size and layer of all wires. mutated: layers in which `drop` would have
    emitted something.
    """

    drop: Site | None = None
    widen: Site | None = None
    checks: dict[RowGroup, RangeCheck] = field(default_factory=dict)
    emitted: set[Site] = field(default_factory=set)
    limbs: list[Wires] = field(default_factory=list)
    allocated: list[tuple[Region, int, int, str]] = field(default_factory=list)
    mutated: set[str] = field(default_factory=set)
    _known: dict[tuple[int, int], RangeCheck] = field(default_factory=dict)

    def chain(self) -> set[Site]:
        """Sites of the calls that are being made."""
        return {site for _, site in _stack() if site is not None}

    def check(self) -> tuple[RangeCheck, dict[str, Any]] | None:
        """The range check that is being made, and its variables."""
        for frame, _ in _stack():
            if frame.f_code.co_name == "range_check" and "tiles" in frame.f_locals:
                known = frame.f_locals
                width = sum(tile.width for tile in known["tiles"])
                key = (id(known["x"]), width)
                return self._known.setdefault(key, RangeCheck(known["x"], width)), known
        return None

    def drops(self, b: Builder) -> bool:
        """Whether what is being emitted is to be left out."""
        chain = self.chain()
        self.emitted |= chain
        if self.drop not in chain:
            return False
        self.mutated.add(b.layer)
        return True


@contextmanager
def tracing(*, drop: Site | None = None, widen: Site | None = None) -> Iterator[Trace]:
    """Trace what is compiled inside; without the constraints of one site, or with its range checks one bit
    wider."""
    trace = Trace(drop, widen)
    push, lookup, integers, tiles = Builder._push, Builder.lookup, Builder.integers, Plan.tiles
    reserve = Builder._reserve

    def traced_push(b: Builder, group: RowGroup) -> None:
        if trace.drops(b):
            return
        found = trace.check()
        if found is not None:
            trace.checks[group] = found[0]
        push(b, group)

    def traced_lookup(b: Builder, table: LookupTable, values: LinearTensor) -> None:
        if not trace.drops(b):
            lookup(b, table, values)

    def traced_integers(b: Builder, size: int, values: Callable[[WitnessValues], Int64Array]) -> Wires:
        wires = integers(b, size, values)
        found = trace.check()
        if found is not None:
            check, known = found
            check.limbs.append((wires, known["offset"], known["limb"].width))
            trace.limbs.append(wires)
        return wires

    def traced_reserve(b: Builder, region: Region, size: int) -> int:
        offset = reserve(b, region, size)
        if b.tiling is not None:
            trace.allocated.append((region, offset, size, b.layer))
        return offset

    def traced_tiles(plan: Plan, bits: int, exact: bool) -> tuple[Tile, ...]:
        return tiles(plan, bits + int(trace.widen in trace.chain()), exact)

    with (
        patch.object(Builder, "_push", traced_push),
        patch.object(Builder, "lookup", traced_lookup),
        patch.object(Builder, "integers", traced_integers),
        patch.object(Builder, "_reserve", traced_reserve),
        patch.object(Plan, "tiles", traced_tiles),
    ):
        yield trace
