"""Where answers stop following the network is part of what is registered: no mirror can leave it out."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_prover import Bundle, BundleError, compile_model
from unit.prover.bundles import edit_json
from unit.prover.onnx_models import build


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with keys whose table of Gelu ends before the worst case."""
    folder = tmp_path_factory.mktemp("limits") / "bundle"
    model = build(
        [("Gemm", ["input", "w", "b"], "h", {}), ("Gelu", ["h"], "output", {})],
        {"w": np.ones((4, 1)), "b": np.full(1, -1.0)},
        (1, 4),
        opset=20,
    )
    samples = np.random.default_rng(3).uniform(-0.3, 0.3, (200, 4))
    compile_model(model, np.concatenate([samples, np.eye(4) * 3, -np.eye(4) * 3]), folder)
    bundle = Bundle.open(folder)
    assert bundle.manifest.limits
    bundle.setup(seed=bytes(32))
    return folder


@pytest.fixture
def copy(limited: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(limited, tmp_path / "copy"))


def hash_of(document: dict[str, Any], *, with_limits: bool) -> str:
    """The metadata hash, written here a second time."""
    parts = {name: dict(document[name]) for name in ("model", "input", "output")}
    for part, optional in (("input", "features"), ("input", "ports"), ("output", "labels")):
        if not parts[part][optional]:
            del parts[part][optional]
    parts["weights"] = document["weights"]["visibility"]
    if with_limits:
        parts["limits"] = document["limits"]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return sha256(b"assay/metadata/v1" + text.encode()).hexdigest()


def test_limits_are_in_the_metadata_hash(limited: Path) -> None:
    document = json.loads((limited / "manifest.json").read_text())
    assert document["hashes"]["metadata"] == hash_of(document, with_limits=True)
    assert hash_of(document, with_limits=True) != hash_of(document, with_limits=False)


@pytest.mark.parametrize("field", ["none", "hi", "seen", "layer", "order"])
def test_a_mirror_that_empties_or_edits_limits_is_refused(copy: Path, limited: Path, field: str) -> None:
    """With the hash as it was it is no manifest; with one that fits, another model's."""
    path = copy / "manifest.json"
    limits = json.loads(path.read_text())["limits"]
    changed = {
        "none": [],
        "hi": [{**limits[0], "hi": limits[0]["hi"] * 2}, *limits[1:]],
        "seen": [{**limits[0], "seen": [-1.0, 1e9]}, *limits[1:]],
        "layer": [{**limits[0], "layer": "another"}, *limits[1:]],
        "order": [*limits, limits[0]],
    }[field]
    edit_json(path, "limits", value=changed)
    with pytest.raises(BundleError, match="metadata hash"):
        Bundle.open(copy)
    document = json.loads(path.read_text())
    registered = Bundle.open(limited).metadata_hash
    for with_limits in {bool(changed), False}:
        edit_json(path, "hashes", "metadata", value=hash_of(document, with_limits=with_limits))
        assert Bundle.open(copy).metadata_hash != registered


def test_a_bundle_of_before_limits_were_hashed_is_opened_and_its_model_is_the_same(copy: Path) -> None:
    path = copy / "manifest.json"
    document = json.loads(path.read_text())
    old = hash_of(document, with_limits=False)
    edit_json(path, "hashes", "metadata", value=old)
    bundle = Bundle.open(copy)
    assert bundle.manifest.hashes.metadata == old
    assert bundle.manifest.limits
