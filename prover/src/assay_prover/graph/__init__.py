"""The float graph: what the frontend makes of an ONNX file and the passes read and rewrite."""

from assay_prover.graph.graph import FloatGraph, FloatOp

__all__ = ["FloatGraph", "FloatOp"]
