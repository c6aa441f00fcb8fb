"""`ai.onnx.ml`: scalers, linear models, trees, machines."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

from .case import W45, Case, Nodes, ints


def _ml(operator: str, **attributes: Any) -> Nodes:
    return [(operator, ["input"], "output", {"domain": "ai.onnx.ml", **attributes})]


def _label(operator: str, **attributes: Any) -> Nodes:
    # the scores have a name too, as in converted models, though nothing reads them
    return [(operator, ["input"], "output scores", {"domain": "ai.onnx.ml", **attributes})]


TREES: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
    "nodes_featureids": [0, 1, 0, 0, 0, 2, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "BRANCH_LT", "LEAF", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"],
    "nodes_values": [0.1, -0.3, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0],
    "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
}
LEAVES = {"treeids": [0, 0, 0, 1, 1], "nodeids": [2, 3, 4, 1, 2]}


def _leaves(prefix: str, ids: list[int], weights: list[float]) -> dict[str, Any]:
    found: dict[str, Any] = {f"{prefix}_{key}": value for key, value in LEAVES.items()}
    return {**found, f"{prefix}_ids": ids, f"{prefix}_weights": weights}


CASES: dict[str, Case] = {
    "scaler": Case(_ml("Scaler", offset=[0.1, 0.2, 0.3], scale=[1.0, 0.5, 2.0]), {}, (1, 3)),
    "normalizer": Case(_ml("Normalizer", norm="L2"), {}, (1, 3)),
    "normalizer_l1": Case(_ml("Normalizer", norm="L1"), {}, (1, 3), 0.2),
    "binarizer": Case(_ml("Binarizer", threshold=0.3), {}, (1, 3)),
    "imputer": Case(_ml("Imputer", imputed_value_floats=[0.0]), {}, (1, 3)),
    "array_feature_extractor": Case(
        [("ArrayFeatureExtractor", ["input", "i"], "output", {"domain": "ai.onnx.ml"})],
        {"i": ints(2, 0)},
        (1, 3),
    ),
    "feature_vectorizer": Case(
        [
            (
                "FeatureVectorizer",
                ["input", "input"],
                "output",
                {"domain": "ai.onnx.ml", "inputdimensions": [3, 3]},
            )
        ],
        {},
        (1, 3),
    ),
    "linear_regressor": Case(
        _ml("LinearRegressor", coefficients=W45[0, :3].tolist(), intercepts=[0.5]), {}, (1, 3)
    ),
    "linear_classifier": Case(
        _label(
            "LinearClassifier",
            coefficients=W45[:3, :3].ravel().tolist(),
            intercepts=[0.1, 0.0, -0.1],
            classlabels_ints=[3, 5, 9],
            post_transform="SOFTMAX",
        ),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    ),
    "one_hot_encoder": Case(
        [
            ("OneHotEncoder", ["input"], "o", {"domain": "ai.onnx.ml", "cats_int64s": [0, 1, 3], "zeros": 1}),
            ("Reshape", ["o", "shape"], "r", {}),
            ("MatMul", ["r", "w"], "output", {}),
        ],
        {"shape": np.array([1, 6]), "w": np.arange(12.0).reshape(6, 2)},
        (1, 2),
        0,
        4,
        input_type=TensorProto.INT64,
    ),
    "tree_ensemble_regressor": Case(
        _ml(
            "TreeEnsembleRegressor",
            n_targets=1,
            **TREES,
            **_leaves("target", [0] * 5, [0.5, -1.0, 2.0, 0.25, 0.0]),
        ),
        {},
        (1, 3),
    ),
    "tree_ensemble_classifier": Case(
        _label(
            "TreeEnsembleClassifier",
            classlabels_int64s=[0, 1, 2],
            post_transform="NONE",
            **TREES,
            **_leaves("class", [0, 1, 2, 1, 0], [0.5, 0.7, 0.9, 0.3, 0.2]),
        ),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    ),
    "tree_ensemble": Case(
        _ml(
            "TreeEnsemble",
            n_targets=2,
            nodes_featureids=[0, 1],
            nodes_modes=helper.make_tensor("m", TensorProto.UINT8, (2,), [0, 3]),
            nodes_splits=helper.make_tensor("s", TensorProto.FLOAT, (2,), [0.1, -0.3]),
            nodes_truenodeids=[1, 0],
            nodes_trueleafs=[0, 1],
            nodes_falsenodeids=[2, 1],
            nodes_falseleafs=[1, 1],
            leaf_targetids=[0, 1, 0],
            leaf_weights=helper.make_tensor("w", TensorProto.FLOAT, (3,), [0.5, 0.75, -1.0]),
            tree_roots=[0],
        ),
        {},
        (1, 3),
        opset=19,
    ),
    "svm_regressor": Case(
        _ml(
            "SVMRegressor",
            coefficients=[0.5, -1.0],
            kernel_params=[0.4, 0.0, 3.0],
            kernel_type="RBF",
            n_supports=2,
            rho=[0.3],
            support_vectors=[*W45[0].tolist(), 0.2],
        ),
        {},
        (1, 3),
    ),
    "svm_classifier": Case(
        _label(
            "SVMClassifier",
            classlabels_ints=[0, 1, 2],
            coefficients=[0.5, -1.0, 0.7, 0.9, -0.4, -0.6],
            kernel_params=[0.4, 0.0, 3.0],
            kernel_type="LINEAR",
            post_transform="NONE",
            rho=[0.3, -0.1, 0.05],
            support_vectors=W45[:3, :3].ravel().tolist(),
            vectors_per_class=[1, 1, 1],
        ),
        {},
        (1, 3),
        output_type=TensorProto.INT64,
    ),
    "label_encoder": Case(
        [
            (
                "LabelEncoder",
                ["input"],
                "l",
                {
                    "domain": "ai.onnx.ml",
                    "keys_int64s": [0, 2],
                    "values_floats": [1.5, -2.0],
                    "default_float": 0.5,
                },
            ),
            ("Identity", ["l"], "output", {}),
        ],
        {},
        (1, 3),
        -1,
        3,
        input_type=TensorProto.INT64,
    ),
}
