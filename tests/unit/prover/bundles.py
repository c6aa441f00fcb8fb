"""Bundles that several tests take as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from assay_prover import Bundle, binding, compile_model
from unit.prover.onnx_models import MODELS

MARKET, WORKER, JOB = "0x" + "1a" * 20, "0x" + "2B" * 20, bytes(range(32))
BINDING = binding(31337, MARKET, JOB, WORKER)


def load_samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / f"{name}.npz") as data:
        return data["x"], data["y"]


def make_bundle(name: str, folder: Path, **options: Any) -> Bundle:
    x, y = load_samples(name)
    compile_model(MODELS / f"{name}.onnx", x, folder, labels=y, **options)
    bundle = Bundle.open(folder)
    bundle.setup(seed=bytes(32))
    return bundle


def edit_json(path: Path, *keys: str | int, value: object) -> None:
    document = json.loads(path.read_text())
    part = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(document))
