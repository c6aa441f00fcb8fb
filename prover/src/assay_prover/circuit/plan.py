"""Which range tables a circuit gets: the widths are chosen by cost over the whole circuit.

A range check of k bits is tiled by limbs. A limb as wide as a table costs one lookup; a narrower one two (x
and x * 2^(w - u) both in [0, 2^w)); a bit costs the constraint b (1 - b) = 0 and no table. Too few checks
cannot pay for a table, and a circuit without any table needs no challenge: it is plain Groth16.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations

from assay_prover.circuit.layout import domain_size

# Costs in units of one full-width point of a G1 multi-scalar multiplication, 1 to 3 microseconds of a core.
ROW = 1.3  # per domain point: a point of the H query and its share of four NTTs
FULL_WIRE = 2.0  # a uniform field element on the A side: the A and K queries
SMALL_WIRE = 0.3  # a few bits in A, B (G1 and G2) and K: one window each
COMMITMENT = (
    2500.0  # second round: D's own MSM, hashing, and a 5th pairing (about 40k gas) for whoever verifies
)

MIN_WIDTH, MAX_WIDTH = 3, 16
"""Range tables between 8 and 65,536 entries."""


@dataclass(frozen=True)
class Tile:
    """One limb of a range check: `width` bits, looked up in the table of `table` bits (0: a bit)."""

    width: int
    table: int

    @property
    def lookups(self) -> int:
        """One if the limb fills its table, two if it is narrower."""
        return 0 if self.table == 0 else 1 if self.table == self.width else 2


@dataclass
class Demand:
    """Everything about a circuit that the choice of tables depends on."""

    ranges: Counter[tuple[int, bool]] = field(default_factory=Counter)
    """(bits, exact) -> number of range checks."""
    rows: int = 0
    """Constraints that are there in any case."""
    full_wires: int = 0
    small_wires: int = 0
    needs_challenge: bool = False
    """A function table needs the challenge in any case."""


@dataclass(frozen=True)
class Plan:
    """The chosen table widths and what they are expected to cost."""

    widths: tuple[int, ...]
    rows: int
    cost: float
    hoist_maxima: bool = False
    product_checks: bool = False
    """Whether matrix products of wires may be checked under the challenge (`gadgets.product_check`)."""

    def tiles(self, bits: int, exact: bool) -> tuple[Tile, ...]:
        """Cheapest tiling of a range check, lowest limb first; see `tile`."""
        return tile(bits, exact, self.widths)


TILE_LIMIT = 128
"""Widest range check that is ever tiled."""


@lru_cache(maxsize=4096)
def _tilings(widths: tuple[int, ...]) -> tuple[list[tuple[float, int]], list[int], dict[int, Tile]]:
    """(cost, limbs) and last limb of the cheapest exact tiling of 0..TILE_LIMIT bits; each width's tile."""
    tiles = {1: Tile(1, 0)}
    costs = {1: ROW + SMALL_WIRE}
    for part in range(2, max(widths, default=1) + 1):
        table = min(w for w in widths if w >= part)
        tiles[part] = Tile(part, table)
        costs[part] = tiles[part].lookups * (ROW + FULL_WIRE) + SMALL_WIRE
    best: list[tuple[float, int]] = [(0.0, 0)]
    last = [0]
    parts = sorted(costs.items())
    for target in range(1, TILE_LIMIT + 1):
        cost, limbs, part = min(
            (best[target - part][0] + cost, best[target - part][1] + 1, part)
            for part, cost in parts
            if part <= target
        )
        best.append((cost, limbs))
        last.append(part)
    return best, last, tiles


@lru_cache(maxsize=65536)
def tile(bits: int, exact: bool, widths: tuple[int, ...]) -> tuple[Tile, ...]:
    """Cheapest limbs whose widths add up to `bits`, or to at least `bits` if not exact; lowest limb first.

    Whole lookups come first and bits last, because the lowest limb is a linear combination that may hold a
    dense row: it should appear in one constraint.
    """
    slack = 0 if exact else max(widths, default=1) - 1
    if not 0 <= bits <= TILE_LIMIT - slack:
        raise ValueError(f"a range check of {bits} bits is outside 0..{TILE_LIMIT - slack}")
    if bits == 0:
        return ()
    best, last, tiles = _tilings(widths)
    total = min(range(bits, bits + slack + 1), key=lambda width: (best[width], width))
    limbs = []
    while total:
        limbs.append(tiles[last[total]])
        total -= last[total]
    return tuple(sorted(limbs, key=lambda t: (t.table == 0, t.lookups, -t.width)))


def estimate(demand: Demand, widths: tuple[int, ...], public_inputs: int) -> tuple[int, float]:
    """Constraints and cost of proving with these tables."""
    rows, full, small = demand.rows, demand.full_wires, demand.small_wires
    used: set[int] = set()
    for (bits, exact), count in demand.ranges.items():
        tiles = tile(bits, exact, widths)
        small += count * max(len(tiles) - 1, 0)
        for limb in tiles:
            rows += count * max(limb.lookups, 1)
            full += count * limb.lookups
            used.add(limb.table)
    used.discard(0)
    for width in used:
        rows += (1 << width) + 1
        full += 1 << width
        small += 1 << width
    committed = bool(used) or demand.needs_challenge
    cost = (
        ROW * domain_size(rows + 1 + public_inputs + int(committed)) + FULL_WIRE * full + SMALL_WIRE * small
    )
    return rows, cost + (COMMITMENT if committed else 0.0)


def _candidates(allowed: Iterable[int]) -> list[tuple[int, ...]]:
    widths = sorted(set(allowed))
    return [pick for size in range(4) for pick in combinations(widths, size)]


def choose(
    demand: Demand,
    public_inputs: int,
    limb_bits: int | tuple[int, ...] | None = None,
    hoist_maxima: bool = False,
    product_checks: bool = False,
) -> Plan:
    """The cheapest set of at most three widths, or the given ones (1 or () for bits only).

    Raises:
        ValueError: a given width outside 1 or 3..16.
    """
    if limb_bits is None:
        options = _candidates(range(MIN_WIDTH, MAX_WIDTH + 1))
    else:
        given = (limb_bits,) if isinstance(limb_bits, int) else tuple(limb_bits)
        widths = tuple(sorted({w for w in given if w != 1}))
        if any(not MIN_WIDTH <= w <= MAX_WIDTH for w in widths):
            raise ValueError(f"limb widths are 1 or {MIN_WIDTH}..{MAX_WIDTH}, got {given}")
        options = [widths]
    best: Plan | None = None
    for widths in options:
        rows, cost = estimate(demand, widths, public_inputs)
        if best is None or cost < best.cost:
            best = Plan(widths, rows, cost, hoist_maxima, product_checks)
    if best is None:
        raise AssertionError("there is always the plan without tables")
    return best
