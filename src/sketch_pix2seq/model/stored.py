"""Graphs without large weights of their own: they name the places of these in ``model.safetensors``.

ONNX calls that external data. A safetensors file is eight bytes for the length of a JSON header, the header, and the
numbers as they are, so a folder keeps each weight once, for PyTorch and for ONNX Runtime.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

LARGE = 1024
"""Numbers from which a weight is kept outside of the graphs."""
_TYPES = {"F16": np.float16, "F32": np.float32}


class _Stored(NamedTuple):
    """Numbers in a file of weights, and where they begin there."""

    values: NDArray[np.floating]
    offset: int


def share_weights(graph: Path, weights: Path) -> None:
    """Replace the large weights in a graph's file by their places in the file of weights beside it.

    Those that are not there stay in the graph.
    """
    model = onnx.load(str(graph))
    stored = _stored(weights)
    turning = []
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.data_type == TensorProto.FLOAT16 or (
            tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= LARGE
        ):
            place, nodes = _placed(tensor, stored, weights.name)
            model.graph.initializer[index].CopyFrom(place)
            turning += nodes
    nodes = [*turning, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    graph.write_bytes(model.SerializeToString())


def _stored(path: Path) -> list[_Stored]:
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    out = []
    for name, about in json.loads(content[8:begin]).items():
        if name != "__metadata__" and about["dtype"] in _TYPES:
            first, end = (begin + offset for offset in about["data_offsets"])
            values = np.frombuffer(content[first:end], _TYPES[about["dtype"]]).reshape(about["shape"])
            out.append(_Stored(values, first))
    return out


def _placed(tensor: TensorProto, stored: list[_Stored], location: str) -> tuple[TensorProto, list[NodeProto]]:
    """A weight of a graph as a place in the file of weights, and what turns it; itself where it is not there."""
    values = numpy_helper.to_array(tensor)
    for there, offset in stored:
        if there.dtype != values.dtype:
            continue
        turned = not np.array_equal(there, values)
        if turned and not (values.ndim == 2 and np.array_equal(there.T, values)):
            continue
        name = f"{tensor.name}_stored" if turned else tensor.name
        place = TensorProto(name=name, data_type=tensor.data_type, dims=there.shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", location), ("offset", offset), ("length", there.nbytes)):
            place.external_data.add(key=key, value=str(value))
        return place, [helper.make_node("Transpose", [name], [tensor.name], perm=[1, 0])] if turned else []
    return tensor, []
