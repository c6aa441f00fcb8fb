"""The demo's bundle: compiled and set up once, kept for later runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from assay_prover import Bundle, BundleError, compile_model

from .patient import DIAGNOSES, model_bytes, records

Progress = Callable[[str, float], bool | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bundle with keys.

    Attributes:
        setup_seconds: how long making the keys took, in the run that made them.
        cached: whether that was an earlier run.
    """

    bundle: Bundle
    setup_seconds: float
    cached: bool


def prepare(folder: Path, progress: Progress) -> Prepared:
    """Open the bundle in ``folder``, making whatever of it is missing, damaged or of another version."""
    try:
        bundle = Bundle.open(folder)
        if bundle.manifest.model.sha256 == sha256(model_bytes()).hexdigest():
            return _with_keys(bundle, progress)
    except BundleError:
        pass  # whatever is wrong with it, compiling anew puts it right
    x, y = records()
    compile_model(
        model_bytes(),
        x,
        folder,
        labels=y,
        class_names=DIAGNOSES,
        input="private",
        output="encrypted",
        target="accuracy",
        name="bc_mlp",
        overwrite=True,
        progress=progress,
    )
    return _with_keys(Bundle.open(folder), progress)


def _with_keys(bundle: Bundle, progress: Progress) -> Prepared:
    cached = bundle.has_keys
    report = bundle.setup(progress=progress)
    return Prepared(bundle, report.seconds, cached)
