"""Keys of a bundle: made once, resumed after a kill, refused when damaged or another's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assay_prover import (
    Bundle,
    BundleError,
    Cancelled,
    InvalidKey,
)
from assay_prover.groth16 import ProverError
from unit.prover.bundles import edit_json


def test_setup_is_skipped_when_fresh(bc: Bundle) -> None:
    before = bc.proving_key_path.stat().st_mtime_ns
    assert bc.setup().origin == "seeded test setup"
    assert bc.proving_key_path.stat().st_mtime_ns == before


def test_setup_without_seed_draws_new_secrets(copy: Path, bc: Bundle) -> None:
    (copy / "setup.json").unlink()
    report = Bundle.open(copy).setup()
    assert report.origin == "single-party development setup"
    assert Bundle.open(copy).vk_hash != bc.vk_hash


@pytest.mark.parametrize("missing", ["setup.json", "verifying.key", "proving.key"])
def test_interrupted_setup_is_done_again(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="run setup"):
        bundle.prover()
    bundle.setup(seed=bytes(32))
    assert bundle.has_keys


def test_cancelled_setup_leaves_no_keys(copy: Path) -> None:
    for name in ("setup.json", "proving.key", "verifying.key"):
        (copy / name).unlink()
    bundle = Bundle.open(copy)
    with pytest.raises(Cancelled):
        bundle.setup(seed=bytes(32), progress=lambda _stage, _part: False)
    assert sorted(p.name for p in copy.iterdir()) == ["circuit.npz", "manifest.json", "report.svg"]


def test_truncated_proving_key_is_stale(copy: Path) -> None:
    data = (copy / "proving.key").read_bytes()
    (copy / "proving.key").write_bytes(data[:-64])
    assert not Bundle.open(copy).has_keys


def test_damaged_proving_key_is_refused(copy: Path) -> None:
    data = bytearray((copy / "proving.key").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "proving.key").write_bytes(bytes(data))
    with pytest.raises(InvalidKey):
        Bundle.open(copy).prover()


def test_damaged_verifying_key_is_refused(copy: Path) -> None:
    data = bytearray((copy / "verifying.key").read_bytes())
    data[200] ^= 1
    (copy / "verifying.key").write_bytes(bytes(data))
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="no keys"):
        _ = bundle.verifying_key


def test_keys_of_another_circuit_are_refused(copy: Path, digits: Bundle) -> None:
    for name in ("setup.json", "proving.key", "verifying.key"):
        shutil.copy(digits.path / name, copy / name)
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    edit_json(copy / "setup.json", "circuit_hash", value=bundle.manifest.hashes.circuit)
    with pytest.raises((BundleError, ProverError)):
        bundle.prover()


def test_proving_key_of_another_setup_is_refused(copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    (other / "setup.json").unlink()
    Bundle.open(other).setup(seed=bytes([1]) * 32)
    shutil.copy(other / "proving.key", copy / "proving.key")
    with pytest.raises(BundleError, match="not that of this circuit"):
        Bundle.open(copy).prover()
