"""From an input to a proof, with the keys opened once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay_prover.bundle.proof_file import ProofFile
from assay_prover.bundle.setup_and_prove import Progress, prove_circuit
from assay_prover.errors import InputError
from assay_prover.groth16 import FIELD_ORDER, ProvingKey, join_proofs
from assay_prover.reference.tensor import Int64Array

if TYPE_CHECKING:
    from assay_prover._native import PreparedModel
    from assay_prover.bundle.bundle import Bundle
    from assay_prover.bundle.keyed_circuit import KeyedCircuit


@dataclass(frozen=True, eq=False)
class Proved:
    """A proof, its statement, and what the network answered.

    `proof` has 256 or 320 bytes; of a sliced model it is the words at the cuts and a proof for each slice.
    `public` is binding, input words, output words; `outputs` the integers; `seconds` the time of each stage;
    `vk_hash` and `model_commitment` say under which key, and for which private weights, it holds.
    """

    proof: bytes
    public: list[int]
    outputs: Int64Array
    output_words: list[int]
    seconds: dict[str, float]
    vk_hash: bytes = b""
    model_commitment: bytes | None = None

    @property
    def file(self) -> ProofFile:
        """The proof for everyone: save it, send it, check it."""
        return ProofFile(
            vk_hash=self.vk_hash,
            public=tuple(self.public),
            proof=self.proof,
            model_commitment=self.model_commitment,
        )

    def save(self, path: Path | str) -> None:
        """Write the proof as a file, which `ProofFile.load` reads. Raises `ProofFileError`."""
        self.file.save(path)


@dataclass(frozen=True)
class ProvedSlice:
    """One slice's proof and its statement: binding, the words that enter it, and those that leave it."""

    proof: bytes
    public: list[int]
    leaving: list[int]
    seconds: dict[str, float]


def sliced_progress(progress: Progress | None, index: int, count: int) -> Progress | None:
    """The same callback, told which slice is at work."""
    if progress is None or count == 1:
        return progress
    return lambda stage, fraction: progress(f"slice {index + 1}/{count}: {stage}", fraction)


class ModelProver:
    """Proves one bundle's model; to be kept for the life of a process, one proof at a time.

    Slices are independent of each other once the integers are known: `prove_slice` proves one, on this
    machine or on any other that has the bundle, and `prove` all of them.

    `table_bytes` is the memory that tables of multiples may take beside the keys: small circuits then prove
    faster, with the same proofs. Computing them pays after some twenty proofs.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        *,
        table_bytes: int = 0,
        check_keys: bool = True,
        progress: Progress | None = None,
    ) -> None:
        self.bundle = bundle
        self.threads = threads
        openings = bundle.model_openings() if bundle.is_private else [None] * len(bundle.slices)
        self.slices = [
            _SliceProver(
                part,
                part.open_key(
                    check=check_keys,
                    threads=threads,
                    progress=sliced_progress(progress, i, len(bundle.slices)),
                ),
                opening,
                threads,
            )
            for i, (part, opening) in enumerate(zip(bundle.slices, openings, strict=True))
        ]
        self.table_bytes = 0
        """What the tables take."""
        for part in self.slices:
            self.table_bytes += part.prepare_tables(table_bytes - self.table_bytes)
        self._vk_hash, self._model_commitment = bundle.vk_hash, bundle.model_commitment
        self._inferred: tuple[bytes, dict[str, Int64Array]] | None = None

    def prove(
        self,
        ints: Int64Array,
        *,
        salt: int | None = None,
        binding: int = 0,
        progress: Progress | None = None,
    ) -> Proved:
        """Prove one input of quantised integers (`Bundle.encode_input`).

        Args:
            ints: int64 of the input's shape, within its declared range.
            salt: in [0, r), exactly when the input is private, the output committed, or the model sliced.
            binding: in [0, r); 0 outside a market.
            progress: called with (stage, fraction); False cancels.

        Raises:
            InputError: integers, salt or binding that do not fit.
            Cancelled: the callback asked for it.
        """
        blinding = secrets.randbelow(FIELD_ORDER) if len(self.slices) > 1 else None
        tensors = self._given(ints, salt, binding, blinding)
        parts = []
        for i, prover in enumerate(self.slices):
            told = sliced_progress(progress, i, len(self.slices))
            part, leaving = prover.prove(tensors, salt, binding, blinding, told)
            parts.append(part)
            tensors |= leaving
        first, last = parts[0], parts[-1]
        entering = first.public[1 : len(first.public) - len(first.leaving)]
        proof = first.proof
        if len(parts) > 1:
            proof = join_proofs([part.leaving[0] for part in parts[:-1]], [part.proof for part in parts])
        seconds: dict[str, float] = {}
        for part in parts:
            for stage, time in part.seconds.items():
                seconds[stage] = seconds.get(stage, 0.0) + time
        outputs = tensors[self.bundle.graph.output].reshape(self.bundle.manifest.output.shape)
        return Proved(
            proof,
            [binding, *entering, *last.leaving],
            outputs,
            last.leaving,
            seconds,
            self._vk_hash,
            self._model_commitment,
        )

    def prove_slice(
        self,
        index: int,
        ints: Int64Array,
        *,
        salt: int | None = None,
        binding: int = 0,
        blinding: int | None = None,
        progress: Progress | None = None,
    ) -> ProvedSlice:
        """Prove slice `index` for an input of the whole network; see `prove`.

        The slices of one proof need the same input, salt, binding and blinding: otherwise the words at a cut
        differ. `blinding` is given exactly when there are several slices: uniform in [0, r), for one proof,
        and known to nobody but those who prove. It hides what crosses a cut from whoever has the salt.
        """
        tensors = self._given(ints, salt, binding, blinding)
        if index:
            tensors = self._infer(tensors[self.bundle.graph.input.name])
        told = sliced_progress(progress, index, len(self.slices))
        return self.slices[index].prove(tensors, salt, binding, blinding, told)[0]

    def _given(
        self, ints: Int64Array, salt: int | None, binding: int, blinding: int | None
    ) -> dict[str, Int64Array]:
        """The network's input, checked like all that is proven about it; with a batch axis of 1."""
        if (salt is not None) != self.bundle.needs_salt:
            raise InputError(
                "a hidden input, output or cut needs a salt"
                if salt is None
                else "a public statement takes no salt"
            )
        if (blinding is not None) != (len(self.slices) > 1):
            raise InputError(
                "the cuts between slices need a blinding"
                if blinding is None
                else "a model that is not sliced takes no blinding"
            )
        for what, value in (("salt", salt), ("binding", binding), ("blinding", blinding)):
            if value is not None and not 0 <= value < FIELD_ORDER:
                raise InputError(f"the {what} is outside [0, r)")
        source = self.bundle.graph.input
        return {source.name: self.bundle.check_integers(ints).reshape(1, *source.shape)}

    def _infer(self, ints: Int64Array) -> dict[str, Int64Array]:
        """Every tensor of the network; those of the last input are kept for its next slice."""
        key = ints.tobytes()
        if self._inferred is None or self._inferred[0] != key:
            self._inferred = key, self.bundle.graph.run(ints)
        return self._inferred[1]


class _SliceProver:
    """One circuit's witness and proof."""

    def __init__(
        self,
        part: KeyedCircuit,
        key: ProvingKey,
        opening: tuple[bytes, bytes] | None,
        threads: int | None,
    ) -> None:
        self.circuit = part.circuit
        self.threads = threads
        self.key = key
        self.model: PreparedModel | None = None
        if opening is not None:
            # checks that M opens to these weights, and adds up their share of every proof
            self.model = self.key.prepare_model((self.circuit.model_values(), *opening), threads=threads)

    def prepare_tables(self, budget: int) -> int:
        """Tables of multiples within so many bytes; returns how many they take."""
        if not budget:
            return 0
        # wires are wide only under a challenge: the inverses of its lookups
        wide = self.key.layout.committed
        return self.key.prepare_tables(wide_wires=wide, budget=budget, threads=self.threads)

    def prove(
        self,
        tensors: dict[str, Int64Array],
        salt: int | None,
        binding: int,
        blinding: int | None,
        progress: Progress | None,
    ) -> tuple[ProvedSlice, dict[str, Int64Array]]:
        """The proof, and the tensors that leave the slice, with a batch axis of 1."""
        graph = self.circuit.graph
        made = prove_circuit(
            self.key,
            self.circuit,
            [tensors[tensor.name] for tensor in graph.inputs],
            salt=salt,
            binding=binding,
            blinding=blinding,
            model=self.model,
            threads=self.threads,
            progress=progress,
        )
        leaving = made.public[1 + made.witness.entering :]
        outputs = {name: made.witness.tensor(name)[None] for name in graph.outputs}
        return ProvedSlice(made.proof, made.public, leaving, made.seconds), outputs
