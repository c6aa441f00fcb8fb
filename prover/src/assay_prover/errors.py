"""What can go wrong, as one tree::

AssayProverError
├── ModelError            the ONNX file is corrupt, dynamic, or holds NaN or infinite numbers
│   └── UnsupportedModel  a node that the compiler cannot lower: its name, operator, what is supported
├── QuantisationError     no exact integer form within 62 bits
├── InputError            a sample of the wrong shape, NaN, or outside the declared range
├── BundleError           a bundle that is missing, damaged, stale or of another version
│   └── UnsafeKeys        keys under which others can prove anything, where they must not be used
├── ProofFileError        a proof or answer file that cannot be read or written
└── ProverError           the native core's own errors (see assay_prover.groth16)
    ├── InvalidProof · InvalidKey · InvalidWitness · InvalidInput · Cancelled
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class AssayProverError(Exception):
    """Base of every error this library raises on purpose."""


class ModelError(AssayProverError):
    """The model file cannot be used as it is."""


class UnsupportedModel(ModelError):
    """A node that the compiler cannot lower.

    Attributes:
        node: the node's name, or its first output's name where the file gives none.
        operator: the ONNX operator.
        supported: operators that compile.
    """

    def __init__(self, node: str, operator: str, reason: str, supported: Iterable[str] = ()) -> None:
        self.node = node
        self.operator = operator
        self.supported = tuple(sorted(supported))
        near = get_close_matches(operator, self.supported, n=3)
        alike = f", such as {', '.join(near)}" if near else ""
        hint = (
            f"; docs/operators.md lists the {len(self.supported)} that are{alike}" if self.supported else ""
        )
        super().__init__(f"node {node!r} ({operator}): {reason}{hint}")


class QuantisationError(AssayProverError):
    """The network has no exact integer form within the 62 bits that the circuit's arithmetic allows."""


class InputError(AssayProverError):
    """A sample does not fit the model's declared input."""


class BundleError(AssayProverError):
    """A bundle directory is missing, damaged, stale, or written by another version."""


class UnsafeKeys(BundleError):
    """Keys under which others than the bundle's owner can prove anything."""


class ProofFileError(AssayProverError):
    """A file of a proof, or of what opens its answer, cannot be read or written."""
