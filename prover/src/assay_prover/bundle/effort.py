"""What opening a network will take, from the shapes that its file names, before any of it is spent.

A few hundred bytes can describe a layer of a billion private weights, a convolution with as many positions,
or a product of two long vectors. Tensors and weights that the file holds itself are bounded by its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from assay_prover import reference as ref
from assay_prover.errors import BundleError

MAX_VALUES = 1 << 23
"""Elements of all tensors of a network together: 128 MB of bounds."""

MAX_PRIVATE = 1 << 22
"""Private weights and biases together: 4 million."""

MAX_TAPS = 1 << 26
"""Positions of all convolutions times their kernels: half a gigabyte of indices."""

MAX_PRODUCTS = 1 << 34
"""Multiplications of intervals, which take some ten seconds."""


def check_inputs(shapes: Sequence[Sequence[int]]) -> None:
    """As `check_effort`, for the inputs alone, whose bounds take memory at once.

    Raises:
        BundleError: more than any network that could be proven.
        ValueError: a shape that is none.
    """
    if any(type(length) is not int or length < 1 for shape in shapes for length in shape):
        raise ValueError("an input's shape is not of positive whole numbers")
    if sum(prod(shape) for shape in shapes) > MAX_VALUES:
        raise BundleError(f"circuit.npz is refused: inputs of more than {MAX_VALUES:,} values")


def check_effort(inputs: Sequence[ref.Tensor], ops: Sequence[ref.Op]) -> None:
    """Adds up what analysing the network takes.

    Raises:
        BundleError: more than any network that could be proven.
    """
    shapes = {tensor.name: tensor.shape for tensor in inputs}
    values = sum(prod(shape) for shape in shapes.values())
    private = taps = products = 0
    for op in ops:
        shape, multiplied = _result(op, shapes)
        shapes[op.output] = shape
        values += prod(shape)
        products += multiplied
        if isinstance(op, ref.Affine | ref.PrivateAffine):
            convolutions = [linear for linear in op.maps if isinstance(linear, ref.Conv)]
            taps += sum(_taps(linear) for linear in convolutions)
            products += sum(linear.weight.size * _positions(linear) for linear in convolutions)
        if isinstance(op, ref.PrivateAffine):
            private += sum(weights.size for weights in op.weights)
        for what, used, most in (
            ("values", values, MAX_VALUES),
            ("private weights", private, MAX_PRIVATE),
            ("taps of convolutions", taps, MAX_TAPS),
            ("products", products, MAX_PRODUCTS),
        ):
            if used > most:
                raise BundleError(f"circuit.npz is refused: a network of {used:,} {what}; at most {most:,}")


def _result(op: ref.Op, shapes: dict[str, tuple[int, ...]]) -> tuple[tuple[int, ...], int]:
    """The shape of the result, and how many products of intervals it takes. What does not fit is refused
    later.
    """
    source = shapes.get(op.inputs[0], ()) if op.inputs else ()
    match op:
        case ref.MatMul():
            other = shapes.get(op.b, ())
            rows, columns = source[:-1], other[-1:]
            batch = other[:-2] if len(other) > len(source) else ()
            shape = (*batch, *rows, *columns)
            # A step of the sum costs as much as a thousand products, however short it is.
            return shape, (prod(shape) + 1000) * prod(source[-1:])
        case ref.OneHot():
            return (*source, op.size), 0
        case ref.Affine() | ref.PrivateAffine() | ref.ReduceMax() | ref.ArgMax() | ref.Trees():
            return op.shape, 0
        case _:
            return source, prod(source)


def _positions(linear: ref.Conv) -> int:
    rank = len(linear.in_shape) - 1
    padded = zip(linear.in_shape[1:], linear.pads[:rank], linear.pads[rank:], linear.strides, strict=True)
    return prod((length + begin + end) // stride + 1 for length, begin, end, stride in padded)


def _taps(linear: ref.Conv) -> int:
    return _positions(linear) * prod(linear.weight.shape[2:])
