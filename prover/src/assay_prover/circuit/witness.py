"""The assignment for one input, in the segments that the prover's core takes."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, cast

import numpy as np

from assay_prover.circuit.field import FieldWires, to_limbs
from assay_prover.circuit.wide_wires import LimbWires

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assay_prover.circuit.circuit import Circuit
    from assay_prover.circuit.rows import Segment
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array


def merge(segments: Iterable[Segment]) -> list[Segment]:
    """Join neighbours of one kind, so that a circuit of a hundred layers is a handful of segments."""
    filled = (segment for segment in segments if len(segment))
    return [_join(list(run)) for _, run in groupby(filled, key=lambda segment: segment.dtype)]


def _join(run: list[Segment]) -> Segment:
    return cast("Segment", np.concatenate(run))


class Witness:
    """Values of every wire and row for one input.

    Segments are `int64[n]` (small signed integers) or `uint64[n, 4]` (canonical field elements,
    little-endian limbs), to be read one after another. With a challenge, `public` and `w1` come first, then
    the challenge, then `w2(c)` and `rows(c)`; without one `w1` is empty and `w2()` and `rows()` take none.
    """

    def __init__(self, circuit: Circuit, frame: WitnessValues) -> None:
        self._circuit = circuit
        self._frame = frame

    @property
    def public(self) -> list[int]:
        """The statement, in order: binding, input, output."""
        return [v for wires in self._circuit.builder.public for v in self._frame.field_value(wires)]

    @property
    def entering(self) -> int:
        """Words of the statement between the binding and the output."""
        return self._circuit.builder.public[1].size

    @property
    def outputs(self) -> Int64Array:
        """The network's output integers, in their own shape."""
        return self.tensor(self._circuit.graph.output)

    def tensor(self, name: str) -> Int64Array:
        """The integers of any tensor of the circuit's graph, in their own shape."""
        return self._frame.tensor(name).reshape(self._circuit.graph.tensors[name].shape)

    @property
    def model(self) -> list[Segment]:
        """The model's private wires, the same for every input; empty with constant weights."""
        return self._circuit.model_values()

    def _small(self) -> list[Segment]:
        return [self._frame.value(wires) for wires in self._circuit.builder.committed]

    @property
    def w1(self) -> list[Segment]:
        """Wires fixed before the challenge; empty in plain mode."""
        return merge(self._small()) if self._circuit.layout.committed else []

    def _check_challenge(self, challenge: int | None) -> None:
        if (challenge is not None) != self._circuit.layout.committed:
            raise ValueError(
                "this circuit needs a challenge" if challenge is None else "this circuit takes no challenge"
            )

    def w2(self, challenge: int | None = None) -> list[Segment]:
        """The remaining wires."""
        self._check_challenge(challenge)
        segments = [] if self._circuit.layout.committed else self._small()
        for wires in self._circuit.builder.free:
            if isinstance(wires, FieldWires):
                segments.append(to_limbs(self._frame.field_value(wires)))
            elif isinstance(wires, LimbWires):
                segments.append(self._frame.limbs(wires))
            elif challenge is not None:
                segments.append(self._frame.derived(wires, challenge))
        return merge(segments)

    def rows(self, challenge: int | None = None) -> tuple[list[Segment], list[Segment]]:
        """`<A_j, z>` and `<B_j, z>` of every constraint, in order."""
        self._check_challenge(challenge)
        sides = [group.evaluate(self._frame, challenge) for group in self._circuit.groups]
        return merge(a for a, _ in sides), merge(b for _, b in sides)
