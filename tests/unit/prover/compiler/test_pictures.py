"""What a person reads in report.svg and in a notebook, for networks of several kinds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge

from assay_prover import Bundle, compile_model
from assay_prover.passes.selection.layers import LayerError, worst
from unit.prover.onnx_models import MODELS, build
from unit.prover.operator_cases import Nodes

HEADINGS = ("error of the output", "error that each layer adds", "constraints by layer", "in figures")


def stored(name: str) -> tuple[Any, np.ndarray, np.ndarray | None]:
    with np.load(MODELS / f"{name}.npz") as data:
        return MODELS / f"{name}.onnx", data["x"][:120], data["y"][:120]


def forest() -> tuple[Any, np.ndarray, np.ndarray | None]:
    x, y = load_iris(return_X_y=True)
    return RandomForestClassifier(5, max_depth=4, random_state=0).fit(x, y), x.astype(np.float32), y


def ridge() -> tuple[Any, np.ndarray, np.ndarray | None]:
    x, y = load_diabetes(return_X_y=True)
    return Ridge().fit(x, y), x.astype(np.float32), y


def functions() -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Two tables of functions, whose names are hashes."""
    rng = np.random.default_rng(5)
    nodes: Nodes = [
        ("Gemm", ["input", "w", "b"], "h", {}),
        ("Sigmoid", ["h"], "s", {}),
        ("Gemm", ["s", "v", "c"], "g", {}),
        ("Tanh", ["g"], "output", {}),
    ]
    constants = {
        "w": rng.normal(size=(4, 200)).astype(np.float32), "b": np.zeros(200, np.float32),
        "v": rng.normal(size=(200, 80)).astype(np.float32), "c": np.zeros(80, np.float32),
    }  # fmt: skip
    return build(nodes, constants, (1, 4)), rng.normal(size=(60, 4)).astype(np.float32), None


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: stored("bc_mlp"), id="network"),
        pytest.param(forest, id="forest"),
        pytest.param(ridge, id="regression"),
        pytest.param(functions, id="functions"),
    ],
)
def test_pictures_have_no_empty_heading_no_hash_and_no_node_twice(model: Any, tmp_path: Path) -> None:
    network, x, y = model()
    compile_model(network, x, tmp_path / "b", labels=y)
    bundle = Bundle.open(tmp_path / "b")
    root = ElementTree.fromstring((bundle.path / "report.svg").read_text())  # noqa: S314 - our own
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert all(text.strip() for text in texts)
    places = [next(i for i, text in enumerate(texts) if text.startswith(name)) for name in HEADINGS]
    assert places == sorted(places)
    for first, after in zip(places, [*places[1:], len(texts)], strict=True):
        assert after - first > 1, f"nothing stands under {texts[first]!r}"
        names = [text for text in texts[first + 1 : after] if not re.fullmatch(r"-?[\d.,]+ ?%", text)]
        assert len(names) == len(set(names)), names
    shown = " ".join(texts) + bundle._repr_html_()
    assert not re.search(r"f[0-9a-f]{16}", shown)
    assert "nan" not in shown
    assert not re.search(r"-\d", " ".join(texts[places[1] : places[2]]))  # negative parts puzzle a reader


def test_a_node_of_several_steps_is_blamed_once_and_what_adds_nothing_not_at_all() -> None:
    def step(layer: str, added: float) -> LayerError:
        return LayerError(
            layer=layer,
            tensor=f"{layer}{added}",
            operator="Affine",
            relative=0.1,
            added=added,
            largest=1.0,
            step=1.0,
        )

    layers = (
        step("a", 0.01),
        step("a", 0.03),
        step("b", 0.02),
        step("b", -0.02),
        step("c", 1e-6),
        step("d", -1.0),
    )
    assert [(layer.layer, layer.added) for layer in worst(layers)] == [("a", 0.03), ("b", 0.02)]
    assert len(worst(layers, 1)) == 1
