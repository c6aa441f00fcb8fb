"""From an input to a proof, with the key opened once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from assay_prover.errors import BundleError, InputError
from assay_prover.groth16 import FIELD_ORDER, Cancelled, ProvingKey
from assay_prover.reference.tensor import Int64Array

if TYPE_CHECKING:
    from assay_prover._native import PreparedModel
    from assay_prover.bundle.bundle import Bundle

Progress = Callable[[str, float], bool | None]


@dataclass(frozen=True, eq=False)
class Proved:
    """A proof (256 or 320 bytes), its statement, and what the network answered.

    `public` is binding, input words, output words; `outputs` the integers; `seconds` the time of each stage.
    """

    proof: bytes
    public: list[int]
    outputs: Int64Array
    output_words: list[int]
    seconds: dict[str, float]


class ModelProver:
    """Proves one bundle's model; to be kept for the life of a process, one proof at a time."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self.threads = threads
        self.circuit = bundle.circuit
        self.key = ProvingKey.open(bundle.proving_key_path)
        if self.key.vk_hash != bundle.vk_hash or self.key.n_constraints != self.circuit.n_constraints:
            raise BundleError(f"{bundle.path}: proving.key is not that of this circuit; run setup again")
        self.model: PreparedModel | None = None
        if bundle.is_private:
            commitment, opening = bundle.model_opening()
            # checks that M opens to these weights, and adds up their share of every proof
            weights = self.circuit.model_values()
            self.model = self.key.prepare_model((weights, commitment, opening), threads=threads)

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
            salt: in [0, r), exactly when the input is private or the output committed.
            binding: in [0, r); 0 outside a market.
            progress: called with (stage, fraction); False cancels.

        Raises:
            InputError: integers, salt or binding that do not fit. Cancelled: the callback asked for it.
        """
        info = self.bundle.manifest.input
        if (salt is not None) != self.circuit.spec.needs_salt:
            raise InputError(
                "a hidden input or output needs a salt"
                if salt is None
                else "a public statement takes no salt"
            )
        for what, value in (("salt", salt), ("binding", binding)):
            if value is not None and not 0 <= value < FIELD_ORDER:
                raise InputError(f"the {what} is outside [0, r)")
        values = self.bundle.check_integers(ints)
        seconds: dict[str, float] = {}
        clock = perf_counter()

        def lap(stage: str) -> None:
            nonlocal clock
            now = perf_counter()
            seconds[stage] = now - clock
            clock = now
            if progress is not None and progress(stage, 1.0) is False:
                raise Cancelled(f"cancelled after {stage}")

        witness = self.circuit.witness(values.reshape(self.circuit.graph.input.shape), salt, binding)
        public = witness.public
        if self.circuit.layout.committed:
            w1 = witness.w1
            lap("inference")
            session = self.key.commit(public, w1, model=self.model, threads=self.threads)
            lap("commitment")
            w2 = witness.w2(session.challenge)
            a, b = witness.rows(session.challenge)
            lap("witness")
            proof = session.finish(w2, a, b, threads=self.threads, progress=progress)
        else:
            w2 = witness.w2()
            a, b = witness.rows()
            lap("inference")
            proof = self.key.prove(
                public, w2, a, b, model=self.model, threads=self.threads, progress=progress
            )
        lap("proof")
        seconds["total"] = sum(seconds.values())
        outputs = np.asarray(witness.outputs, dtype=np.int64).reshape(self.bundle.manifest.output.shape)
        return Proved(proof, public, outputs, public[1 + info.words :], seconds)
