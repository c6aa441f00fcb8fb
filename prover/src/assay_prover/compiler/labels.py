"""What samples are judged by: class numbers, class names, or the values that a regression should give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import InputError


def read_labels(
    labels: Any, count: int | None, names: Sequence[str] = ()
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """Labels as class numbers or values, and the classes' names.

    Args:
        labels: for each sample a class number, a class name or, of a regression, a number or a vector of
            them; None for none.
        count: how many samples there are; None if there are none.
        names: the classes' names in the network's order; by default, of labels that are names, their own in
            alphabetical order, as scikit-learn numbers them.

    Returns:
        int64 `[n]` (classes) or float64 `[n, outputs]` (a regression), None without labels; and the names,
        empty if there are none.

    Raises:
        InputError: another number of labels than samples, or labels of another kind.
    """
    names = tuple(map(str, names))
    if len(set(names)) < len(names):
        raise InputError("two classes have the same name")
    if labels is None:
        return None, names
    array = np.asarray(labels)
    if count is None:
        raise InputError("labels are of samples, and there are none")
    if not array.ndim or len(array) != count:
        raise InputError(f"labels must be one for each of the {count} samples, got shape {array.shape}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind in "OUS":
        return _numbers(array, names)
    if array.dtype.kind == "b" or (array.dtype.kind in "iu" and array.ndim == 1):
        return array.astype(np.int64), names
    if array.dtype.kind not in "iuf" or array.ndim > 2:
        raise InputError(f"labels must be class numbers, class names or real values, got {array.dtype}")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError("labels: NaN or infinity among them")
    if names and values.ndim == 1 and (values == np.rint(values)).all():
        return values.astype(np.int64), names
    return values.reshape(count, -1), names


def _numbers(array: NDArray[Any], names: tuple[str, ...]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if array.ndim != 1 or not all(isinstance(label, str | bytes) for label in array.tolist()):
        raise InputError("labels must be class numbers, class names or real values, one for each sample")
    told = [each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in array.tolist()]
    names = names or tuple(sorted(set(told)))
    place = {name: number for number, name in enumerate(names)}
    unknown = sorted(set(told) - set(place))
    if unknown:
        raise InputError(f"the label {unknown[0]!r} is no class of the model; these are {', '.join(names)}")
    return np.array([place[label] for label in told], dtype=np.int64), names


def check_names(names: tuple[str, ...], outputs: int, *, is_label: bool) -> None:
    """Names fit a network that gives a number for each class. Raises `InputError`."""
    if names and not is_label and len(names) != outputs:
        raise InputError(
            f"{len(names)} classes are named, the network has {outputs} outputs: "
            "name all classes in the network's order (class_names)"
        )
