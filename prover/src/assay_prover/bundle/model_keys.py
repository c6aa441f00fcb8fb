"""The keys of a whole model: those of its one circuit, or of its slices together."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from assay_prover.bundle.files import PROVING_KEY, SETUP, SLICES, VERIFYING_KEY, replace_file
from assay_prover.bundle.keyed_circuit import (
    Origin,
    SetupReport,
    joined_hash,
    read_report,
    write_report,
)
from assay_prover.bundle.prover import sliced_progress
from assay_prover.errors import BundleError, UnsafeKeys
from assay_prover.groth16 import join_keys, verifying_key_hash

if TYPE_CHECKING:
    from assay_prover.bundle.bundle import Bundle
    from assay_prover.bundle.setup_and_prove import Progress


def found(bundle: Bundle) -> SetupReport | None:
    """The report of the keys; None if any part is missing or stale."""
    if len(bundle.slices) == 1:
        return bundle.slices[0].report()
    report = read_report(bundle.path, bundle.manifest.hashes.circuit)
    parts = [part.report() for part in bundle.slices]
    there = [part for part in parts if part is not None]
    if report is None or len(there) < len(parts) or report.proving_key_hash != joined_hash(there):
        return None
    if report.origin != _joined_origin(there):
        return None
    joined = join_keys([part.verifying_key for part in bundle.slices])
    return report if report.vk_hash == verifying_key_hash(joined).hex() else None


def check_publishable(bundle: Bundle) -> None:
    """See `Bundle.check_publishable`."""
    if damage := bundle.key_damage:
        raise UnsafeKeys(damage)
    if bundle.setup_report.origin == "seeded test setup":
        raise UnsafeKeys(
            f"{bundle.path}: its keys were made from a seed, for tests: whoever knows the seed can prove "
            "anything under them. Run setup without a seed, by force, and publish the new keys"
        )


def check(bundle: Bundle, threads: int | None, progress: Progress | None) -> None:
    """See `Bundle.check_keys`."""
    if not bundle.has_keys:
        raise BundleError(f"{bundle.path} has no keys of its circuit. Run: assay model setup {bundle.path}")
    for i, part in enumerate(bundle.slices):
        part.open_key(threads=threads, progress=sliced_progress(progress, i, len(bundle.slices)))


def setup(
    bundle: Bundle,
    *,
    threads: int | None,
    seed: bytes | None,
    force: bool,
    progress: Progress | None,
) -> SetupReport:
    """See `Bundle.setup`."""
    report = None if force else found(bundle)
    if report is not None:
        return report.model_copy(update={"skipped": True})
    if bundle.is_private and bundle.has_verifying_key and not force:
        raise BundleError(
            f"{bundle.path} has a shared verifying key, but no {PROVING_KEY}: copy it (or {SLICES}) "
            "from the bundle whose keys they are, or make keys of its own by force"
        )
    if len(bundle.slices) == 1:
        return bundle.slices[0].setup(threads=threads, seed=seed, force=force, progress=progress)
    reports = []
    for i, part in enumerate(bundle.slices):
        # Two keys from one secret would let the elements of one serve in proofs under the other.
        own = None if seed is None else sha256(b"assay/slice-seed/v1" + seed + bytes([i])).digest()
        told = sliced_progress(progress, i, len(bundle.slices))
        reports.append(part.setup(threads=threads, seed=own, force=force, progress=told))
    key = join_keys([part.verifying_key for part in bundle.slices])
    (bundle.path / SETUP).unlink(missing_ok=True)
    replace_file(bundle.path / VERIFYING_KEY, key)
    report = SetupReport(
        circuit_hash=bundle.manifest.hashes.circuit,
        vk_hash=verifying_key_hash(key).hex(),
        proving_key_hash=joined_hash(reports),
        seconds=sum(part.seconds for part in reports),
        proving_key_bytes=sum(part.proving_key_bytes for part in reports),
        verifying_key_bytes=len(key),
        origin=_joined_origin(reports),
    )
    write_report(bundle.path, report)
    return report


def _joined_origin(reports: Sequence[SetupReport]) -> Origin:
    """Of a whole model: one seeded slice is enough to forge."""
    return next((each.origin for each in reports if each.origin == "seeded test setup"), reports[0].origin)
