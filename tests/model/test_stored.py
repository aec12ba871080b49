"""Graphs that name the places of their weights: the same numbers, kept once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.model.folder import DECODER, ENCODER, START, WEIGHTS
from sketch_pix2seq.model.stored import share_weights

FEW = 1024
"""Numbers below which a weight stays in the graph."""


def run(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {"x": x})
    return np.asarray(out)


def graph_of(path: Path, weights: dict[str, np.ndarray]) -> None:
    """x times each float16 matrix in turn."""
    nodes, last = [], "x"
    for name in weights:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_wide"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("MatMul", [last, f"{name}_wide"], [f"{name}_out"]))
        last = f"{name}_out"
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))


def test_a_matrix_is_found_as_it_is_or_turned_and_what_is_not_there_stays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    square, turned, own = (rng.normal(size=shape).astype(np.float16) for shape in ((6, 6), (6, 5), (5, 4)))
    save_file({"other": rng.normal(size=7).astype(np.float16), "a": square, "b": turned.T.copy()}, tmp_path / WEIGHTS)
    path = tmp_path / "graph.onnx"
    graph_of(path, {"square": square, "turned": turned, "own": own})
    x = rng.normal(size=(1, 6)).astype(np.float32)
    before = run(path, x)
    share_weights(path, tmp_path / WEIGHTS)
    np.testing.assert_array_equal(run(path, x), before)
    outside = [
        tensor.name
        for tensor in onnx.load(str(path), load_external_data=False).graph.initializer
        if external_data_helper.uses_external_data(tensor)
    ]
    assert outside == ["square", "turned_stored"]


@pytest.mark.parametrize("name", [ENCODER, START, DECODER])
def test_the_bundled_graphs_keep_nothing_large(name: str) -> None:
    weights = load_file(bundled_folder() / WEIGHTS)
    model = onnx.load(str(bundled_folder() / name), load_external_data=False)
    inside = [
        tensor.name
        for tensor in model.graph.initializer
        if not external_data_helper.uses_external_data(tensor) and int(np.prod(tensor.dims)) >= FEW
    ]
    assert not inside
    kept = sum(value.nbytes for value in weights.values())
    assert (bundled_folder() / name).stat().st_size < 0.02 * kept
