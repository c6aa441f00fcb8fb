"""The circuit under construction: wires by region, constraints in order, tables, and whose cost it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from assay_prover.circuit.challenge_powers import PowerRows, Powers
from assay_prover.circuit.field import FieldTensor, FieldWires
from assay_prover.circuit.layout import Region, WireLayout
from assay_prover.circuit.linear import LinearTensor, Wires
from assay_prover.circuit.lookup import DerivedWires, LookupTable
from assay_prover.circuit.plan import Demand, Tile
from assay_prover.circuit.rows import (
    FieldProductRows,
    LookupRows,
    ProductRows,
    RowGroup,
    SumRow,
    TableRows,
)
from assay_prover.circuit.wide_wires import LimbWires, ModelWires

if TYPE_CHECKING:
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array


class Tiling(Protocol):
    """How range checks are cut into limbs."""

    def tiles(self, bits: int, exact: bool) -> tuple[Tile, ...]:
        """Limbs, lowest first."""


class Builder:
    """Collects wires and constraints; `finish` closes the tables and fixes the layout.

    A builder made with `tiling=None` only measures: range checks are written down in `demand` and emit
    nothing. With `product_checks` a matrix product of wires may be checked under the challenge where that is
    cheaper.
    """

    def __init__(self, tiling: Tiling | None, *, product_checks: bool = False) -> None:
        self.tiling = tiling
        self.product_checks = product_checks
        self.demand = Demand()
        self.groups: list[RowGroup] = []
        self.public: list[FieldWires] = []
        self.committed: list[Wires] = []
        self.model: list[ModelWires] = []
        self.free: list[DerivedWires | FieldWires | LimbWires] = []
        self.tables: dict[str, LookupTable] = {}
        self.powers = Powers()
        self.shared: dict[Hashable, Any] = {}
        """What a gadget keeps for the next of its kind that could share it."""
        self.at_end: list[Callable[[], None]] = []
        """What gadgets do before the circuit is finished: constraints that several operations share."""
        self.layout: WireLayout | None = None
        self.layer = "statement"
        self.gadget = "statement"
        self._sizes = {Region.PUBLIC: 0, Region.MODEL: 0, Region.COMMITTED: 0, Region.FREE: 0}

    @contextmanager
    def scope(self, gadget: str, layer: str | None = None) -> Iterator[None]:
        """Attribute what is added inside to a gadget, and to a layer if one is given."""
        before = self.gadget, self.layer
        self.gadget, self.layer = gadget, layer if layer is not None else self.layer
        try:
            yield
        finally:
            self.gadget, self.layer = before

    def _reserve(self, region: Region, size: int) -> int:
        if self.layout is not None:
            raise RuntimeError("the circuit is finished")
        offset = self._sizes[region]
        self._sizes[region] += size
        return offset

    @property
    def n_public(self) -> int:
        """Public wires so far."""
        return self._sizes[Region.PUBLIC]

    def integers(self, size: int, values: Callable[[WitnessValues], Int64Array]) -> Wires:
        """Wires of w1 that hold small integers."""
        wires = Wires(Region.COMMITTED, self._reserve(Region.COMMITTED, size), size, values)
        self.committed.append(wires)
        self.demand.small_wires += size
        return wires

    def model_wires(self, size: int, values: Callable[[], FieldArray]) -> ModelWires:
        """Wires of m: a model's private numbers; asked for once a model, and only by whoever has them."""
        wires = ModelWires(self._reserve(Region.MODEL, size), size, values)
        self.model.append(wires)
        return wires

    def limb_wires(self, size: int, values: Callable[[WitnessValues], FieldArray]) -> LimbWires:
        """Wires of w2 that hold many full-width values and do not depend on the challenge."""
        wires = LimbWires(self._reserve(Region.FREE, size), size, values)
        self.free.append(wires)
        self.demand.full_wires += size
        return wires

    def public_wires(self, size: int, values: Callable[[WitnessValues], list[int]]) -> FieldWires:
        """The next wires of the statement."""
        wires = FieldWires(Region.PUBLIC, self._reserve(Region.PUBLIC, size), size, values)
        self.public.append(wires)
        return wires

    def field_wires(self, size: int, values: Callable[[WitnessValues], list[int]]) -> FieldWires:
        """Wires of w2 that hold full-width values."""
        wires = FieldWires(Region.FREE, self._reserve(Region.FREE, size), size, values)
        self.free.append(wires)
        self.demand.full_wires += size
        return wires

    def derived_wires(self, size: int, values: Callable[[WitnessValues, int], FieldArray]) -> DerivedWires:
        """Wires of w2 that hold full-width values which depend on the challenge."""
        wires = DerivedWires(self._reserve(Region.FREE, size), size, values)
        self.free.append(wires)
        self.demand.full_wires += size
        return wires

    def _push(self, group: RowGroup) -> None:
        if group.n_rows:
            self.groups.append(group)
            self.demand.rows += group.n_rows

    def constrain(self, a: LinearTensor, b: LinearTensor, c: LinearTensor | None = None) -> None:
        """a * b = c elementwise; c absent means zero."""
        self._push(ProductRows(self.layer, self.gadget, a, b, c))

    def constrain_field(self, a: FieldTensor, b: FieldTensor, c: FieldTensor) -> None:
        """a * b = c elementwise, modulo r."""
        self._push(FieldProductRows(self.layer, self.gadget, a, b, c))

    def push(self, group: RowGroup) -> None:
        """Append a gadget's own kind of rows."""
        self._push(group)

    def table(self, key: str, make: Callable[[], LookupTable]) -> LookupTable:
        """The table of that key, which says all about its entries; made on first use."""
        if key not in self.tables:
            self.tables[key] = make()
        return self.tables[key]

    def lookup(self, table: LookupTable, values: LinearTensor) -> None:
        """Require every value to be an entry of the table; see `assay_prover.gadgets.logup` for the argument.

        Raises:
            UncommittedLookupError: the values refer to wires fixed after the challenge.
        """
        inverses = self.derived_wires(
            values.size, lambda frame, challenge: table.inverses(frame, challenge, values)
        )
        table.register(values, inverses)
        self._push(LookupRows(self.layer, self.gadget, table, values, inverses))

    def forget(self) -> None:
        """Drop the wires' rules, of a builder that has measured and is needed no more.

        Rules refer to gadgets and these to the builder: without this a network's weights would stay in memory
        until the garbage collector looks for cycles.
        """
        for wires in (*self.committed, *self.free, *self.model, *self.public):
            vars(wires).clear()

    def finish(self) -> WireLayout:
        """Add what gadgets share, each table's rows, and fix where every wire stands."""
        for complete in self.at_end:
            complete()
        for table in self.tables.values():
            with self.scope("logup", f"table {table.name}"):
                multiplicities = self.integers(table.size, _counter(table))
                quotients = self.derived_wires(table.size, table.quotients)
                self._push(TableRows(table, quotients, multiplicities))
                self._push(SumRow(table, quotients))
        if self.powers.n_wires:
            powers = self.powers
            powers.wires = self.derived_wires(
                powers.n_wires, lambda frame, challenge: frame.derived(powers, challenge)[2:]
            )
            self._push(PowerRows(powers))
        committed = self.demand.needs_challenge = bool(self.tables) or self.powers.used
        small, free = self._sizes[Region.COMMITTED], self._sizes[Region.FREE]
        self.layout = WireLayout(
            n_public=self.n_public,
            committed=committed,
            n_model=self._sizes[Region.MODEL],
            n_w1=small if committed else 0,
            n_w2=free if committed else small + free,
            n_small=small,
        )
        return self.layout


def _counter(table: LookupTable) -> Callable[[WitnessValues], Int64Array]:
    return lambda frame: frame.multiplicities(table)
