"""`assay model`: from an ONNX file to a registered model."""

from .app import app

__all__ = ["app"]
