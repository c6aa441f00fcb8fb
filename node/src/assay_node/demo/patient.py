"""The patient: one record of scikit-learn's breast-cancer data, and what is known about it beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

import assay_prover  # noqa: F401 - turns onnxruntime's telemetry off before it is loaded

from ..errors import AssayError

DIAGNOSES = ("malignant", "benign")  # the data set's own order of classes


@dataclass(frozen=True, slots=True)
class Patient:
    """A test record.

    Attributes:
        number: its row in the data.
        record: the 30 standardised measurements, float32 [30].
        diagnosis: the pathologist's, as the data has it.
        expected: onnxruntime's answer to the float network.
        logits: what that answer was taken from.
    """

    number: int
    record: np.ndarray
    diagnosis: str
    expected: int
    logits: np.ndarray


def model_bytes() -> bytes:
    """The network as ONNX."""
    return files("assay_node").joinpath("demo/data/bc_mlp.onnx").read_bytes()


def records() -> tuple[np.ndarray, np.ndarray]:
    """All test records, float32 [143, 30], and their classes, int64 [143]."""
    with files("assay_node").joinpath("demo/data/bc_mlp.npz").open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        return loaded["x"], loaded["y"]


def choose(number: int) -> Patient:
    """A patient by number. Raises AssayError if there is none."""
    x, y = records()
    if not 0 <= number < len(x):
        raise AssayError(f"there is no patient {number}", f"Choose one from 0 to {len(x) - 1}")
    import onnxruntime

    session = onnxruntime.InferenceSession(model_bytes(), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x[number : number + 1]}
    logits = np.asarray(session.run(None, feed)[0]).reshape(-1)
    return Patient(number, x[number], DIAGNOSES[int(y[number])], int(logits.argmax()), logits)
