"""Model folders from and to the JSON of sketch-rnn's JavaScript programs (`formats.sketch_rnn_js`), without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from sketch_pix2seq.errors import FileError, ModelError, SettingsError
from sketch_pix2seq.formats.sketch_rnn_js import STEP, JsDecoder, JsWeights, read_js, stored, values, write_js
from sketch_pix2seq.model.folder import (
    CONFIG,
    DECODER,
    DECODER_INT8,
    START,
    WEIGHTS,
    ModelInfo,
    read_info,
    writing_folder,
)
from sketch_pix2seq.model.settings import LOG_SIGMA_MAX, LOG_SIGMA_MIN, RHO_MAX, ModelSettings
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sketch import FloatArray

PIXELS = 3.2
"""Pixels of such a file a canvas unit. The drawings of Google's bird, bicycle and sheep have longest sides of 783, 862
and 774 pixels (medians of 64 at temperature 0.3); finished drawings have 255 canvas units."""
_THEIRS_TO_OURS, _OURS_TO_THEIRS = (0, 2, 3, 1), (0, 3, 1, 2)
"""Gates: theirs are i, g, f, o; ours i, f, o, g."""


@dataclass(frozen=True)
class JsExport:
    """What was written."""

    path: Path
    clipped: int
    """Weights beyond 10, the largest that the format holds, which became 10."""


def import_js(path: str | Path, folder: str | Path, category: str) -> Path:
    """Write the model folder of a decoder of sketch-rnn's JavaScript; ``category`` is what it draws.

    The weights stay as they are in the file, to the last bit. Other files of ``folder`` stay.
    Raises FileError or FormatError for a file that is no such decoder, SettingsError for a category without a name, and
    FileError where ``folder`` holds another kind of model or cannot be written.
    """
    folder = Path(folder)
    if not category.strip():
        raise SettingsError("the category that the model draws must have a name; give --category NAME")
    decoder = read_js(path)
    if (folder / CONFIG).exists() and read_info(folder).model.encoder != "none":
        raise FileError(folder, "holds another model, with an encoder; name another folder with --out")
    settings = ModelSettings(
        encoder="none",
        z_size=0,
        decoder="lstm",
        decoder_size=decoder.size,
        mixtures=decoder.mixtures,
        canvas=False,
        start="first",
    )
    record = {
        "imported_from": Path(path).name,
        "name": decoder.name,
        "max_points": decoder.max_points,
    }
    info = ModelInfo(settings, SequenceSpec("first", decoder.scale_factor / PIXELS), (category,), record)
    weights = decoder.weights
    bias = values(_gates(weights.bias, _THEIRS_TO_OURS))
    bias[decoder.size : 2 * decoder.size] += 1
    tensors = {
        "core.from_input.weight": values(_gates(weights.from_row, _THEIRS_TO_OURS)).T,
        "core.from_code.bias": bias,
        "core.weight": values(_gates(weights.from_hidden, _THEIRS_TO_OURS)).T,
        "head.weight": values(weights.head).T,
        "head.bias": values(weights.head_bias),
    }
    with writing_folder(folder) as part:
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, part / WEIGHTS)
        onnx.save(_start_graph(decoder.size, bias), str(part / START))
        onnx.save(_decoder_graph(decoder), str(part / DECODER))
        info.save(part)
        (folder / DECODER_INT8).unlink(missing_ok=True)  # one that is there was made of other weights
    return folder


def export_js(folder: str | Path, path: str | Path) -> JsExport:
    """Write the decoder of a model folder as JSON for sketch-rnn's JavaScript programs.

    The format holds an LSTM that starts on the first point and draws from nothing, so the model must have no encoder.
    Raises ModelError for any other, or for weights that are missing or damaged, FileError where ``path`` cannot be
    written.
    """
    folder = Path(folder)
    info = read_info(folder)
    settings = info.model
    if settings.encoder != "none":
        raise ModelError(
            f"{folder}: this model draws what its encoder sees, and sketch-rnn's JavaScript has no encoder; "
            "`train --recipe decoder-only` makes a model that can go there"
        )
    if settings.decoder != "lstm" or settings.start != "first":
        problem = f"decoder {settings.decoder!r}" if settings.decoder != "lstm" else f"start {settings.start!r}"
        raise ModelError(
            f"{folder}: sketch-rnn's JavaScript has no {problem}, only an lstm that starts on the first point"
        )
    size, outputs = settings.decoder_size, 3 + 6 * settings.mixtures
    tensors = _weights(
        folder / WEIGHTS,
        {
            "head.weight": (outputs, size),
            "head.bias": (outputs,),
            "core.from_input.weight": (4 * size, 5),
            "core.weight": (4 * size, size),
            "core.from_code.bias": (4 * size,),
        },
    )
    tensors["core.from_code.bias"][size : 2 * size] -= 1
    head, head_bias, from_row, from_hidden, bias = (tensor.T for tensor in tensors.values())
    theirs = [head, head_bias, *(_gates(part, _OURS_TO_THEIRS) for part in (from_row, from_hidden, bias))]
    clipped = sum(int((np.abs(part) > 10 + STEP / 2).sum()) for part in theirs)
    name = info.categories[0] if len(info.categories) == 1 else Path(path).name.split(".")[0]
    scale = float(f"{info.sequence.scale * PIXELS:.9g}")
    decoder = JsDecoder(name, scale, _longest(info), JsWeights(*map(stored, theirs)))
    return JsExport(write_js(decoder, path), clipped)


def _gates(array: NDArray[Any], order: Sequence[int]) -> NDArray[Any]:
    """Columns of four gates in another order."""
    parts = array.reshape(*array.shape[:-1], 4, -1)
    return np.asarray(parts[..., list(order), :].reshape(array.shape))


def _weights(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, FloatArray]:
    try:
        found = load_file(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; the model folder is incomplete") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not weights that can be read ({str(error).splitlines()[0]})") from error
    if {name: tensor.shape for name, tensor in found.items()} != shapes:
        raise ModelError(f"{path}: the weights do not fit the folder's config.json")
    tensors = {name: found[name].astype(np.float32) for name in shapes}
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ModelError(f"{path}: holds a weight that is not a finite number")
    return tensors


def _longest(info: ModelInfo) -> int:
    """Rows of the longest drawing that a model learned from, as far as its record tells."""
    record: Any = info.training
    found = record.get("max_points") or record.get("settings", {}).get("batch", {}).get("max_points")
    return found if isinstance(found, int) else 250


# -- graphs -----------------------------------------------------------------------------------------------


class _Tensor(NamedTuple):
    """A graph's input or output of n rows."""

    name: str
    width: int

    def info(self) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(self.name, TensorProto.FLOAT, ["n", self.width])


def _start_graph(size: int, bias: FloatArray) -> onnx.ModelProto:
    """As many codes without numbers -> as many biases, and states that are 0."""
    nodes = [
        helper.make_node("Shape", ["code"], ["n"], start=0, end=1),
        helper.make_node("Concat", ["n", "gates"], ["gates_shape"], axis=0),
        helper.make_node("Expand", ["bias", "gates_shape"], ["fixed_0"]),
        helper.make_node("Concat", ["n", "size"], ["state_shape"], axis=0),
        *(helper.make_node("ConstantOfShape", ["state_shape"], [f"state_{i}"]) for i in (0, 1)),
    ]
    constants: dict[str, NDArray[Any]] = {
        "bias": bias,
        "gates": np.array([4 * size], np.int64),
        "size": np.array([size], np.int64),
    }
    outputs = [_Tensor("fixed_0", 4 * size), _Tensor("state_0", size), _Tensor("state_1", size)]
    return _model("start", nodes, [_Tensor("code", 0)], outputs, constants)


def _decoder_graph(decoder: JsDecoder) -> onnx.ModelProto:
    """One row of the decoder; its weights as int16 with a product behind, which a runtime folds when it loads it."""
    weights, size, mixtures = decoder.weights, decoder.size, decoder.mixtures
    constants: dict[str, NDArray[Any]] = {
        "step": np.array(STEP, np.float32),
        "from_row_stored": _gates(weights.from_row, _THEIRS_TO_OURS),
        "from_hidden_stored": _gates(weights.from_hidden, _THEIRS_TO_OURS),
        "head_stored": weights.head,
        "head_bias": values(weights.head_bias),
        "parts": np.array([3, *[mixtures] * 6], np.int64),
        "log_sigma_min": np.array(LOG_SIGMA_MIN, np.float32),
        "log_sigma_max": np.array(LOG_SIGMA_MAX, np.float32),
        "rho_max": np.array(RHO_MAX, np.float32),
    }
    nodes = []
    for name in ("from_row", "from_hidden", "head"):
        nodes += [
            helper.make_node("Cast", [f"{name}_stored"], [f"{name}_steps"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_steps", "step"], [name]),
        ]
    nodes += [
        helper.make_node("MatMul", ["row", "from_row"], ["of_row"]),
        helper.make_node("MatMul", ["state_0", "from_hidden"], ["of_hidden"]),
        helper.make_node("Add", ["of_row", "of_hidden"], ["of_both"]),
        helper.make_node("Add", ["of_both", "fixed_0"], ["gates"]),
        helper.make_node("Split", ["gates"], ["raw_i", "raw_f", "raw_o", "raw_g"], axis=1, num_outputs=4),
        *(helper.make_node("Sigmoid", [f"raw_{gate}"], [gate]) for gate in "ifo"),
        helper.make_node("Tanh", ["raw_g"], ["g"]),
        helper.make_node("Mul", ["f", "state_1"], ["kept"]),
        helper.make_node("Mul", ["i", "g"], ["added"]),
        helper.make_node("Add", ["kept", "added"], ["state_1_after"]),
        helper.make_node("Tanh", ["state_1_after"], ["shown"]),
        helper.make_node("Mul", ["o", "shown"], ["state_0_after"]),
        helper.make_node("MatMul", ["state_0_after", "head"], ["of_state"]),
        helper.make_node("Add", ["of_state", "head_bias"], ["raw"]),
        helper.make_node(
            "Split",
            ["raw", "parts"],
            ["raw_pen", "raw_pi", "mu_x", "mu_y", "raw_sigma_x", "raw_sigma_y", "raw_rho"],
            axis=1,
        ),
        helper.make_node("LogSoftmax", ["raw_pen"], ["log_pen"], axis=1),
        helper.make_node("LogSoftmax", ["raw_pi"], ["log_pi"], axis=1),
        *(
            helper.make_node("Clip", [f"raw_sigma_{axis}", "log_sigma_min", "log_sigma_max"], [f"log_sigma_{axis}"])
            for axis in "xy"
        ),
        helper.make_node("Tanh", ["raw_rho"], ["tanh_rho"]),
        helper.make_node("Mul", ["tanh_rho", "rho_max"], ["rho"]),
    ]
    inputs = [_Tensor("row", 5), _Tensor("fixed_0", 4 * size), _Tensor("state_0", size), _Tensor("state_1", size)]
    mixture = ["log_pi", "mu_x", "mu_y", "log_sigma_x", "log_sigma_y", "rho"]
    outputs = [
        *(_Tensor(name, mixtures) for name in mixture),
        _Tensor("log_pen", 3),
        _Tensor("state_0_after", size),
        _Tensor("state_1_after", size),
    ]
    return _model("decoder", nodes, inputs, outputs, constants)


def _model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[_Tensor],
    outputs: Sequence[_Tensor],
    constants: dict[str, NDArray[Any]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [tensor.info() for tensor in inputs],
        [tensor.info() for tensor in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model
