"""manifest.json: what a bundle is, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay_prover.circuit import CostReport, InputVisibility, OutputVisibility
from assay_prover.errors import BundleError
from assay_prover.lowering.slices import MAX_SLICES
from assay_prover.passes.quantise.limits import Limit
from assay_prover.passes.selection.layers import LayerError
from assay_prover.passes.selection.report import AccuracyReport

VERSION = 2
CONSTANT_WEIGHTS_NOTE = (
    "The weights are constants of the circuit: they are in this bundle (circuit.npz) and the keys bind them, "
    "but no chain sees them. Whoever gets the bundle can read them."
)

PRIVATE_WEIGHTS_NOTE = (
    "The weights are wires that the published commitment M binds: they are in weights.npz, which requesters "
    "never get. Public are the architecture, the shifts and scales, each layer's limit (its largest weight "
    "with a quarter of headroom) and each tensor's reach on the samples, both rounded to a quarter of an "
    "octave, and the accuracy. `assay model export` writes what may be given to strangers."
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelInfo(_Part):
    """The network that was compiled; `notes` is what the import changed.

    `sha256` is that of its ONNX file; empty with private weights, since it would let guesses be tested.
    """

    name: str
    sha256: str
    notes: tuple[str, ...] = ()


class InputInfo(_Part):
    """A sample's shape without batch axis; x is the integer round(x / scale) + zero in [lo, lo + 2^bits - 1].

    `words` is the number of statement words (1, the commitment, for a private input).
    """

    shape: tuple[int, ...]
    scale: float
    zero: int = 0
    lo: int
    bits: int = Field(ge=1, le=62)
    words: int = Field(ge=1)
    visibility: InputVisibility
    declared_range: tuple[float, float]

    @property
    def hi(self) -> int:
        """The greatest integer."""
        return self.lo + (1 << self.bits) - 1


class OutputInfo(_Part):
    """The output's shape without batch axis; integers in [lo, hi], a step of which is worth `scale`.

    kind: `logits` are values, the greatest being the class; a `label` is the class's number itself.
    `words` is the number of statement words (1, the commitment, for a committed output).
    """

    shape: tuple[int, ...]
    scale: float
    lo: int
    hi: int
    bits: int = Field(ge=1, le=62)
    words: int = Field(ge=1)
    kind: Literal["logits", "label"]
    visibility: OutputVisibility


class WeightsInfo(_Part):
    """Who sees the weights; trainings of equal `architecture` (a digest) can share keys."""

    visibility: Literal["constant", "private"] = "constant"
    note: str = CONSTANT_WEIGHTS_NOTE
    architecture: str | None = None


class LayoutInfo(_Part):
    """Wires of each region and constraints, as the keys have them."""

    n_public: int
    committed: bool
    n_model: int
    n_w1: int
    n_w2: int
    n_constraints: int


class PlanInfo(_Part):
    """The range tables chosen, to rebuild the same circuit."""

    limb_widths: tuple[int, ...]
    maxima_hoisted: bool
    product_checks: bool = False


class CutInfo(_Part):
    """What is alive at a cut: the tensors' names in circuit.npz, how many values, in how many words."""

    tensors: tuple[str, ...]
    values: int
    words: int


class SliceInfo(_Part):
    """One circuit: the operations of circuit.npz up to `stop`, from where the slice before stopped.

    A network that is not cut is one slice. `circuit` is the SHA-256 of the constraints, in hexadecimal.
    """

    stop: int = Field(ge=1)
    leaving: CutInfo | None = None
    """None for the last."""
    layout: LayoutInfo
    plan: PlanInfo
    circuit: str = Field(pattern=r"^[0-9a-f]{64}$")


class PrecisionInfo(_Part):
    """The quantiser's knobs; see `assay_prover.passes.Precision`."""

    limb_bits: int
    input_bits: int
    activation_bits: int
    output_bits: int
    weight_noise: float
    headroom_bits: int
    table_bits: int


class Hashes(_Part):
    """Hexadecimal SHA-256 of the constraints, of circuit.npz, and of what the manifest means.

    Of several slices, `circuit` is `circuit_hash` of their hashes.
    """

    circuit: str = Field(pattern=r"^[0-9a-f]{64}$")
    quantisation: str = Field(pattern=r"^[0-9a-f]{64}$")
    metadata: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(_Part):
    """Everything about a bundle except weights and keys."""

    format: Literal["assay-bundle"] = "assay-bundle"
    version: Literal[2] = 2
    model: ModelInfo
    input: InputInfo
    output: OutputInfo
    weights: WeightsInfo = WeightsInfo()
    slices: tuple[SliceInfo, ...] = Field(min_length=1, max_length=MAX_SLICES)
    precision: PrecisionInfo
    costs: CostReport
    """Of all slices together."""
    report: AccuracyReport
    """On held-out samples, if there were enough to hold some out."""
    selection: AccuracyReport | None = None
    """On the samples that chose scales and precision."""
    layers: tuple[LayerError, ...] = ()
    limits: tuple[Limit, ...] = ()
    """Tables and clamps that end before the worst case, furthest exceeded first (`Bundle.limits_touched`)."""
    warnings: tuple[str, ...] = ()
    hashes: Hashes

    def write(self) -> str:
        """JSON to be read by people."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def read(cls, text: str) -> Manifest:
        """Parse and check.

        Raises:
            BundleError: not a manifest, of another version, or its parts contradict each other.
        """
        try:
            document = json.loads(text)
            if isinstance(document, dict) and document.get("version") not in (None, VERSION):
                raise BundleError(
                    f"manifest.json has version {document['version']}, this library reads {VERSION}: "
                    "compile the model again"
                )
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BundleError(f"manifest.json is damaged: {place}: {first['msg']}") from error
        except ValueError as error:
            raise BundleError(f"manifest.json is damaged: {error}") from error
        stops = [0, *(part.stop for part in manifest.slices)]
        if any(a >= b for a, b in pairwise(stops)):
            raise BundleError("manifest.json is damaged: its slices do not follow one another")
        if manifest.hashes.circuit != circuit_hash([part.circuit for part in manifest.slices]):
            raise BundleError("manifest.json is damaged: the circuit's hash is not that of its slices")
        expected = metadata_hash(manifest.model, manifest.input, manifest.output, manifest.weights)
        if manifest.hashes.metadata != expected:
            raise BundleError("manifest.json was changed: its metadata hash does not match")
        return manifest


def circuit_hash(slices: Sequence[str]) -> str:
    """The hash of a model's constraints from those of its slices: itself if there is one."""
    if len(slices) == 1:
        return slices[0]
    return sha256(b"assay/slices/v1" + b"".join(bytes.fromhex(part) for part in slices)).hexdigest()


def metadata_hash(model: ModelInfo, input_: InputInfo, output: OutputInfo, weights: WeightsInfo) -> str:
    """SHA-256 of what decides how statements are read: names, shapes, scales, ranges, visibilities."""
    parts = {
        "model": model.model_dump(mode="json"),
        "input": input_.model_dump(mode="json"),
        "output": output.model_dump(mode="json"),
        "weights": weights.visibility,
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return sha256(b"assay/metadata/v1" + text.encode()).hexdigest()
