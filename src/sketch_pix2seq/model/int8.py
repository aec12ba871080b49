"""The decoder with its large products in int8: a graph that has no weights of its own.

It names their places, as the graph that it is made of does (`model.stored`), and ONNX Runtime makes int8 of them when
it loads the graph: a scale for each output. What they are multiplied with gets a scale for each drawing at each row, so
that a drawing does not depend on those beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from sketch_pix2seq.model.folder import DECODER, DECODER_INT8

_LEAST = 1 << 16
"""Weights from which a product is made in int8; the layer that gives the mixture has fewer, and needs its digits."""
_LEVELS = 63
"""Largest weight. On processors without VNNI two products with an activation (at most 255) are added in 16 bits."""
_ONE, _LEVEL, _ACTIVE, _TINY, _ZERO, _DOWN, _ACROSS = (
    f"int8_{name}" for name in ("one", "level", "active", "tiny", "zero", "down", "across")
)
_CONSTANTS: dict[str, Any] = {
    _ONE: np.float32(1),
    _LEVEL: np.float32(1 / _LEVELS),
    _ACTIVE: np.float32(1 / 127),
    _TINY: np.float32(1e-6),
    _ZERO: np.uint8(128),
    _DOWN: np.array([0], np.int64),
    _ACROSS: np.array([1], np.int64),
}


def write_int8(folder: Path) -> None:
    """Write ``decoder.int8.onnx`` beside the ``decoder.onnx`` that it is made of, whose weights it shares."""
    model = onnx.load(str(folder / DECODER), load_external_data=False)
    graph = model.graph
    matrices = {
        tensor.name: int(np.prod(tensor.dims)) if len(tensor.dims) == 2 else 0
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT16
    }
    weights, large, products = [], set(), []
    for node in graph.node:
        if node.op_type in ("Transpose", "Cast") and node.input[0] in matrices:
            weights.append(node)
            matrices[node.output[0]] = matrices[node.input[0]]
            if node.op_type == "Cast" and matrices[node.input[0]] >= _LEAST:
                large.add(node.output[0])
        elif node.op_type in ("Gemm", "MatMul") and node.input[1] in large:
            made, used = _product(node)
            weights += made
            products += used
        else:
            products.append(node)
    del graph.node[:]
    graph.node.extend([*weights, *products])
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in _CONSTANTS.items())
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    (folder / DECODER_INT8).write_bytes(model.SerializeToString())


def _product(node: NodeProto) -> tuple[list[NodeProto], list[NodeProto]]:
    """A product in int8: nodes that make the weights, and nodes that multiply with them."""
    x, weight, *added = node.input
    (out,) = node.output
    name = f"{out}_int8"
    make = helper.make_node
    made = []
    if any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
        made.append(make("Transpose", [weight], [f"{name}_turned"], perm=[1, 0]))
        weight = f"{name}_turned"
    made += [
        make("Abs", [weight], [f"{name}_sizes"]),
        make("ReduceMax", [f"{name}_sizes", _DOWN], [f"{name}_largest"], keepdims=0),
        make("Max", [f"{name}_largest", _TINY], [f"{name}_bounded"]),
        make("Mul", [f"{name}_bounded", _LEVEL], [f"{name}_scale"]),
        make("Div", [weight, f"{name}_scale"], [f"{name}_scaled"]),
        make("Round", [f"{name}_scaled"], [f"{name}_rounded"]),
        make("Cast", [f"{name}_rounded"], [f"{name}_weight"], to=TensorProto.INT8),
    ]
    used = [
        make("Abs", [x], [f"{name}_x_sizes"]),
        make("ReduceMax", [f"{name}_x_sizes", _ACROSS], [f"{name}_x_largest"], keepdims=1),
        make("Max", [f"{name}_x_largest", _TINY], [f"{name}_x_bounded"]),
        make("Mul", [f"{name}_x_bounded", _ACTIVE], [f"{name}_x_scale"]),
        make("Div", [x, f"{name}_x_scale"], [f"{name}_x_scaled"]),
        make("QuantizeLinear", [f"{name}_x_scaled", _ONE, _ZERO], [f"{name}_x"]),
        make(
            "MatMulIntegerToFloat",
            [f"{name}_x", f"{name}_weight", _ONE, f"{name}_scale", _ZERO],
            [f"{name}_product"],
            domain="com.microsoft",
        ),
    ]
    last = f"{name}_sum" if added else out
    used.append(make("Mul", [f"{name}_product", f"{name}_x_scale"], [last]))
    if added:
        used.append(make("Add", [last, added[0]], [out]))
    return made, used
