"""The commitment to a bundle's private weights: made once, opened by every proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assay_prover.bundle.files import (
    CIRCUIT,
    COMMITMENT,
    MANIFEST,
    SETUP,
    VERIFYING_KEY,
    WEIGHTS,
    check_target,
    new_directory,
    replace_file,
)
from assay_prover.bundle.keyed_circuit import read_bytes
from assay_prover.bundle.weights import (
    Opening,
    published,
    read_commitment,
    read_opening,
    weights_hash,
    write_commitment,
)
from assay_prover.errors import BundleError

if TYPE_CHECKING:
    from assay_prover.bundle.bundle import Bundle


def commit(bundle: Bundle, threads: int | None) -> bytes:
    """M of every slice with private weights, joined; written beside the weights unless it is there.

    Raises:
        BundleError: constant weights, or no weights or keys here.
        InvalidKey: a damaged key.
    """
    opening = _opening(bundle)
    if opening is None:
        made = [
            part.open_key(threads=threads).commit_model(part.build().model_values(), threads=threads)
            for part in bundle.slices
            if part.graph.private
        ]
        opening = Opening(
            vk_hash=bundle.vk_hash.hex(),
            commitment="".join(one.M.hex() for one in made),
            weights=weights_hash(read_bytes(bundle.path / WEIGHTS)),
            opening="".join(one.mu.hex() for one in made),
        )
        write_commitment(bundle.path, opening)
    return bytes.fromhex(opening.commitment)


def openings(bundle: Bundle) -> list[tuple[bytes, bytes] | None]:
    """(M, mu) of each slice, None where it has no private weights; mu is secret.

    Raises:
        BundleError: no commitment to these very weights under these keys.
    """
    opening = _opening(bundle)
    if opening is None:
        raise BundleError(f"{bundle.path}: no commitment to these weights under these keys: commit first")
    secret = bytes.fromhex(opening.opening)
    pieces = (secret[start : start + 32] for start in range(0, len(secret), 32))
    return [None if one is None else (one, next(pieces)) for one in commitments(bundle)]


def commitments(bundle: Bundle) -> list[bytes | None]:
    """M of each slice, None where it has no private weights.

    Raises:
        BundleError: the commitment has not as many parts as there are such slices.
    """
    joined = bundle.model_commitment or b""
    if len(joined) != 64 * sum(bool(part.graph.private) for part in bundle.slices):
        raise BundleError(f"{bundle.path}: the commitment is not that of these slices: commit again")
    pieces = (joined[start : start + 64] for start in range(0, len(joined), 64))
    return [next(pieces) if part.graph.private else None for part in bundle.slices]


def export_public(bundle: Bundle, folder: Path, *, overwrite: bool = False) -> None:
    """See `Bundle.export_public`."""
    if not bundle.is_private:
        raise BundleError(f"{bundle.path}: circuit.npz holds its constant weights; nothing can be left out")
    check_target(folder, overwrite=overwrite)
    if bundle.model_commitment is None:
        raise BundleError(f"{bundle.path} has no commitment")
    try:
        with new_directory(folder, overwrite=overwrite) as partial:
            for name in (CIRCUIT, VERIFYING_KEY, SETUP, COMMITMENT):
                replace_file(partial / name, read_bytes(bundle.path / name))
            replace_file(partial / MANIFEST, published(bundle.manifest).write().encode())
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror}") from error


def _opening(bundle: Bundle) -> Opening | None:
    """The opening of a commitment to these weights under these keys; None if it is still to be made."""
    if not bundle.is_private:
        raise BundleError(f"{bundle.path}: its weights are constants of the circuit, which its keys bind")
    if not bundle.has_weights:
        raise BundleError(f"{bundle.path} has no {WEIGHTS}: only the model's owner has them")
    if not bundle.has_keys:
        raise BundleError(f"{bundle.path} has no keys of its circuit. Run: assay model setup {bundle.path}")
    opening, public = read_opening(bundle.path), read_commitment(bundle.path)
    fresh = (
        opening is not None
        and public is not None
        and opening.commitment == public.commitment
        and opening.vk_hash == public.vk_hash == bundle.vk_hash.hex()
        and opening.weights == weights_hash(read_bytes(bundle.path / WEIGHTS))
    )
    return opening if fresh else None
