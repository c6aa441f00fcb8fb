"""manifest.json: what a bundle is, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import pairwise
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from assay_prover import strict_json
from assay_prover.bundle.files import MAX_MANIFEST_BYTES
from assay_prover.circuit import CostReport, InputVisibility, OutputVisibility, Part, bounds_of
from assay_prover.errors import BundleError, ModelError
from assay_prover.lowering.slices import MAX_SLICES
from assay_prover.passes.quantise.limits import Limit
from assay_prover.passes.selection.layers import LayerError
from assay_prover.passes.selection.report import AccuracyReport
from assay_prover.reference.tensor import Int64Array

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


MAX_DIMENSION = 1 << 24
"""Largest axis of an input or output, and most values of either."""

MAX_TEXT = 2000
"""Characters of a name, note or warning."""


def exactly_an_integer(value: object) -> object:
    """Refuses what only equals the number asked for, such as true."""
    if type(value) is not int:
        raise ValueError("expected a whole number")
    return value


def _size(shape: tuple[int, ...]) -> tuple[int, ...]:
    if prod(shape) > MAX_DIMENSION:
        raise ValueError(f"more than {MAX_DIMENSION:,} values")
    return shape


Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Shape = Annotated[
    tuple[Annotated[int, Field(ge=1, le=MAX_DIMENSION)], ...], Field(max_length=16), AfterValidator(_size)
]
Step = Annotated[float, Field(ge=1e-100, le=1e100)]
"""What one integer is worth. No network has use for more, and a sample over it stays finite."""
Integer = Annotated[int, Field(gt=-(1 << 62), lt=1 << 62)]
Count = Annotated[int, Field(ge=0, lt=1 << 32)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelInfo(_Part):
    """The network that was compiled; `notes` is what the import changed.

    `sha256` is that of its ONNX file; empty with private weights, since it would let guesses be tested.
    """

    name: str
    sha256: str
    notes: tuple[str, ...] = ()


class FeatureInfo(_Part):
    """One feature of a table: x is the integer round(x / scale) + zero; lo and hi are its declared range."""

    scale: float
    zero: int
    lo: float
    hi: float


class PortInfo(_Part):
    """A named part of the input: x is the integer round(x / scale) + zero in [lo, lo + 2^bits - 1]."""

    name: str = Field(min_length=1, max_length=64)
    shape: Shape
    scale: Step = 1.0
    zero: Integer = 0
    lo: Integer
    bits: int = Field(ge=1, le=62)

    @property
    def part(self) -> Part:
        """Its place in the statement."""
        return Part(prod(self.shape), self.lo, self.bits)


class InputInfo(_Part):
    """A sample's shape without batch axis; x is the integer round(x / scale) + zero in [lo, lo + 2^bits - 1].

    With `features` each element has a scale and zero of its own, row-major, and these two say nothing. With
    `ports` the input is flat, and consists of named parts with scales and ranges of their own; lo and bits
    say nothing then.

    `words` is the number of statement words (1, the commitment, for a private input).
    """

    shape: Shape
    scale: Step
    zero: Integer = 0
    lo: Integer
    bits: int = Field(ge=1, le=62)
    words: int = Field(ge=1)
    visibility: InputVisibility
    declared_range: tuple[float, float]
    features: tuple[FeatureInfo, ...] = ()
    ports: tuple[PortInfo, ...] = ()

    @model_validator(mode="after")
    def _ports_fit(self) -> Self:
        if self.ports and (
            self.features
            or len({port.name for port in self.ports}) < len(self.ports)
            or self.shape != (sum(prod(port.shape) for port in self.ports),)
        ):
            raise ValueError("the ports are not those of the input")
        return self

    @field_validator("declared_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] <= value[1]:
            raise ValueError("the range is empty")
        return value

    @property
    def hi(self) -> int:
        """The greatest integer."""
        return self.lo + (1 << self.bits) - 1

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the statement's input, one without ports."""
        return tuple(port.part for port in self.ports) or (Part(prod(self.shape), self.lo, self.bits),)

    @property
    def bounds(self) -> tuple[Int64Array, Int64Array]:
        """The least and the greatest integer of each element, of the input's shape."""
        lo, hi = bounds_of(self.parts)
        return lo.reshape(self.shape), hi.reshape(self.shape)


class OutputInfo(_Part):
    """The output's shape without batch axis; integers in [lo, hi], a step of which is worth `scale`.

    kind: `logits` are values, the greatest being the class; a `label` is the class's number itself; `values`
    are numbers that mean themselves, a regression's.
    `labels` names the classes, if they have names.
    `words` is the number of statement words (1, the commitment, for a committed output).
    """

    shape: Shape
    scale: Step
    lo: Integer
    hi: Integer
    bits: int = Field(ge=1, le=62)
    words: int = Field(ge=1)
    kind: Literal["logits", "label", "values"]
    visibility: OutputVisibility
    labels: tuple[str, ...] = ()


class WeightsInfo(_Part):
    """Who sees the weights; trainings of equal `architecture` (a digest) can share keys."""

    visibility: Literal["constant", "private"] = "constant"
    note: str = CONSTANT_WEIGHTS_NOTE
    architecture: str | None = None


class LayoutInfo(_Part):
    """Wires of each region and constraints, as the keys have them."""

    n_public: Count
    committed: bool
    n_model: Count
    n_w1: Count
    n_w2: Count
    n_constraints: Count


class PlanInfo(_Part):
    """The range tables chosen, to rebuild the same circuit."""

    limb_widths: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(max_length=16)
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
    circuit: Hash


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

    circuit: Hash
    quantisation: Hash
    metadata: Hash


class Manifest(_Part):
    """Everything about a bundle except weights and keys."""

    format: Literal["assay-bundle"] = "assay-bundle"
    version: Annotated[Literal[2], BeforeValidator(exactly_an_integer)] = 2
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
    program: dict[str, Any] | None = None
    """Of a training program: what `assay_prover.training.Program.to_json` says."""
    hashes: Hashes

    @classmethod
    def of(cls, **parts: Any) -> Manifest:
        """A manifest to be written: what a model's file calls its parts is made fit to be read and printed.

        Raises:
            ModelError: a number that is not finite or out of bounds, which no bundle can hold.
        """
        try:
            document = cls.model_validate(parts).model_dump(mode="json", round_trip=True)
            # Names change here alone: hashes are of hexadecimal digits, and `metadata` is hashed again.
            document = _legible(document)
            made = cls.model_validate_json(strict_json.dumps(document))
        except ValidationError as error:
            raise ModelError(f"the model cannot be described in a bundle: {_first(error)}") from error
        except ValueError as error:
            raise ModelError(f"the model cannot be described in a bundle: {error}") from error
        what = made.model, made.input, made.output, made.weights
        metadata = metadata_hash(*what, made.limits, made.program)
        return made.model_copy(update={"hashes": made.hashes.model_copy(update={"metadata": metadata})})

    def write(self) -> str:
        """JSON to be read by people, and by `read`.

        Raises:
            ModelError: it holds a number that is not finite.
        """
        try:
            return strict_json.dumps(self.model_dump(mode="json"), indent=2) + "\n"
        except ValueError as error:
            raise ModelError(f"the model cannot be described in a bundle: {error}") from error

    @classmethod
    def read(cls, text: str | bytes) -> Manifest:
        """Parse and check. A manifest may come from anyone: numbers are bounded, texts are short and
        printable.

        Raises:
            BundleError: not a manifest, of another version, or its parts contradict each other.
        """
        try:
            document = strict_json.loads(text, what="manifest.json", max_bytes=MAX_MANIFEST_BYTES)
            version = document.get("version") if isinstance(document, dict) else None
            if type(version) is int and version != VERSION:
                raise BundleError(
                    f"manifest.json has version {version}, this library reads {VERSION}: compile the model "
                    f"again"
                )
            _check_texts(document)
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise BundleError(f"manifest.json is damaged: {_first(error)}") from error
        except strict_json.JsonError as error:
            raise BundleError(f"manifest.json is damaged: {error}") from error
        stops = [0, *(part.stop for part in manifest.slices)]
        if any(a >= b for a, b in pairwise(stops)):
            raise BundleError("manifest.json is damaged: its slices do not follow one another")
        if manifest.hashes.circuit != circuit_hash([part.circuit for part in manifest.slices]):
            raise BundleError("manifest.json is damaged: the circuit's hash is not that of its slices")
        if manifest.hashes.metadata not in _metadata_hashes(manifest):
            raise BundleError("manifest.json was changed: its metadata hash does not match")
        return manifest


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place[:200]}: {first['msg'][:200]}"


def _check_texts(document: object) -> None:
    """Texts end up in terminals and on pages: no control characters, no marks that turn text around."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if len(item) > MAX_TEXT or not item.isprintable():
                raise BundleError(f"manifest.json is damaged: a text that is not fit to print: {item[:40]!a}")
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())


def legible(text: str) -> str:
    """A text of a stranger's as one that can be printed: other characters become U+FFFD, long ones are
    cut.
    """
    cut = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in cut)


def same_costs(computed: CostReport, claimed: CostReport) -> bool:
    """Whether a manifest's costs are those computed, whose layers have the names of the model's file."""
    return bool(_legible(asdict(computed)) == _legible(asdict(claimed)))


def _legible(document: Any) -> Any:
    match document:
        case str():
            return legible(document)
        case list() | tuple():
            return [_legible(item) for item in document]
        case dict():
            return {key: _legible(value) for key, value in document.items()}
        case _:
            return document


def circuit_hash(slices: Sequence[str]) -> str:
    """The hash of a model's constraints from those of its slices: itself if there is one."""
    if len(slices) == 1:
        return slices[0]
    return sha256(b"assay/slices/v1" + b"".join(bytes.fromhex(part) for part in slices)).hexdigest()


def _metadata_hashes(manifest: Manifest) -> set[str]:
    """The metadata hashes that a manifest may state: with its limits, or as bundles were made before limits
    were part of it. Which of the two a model was registered with is for its id to say.
    """
    parts = manifest.model, manifest.input, manifest.output, manifest.weights
    return {
        metadata_hash(*parts, manifest.limits, manifest.program),
        metadata_hash(*parts, (), manifest.program),
    }


def _absent(input_: InputInfo) -> set[str]:
    """Fields that an input has no use for."""
    return {name for name in ("features", "ports") if not getattr(input_, name)}


def metadata_hash(
    model: ModelInfo,
    input_: InputInfo,
    output: OutputInfo,
    weights: WeightsInfo,
    limits: Sequence[Limit],
    program: dict[str, Any] | None = None,
) -> str:
    """SHA-256 of what decides how statements are read: names, shapes, scales, ranges, visibilities, where
    answers stop following the network, and what a training program is.
    """
    parts: dict[str, Any] = {
        "model": model.model_dump(mode="json"),
        # without features or ports of their own, or names, it is the hash that it was before there were any
        "input": input_.model_dump(mode="json", exclude=_absent(input_)),
        "output": output.model_dump(mode="json", exclude=None if output.labels else {"labels"}),
        "weights": weights.visibility,
    }
    if limits:
        parts["limits"] = [limit.model_dump(mode="json") for limit in limits]
    if program is not None:
        parts["program"] = program
    text = strict_json.dumps(parts, sort_keys=True, compact=True)
    return sha256(b"assay/metadata/v1" + text.encode()).hexdigest()
