"""The bit-exact integer reference of a quantised network.

Plain numpy int64, no field arithmetic: what `IntegerGraph.run` answers is, bit for bit, what the circuit
constrains. Anyone can recompute a proven answer with this package alone.
"""

import sys

from assay_prover.reference.conv import Conv
from assay_prover.reference.division import Divide, Normalise
from assay_prover.reference.graph import IntegerGraph, Op
from assay_prover.reference.maps import Dense, Gather, LinearMap, Scale, Sparse
from assay_prover.reference.nearest import RoundEven
from assay_prover.reference.one_hot import OneHot
from assay_prover.reference.operation import Operation
from assay_prover.reference.ops import Affine, ArgMax, MatMul, Multiply, ReduceMax, Requantise, Table
from assay_prover.reference.private import PrivateAffine
from assay_prover.reference.step import Step
from assay_prover.reference.tensor import LIMIT, Tensor
from assay_prover.reference.trees import Trees
from assay_prover.registration import load_modules

load_modules(sys.modules[__name__])  # operations are known by name once their classes are

__all__ = [
    "LIMIT",
    "Affine",
    "ArgMax",
    "Conv",
    "Dense",
    "Divide",
    "Gather",
    "IntegerGraph",
    "LinearMap",
    "MatMul",
    "Multiply",
    "Normalise",
    "OneHot",
    "Op",
    "Operation",
    "PrivateAffine",
    "ReduceMax",
    "Requantise",
    "RoundEven",
    "Scale",
    "Sparse",
    "Step",
    "Table",
    "Tensor",
    "Trees",
]
