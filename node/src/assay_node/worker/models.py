"""The models a worker can prove: bundles on disk, matched to the registry's models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from assay_prover import AssayProverError, Bundle, InputError
from assay_prover.circuit import unpack_parts

from ..chain import ContractReverted, Model, ModelRegistry
from ..client.errors import EvidenceMismatch
from ..client.evidence import check_model_id
from ..client.publish import describes
from .errors import WorkerError
from .fitness import ModelFitness
from .metrics import Metrics

_log = structlog.get_logger(__name__)


def speed_key(bundle: Bundle) -> str:
    """Under which measured proving times are kept: models of one circuit are as fast."""
    return bytes(bundle.circuit_hash).hex()


@dataclass(frozen=True)
class ServedModel:
    """A registered model with the bundle that proves it."""

    model_id: bytes
    model: Model
    path: Path
    bundle: Bundle

    @property
    def private_input(self) -> bool:
        """Whether the input comes to the inbox, sealed; else its words are in the job."""
        return self.model.spec.input_private

    @property
    def constraints(self) -> int:
        """Size of the circuit."""
        return int(self.bundle.manifest.costs.constraints)

    @property
    def speed_key(self) -> str:
        """Under which measured proving times are kept."""
        return speed_key(self.bundle)

    def input_of_words(self, words: Sequence[int]) -> NDArray[np.int64]:
        """The integers that public input words pack.

        Raises:
            InputError: the words pack no input; no proof of them exists.
        """
        info = self.bundle.manifest.input
        try:
            flat = unpack_parts(words, info.parts)
        except ValueError as error:
            raise InputError(str(error)) from error
        return flat.reshape(info.shape)

    def packing_fault(self, words: Sequence[int]) -> str:
        """Why public input words are no input of the model; "" if they are one, or the input is private."""
        if self.private_input:
            return ""
        try:
            packed = self.words_of_input(self.input_of_words(words), None)
        except AssayProverError as error:
            return f"the input cannot be proven ({error})"
        return "" if tuple(packed) == tuple(words) else "the input words are no packing of any input"

    def words_of_input(self, integers: NDArray[np.int64], salt: int | None) -> list[int]:
        """The statement's input words of an input: packed, or its commitment. Raises `AssayProverError`."""
        return [int(word) for word in self.bundle.input_words(integers, salt)]


class ModelLibrary:
    """All bundles of a worker.

    Args:
        paths: bundle folders, each with keys.
        metrics: shown which of them can prove.

    Attributes:
        fitness: which of them can prove. Nothing is bid on before it knows.

    Raises:
        WorkerError: a bundle cannot be opened, or lacks keys, private weights or their commitment.
    """

    def __init__(self, paths: Sequence[Path], metrics: Metrics | None = None) -> None:
        self.fitness = ModelFitness(paths, metrics)
        self._bundles: dict[tuple[bytes, bytes], tuple[Path, Bundle]] = {}
        """By verifying key and model commitment: models with private weights may share a key."""
        self._known: dict[bytes, ServedModel | None] = {}
        for path in paths:
            try:
                bundle = Bundle.open(path)
            except AssayProverError as error:
                raise WorkerError(
                    f"cannot open the bundle {path} ({error})", "Compile the model again"
                ) from error
            if not bundle.has_weights:
                raise WorkerError(
                    f"the bundle {path} has no weights, which are private",
                    "Ask its owner for the whole bundle",
                )
            if not bundle.has_keys:
                raise WorkerError(f"the bundle {path} has no keys", "Run `assay model setup` on it first")
            try:
                commitment = bundle.model_commitment or b""
            except AssayProverError as error:
                raise WorkerError(str(error), "Run `assay model commit` on it first") from error
            self._bundles[bytes(bundle.vk_hash), commitment] = (path, bundle)

    def identities(self) -> dict[Path, str]:
        """What tells each folder's keys and description from another's: of the file that proves, too."""
        return {path: bytes(bundle.metadata_hash).hex() for path, bundle in self._bundles.values()}

    def speed_key(self, path: Path) -> str | None:
        """Under which measured proving times of a bundle folder are kept; None if it serves no model."""
        return next((speed_key(bundle) for at, bundle in self._bundles.values() if at == path), None)

    def known(self, model_id: bytes) -> ServedModel | None:
        """The bundle of a model that `find` has found before."""
        return self._known.get(model_id)

    def served(self) -> list[ServedModel]:
        """Models that jobs have named so far and a bundle proves, those left out that are not bid on."""
        return [
            model
            for model in self._known.values()
            if model is not None and not self.fitness.objection(model.path)[0]
        ]

    def has_asked(self, model_id: bytes) -> bool:
        """Whether `find` would answer without asking the registry."""
        return model_id in self._known

    async def find(self, registry: ModelRegistry, model_id: bytes) -> ServedModel | None:
        """The bundle for a registered model, or None. A model is immutable, so the answer is kept."""
        if model_id not in self._known:
            try:
                model = await registry.model_of(model_id)
            except ContractReverted:
                return None  # as far as this node knows, which may be behind: asked again next time
            try:
                self._known[model_id] = self._match(model_id, model)
            except EvidenceMismatch as error:
                # The node says something of the model that its id does not bind it to. Asked again next time.
                _log.error("model.contradicted", model="0x" + model_id.hex(), reason=str(error))
                return None
        return self._known[model_id]

    def _match(self, model_id: bytes, model: Model) -> ServedModel | None:
        found = self._bundles.get((model.vk_hash, model.model_commitment))
        if found is None:
            return None
        path, bundle = found
        if not describes(bundle, model.spec):
            _log.warning("model.mismatch", model="0x" + model_id.hex(), bundle=str(path))
            return None
        check_model_id(model_id, model, bundle.verifying_key)
        _log.info("model.served", model="0x" + model_id.hex(), bundle=str(path))
        return ServedModel(model_id, model, path, bundle)
