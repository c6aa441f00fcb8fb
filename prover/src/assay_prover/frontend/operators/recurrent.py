"""RNN, GRU and LSTM, unrolled over a fixed number of steps."""

from __future__ import annotations

import numpy as np

from assay_prover.frontend.context import Array, Context, Step
from assay_prover.frontend.node import Node
from assay_prover.frontend.registry import lowers

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
KNOWN = frozenset({"Sigmoid", "Tanh", "Relu", "Softsign", "Softplus"})


@lowers("RNN", "GRU", "LSTM")
def recurrent(context: Context, node: Node) -> None:
    """Constant weights, every direction; each step costs its gates' table lookups and products."""
    shape = context.shape(node.inputs[0])
    if node.int("layout", 0):
        raise node.unsupported("layout 1; transpose the input")
    if node.float("clip", 0.0):
        raise node.unsupported("clip")
    length, batch, _ = shape
    lengths = context.constant(node, 4, "sequence_lens") if context.has(node, 4) else np.full(batch, length)
    if (np.asarray(lengths) != length).any():
        raise node.unsupported("sequences shorter than the input")
    direction = node.text("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    names = [
        name.decode() if isinstance(name, bytes) else str(name)
        for name in node.attributes.get("activations", ())
    ]
    names = names or list(FUNCTIONS[node.operator]) * count
    if not set(names) <= KNOWN:
        raise node.unsupported(f"activations other than {', '.join(sorted(KNOWN))}")
    each = len(names) // count
    outputs = (*node.outputs, "", "", "")[:3]
    first = next(name for name in outputs if name)
    work = node.writing(first)
    runs = [
        _direction(context, work, d, direction == "reverse" or d == 1, names[d * each : (d + 1) * each])
        for d in range(count)
    ]
    steps: list[Step] = []
    if outputs[0]:
        rows = []
        for t in range(length):
            parts = []
            for d, (hidden, _) in enumerate(runs):
                steps.append(("Unsqueeze", [hidden[t], ".front"], f".y{t}.{d}", {}))
                parts.append(f".y{t}.{d}")
            steps.append(("Concat", parts, f".y{t}", {"axis": 1}))
            rows.append(f".y{t}")
        steps.append(("Concat", rows, outputs[0], {"axis": 0}))
    for output, which in ((outputs[1], 0), (outputs[2], 1)):
        if output:
            parts = []
            for d, (hidden, cell) in enumerate(runs):
                last = cell if which else hidden[0 if direction == "reverse" or d == 1 else length - 1]
                steps.append(("Unsqueeze", [last, ".one"], f".last{which}.{d}", {}))
                parts.append(f".last{which}.{d}")
            steps.append(("Concat", parts, output, {"axis": 0}))
    context.expand(
        work, steps, {".front": np.array([0, 1], dtype=np.int64), ".one": np.array([0], dtype=np.int64)}
    )


def _direction(
    context: Context, node: Node, d: int, backward: bool, names: list[str]
) -> tuple[list[str], str]:
    """Names of the hidden state after each position, and of the last cell state."""
    length, batch, _ = context.shape(node.inputs[0])
    gates = GATES[node.operator]
    w, r = (context.weights(node, k, what)[d] for k, what in ((1, "W"), (2, "R")))
    size = r.shape[1]
    bias = context.weights(node, 3, "B")[d] if context.has(node, 3) else np.zeros(2 * gates * size)
    p = context.weights(node, 7, "P")[d] if context.has(node, 7) and node.operator == "LSTM" else None
    constants: dict[str, Array] = {}

    def start(position: int, name: str) -> str:
        if context.has(node, position):
            if node.inputs[position] not in context.constants:
                raise node.unsupported("a computed initial state")
            constants[name] = context.weights(node, position, "an initial state")[d]
        else:
            constants[name] = np.zeros((batch, size))
        return name

    tag = f".d{d}"
    hidden, cell = start(5, f"{tag}.h"), start(6, f"{tag}.c") if node.operator == "LSTM" else ""
    for g in range(gates):
        rows = slice(g * size, (g + 1) * size)
        constants[f"{tag}.w{g}"], constants[f"{tag}.r{g}"] = w[rows].T.copy(), r[rows].T.copy()
        constants[f"{tag}.b{g}"] = bias[rows]
        constants[f"{tag}.s{g}"] = bias[gates * size :][rows]
    if p is not None:
        constants |= {f"{tag}.p{k}": p[k * size : (k + 1) * size] for k in range(3)}
    constants[".t.one"] = np.array(1.0)
    steps: list[Step] = []
    found = [""] * length
    for t in range(length)[::-1] if backward else range(length):
        cell_step = _Cell(f"{tag}.{t}", tag, steps)
        constants[f"{tag}.{t}.t"] = np.array(t, dtype=np.int64)
        steps.append(("Gather", [node.inputs[0], f"{tag}.{t}.t"], f"{tag}.{t}.x", {"axis": 0}))
        match node.operator:
            case "RNN":
                hidden = cell_step.rnn(hidden, names)
            case "GRU":
                hidden = cell_step.gru(hidden, names, bool(node.int("linear_before_reset", 0)))
            case _:
                hidden, cell = cell_step.lstm(
                    hidden, cell, names, p is not None, bool(node.int("input_forget", 0))
                )
        found[t] = hidden
    context.expand(node, steps, constants)
    return found, cell


class _Cell:
    """Writes the operators of one step."""

    def __init__(self, place: str, tag: str, steps: list[Step]) -> None:
        self.place = place
        self.tag = tag
        self.steps = steps
        self.count = 0

    def op(self, operator: str, *inputs: str) -> str:
        self.count += 1
        name = f"{self.place}.{self.count}"
        self.steps.append((operator, list(inputs), name, {}))
        return name

    def x(self, gate: int) -> str:
        return self.op(
            "Add", self.op("MatMul", f"{self.place}.x", f"{self.tag}.w{gate}"), f"{self.tag}.b{gate}"
        )

    def h(self, hidden: str, gate: int) -> str:
        return self.op("Add", self.op("MatMul", hidden, f"{self.tag}.r{gate}"), f"{self.tag}.s{gate}")

    def gate(self, hidden: str, gate: int) -> str:
        return self.op("Add", self.x(gate), self.h(hidden, gate))

    def rnn(self, hidden: str, names: list[str]) -> str:
        return self.op(names[0], self.gate(hidden, 0))

    def gru(self, hidden: str, names: list[str], linear_before_reset: bool) -> str:
        z = self.op(names[0], self.gate(hidden, 0))
        r = self.op(names[0], self.gate(hidden, 1))
        inner = (
            self.op("Mul", r, self.h(hidden, 2))
            if linear_before_reset
            else self.h(self.op("Mul", r, hidden), 2)
        )
        candidate = self.op(names[1], self.op("Add", self.x(2), inner))
        # one product instead of two
        keep = self.op("Sub", ".t.one", z)
        return self.op("Add", hidden, self.op("Mul", keep, self.op("Sub", candidate, hidden)))

    def lstm(
        self, hidden: str, cell: str, names: list[str], peephole: bool, coupled: bool
    ) -> tuple[str, str]:
        def peek(value: str, k: int, state: str) -> str:
            return self.op("Add", value, self.op("Mul", state, f"{self.tag}.p{k}")) if peephole else value

        i = self.op(names[0], peek(self.gate(hidden, 0), 0, cell))
        f = self.op("Sub", ".t.one", i) if coupled else self.op(names[0], peek(self.gate(hidden, 2), 2, cell))
        c = self.op(names[1], self.gate(hidden, 3))
        new = self.op("Add", self.op("Mul", f, cell), self.op("Mul", i, c))
        o = self.op(names[0], peek(self.gate(hidden, 1), 1, new))
        return self.op("Mul", o, self.op(names[2], new)), new
