"""Quotes: what is promised before work is what compiling and setup give."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_prover import InputError, MachineProfile, __version__, compile_model, quote_model
from assay_prover.frontend import import_model
from assay_prover.passes import fuse
from assay_prover.passes.variants import with_average_pools, with_relus
from assay_prover.quote import machine_profile as machine
from assay_prover.quote import quote
from assay_prover.quote.machine_profile import load_profile, measure_machine, save_profile
from unit.prover.onnx_models import MODELS, build

PROFILE = MachineProfile(
    version="0.1.0",
    measured=datetime(2026, 1, 1, tzinfo=UTC),
    cpu="a processor",
    threads=2,
    prove=(0.01, 1e-6, 1e-8),
    setup=(0.1, 1e-6, 1e-7),
)


def _samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / f"{name}.npz") as data:
        return data["x"], data["y"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bc_mlp", {}),
        ("digits_mlp", {"input": "public", "output": "public", "target": "accuracy"}),
        ("digits_mlp", {"weights": "private", "target": "speed"}),
    ],
)
def test_quote_is_what_compiling_gives(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    x, y = _samples(name)
    quoted = quote_model(MODELS / f"{name}.onnx", x, PROFILE, labels=y, **options)
    compiled = compile_model(MODELS / f"{name}.onnx", x, tmp_path / "b", labels=y, **options)
    assert quoted.exact
    assert quoted.costs == compiled.costs
    assert quoted.precision == compiled.precision
    assert quoted.accuracy == compiled.accuracy
    assert quoted.costs.public_inputs == 1 + quoted.input_words + quoted.output_words
    assert sum(layer.constraints for layer in quoted.costs.layers) == quoted.costs.constraints
    assert quoted.prediction.prove_seconds > 0.01
    assert quoted.prediction.prove_bytes > quoted.costs.proving_key_bytes


def test_network_too_large_to_search_is_priced_at_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = _samples("digits_mlp")
    monkeypatch.setattr(quote, "SEARCH_WORK", 1)
    quoted = quote_model(MODELS / "digits_mlp.onnx", x, PROFILE, labels=y)
    assert not quoted.exact
    assert quoted.accuracy is None
    assert quoted.costs.constraints > 0


def test_savings_are_of_circuits_that_exist() -> None:
    x, y = _samples("digits_mlp")
    quoted = quote_model(MODELS / "digits_mlp.onnx", x, PROFILE, labels=y, weights="private")
    by_change = {saving.change: saving for saving in quoted.savings}
    (constant,) = (saving for change, saving in by_change.items() if "--weights constant" in change)
    assert constant.constraints < quoted.costs.constraints
    assert 0 < constant.saved < 1
    assert constant.prove_seconds < quoted.prediction.prove_seconds
    saved = [saving.saved for saving in quoted.savings]
    assert saved == sorted(saved, reverse=True)


def test_encrypted_output_of_a_public_input_is_refused() -> None:
    with pytest.raises(InputError, match="private input"):
        quote_model(MODELS / "bc_mlp.onnx", None, PROFILE, input="public", input_range=(0.0, 1.0))


def test_variants_change_what_they_say_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    nodes: list[Any] = [
        ("Conv", ["input", "k"], "c", {}),
        ("Sigmoid", ["c"], "s", {}),
        ("MaxPool", ["s"], "output", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ]
    data = build(nodes, {"k": rng.normal(size=(2, 1, 2, 2))}, (1, 1, 5, 5))
    graph = fuse(import_model(data))
    x = rng.normal(size=(3, 1, 1, 5, 5))
    values = graph.run(x)
    pooled = with_average_pools(graph)
    assert pooled is not None
    mean = pooled.run(x)[graph.output]
    windows = values["s"].reshape(3, 2, 2, 2, 2, 2)
    np.testing.assert_allclose(mean.reshape(3, 2, 2, 2), windows.mean(axis=(3, 5)))
    rectified = with_relus(graph)
    assert rectified is not None
    np.testing.assert_allclose(rectified.run(x)["s"], np.maximum(values["c"], 0))
    assert with_relus(rectified) is None
    assert with_average_pools(pooled) is None


# -- the machine's profile


def test_profile_is_measured_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_NETWORKS", (((8, 4, 2), 1), ((16, 40, 4), 8), ((64, 64, 4), 1)))
    monkeypatch.setattr(machine, "RUNS", 1)
    profile = measure_machine()
    assert all(c >= 0 for c in (*profile.prove, *profile.setup))
    assert sum(profile.prove) > 0
    save_profile(profile, tmp_path / "cache" / "machine.json")
    assert load_profile(tmp_path / "cache" / "machine.json") == profile


@pytest.mark.parametrize("change", [{"version": "0.0.1"}, {"cpu": "another"}, {"threads": 99}])
def test_profile_of_another_machine_or_version_is_measured_anew(
    change: dict[str, Any], tmp_path: Path
) -> None:
    here = {"version": __version__, "cpu": machine.cpu_name(), "threads": machine.cores()}
    save_profile(PROFILE.model_copy(update=here), tmp_path / "machine.json")
    assert load_profile(tmp_path / "machine.json") is not None
    save_profile(PROFILE.model_copy(update=here | change), tmp_path / "machine.json")
    assert load_profile(tmp_path / "machine.json") is None


def test_damaged_profile_is_none(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text("{")
    assert load_profile(tmp_path / "machine.json") is None
    assert load_profile(tmp_path / "nowhere.json") is None
