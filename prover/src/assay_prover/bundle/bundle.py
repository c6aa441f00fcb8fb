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

from assay_prover.bundle import consistency, files, model_keys, private_weights
from assay_prover.bundle.archive import load_graph
from assay_prover.bundle.encoding import (
    Decoded,
    Given,
    check_integers,
    decode_output,
    encode_input,
    input_words,
    read_output,
)
from assay_prover.bundle.keyed_circuit import (
    KeyedCircuit,
    SetupReport,
    read_bytes,
    read_report,
)
from assay_prover.bundle.limits import touched
from assay_prover.bundle.manifest import Manifest
from assay_prover.bundle.prover import ModelProver
from assay_prover.bundle.setup_and_prove import Progress
from assay_prover.bundle.weights import load_weights, read_commitment
from assay_prover.circuit import FIELD_ORDER, Circuit, StatementSpec
from assay_prover.errors import BundleError
from assay_prover.groth16 import verify, verifying_key_hash
from assay_prover.lowering.slices import cut
from assay_prover.passes.quantise.limits import Limit
from assay_prover.reference import IntegerGraph
from assay_prover.reference.tensor import Int64Array


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
    def open(cls, path: Path | str, *, damaged_keys: bool = False) -> Bundle:
        """Read and check manifest and circuit, which may come from anyone.

        The first time on this machine the circuit is built and hashed: the manifest's hash and costs are its
        own. Keys are looked at; they are hashed and checked when they are used (`prover`).

        Args:
            path: the bundle's directory.
            damaged_keys: open a bundle whose proving key is damaged, too, to make new ones.

        Raises:
            BundleError: missing, damaged, of another version, or its files do not belong together.
        """
        folder = Path(path)
        text = read_bytes(folder / files.MANIFEST, files.MAX_MANIFEST_BYTES)
        manifest = Manifest.read(text)
        data = read_bytes(folder / files.CIRCUIT)
        if sha256(data).hexdigest() != manifest.hashes.quantisation:
            raise BundleError(
                f"{folder / files.CIRCUIT} was changed or is damaged: another hash than expected"
            )
        bundle = cls(folder, manifest, load_graph(data))
        consistency.check_ends(bundle)
        consistency.check_circuit(bundle, text)
        if bundle.has_weights and bundle.is_private:
            bundle.graph = load_weights(read_bytes(folder / files.WEIGHTS), bundle.graph)
            del bundle.slices  # of the architecture alone
        if not damaged_keys and (problem := bundle.key_damage):
            raise BundleError(f"{problem}. Copy it again, or force a new setup, which makes another model")
        return bundle

    # -- private weights

    @property
    def is_private(self) -> bool:
        """Whether the weights are behind the commitment M."""
        return self.manifest.weights.visibility == "private"

    @property
    def has_weights(self) -> bool:
        """Whether this copy of the bundle can prove: always, unless the weights are private and not here."""
        return not self.is_private or (self.path / files.WEIGHTS).exists()

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

        warn("use assay_prover.with_weights(bundle, model, out, ..)", DeprecationWarning, stacklevel=2)
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
        """SHA-256 of how statements are read and of the proving key's file.

        It is part of a registered model's id: a bundle with another proving key is another model's.

        Raises:
            BundleError: no setup has run.
        """
        key = bytes.fromhex(self.setup_report.proving_key_hash)
        return sha256(b"assay/metadata/v2" + bytes.fromhex(self.manifest.hashes.metadata) + key).digest()

    # -- circuit and keys

    @property
    def spec(self) -> StatementSpec:
        """The statement's specification."""
        info, out = self.manifest.input, self.manifest.output
        ends = info.lo, info.bits, out.lo, out.hi
        return StatementSpec(info.visibility, out.visibility, *ends, input_parts=info.parts)

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
            KeyedCircuit(self.path / files.SLICES / f"{i:02}", part, self.spec.slice(i, len(parts)), info)
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
        return self.path / files.PROVING_KEY

    @property
    def has_keys(self) -> bool:
        """Whether keys of this very circuit are there, as far as can be told without reading them."""
        return model_keys.found(self) is not None

    @property
    def key_damage(self) -> str | None:
        """What is wrong with a proving key, as far as its size and header tell; None if nothing."""
        return next((damage for part in self.slices if (damage := part.damage())), None)

    @property
    def setup_report(self) -> SetupReport:
        """What setup made, as an exported bundle has it, too.

        `origin` says who could forge proofs: whoever ran a single-party setup, or who knows a test's seed.

        Raises:
            BundleError: no setup has run, or the keys belong to another circuit.
        """
        report = read_report(self.path, self.manifest.hashes.circuit)
        if report is None:
            raise BundleError(f"{self.path} has no keys of its circuit. Run: assay model setup {self.path}")
        return report

    def check_publishable(self) -> None:
        """Whether these keys may be registered.

        Raises:
            UnsafeKeys: they were made from a test's seed, so that others can forge proofs under them.
            BundleError: no setup has run.
        """
        model_keys.check_publishable(self)

    def check_keys(self, *, threads: int | None = None, progress: Progress | None = None) -> None:
        """Read the proving keys whole and check every point, unless that was done before on this machine.

        A key that passes proves every input that fits, and hides what it should: `docs/protocol.md` says why.

        Args:
            threads: default all cores.
            progress: called with (stage, fraction); False cancels.

        Raises:
            BundleError: no keys, or those of another circuit.
            InvalidKey: damaged or doctored.
        """
        model_keys.check(self, threads, progress)

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
            raise BundleError(f"{self.path} has no keys of its circuit. Run: assay model setup {self.path}")
        return read_bytes(self.path / files.VERIFYING_KEY)

    @property
    def vk_hash(self) -> bytes:
        """keccak256 of the verifying key."""
        return verifying_key_hash(self.verifying_key)

    def setup(
        self,
        *,
        threads: int | None = None,
        seed: bytes | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> SetupReport:
        """Make proving and verifying key; skipped if those of this circuit are there (`SetupReport.skipped`).

        Single-party, for development: whoever runs it could forge proofs under the key. A killed setup
        leaves the bundle as it was, but for keys that were finished: they are not made again.

        Args:
            threads: default all cores.
            seed: 32 bytes, for tests only: anyone who knows it can forge, and no such key can be published.
            force: make new keys even where there are some. A registered model has to be published again, as
                another.
            progress: called with (stage, fraction); False cancels.

        Raises:
            BundleError: the circuit is not the one that was compiled; keys that are damaged, of another
                circuit or half here, which only `force` replaces.
        """
        return model_keys.setup(self, threads=threads, seed=seed, force=force, progress=progress)

    def prover(
        self,
        *,
        threads: int | None = None,
        table_bytes: int = 0,
        check_keys: bool = True,
        progress: Progress | None = None,
    ) -> ModelProver:
        """Open the proving key; the result is reusable.

        A key that was never checked on this machine is checked point by point first, which takes about as
        long as setup did and is remembered. `check_keys=False` leaves that out: for keys that you made
        yourself, elsewhere. `table_bytes` of memory, and a slower start, make proofs of small circuits
        faster: see `ModelProver`.

        Raises:
            BundleError: no keys, or private weights not here or not committed to.
            InvalidKey: the key file is truncated, damaged, stale or doctored.
        """
        if not self.has_keys:
            raise BundleError(f"{self.path} has no keys of its circuit. Run: assay model setup {self.path}")
        return ModelProver(self, threads, table_bytes=table_bytes, check_keys=check_keys, progress=progress)

    def _repr_html_(self) -> str:
        from assay_prover.bundle.html import of_bundle

        return of_bundle(self)

    # -- inputs and outputs

    def encode_input(self, x: Given, *, saturate: bool = False) -> Int64Array:
        """One sample of real values as integers, of the manifest's shape.

        Args:
            x: real numbers, of the input's shape, with or without a batch axis of 1; by name if it has ports.
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
            raise BundleError(f"{self.path} has no {files.WEIGHTS}: only the model's owner has them")
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

        An answer that touched one is that of the limit. `ints` is one input in the network's shape.

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
            outputs: integers, `[*output shape]`, that a committed output is said to hold (of `infer`).

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
