"""Masks: elements that stand for minus infinity, until a Softmax leaves them out.

Exporters add minus infinity, the least float, -1e9 or -10000 to scores, or choose it in place of them; which
elements, they know beforehand (what comes later in a sequence) or compute from the input (padding). No
integers hold such a number beside the others: what is masked is kept apart as truth values. Only a Softmax
may read a masked tensor, and what moves, scales and adds on the way to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

    from assay_prover.frontend.context import Context, Step
    from assay_prover.frontend.node import Node

    Array = NDArray[Any]

MASKING = -1e30
"""Constants below it mask wherever they stand: minus infinity, the least float."""

MASKING_SCORES = -9999.0
"""Constants below it mask where only a Softmax reads them: what it makes of them is zero in float32, too."""

PASSING = frozenset(
    {
        "Add",
        "Cast",
        "Div",
        "Expand",
        "Identity",
        "Mul",
        "Reshape",
        "Slice",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
"""Operators that scores and masks pass on the way to a Softmax."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Which elements of a tensor are masked.

    known: those that are for every input, of the tensor's shape. computed: a tensor of that shape, 1 where an
    input masks, or None. blank: what is not masked is zero; the tensor has no values of its own.
    """

    known: Array = field(repr=False)
    computed: str | None = None
    blank: bool = False


def threshold(context: Context, node: Node) -> float:
    """Constants up to it mask, where this node reads them."""
    return MASKING_SCORES if all(_leads(context, name) for name in node.outputs if name) else MASKING


def _leads(context: Context, name: str) -> bool:
    """Whether a Softmax, and nothing else, reads the tensor in the end."""
    if context.scores is None:
        context.scores = _scores(context)
    return name in context.scores


def _scores(context: Context) -> set[str]:
    """Tensors that a Softmax, and nothing else, reads in the end: by one walk from the last node to the
    first.
    """
    found: set[str] = set()

    def leads(name: str) -> bool:
        readers = context.readers(name)
        return bool(readers) and not context.is_output(name) and all(map(passes, readers))

    def passes(reader: onnx.NodeProto) -> bool:
        if reader.op_type == "Softmax":
            return True
        return reader.op_type in PASSING and all(output in found for output in reader.output)

    # a tensor's readers come after it in the file, so that theirs are known
    for node in reversed(context.nodes):
        found.update(name for name in node.output if leads(name))
    return found


def hide(
    context: Context,
    node: Node,
    known: Array,
    computed: Sequence[str] = (),
    *,
    blank: bool = False,
) -> None:
    """Mask elements of the node's first output; `computed` tensors broadcast to its shape."""
    output, shape = node.outputs[0], known.shape
    joined: str | None = None
    for k, name in enumerate(computed):
        if context.shape(name) != shape:
            spread: Step = ("assay.Expand", [name, ".masked.shape"], f".masked{k}", {})
            context.expand(node, [spread], {".masked.shape": np.array(shape, dtype=np.int64)})
            name = context.part(node, f".masked{k}")
        if joined is not None:
            context.expand(node, [("Or", [joined, name], f".masked.or{k}", {})])
            name = context.part(node, f".masked.or{k}")
        joined = name
    if blank and joined is not None:
        context.blank(output, shape, joined)
    if joined is not None or known.any():
        context.masks[output] = Mask(known, joined, blank)


def scores_or_mask(context: Context, node: Node) -> bool:
    """A computed Where between scores (or zeros) and minus infinity; whether it was one."""
    condition, *sides = node.inputs
    limit = threshold(context, node)
    shape = np.broadcast_shapes(*(context.shape(name) for name in node.inputs))
    for scores, filler in (sides, sides[::-1]):
        if filler not in context.constants or not (context.constants[filler] <= limit).all():
            continue
        blank = scores in context.constants
        if blank and context.constants[scores].any():
            continue
        hidden = condition
        if filler == sides[1]:
            context.expand(node, [("Not", [condition], ".hidden", {})])
            hidden = context.part(node, ".hidden")
        if not blank:
            spread: Step = ("assay.Expand", [scores, ".scores.shape"], node.outputs[0], {})
            context.expand(node, [spread], {".scores.shape": np.array(shape, dtype=np.int64)})
        hide(context, node, np.zeros(shape, dtype=bool), [hidden], blank=blank)
        return True
    return False


def times_infinity(context: Context, node: Node, position: int) -> bool:
    """A product of truth values (or counts) with a constant that masks; whether it was one.

    Where the other factor is positive is masked. Were it negative there, the file would add plus infinity.
    """
    factor = np.asarray(context.constants[node.inputs[position]], dtype=np.float64)
    other = node.inputs[1 - position]
    limit = threshold(context, node)
    if other in context.masks or not factor.size or not context.is_whole(other):
        return False
    if (factor <= limit).all():
        steps: list[Step] = [("assay.Positive", [other], ".hidden", {})]
    elif (factor >= -limit).all():
        steps = [("Neg", [other], ".negated", {}), ("assay.Positive", [".negated"], ".hidden", {})]
    else:
        return False
    context.expand(node, steps)
    shape = np.broadcast_shapes(context.shape(other), factor.shape)
    hide(context, node, np.zeros(shape, dtype=bool), [context.part(node, ".hidden")], blank=True)
    return True


def softmax_steps(mask: Mask, x: str, keep: dict[str, Any]) -> tuple[list[Step], dict[str, Array]]:
    """Steps to `.exp`, the exponentials below the greatest element that is not masked, zero where one is.

    What is computed to be masked takes the place of the least element, which changes no maximum.
    """
    constants: dict[str, Array] = {".masked": mask.known, ".kept": 1.0 - mask.known}
    if mask.computed is None:
        steps: list[Step] = [
            ("assay.MaskedMax", [x, ".masked"], ".max", keep),
            ("Sub", [x, ".max"], ".d", {}),
            ("Mul", [".d", ".kept"], ".below", {}),
        ]
        last = ".kept"
    else:
        last = ".shown"
        steps = [("Not", [mask.computed], ".shown", {})]
        if mask.known.any():
            last = ".left"
            steps.append(("Mul", [".shown", ".kept"], ".left", {}))
        steps += [
            ("ReduceMin", [x], ".min", keep),
            ("Sub", [x, ".min"], ".over", {}),
            ("Mul", [".over", last], ".scores", {}),
            ("ReduceMax", [".scores"], ".max", keep),
            ("Sub", [".scores", ".max"], ".below", {}),
        ]
    return [*steps, ("Exp", [".below"], ".every", {}), ("Mul", [".every", last], ".exp", {})], constants


def moved(context: Context, node: Node, mask: Mask, index: NDArray[np.int64]) -> Mask:
    """The mask of a selection of elements, `index` as in `Context.gather`."""
    known = np.where(index < 0, False, mask.known.ravel()[index])
    computed = mask.computed
    if computed is not None:
        name = context.part(node, ".masked.moved")
        context.gather(node.writing(name).reading(computed), 0, index)
        computed = name
    return replace(mask, known=known, computed=computed)
