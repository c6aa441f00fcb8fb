"""Costs known before setup: which wires occur where, how large keys become."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from assay_prover import Bundle, compile_model
from assay_prover.circuit import Circuit
from assay_prover.circuit.layout import Region
from assay_prover.circuit.occurrence import Support
from assay_prover.groth16 import ProvingKey
from assay_prover.lowering import compile_graph
from soundness.networks import OPEN, PRIVATE, PUBLIC, examples
from unit.prover.onnx_models import MODELS


def _expanded(circuit: Circuit) -> list[np.ndarray]:
    """Whether each wire occurs in A, B and C, from the rows themselves; the rows setup appends included."""
    marks = [np.zeros(circuit.layout.n_wires, dtype=bool) for _ in range(3)]
    for block in circuit.blocks():
        for side, (_, columns, _) in zip(marks, block, strict=True):
            side[columns] = True
    marks[0][: circuit.layout.n_input_rows] = True
    return marks


@pytest.mark.parametrize(
    ("name", "spec", "widths"), list(product(examples(), [OPEN, PRIVATE, PUBLIC], [(), (4,), (3, 6)]))
)
def test_support_is_where_wires_occur(name: str, spec: object, widths: tuple[int, ...]) -> None:
    circuit = compile_graph(examples()[name].graph(), spec, limb_bits=widths)  # type: ignore[arg-type]
    support = Support(circuit.layout, circuit.groups)
    for found, there in zip((support.a, support.b, support.c), _expanded(circuit), strict=True):
        assert (found | ~there).all(), "a wire that occurs is missed"
        # random small weights are zero now and then, and a pad's sum may cancel
        assert found.sum() <= there.sum() + 0.05 * there.size + 4


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bc_mlp", {}),
        ("digits_mlp", {"input": "public", "output": "public"}),
        ("digits_mlp", {"weights": "private"}),
    ],
)
def test_key_sizes_are_known_before_setup(name: str, options: dict[str, str], tmp_path: Path) -> None:
    with np.load(MODELS / f"{name}.npz") as data:
        x, y = data["x"], data["y"]
    costs = compile_model(MODELS / f"{name}.onnx", x, tmp_path / "b", labels=y, **options).costs  # type: ignore[arg-type]
    bundle = Bundle.open(tmp_path / "b")
    report = bundle.setup(seed=bytes(32))
    assert report.verifying_key_bytes == costs.verifying_key_bytes
    domain = ProvingKey.open(bundle.proving_key_path).domain_size
    expected = costs.proving_key_bytes + 64 * (domain - costs.domain)
    assert report.proving_key_bytes == pytest.approx(expected, rel=0.005)


def test_full_width_wires_stay_out_of_b() -> None:
    """But for Poseidon's powers: B of a full-width wire would be a point of G2 more, and a dear one."""
    for name, network in examples().items():
        circuit = compile_graph(network.graph(), PUBLIC, limb_bits=(4,))
        layout = circuit.layout
        free = slice(layout.base(Region.FREE), layout.n_wires)
        assert layout.committed
        assert not Support(layout, circuit.groups).b[free].any(), name
        assert not _expanded(circuit)[1][free].any(), name
