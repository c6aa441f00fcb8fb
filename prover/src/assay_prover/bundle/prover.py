"""From an input to a proof, with the key opened once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay_prover.bundle.keys import Progress, prove_circuit
from assay_prover.errors import BundleError, InputError
from assay_prover.groth16 import FIELD_ORDER, ProvingKey
from assay_prover.reference.tensor import Int64Array

if TYPE_CHECKING:
    from assay_prover._native import PreparedModel
    from assay_prover.bundle.bundle import Bundle


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
        made = prove_circuit(
            self.key,
            self.circuit,
            values.reshape(self.circuit.graph.input.shape),
            salt=salt,
            binding=binding,
            model=self.model,
            threads=self.threads,
            progress=progress,
        )
        outputs = np.asarray(made.witness.outputs, dtype=np.int64).reshape(self.bundle.manifest.output.shape)
        words = made.public[1 + info.words :]
        return Proved(made.proof, made.public, outputs, words, made.seconds)
