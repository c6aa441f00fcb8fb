"""A bundle: the directory that holds a compiled model.

manifest.json   what it is, how inputs and outputs are read, costs, accuracy
circuit.npz     the quantised network (weights included, unless they are private)
proving.key     after setup
verifying.key   after setup: docs/protocol.md's bytes
setup.json      written last: which circuit the keys belong to

Of a network that is cut, slices/00, slices/01, .. hold the three files of each slice. Beside the manifest are
then the sliced verifying key and its setup.json.

With private weights also, all but the first for their owner alone:

model.commitment  M, to be published
model.opening     the secret that opens it
weights.npz       every private number
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from assay_prover.bundle import private_weights
from assay_prover.bundle.archive import load_graph
from assay_prover.bundle.encoding import (
    Decoded,
    check_integers,
    decode_output,
    encode_input,
    input_words,
    read_output,
)
from assay_prover.bundle.files import CIRCUIT, MANIFEST, replace_file
from assay_prover.bundle.keyed_circuit import (
    PROVING_KEY,
    SETUP,
    VERIFYING_KEY,
    KeyedCircuit,
    SetupReport,
    read_bytes,
    read_report,
)
from assay_prover.bundle.limits import touched
from assay_prover.bundle.manifest import Manifest
from assay_prover.bundle.prover import ModelProver, sliced_progress
from assay_prover.bundle.setup_and_prove import Progress
from assay_prover.bundle.weights import (
    WEIGHTS,
    load_weights,
    read_commitment,
)
from assay_prover.circuit import (
    FIELD_ORDER,
    Circuit,
    StatementSpec,
)
from assay_prover.errors import BundleError
from assay_prover.groth16 import join_keys, verify, verifying_key_hash
from assay_prover.lowering.slices import cut
from assay_prover.passes.quantise.limits import Limit
from assay_prover.reference import IntegerGraph
from assay_prover.reference.tensor import Int64Array

SLICES = "slices"
MAX_MANIFEST_BYTES = 16 << 20


def new_salt() -> int:
    """A uniform salt in [0, r) from the operating system. Use each for one job only."""
    return secrets.randbelow(FIELD_ORDER)


class Bundle:
    """An opened bundle (`Bundle.open`). The circuit is built and the keys are read when they are needed."""

    def __init__(self, path: Path, manifest: Manifest, graph: IntegerGraph) -> None:
        self.path = path
        self.manifest = manifest
        self.graph = graph

    @classmethod
    def open(cls, path: Path | str) -> Bundle:
        """Read and check manifest and circuit.

        Raises:
            BundleError: missing, damaged, of another version, or its files do not belong together.
        """
        folder = Path(path)
        manifest = Manifest.read(read_bytes(folder / MANIFEST, MAX_MANIFEST_BYTES).decode("utf-8", "replace"))
        data = read_bytes(folder / CIRCUIT)
        if sha256(data).hexdigest() != manifest.hashes.quantisation:
            raise BundleError(f"{folder / CIRCUIT} was changed or is damaged: its hash is not the manifest's")
        bundle = cls(folder, manifest, load_graph(data))
        bundle._check_ends()
        if bundle.has_weights and bundle.is_private:
            bundle.graph = load_weights(read_bytes(folder / WEIGHTS), bundle.graph)
        return bundle

    def _check_ends(self) -> None:
        """The manifest's ranges are those of the graph."""
        info, out = self.manifest.input, self.manifest.output
        source, result = self.graph.input, self.graph.result
        if self.manifest.slices[-1].stop != len(self.graph.ops):
            raise BundleError(f"{self.path}: the manifest's slices are not those of circuit.npz")
        if bool(self.graph.private) != self.is_private:
            raise BundleError(f"{self.path}: the manifest and circuit.npz disagree about private weights")
        if (source.size, source.min, source.max) != (int(np.prod(info.shape)), info.lo, info.hi) or (
            result.size,
            result.min,
            result.max,
        ) != (int(np.prod(out.shape)), out.lo, out.hi):
            raise BundleError(f"{self.path}: the manifest's input or output is not that of circuit.npz")

    # -- private weights

    @property
    def is_private(self) -> bool:
        """Whether the weights are behind the commitment M."""
        return self.manifest.weights.visibility == "private"

    @property
    def has_weights(self) -> bool:
        """Whether this copy of the bundle can prove: always, unless the weights are private and not here."""
        return not self.is_private or (self.path / WEIGHTS).exists()

    @property
    def model_commitment(self) -> bytes | None:
        """M under the bundle's keys, 64 bytes for each slice with private weights; None with constant ones.

        Raises:
            BundleError: private weights not yet committed to under these keys.
        """
        if not self.is_private:
            return None
        found = read_commitment(self.path)
        if found is None or bytes.fromhex(found.vk_hash) != self.vk_hash:
            raise BundleError(f"{self.path} has no commitment to its weights under its keys: commit first")
        return bytes.fromhex(found.commitment)

    def commit_model(self, *, threads: int | None = None) -> bytes:
        """Commit to the private weights: M, to be published, and its opening, kept beside the weights (0600).

        Each slice with private weights has a commitment of its own; they are joined in order.

        Skipped if the commitment to these weights under these keys is there.

        Raises:
            BundleError: constant weights, or no weights or keys here.
            InvalidKey: a damaged key.
        """
        return private_weights.commit(self, threads)

    def model_openings(self) -> list[tuple[bytes, bytes] | None]:
        """(M, mu) of each slice's weights, for the prover, None where a slice has none; mu is secret.

        Raises:
            BundleError: no commitment to these very weights under these keys.
        """
        return private_weights.openings(self)

    def export_public(self, path: Path | str, *, overwrite: bool = False) -> Bundle:
        """What a requester needs, without proving key and private weights: encode, verify, decode.

        Raises:
            BundleError: no keys, private weights not committed to, or `path` is there already.
        """
        private_weights.export_public(self, Path(path), overwrite=overwrite)
        return Bundle.open(path)

    def with_weights(self, model: Path | str | bytes, out: Path | str, **options: Any) -> Bundle:
        """Deprecated: use `assay_prover.with_weights(bundle, model, out)`, which this calls."""
        from assay_prover.compiler.retrain import with_weights

        warn(
            "Bundle.with_weights is deprecated: call assay_prover.with_weights(bundle, model, out, ...)",
            DeprecationWarning,
            stacklevel=2,
        )
        return with_weights(self, model, out, **options)

    # -- identity

    @property
    def circuit_hash(self) -> bytes:
        """SHA-256 of the constraint system."""
        return bytes.fromhex(self.manifest.hashes.circuit)

    @property
    def quantisation_hash(self) -> bytes:
        """SHA-256 of the quantised network."""
        return bytes.fromhex(self.manifest.hashes.quantisation)

    @property
    def metadata_hash(self) -> bytes:
        """SHA-256 of how statements are read."""
        return bytes.fromhex(self.manifest.hashes.metadata)

    # -- circuit and keys

    @property
    def spec(self) -> StatementSpec:
        """The statement's specification."""
        info, out = self.manifest.input, self.manifest.output
        return StatementSpec(info.visibility, out.visibility, info.lo, info.bits, out.lo, out.hi)

    @property
    def needs_salt(self) -> bool:
        """Whether proving takes a salt: for a private input, a committed output, or cuts between slices."""
        return self.spec.needs_salt or len(self.slices) > 1

    @cached_property
    def slices(self) -> tuple[KeyedCircuit, ...]:
        """The circuits, in order; one if the network is not cut."""
        infos = self.manifest.slices
        if len(infos) == 1:
            return (KeyedCircuit(self.path, self.graph, self.spec, infos[0]),)
        parts = cut(self.graph, [info.stop for info in infos[:-1]])
        return tuple(
            KeyedCircuit(self.path / SLICES / f"{i:02}", part, self.spec.slice(i, len(parts)), info)
            for i, (part, info) in enumerate(zip(parts, infos, strict=True))
        )

    @property
    def circuit(self) -> Circuit:
        """The constraint system of a network that is not cut, rebuilt from its integers.

        Raises:
            BundleError: there are several, or another version of this library lowers the network differently.
        """
        if len(self.slices) > 1:
            raise BundleError(f"{self.path} is cut into {len(self.slices)} circuits")
        return self.slices[0].circuit

    @property
    def proving_key_path(self) -> Path:
        """Where the proving key of a network that is not cut is, if setup has run."""
        return self.path / PROVING_KEY

    @property
    def has_keys(self) -> bool:
        """Whether keys of this very circuit are there."""
        return self._setup_report() is not None

    def _setup_report(self) -> SetupReport | None:
        """The report of the keys; None if any part is missing or stale."""
        if len(self.slices) == 1:
            return self.slices[0].report()
        report = read_report(self.path, self.manifest.hashes.circuit)
        if report is None or any(part.report() is None for part in self.slices):
            return None
        joined = join_keys([part.verifying_key for part in self.slices])
        return report if report.vk_hash == verifying_key_hash(joined).hex() else None

    @property
    def has_verifying_key(self) -> bool:
        """Whether proofs can be verified: an exported bundle has this and no proving key."""
        return read_report(self.path, self.manifest.hashes.circuit) is not None

    @property
    def verifying_key(self) -> bytes:
        """The verifying key's bytes; those of a sliced key if the network is cut.

        Raises:
            BundleError: no setup has run, or the keys belong to another circuit.
        """
        if not self.has_verifying_key:
            raise BundleError(f"{self.path} has no keys of its circuit: run setup")
        return read_bytes(self.path / VERIFYING_KEY)

    @property
    def vk_hash(self) -> bytes:
        """keccak256 of the verifying key."""
        return verifying_key_hash(self.verifying_key)

    def setup(
        self,
        *,
        threads: int | None = None,
        seed: bytes | None = None,
        progress: Progress | None = None,
    ) -> SetupReport:
        """Make proving and verifying key; skipped if those of this circuit are there.

        Single-party, for development: whoever runs it could forge proofs under the key. A killed setup
        leaves the bundle as it was, but for slices that were finished: they are not made again.

        Args:
            threads: default all cores.
            seed: 32 bytes, for tests only: anyone who knows it can forge.
            progress: called with (stage, fraction); False cancels.

        Raises:
            BundleError: the circuit is not the one that was compiled, or of keys that other models share
                only a part is here.
        """
        report = self._setup_report()
        if report is not None:
            return report
        if self.is_private and self.has_verifying_key:
            raise BundleError(
                f"{self.path} has a shared verifying key, but no {PROVING_KEY}: copy it (or {SLICES}) "
                f"from the bundle whose keys they are, or delete {VERIFYING_KEY} for keys of its own"
            )
        if len(self.slices) == 1:
            return self.slices[0].setup(threads=threads, seed=seed, progress=progress)
        reports = []
        for i, part in enumerate(self.slices):
            # Two keys from one secret would let the elements of one serve in proofs under the other.
            own = None if seed is None else sha256(b"assay/slice-seed/v1" + seed + bytes([i])).digest()
            told = sliced_progress(progress, i, len(self.slices))
            reports.append(part.setup(threads=threads, seed=own, progress=told))
        key = join_keys([part.verifying_key for part in self.slices])
        (self.path / SETUP).unlink(missing_ok=True)
        replace_file(self.path / VERIFYING_KEY, key)
        report = SetupReport(
            circuit_hash=self.manifest.hashes.circuit,
            vk_hash=verifying_key_hash(key).hex(),
            seconds=sum(part.seconds for part in reports),
            proving_key_bytes=sum(part.proving_key_bytes for part in reports),
            verifying_key_bytes=len(key),
            origin=reports[0].origin,
        )
        replace_file(self.path / SETUP, (report.model_dump_json(indent=2) + "\n").encode())
        return report

    def prover(self, *, threads: int | None = None, table_bytes: int = 0) -> ModelProver:
        """Open the proving key; the result is reusable.

        `table_bytes` of memory, and a slower start, make proofs of small circuits faster: see `ModelProver`.

        Raises:
            BundleError: no keys, or private weights not here or not committed to.
            InvalidKey: the key file is truncated, damaged or stale.
        """
        if not self.has_keys:
            raise BundleError(f"{self.path} has no keys of its circuit: run setup")
        return ModelProver(self, threads, table_bytes=table_bytes)

    # -- inputs and outputs

    def encode_input(self, x: NDArray[Any], *, saturate: bool = False) -> Int64Array:
        """One sample of real values as integers, of the manifest's shape.

        Args:
            x: real numbers, of the input's shape, with or without a batch axis of 1.
            saturate: clip values outside the declared range instead of refusing them.

        Raises:
            InputError: NaN or infinity, another shape, or a value outside the declared range.
        """
        return encode_input(self.manifest.input, x, saturate=saturate)

    def check_integers(self, ints: Int64Array) -> Int64Array:
        """Quantised integers of the manifest's shape and range, as int64.

        Raises:
            InputError: not integers, another shape, or out of range.
        """
        return check_integers(self.manifest.input, ints)

    def input_words(self, ints: Int64Array, salt: int | None = None) -> list[int]:
        """The statement's input: packed words, or the commitment alone if the input is private.

        Raises:
            InputError: integers that do not fit, or a salt missing, superfluous or outside [0, r).
        """
        return input_words(self.manifest.input, ints, salt)

    def infer(self, ints: Int64Array) -> Int64Array:
        """The network's answer to an input, in integers of the output's shape: what a proof of it would say.

        Raises:
            InputError: integers that do not fit.
            BundleError: the weights are private and not here.
        """
        if not self.has_weights:
            raise BundleError(f"{self.path} has no {WEIGHTS}: only the model's owner has them")
        values = self.check_integers(ints).reshape(1, *self.graph.input.shape)
        answer = self.graph.run(values)[self.graph.output]
        return np.asarray(answer, dtype=np.int64).reshape(self.manifest.output.shape)

    def read_output(self, integers: Int64Array) -> Decoded:
        """An answer in integers (`infer`) as real values and, of a classifier, the class.

        Raises:
            InputError: not integers of the output's shape.
        """
        return read_output(self.manifest.output, integers)

    def limits_touched(self, ints: Int64Array) -> tuple[Limit, ...]:
        """The tables and clamps (`Manifest.limits`) that the answer to an input ran into, by replaying it.

        An answer that touched one is that of the limit: the network itself may answer anything beyond.

        Raises:
            InputError: integers that do not fit.
            BundleError: the weights are private and not here.
        """
        return touched(self, ints)

    def decode_output(
        self, words: Sequence[int], *, salt: int | None = None, outputs: Int64Array | None = None
    ) -> Decoded:
        """Decrypt (if encrypted), open (if committed) and unpack the statement's output words.

        Args:
            words: as in the statement.
            salt: exactly when the output is encrypted or committed.
            outputs: the integers that a committed output is said to hold (`infer`, or the prover's word).

        Raises:
            InputError: the wrong number of words, a missing or superfluous salt or opening, or, for hidden
                words, the wrong one.
        """
        return decode_output(self.manifest.output, words, salt, outputs)

    def verify(self, public: Sequence[int], proof: bytes) -> None:
        """Check a proof of this model, under this bundle's own M if its weights are private; returns nothing.

        Raises:
            InvalidProof: it does not prove the statement.
            InvalidInput: malformed statement or proof.
        """
        verify(self.verifying_key, list(public), proof, self.model_commitment)

    def verify_slice(self, index: int, public: Sequence[int], proof: bytes) -> None:
        """As `verify`, for the statement and proof of one slice: see `ModelProver.prove_slice`."""
        verify(
            self.slices[index].verifying_key, list(public), proof, private_weights.commitments(self)[index]
        )
