"""A trained network -> a model folder."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sketch_pix2seq.errors import ModelError
from sketch_pix2seq.model.encoders import NoEncoder, SequenceEncoder
from sketch_pix2seq.model.flow import Flow
from sketch_pix2seq.model.folder import (
    DECODER,
    ENCODER,
    FLOW,
    FLOW_WEIGHTS,
    START,
    WEIGHTS,
    ModelInfo,
    read_info,
    writing_folder,
)
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.sampling import CHANCES
from sketch_pix2seq.model.settings import FlowSettings
from sketch_pix2seq.model.stored import LARGE, share_weights
from sketch_pix2seq.model.untrusted import Shapes, check_weights
from sketch_pix2seq.plain import from_plain
from sketch_pix2seq.sequence import FRAME


def write_folder(
    folder: str | Path,
    network: Network,
    categories: Sequence[str],
    training: Mapping[str, Any],
    *,
    exact: bool = False,
) -> Path:
    """Write a model folder; weights are rounded to float16 first, so that both runtimes have the same ones.

    exact: they are kept in float32 instead. See `writing_folder`.
    """
    folder = Path(folder)
    network = network.to("cpu").eval()
    kept = torch.float32 if exact else torch.float16
    network.load_state_dict({name: value.to(kept).float() for name, value in network.state_dict().items()})
    info = ModelInfo(network.settings, network.sequence, tuple(categories), dict(training))
    with writing_folder(folder) as part:
        save_file({k: v.to(kept).contiguous() for k, v in network.state_dict().items()}, part / WEIGHTS)
        _export_graphs(network, part, half=not exact)
        info.save(part)
    return folder


def load_network(folder: str | Path) -> tuple[Network, ModelInfo]:
    """The network of a model folder, in float32, for drawing or further training.

    Raises ModelError where weights are missing or do not fit the configuration.
    """
    info = read_info(folder)

    def make() -> Network:
        return Network(info.model, info.sequence, len(info.categories))

    return _loaded(make, Path(folder) / WEIGHTS), info


_Module = TypeVar("_Module", bound=nn.Module)


def _loaded(make: Callable[[], _Module], path: Path) -> _Module:
    """A module with the weights of a file, in float32. Nothing is allocated before they are known to fit."""
    check_weights(path, shapes_of(make))
    module = make()
    try:
        module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"{path}: not the weights of this model ({str(error).splitlines()[0]})") from error
    return module.eval()


def shapes_of(make: Callable[[], nn.Module]) -> Shapes:
    """Shapes of a module's weights, without making any."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in make().state_dict().items()}


class _Encode(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ink: Tensor) -> tuple[Tensor, ...]:
        mu, log_variance = self.network.encode(ink)
        return (mu,) if log_variance is None else (mu, log_variance)


class _Start(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, code: Tensor, level: Tensor | None = None, category: Tensor | None = None, picture: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        fixed, state = self.network.start(code, level, category, picture)
        return (*fixed, *state)


class _DrawRow(nn.Module):
    def __init__(self, network: Network, fixed: int) -> None:
        super().__init__()
        self.network, self.fixed = network, fixed

    def forward(
        self, row: Tensor, given: Tensor, chance: Tensor, control: Tensor, *state: Tensor
    ) -> tuple[Tensor, ...]:
        fixed, moving = state[: self.fixed], state[self.fixed :]
        drawn, density, after = self.network.draw_row(row, given, chance, control, fixed, moving)
        return (drawn, density, *after)


@torch.no_grad()
def _export_graphs(network: Network, folder: Path, half: bool) -> None:
    n, size = 2, network.settings.raster.size
    if isinstance(network.encoder, SequenceEncoder):
        heads = {"code": network.to_mu, "log_variance": network.to_log_variance}
        there = {name: head for name, head in heads.items() if isinstance(head, nn.Linear)}
        onnx.save(_halved(_sequence_encoder(network.encoder, there)), str(folder / ENCODER))
    elif not isinstance(network.encoder, NoEncoder):
        outputs = ["code"] if network.to_log_variance is None else ["code", "log_variance"]
        save_graph(_Encode(network), (torch.rand(n, size, size),), ["ink"], outputs, folder / ENCODER, half=half)
    given: dict[str, Tensor] = {"code": torch.randn(n, network.settings.z_size)}
    if network.condition is not None:
        given |= {"level": torch.rand(n), "category": torch.arange(n)}
    if network.settings.attend > 0:
        given["picture"] = torch.rand(n, size, size)
    fixed, state = network.start(**given)
    names = [f"fixed_{i}" for i in range(len(fixed))] + [f"state_{i}" for i in range(len(state))]
    save_graph(_Start(network), tuple(given.values()), list(given), names, folder / START, half=half)
    row = network.start_row(n)
    save_graph(
        _DrawRow(network, len(fixed)),
        (row, row.clone(), torch.rand(n, CHANCES), torch.rand(n, 4), *fixed, *state),
        ["row", "given", "chance", "control", *names],
        ["drawn", "log_density", *(f"{name}_after" for name in names[len(fixed) :])],
        folder / DECODER,
        half=half,
    )
    for graph in folder.glob("*.onnx"):
        share_weights(graph, folder / WEIGHTS)


@torch.no_grad()
def write_flow(folder: str | Path, flow: Flow, record: Mapping[str, Any]) -> None:
    """Add a flow over codes to a model folder: its weights, float16, its settings and training record, and its
    graph."""
    flow = flow.to("cpu").eval()
    flow.load_state_dict({name: value.half().float() for name, value in flow.state_dict().items()})
    n, z = 2, flow.z_size
    about = {"settings": json.dumps(asdict(flow.settings)), "record": json.dumps(dict(record))}
    example = (torch.randn(n, z + FRAME), torch.rand(n, 1), torch.arange(n), torch.randn(n, z), torch.rand(n, 1))
    with writing_folder(folder) as part:
        weights = {k: v.half().contiguous() for k, v in flow.state_dict().items()}
        save_file(weights, part / FLOW_WEIGHTS, about)
        names = ["x", "t", "category", "partial", "started"]
        save_graph(_Flow(flow), example, names, ["velocity", "finished"], part / FLOW)
        share_weights(part / FLOW, part / FLOW_WEIGHTS)


def load_flow(folder: str | Path, info: ModelInfo) -> Flow:
    """The flow of a model folder, in float32. Raises ModelError where it is missing or does not fit the folder."""
    path = Path(folder) / FLOW_WEIGHTS
    check_weights(path)
    try:
        with safe_open(path, "pt") as file:
            settings = from_plain(FlowSettings, json.loads((file.metadata() or {})["settings"]))
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a flow of this model ({str(error).splitlines()[0]})") from error
    return _loaded(lambda: Flow(info.model.z_size, len(info.categories), settings), path)


class _Flow(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor, t: Tensor, category: Tensor, partial: Tensor, started: Tensor) -> tuple[Tensor, ...]:
        velocity = self.flow(x, t, category, partial, started)
        return velocity, torch.sigmoid(self.flow.finished(category, partial))


def save_graph(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
    outputs: list[str],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    *,
    half: bool = True,
) -> None:
    """Write a module as ONNX, the first axis of every input free. half: its large weights in float16."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    batch = torch.export.Dim.DYNAMIC
    shapes: Any = tuple({0: batch} for _ in inputs)
    if isinstance(module, _DrawRow):
        shapes = (*shapes[:4], shapes[4:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            input_names=names,
            output_names=outputs,
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None
    model = _halved(program.model_proto) if half else program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # where in the source it comes from: a tenth of the file
    if metadata is not None:
        helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _sequence_encoder(encoder: SequenceEncoder, heads: Mapping[str, nn.Linear]) -> onnx.ModelProto:
    """The rnn encoder as a graph: ONNX's own bidirectional LSTM, whose gates are in the order i, o, f, c.

    End rows are not read: ``lengths`` count them, the LSTM's do not.
    """

    def reordered(name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        parts = []
        for core in encoder.directions:
            i, f, o, g = core.get_parameter(name).detach().numpy().reshape(4, encoder.out_features // 2, -1)
            parts.append(np.concatenate([i, o, f, g]))
        return np.stack(parts)

    bias = reordered("from_code.bias")[..., 0]
    weights = {
        "w": reordered("from_input.weight"),
        "r": reordered("weight"),
        "b": np.concatenate([bias, np.zeros_like(bias)], axis=1),
        "end": np.array([4], np.int64),
        "axes": np.array([1, 2], np.int64),
    }
    for name, head in heads.items():
        weights |= {f"{name}_w": head.weight.detach().numpy(), f"{name}_b": head.bias.detach().numpy()}
    nodes = [
        helper.make_node("Transpose", ["rows"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node("Gather", ["rows", "end"], ["is_end"], axis=2),
        helper.make_node("ReduceSum", ["is_end", "axes"], ["end_rows"], keepdims=0),
        helper.make_node("Cast", ["end_rows"], ["end_rows_int"], to=TensorProto.INT32),
        helper.make_node("Sub", ["lengths", "end_rows_int"], ["read"]),
        helper.make_node(
            "LSTM",
            ["by_time", "w", "r", "b", "read"],
            ["", "last"],
            direction="bidirectional",
            hidden_size=encoder.out_features // 2,
        ),
        helper.make_node("Transpose", ["last"], ["by_sketch"], perm=[1, 0, 2]),
        helper.make_node("Flatten", ["by_sketch"], ["features"]),
        *(helper.make_node("Gemm", ["features", f"{name}_w", f"{name}_b"], [name], transB=1) for name in heads),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", "time", 5]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["n"]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", h.out_features]) for name, h in heads.items()],
        [numpy_helper.from_array(np.asarray(value, order="C"), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large float32 weights stored as float16 with a cast behind, which ONNX Runtime folds when it loads the graph."""
    graph = model.graph
    casts = []
    for index, tensor in enumerate(graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and int(np.prod(tensor.dims)) >= LARGE:
            name = tensor.name
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}_half")
            graph.initializer[index].CopyFrom(half)
            casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model
