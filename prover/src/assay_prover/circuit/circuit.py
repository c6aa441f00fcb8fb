"""A finished circuit: what setup streams, what proving evaluates, what a report shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import numpy as np

from assay_prover.circuit.builder import Builder
from assay_prover.circuit.cost import CostReport, measure
from assay_prover.circuit.layout import WireLayout
from assay_prover.circuit.linear import RowCache
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.rows import Block, RowGroup, Segment
from assay_prover.circuit.statement import StatementSpec
from assay_prover.circuit.witness import Witness, merge
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.reference import IntegerGraph
from assay_prover.reference.tensor import Int64Array


class Circuit:
    """Made by `assay_prover.lowering.compile_graph`.

    Attributes:
        graph: the integer graph that is proven, after cost-saving rewrites; its outputs are those of the
            graph given.
        spec: the statement.
        plan: the chosen tables; pass it to `compile_graph` to skip planning.
        layout: where each wire stands.

    Raises:
        ValueError: the builder is not finished.
    """

    def __init__(self, builder: Builder, graph: IntegerGraph, spec: StatementSpec, plan: Plan) -> None:
        if builder.layout is None:
            raise ValueError("the builder is not finished")
        self.builder = builder
        self.graph = graph
        self.spec = spec
        self.plan = plan
        self.layout: WireLayout = builder.layout
        self.groups: list[RowGroup] = builder.groups
        self._digest: bytes | None = None

    @property
    def n_constraints(self) -> int:
        """Constraints, without the input rows that setup appends."""
        return sum(group.n_rows for group in self.groups)

    def blocks(self) -> Iterator[Block]:
        """(A, B, C) in row order, expanded when asked for; a wide group comes in several blocks.

        Each is `(ptr int64[rows + 1], col uint32[nnz], coefficient int64[nnz] or uint64[nnz, 4])`.
        """
        cache = RowCache(self.layout)
        layer = None
        for group in self.groups:
            if group.layer != layer:
                cache.clear()
                layer = group.layer
            for part in group.parts():
                yield part.matrices(cache)

    def witness(self, ints: Int64Array, salt: int | None = None, binding: int = 0) -> Witness:
        """Run the integer inference on one sample (batch axis optional) and open its witness.

        Raises:
            InputError: not integers, wrong shape or out of the declared range.
            ValueError: a salt missing, superfluous or not below r.
        """
        values = np.asarray(ints)
        sample = values if values.ndim == len(self.graph.input.shape) + 1 else values[None]
        return self.witness_of([sample], salt, binding)

    def witness_of(
        self,
        inputs: Sequence[Int64Array],
        salt: int | None = None,
        binding: int = 0,
        blinding: int | None = None,
    ) -> Witness:
        """As `witness`, for any number of inputs and for slices, which take a blinding of the cuts.

        Args:
            inputs: integers of each input, `[1, *shape]`.
            salt: exactly where the statement has a commitment.
            binding: the statement's first word.
            blinding: exactly where there are cuts.

        Raises:
            ValueError: a salt or a blinding that is missing or has nothing to hide.
            InputError: inputs of another number, shape or range.
        """
        if (salt is not None) != self.spec.needs_salt:
            raise ValueError(
                "this statement needs a salt" if salt is None else "a public statement takes no salt"
            )
        if (blinding is not None) != self.spec.needs_blinding:
            raise ValueError(
                "a cut needs a blinding" if blinding is None else "without a cut there is no blinding"
            )
        return Witness(self, WitnessValues(self.graph.run(*inputs), salt, binding, blinding))

    def model_values(self) -> list[Segment]:
        """Values of the model wires, from the private weights that the graph holds; empty without any."""
        return merge(wires.limbs for wires in self.builder.model)

    def cost(self) -> CostReport:
        """Size by layer, gadget and table."""
        return measure(self)

    def digest(self) -> bytes:
        """SHA-256 over the layout and every constraint: equal digests are equal constraint systems."""
        if self._digest is None:
            for _ in self.digested_blocks():
                pass
        if self._digest is None:
            raise AssertionError("all blocks were read")
        return self._digest

    def digested_blocks(self) -> Iterator[Block]:
        """`blocks`, hashed on their way: after the last the digest is known, and nothing expanded twice."""
        h = sha256(b"assay/circuit/v1")
        layout = self.layout
        numbers = (layout.n_public, int(layout.committed), layout.n_model, layout.n_w1, layout.n_w2)
        h.update(np.array([*numbers, self.n_constraints], dtype="<u8").tobytes())
        for block in self.blocks():
            for ptr, col, coefficient in block:
                h.update(np.array([ptr.size, col.size, coefficient.ndim], dtype="<u8").tobytes())
                h.update(np.ascontiguousarray(ptr, dtype="<i8").data)
                h.update(np.ascontiguousarray(col, dtype="<u4").data)
                h.update(np.ascontiguousarray(coefficient, dtype=f"<{coefficient.dtype.str[1:]}").data)
            yield block
        self._digest = h.digest()
