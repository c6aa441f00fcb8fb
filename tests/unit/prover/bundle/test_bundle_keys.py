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
    UnsafeKeys,
)
from assay_prover.groth16 import ProverError, ProvingKey, snarkjs
from unit.prover.bundles import edit_json

VECTORS = Path(__file__).parents[3] / "vectors" / "snarkjs"


def test_setup_is_skipped_when_fresh(bc: Bundle) -> None:
    before = bc.proving_key_path.stat().st_mtime_ns
    report = bc.setup()
    assert report.origin == "seeded test setup"
    assert report.skipped
    assert bc.proving_key_path.stat().st_mtime_ns == before


def test_setup_by_force_draws_new_secrets(copy: Path, bc: Bundle) -> None:
    report = Bundle.open(copy).setup(force=True)
    assert report.origin == "single-party development setup"
    assert not report.skipped
    again = Bundle.open(copy)
    assert again.vk_hash != bc.vk_hash
    assert again.metadata_hash != bc.metadata_hash
    again.check_publishable()


def test_keys_of_a_seed_cannot_be_published(bc: Bundle) -> None:
    with pytest.raises(UnsafeKeys, match="made from a seed"):
        bc.check_publishable()


def test_keys_of_a_seed_cannot_be_published_by_a_setup_json_that_says_otherwise(copy: Path) -> None:
    """Anyone can write that file: how a key was made stands in the key's own, which is hashed."""
    edit_json(copy / "setup.json", "origin", value="single-party development setup")
    with pytest.raises(BundleError, match="the key says test"):
        Bundle.open(copy)
    bundle = Bundle.open(copy, damaged_keys=True)
    assert not bundle.has_keys
    with pytest.raises(UnsafeKeys, match="the key says test"):
        bundle.check_publishable()


def test_a_key_converted_from_a_zkey_is_no_models(copy: Path, tmp_path: Path) -> None:
    """It cannot be checked: a .zkey has neither [tau]_2 nor the circuit's third matrix."""
    vk = snarkjs.import_zkey(VECTORS / "toy.zkey", tmp_path / "toy.pk")
    key = ProvingKey.open(tmp_path / "toy.pk")
    shutil.copy(tmp_path / "toy.pk", copy / "proving.key")
    (copy / "verifying.key").write_bytes(vk)
    for name, value in (
        ("vk_hash", key.vk_hash.hex()),
        ("proving_key_hash", key.file_hash.hex()),
        ("proving_key_bytes", key.bytes),
        ("verifying_key_bytes", len(vk)),
    ):
        edit_json(copy / "setup.json", name, value=value)
    with pytest.raises(BundleError, match="converted from another tool's file"):
        Bundle.open(copy)
    bundle = Bundle.open(copy, damaged_keys=True)
    assert not bundle.has_keys
    with pytest.raises(UnsafeKeys, match="converted from another tool's file"):
        bundle.check_publishable()
    for check in (True, False):
        with pytest.raises(InvalidKey, match="converted from another tool's file"):
            bundle.slices[0].open_key(check=check)
    with pytest.raises(BundleError, match="converted from another tool's file"):
        bundle.setup()


@pytest.mark.parametrize("missing", [["setup.json"], ["setup.json", "verifying.key"]])
def test_interrupted_setup_is_finished_with_the_keys_that_are_there(
    copy: Path, bc: Bundle, missing: list[str]
) -> None:
    for name in missing:
        (copy / name).unlink()
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="Run: assay model setup"):
        bundle.prover()
    report = bundle.setup()
    assert report.skipped
    assert bundle.has_keys
    assert bundle.vk_hash == bc.vk_hash
    assert bundle.metadata_hash == bc.metadata_hash


def _damage(copy: Path, how: str) -> None:
    key = copy / "proving.key"
    data = bytearray(key.read_bytes())
    match how:
        case "missing":
            key.unlink()
            return
        case "truncated":
            del data[-64:]
        case "empty":
            data.clear()
        case "longer":
            data += bytes(64)
        case "header":
            data[100] ^= 1
        case "no report, damaged inside":
            data[len(data) // 2] ^= 1
            (copy / "setup.json").unlink()
        case "other verifying key":
            (copy / "setup.json").unlink()
            (copy / "verifying.key").write_bytes(b"another's")
    key.write_bytes(bytes(data))


DAMAGES = [
    "truncated",
    "empty",
    "longer",
    "header",
    "missing",
    "no report, damaged inside",
    "other verifying key",
]


@pytest.mark.parametrize("how", DAMAGES)
def test_nothing_makes_keys_over_keys_but_force(copy: Path, how: str) -> None:
    _damage(copy, how)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    bundle = Bundle.open(copy, damaged_keys=True)
    with pytest.raises(BundleError, match="force"):
        bundle.setup()
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    bundle.setup(seed=bytes(32), force=True)
    assert Bundle.open(copy).has_keys


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("truncated", "is truncated"),
        ("empty", "is truncated"),
        ("longer", "is longer"),
        ("header", "is damaged"),
    ],
)
def test_a_damaged_proving_key_is_named_when_its_bundle_is_opened(copy: Path, how: str, named: str) -> None:
    _damage(copy, how)
    with pytest.raises(BundleError, match=rf"proving\.key {named}"):
        Bundle.open(copy)
    assert Bundle.open(copy, damaged_keys=True).key_damage


def test_cancelled_setup_leaves_no_keys(copy: Path) -> None:
    for name in ("setup.json", "proving.key", "verifying.key"):
        (copy / name).unlink()
    bundle = Bundle.open(copy)
    with pytest.raises(Cancelled):
        bundle.setup(seed=bytes(32), progress=lambda _stage, _part: False)
    assert sorted(p.name for p in copy.iterdir()) == ["circuit.npz", "manifest.json", "report.svg"]


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
    with pytest.raises(BundleError, match="force"):
        bundle.setup()
    edit_json(copy / "setup.json", "circuit_hash", value=bundle.manifest.hashes.circuit)
    with pytest.raises((BundleError, ProverError)):
        bundle.prover()


def test_proving_key_of_another_setup_is_refused(copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    Bundle.open(other).setup(seed=bytes([1]) * 32, force=True)
    shutil.copy(other / "proving.key", copy / "proving.key")
    with pytest.raises(BundleError, match="not that of this circuit"):
        Bundle.open(copy)


def test_the_file_of_the_proving_key_is_part_of_what_is_registered(copy: Path, bc: Bundle) -> None:
    edit_json(copy / "setup.json", "proving_key_hash", value="0" * 64)
    shutil.copy(copy / "setup.json", copy / "kept")
    bundle = Bundle.open(copy, damaged_keys=True)
    assert bundle.metadata_hash != bc.metadata_hash
    with pytest.raises(BundleError):
        bundle.prover()
