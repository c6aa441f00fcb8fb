"""Networks that the bench builds itself, deterministically: classes of which no trained file is at hand.

Weights are drawn from a fixed seed at the scale that keeps activations of order one; batch normalisations
hold the statistics that the data really has there. The convolutional networks classify handwritten digits
(scikit-learn's, enlarged and tinted to 3x32x32) with a head fitted by ridge regression on top of the random
features, so that their accuracy means something. The others have no labels: agreement with the float network
is all that can be said of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FloatArray = NDArray[np.float32]
OPSET = 17
SEED = 20_240_611
STATISTICS, HELD_OUT = 300, 300
"""Digits whose statistics batch normalisations hold, and those kept as samples; heads see all others."""


@dataclass(frozen=True, eq=False)
class Data:
    """Samples `x` of a network, and their class numbers if it has any."""

    x: FloatArray
    y: NDArray[np.int64] | None = None


@dataclass
class Net:
    """A graph under construction. `add` appends a node and returns its output's name."""

    input_shape: tuple[int, ...]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        array = values.astype(np.float32) if values.dtype.kind == "f" else values
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int, fan_in: int, gain: float = 2.0) -> str:
        """A weight drawn with variance gain / fan_in (He's for gain 2)."""
        return self.constant(self.rng.normal(0, np.sqrt(gain / fan_in), shape))

    def dense(self, x: str, width_in: int, width_out: int, *, gain: float = 2.0) -> str:
        bias = self.constant(self.rng.normal(0, 0.1, width_out))
        return self.add(
            "Gemm", x, self.normal(width_out, width_in, fan_in=width_in, gain=gain), bias, transB=1
        )

    def linear(self, x: str, width_in: int, width_out: int) -> str:
        """Like `dense`, on the last axis of a sequence."""
        product = self.add("MatMul", x, self.normal(width_in, width_out, fan_in=width_in, gain=1.0))
        return self.add("Add", product, self.constant(self.rng.normal(0, 0.02, width_out)))

    def values(self, name: str, x: FloatArray) -> FloatArray:
        """What the graph so far computes at `name`, for each of `x`."""
        nodes = [*self.nodes, helper.make_node("Identity", [name], ["values"])]
        shape = ("n", *self.input_shape[1:])
        graph = helper.make_graph(
            nodes,
            "prefix",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("values", TensorProto.FLOAT, None)],
            self.constants,
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        proto.ir_version = 8
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        parts = [session.run(None, {"input": part})[0] for part in np.array_split(x, -(-len(x) // 50))]
        return np.concatenate(parts)

    def model(self, output: str, output_shape: tuple[int, ...], name: str = "network") -> onnx.ModelProto:
        result = self.add("Identity", output)
        self.nodes[-1].output[0] = "output"
        try:
            graph = helper.make_graph(
                list(self.nodes),
                name,
                [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.input_shape)],
                [helper.make_tensor_value_info("output", TensorProto.FLOAT, output_shape)],
                list(self.constants),
            )
        finally:
            self.nodes.pop()
        assert result
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        proto.ir_version = 8
        onnx.checker.check_model(proto)
        return proto


class ConvNet(Net):
    """A Net with batch-normalised convolutions, whose statistics are those of the samples `x`."""

    def __init__(self, x: FloatArray) -> None:
        super().__init__((1, *x.shape[1:]))
        self.x = x

    def conv(
        self,
        x: str,
        channels_in: int,
        channels_out: int,
        size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        gain: float = 1.0,
    ) -> str:
        """Convolution without bias, then batch normalisation to a standard deviation of about `gain`."""
        weight = self.normal(
            channels_out, channels_in // groups, size, size, fan_in=channels_in // groups * size * size
        )
        y = self.add(
            "Conv",
            x,
            weight,
            kernel_shape=[size] * 2,
            pads=[size // 2] * 4,
            strides=[stride] * 2,
            group=groups,
        )
        found = self.values(y, self.x)
        scale = self.constant(gain * self.rng.uniform(0.8, 1.2, channels_out))
        shift = self.constant(gain * self.rng.normal(0, 0.1, channels_out))
        mean = self.constant(found.mean(axis=(0, 2, 3)))
        variance = self.constant(found.var(axis=(0, 2, 3)))
        return self.add("BatchNormalization", y, scale, shift, mean, variance)

    def relu6(self, x: str) -> str:
        return self.add("Clip", x, self.constant(np.array(0.0)), self.constant(np.array(6.0)))

    def head(self, x: str, pool: int, fit: Data) -> onnx.ModelProto:
        """Average pooling to 2x2 and the linear classifier that ridge regression finds for `fit`.

        Trained networks pool to 1x1; random features would lose where they were found, which is most of
        what they know.
        """
        pooled = self.add("AveragePool", x, kernel_shape=[pool] * 2, strides=[pool] * 2)
        return self.classifier(self.add("Flatten", pooled), fit)

    def classifier(self, features: str, fit: Data) -> onnx.ModelProto:
        """The linear classifier of `features` that ridge regression finds for `fit`."""
        assert fit.y is not None
        found = np.asarray(self.values(features, fit.x), dtype=np.float64)
        width = found.shape[1]
        mean = found.mean(axis=0)
        centred = found - mean
        targets = 8.0 * (np.eye(10)[fit.y] - 0.1)
        penalty = 1e-3 * np.trace(centred.T @ centred) / width
        weight = np.linalg.solve(centred.T @ centred + penalty * np.eye(width), centred.T @ targets)
        logits = self.add("Gemm", features, self.constant(weight.T), self.constant(-mean @ weight), transB=1)
        return self.model(logits, (1, 10))


def tinted_digits() -> tuple[Data, Data]:
    """scikit-learn's 1,797 digits as float32 [n, 3, 32, 32] in [0, 1]: enlarged four times, each in a colour.

    The second part is held out.
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.clip(zoom(digits.images / 16.0, (1, 4, 4), order=1), 0.0, 1.0)
    colours = np.random.default_rng(SEED).uniform(0.4, 1.0, (len(grey), 3))
    x = (grey[:, None] * colours[:, :, None, None]).astype(np.float32)
    y = digits.target.astype(np.int64)
    return Data(x[:-HELD_OUT], y[:-HELD_OUT]), Data(x[-HELD_OUT:], y[-HELD_OUT:])


def resnet20() -> tuple[onnx.ModelProto, Data]:
    """ResNet-20 for 32x32 (He et al. 2016, section 4.2): 0.27M weights, 41M multiplications, 188k ReLUs."""
    fit, held_out = tinted_digits()
    net = ConvNet(fit.x[:STATISTICS])
    x = net.add("Relu", net.conv("input", 3, 16, 3))
    channels = 16
    for width in (16, 32, 64):
        for block in range(3):
            stride = 2 if width != 16 and block == 0 else 1
            y = net.add("Relu", net.conv(x, channels, width, 3, stride=stride))
            # A small branch keeps random layers near the identity, as training would.
            y = net.conv(y, width, width, 3, gain=0.3)
            skip = x if channels == width else net.conv(x, channels, width, 1, stride=stride)
            x = net.add("Relu", net.add("Add", y, skip))
            channels = width
    return net.head(x, 4, fit), held_out


def mobilenet_v2() -> tuple[onnx.ModelProto, Data]:
    """A small MobileNetV2 (Sandler et al. 2018) for 32x32: inverted residuals of expansion 6 with ReLU6."""
    fit, held_out = tinted_digits()
    net = ConvNet(fit.x[:STATISTICS])
    x = net.relu6(net.conv("input", 3, 16, 3, stride=2))
    channels = 16
    for width, stride, expansion in (
        (16, 1, 1),
        (16, 1, 6),
        (16, 1, 6),
        (24, 2, 6),
        (24, 1, 6),
        (32, 2, 6),
        (32, 1, 6),
    ):
        inner = expansion * channels
        y = x if expansion == 1 else net.relu6(net.conv(x, channels, inner, 1))
        y = net.relu6(net.conv(y, inner, inner, 3, stride=stride, groups=inner))
        keeps = stride == 1 and channels == width
        y = net.conv(y, inner, width, 1, gain=0.3 if keeps else 1.0)
        x = net.add("Add", x, y) if keeps else y
        channels = width
    return net.head(net.relu6(net.conv(x, channels, 128, 1)), 2, fit), held_out


def vgg() -> tuple[onnx.ModelProto, Data]:
    """A VGG (Simonyan, Zisserman 2015) for 32x32: 5.1M weights, 173M multiplications, 164k ReLUs."""
    fit, held_out = tinted_digits()
    net = ConvNet(fit.x[:STATISTICS])
    x, channels = "input", 3
    for widths in ((64,), (128,), (256, 256, 256), (512, 512)):
        for width in widths:
            x = net.add("Relu", net.conv(x, channels, width, 3))
            channels = width
        x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return net.classifier(net.add("Flatten", x), fit), held_out


def mlp_wide() -> tuple[onnx.ModelProto, Data]:
    """784-2000-60-4000-10 with ReLU, the network that Bionetta and DeepProve publish figures for."""
    net = Net((1, 784))
    samples = np.random.default_rng(SEED + 1).uniform(0, 1, (HELD_OUT, 784))
    # Like images: much of the plane is empty, and how much differs.
    share = np.linspace(0.4, 0.9, HELD_OUT)[:, None]
    empty = np.random.default_rng(SEED + 2).uniform(0, 1, samples.shape) < share
    data = Data(np.where(empty, 0, samples).astype(np.float32))
    x = "input"
    for before, after in ((784, 2000), (2000, 60), (60, 4000)):
        x = net.add("Relu", net.dense(x, before, after))
    logits = net.dense(x, 4000, 10, gain=1.0)
    # Every class wins somewhere: random logits differ more from each other than from sample to sample.
    offset = -net.values(logits, data.x).mean(axis=0)
    return net.model(net.add("Add", logits, net.constant(offset)), (1, 10)), data


def _encoder_block(net: Net, x: str, tokens: int, width: int, heads: int, *, causal: bool) -> str:
    """Attention and a perceptron as PyTorch exports them: post-norm, GELU, width - 4 width - width."""

    def split(x: str, order: list[int]) -> str:
        shape = net.constant(np.array([1, tokens, heads, width // heads], dtype=np.int64))
        return net.add("Transpose", net.add("Reshape", x, shape), perm=order)

    def normalise(x: str) -> str:
        scale = net.constant(net.rng.uniform(0.8, 1.2, width))
        return net.add("LayerNormalization", x, scale, net.constant(net.rng.normal(0, 0.1, width)), axis=-1)

    query = split(net.linear(x, width, width), [0, 2, 1, 3])
    key = split(net.linear(x, width, width), [0, 2, 3, 1])
    value = split(net.linear(x, width, width), [0, 2, 1, 3])
    scores = net.add("Mul", net.add("MatMul", query, key), net.constant(np.array((width // heads) ** -0.5)))
    if causal:
        mask = np.triu(np.full((tokens, tokens), -np.inf, dtype=np.float32), 1)
        scores = net.add("Add", scores, net.constant(mask))
    context = net.add("MatMul", net.add("Softmax", scores, axis=-1), value)
    merged = net.add(
        "Reshape",
        net.add("Transpose", context, perm=[0, 2, 1, 3]),
        net.constant(np.array([1, tokens, width], dtype=np.int64)),
    )
    attended = normalise(net.add("Add", x, net.linear(merged, width, width)))
    hidden = net.linear(attended, width, 4 * width)
    erf = net.add("Erf", net.add("Div", hidden, net.constant(np.array(np.sqrt(2.0)))))
    gate = net.add("Add", erf, net.constant(np.array(1.0)))
    gelu = net.add("Mul", net.add("Mul", hidden, gate), net.constant(np.array(0.5)))
    return normalise(net.add("Add", attended, net.linear(gelu, 4 * width, width)))


def transformer() -> tuple[onnx.ModelProto, Data]:
    """One encoder block: 32 tokens of width 64, 4 heads."""
    tokens, width = 32, 64
    net = Net((1, tokens, width))
    output = _encoder_block(net, "input", tokens, width, 4, causal=False)
    samples = np.random.default_rng(SEED + 3).normal(0, 1, (64, tokens, width))
    return net.model(output, (1, tokens, width)), Data(np.clip(samples, -3, 3).astype(np.float32))


def nanogpt() -> tuple[onnx.ModelProto, Data]:
    """A character model: 4 causal blocks, 64 tokens of width 64, 4 heads; the last token's 65 logits."""
    tokens, width = 64, 64
    net = Net((1, tokens, width))
    x = "input"
    for _ in range(4):
        x = _encoder_block(net, x, tokens, width, 4, causal=True)
    last = net.add("Gather", x, net.constant(np.array(tokens - 1, dtype=np.int64)), axis=1)
    samples = np.random.default_rng(SEED + 4).normal(0, 1, (32, tokens, width))
    return net.model(net.dense(last, width, 65), (1, 65)), Data(np.clip(samples, -3, 3).astype(np.float32))


GENERATORS: dict[str, Callable[[], tuple[onnx.ModelProto, Data]]] = {
    "mlp_784_2000_60_4000_10": mlp_wide,
    "mobilenet_v2_32": mobilenet_v2,
    "nanogpt": nanogpt,
    "resnet20_32": resnet20,
    "transformer_block": transformer,
    "vgg_5m_32": vgg,
}


def write(name: str, folder: Path) -> None:
    """Build one of GENERATORS as `folder/name.onnx` and its samples as `folder/name.npz`."""
    model, data = GENERATORS[name]()
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"x": data.x} if data.y is None else {"x": data.x, "y": data.y}
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    onnx.save(model, str(folder / f"{name}.onnx"))
