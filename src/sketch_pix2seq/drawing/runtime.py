"""Runtimes: what drawing asks of a model folder, in NumPy arrays. ONNX Runtime draws without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.interface import check_session
from sketch_pix2seq.errors import ModelError
from sketch_pix2seq.model.folder import (
    CONFIG,
    DECODER,
    ENCODER,
    FLOW,
    FLOW_WEIGHTS,
    START,
    WEIGHTS,
    ModelInfo,
    read_info,
)
from sketch_pix2seq.model.untrusted import check_graph, check_weights
from sketch_pix2seq.sequence import FRAME, PEN_DOWN, PEN_UP
from sketch_pix2seq.sketch import FloatArray

if TYPE_CHECKING:
    from sketch_pix2seq.model.flow import Flow
    from sketch_pix2seq.model.network import Network

RuntimeName = Literal["onnx", "torch"]
Places: TypeAlias = NDArray[np.integer] | slice | int
_FEWEST = 16
"""Drawings from which a thread of its own is worth while."""


class Posterior(NamedTuple):
    """What an encoder makes of n sketches: the mean of z ``(n, z)``, which is the code, and its log variance.

    log_variance is None for a model whose z is not sampled.
    """

    mean: FloatArray
    log_variance: FloatArray | None


class Told(NamedTuple):
    """What n drawings are drawn from, beside their codes."""

    level: FloatArray
    """The noise in each code ``(n,)``."""
    category: NDArray[np.int64]
    """Index of each category ``(n,)``; the number of categories stands for "not told"."""
    picture: FloatArray
    """Ink ``(n, size, size)`` in 0..1 to attend to; without ink: none."""

    def select(self, chosen: NDArray[np.integer]) -> Told:
        """What the drawings ``chosen`` are drawn from."""
        return Told(self.level[chosen], self.category[chosen], self.picture[chosen])

    @classmethod
    def nothing(cls, info: ModelInfo, n: int) -> Told:
        """No noise, no category, no picture."""
        size = info.model.raster.size
        return cls(
            np.zeros(n, np.float32),
            np.full(n, len(info.categories), np.int64),
            np.zeros((n, size, size), np.float32),
        )


@dataclass(frozen=True)
class DrawingState:
    """Where n drawings are: arrays of a runtime's own kind, first axis n. ``fixed`` stays the same while drawing."""

    fixed: tuple[Any, ...]
    moving: tuple[Any, ...]

    def select(self, chosen: NDArray[np.integer]) -> DrawingState:
        """The drawings ``chosen`` (indices, in that order, repeats allowed)."""
        return DrawingState(tuple(x[chosen] for x in self.fixed), tuple(x[chosen] for x in self.moving))

    def put(self, places: Places, others: DrawingState, sources: Places) -> None:
        """Set what moves of some drawings to that of others, in the arrays themselves."""
        for mine, theirs in zip(self.moving, others.moving, strict=True):
            mine[places] = theirs[sources]


class Rows(NamedTuple):
    """The next row of n drawings."""

    row: FloatArray
    """stroke-5 ``(n, 5)`` in model units."""
    log_density: FloatArray
    """Of the offset and of the pen state, in nats, ``(n, 2)``."""


class Runtime(Protocol):
    """A network that draws. Arrays are float32, batches along the first axis."""

    info: ModelInfo

    def encode(self, ink: FloatArray) -> Posterior:
        """Ink ``(n, size, size)`` in 0..1 -> what an encoder that sees pictures makes of it."""
        ...

    def encode_rows(self, rows: FloatArray, lengths: NDArray[np.int32]) -> Posterior:
        """stroke-5 rows ``(n, time, 5)`` with lengths ``(n,)`` -> what an encoder that reads strokes makes of them."""
        ...

    def start(self, code: FloatArray, told: Told) -> DrawingState:
        """Codes ``(n, z)`` -> the state before the first row. A network takes no notice of what it cannot be told."""
        ...

    def draw_row(
        self, rows: FloatArray, state: DrawingState, chance: FloatArray, control: FloatArray, given: FloatArray
    ) -> tuple[Rows, DrawingState]:
        """Last rows ``(n, 5)`` (first: `start_rows`) -> the next ones and the state; see `Network.draw_row`."""
        ...

    def velocity(
        self, x: FloatArray, t: FloatArray, category: NDArray[np.int64], partial: FloatArray, started: FloatArray
    ) -> FloatArray:
        """The flow over codes; see `model.flow.Flow.forward`. Raises ModelError for a model without one."""
        ...

    def finished(self, category: NDArray[np.int64], partial: FloatArray) -> FloatArray:
        """How probable it is ``(n,)`` that nothing is missing in drawings with these codes ``(n, z)``, by the flow."""
        ...

    def workers(self, drawings: int) -> Sequence[Runtime]:
        """What draws so many fastest: a runtime for each of several threads, or itself alone."""
        ...


def start_rows(info: ModelInfo, n: int) -> FloatArray:
    """The rows before the first, ``(n, 5)``."""
    rows = np.zeros((n, 5), np.float32)
    rows[:, 2 + (PEN_DOWN if info.sequence.start == "first" else PEN_UP)] = 1
    return rows


class OnnxRuntime:
    """The graphs of a model folder on ONNX Runtime's CPU provider. threads: 0 = as many as there are cores."""

    def __init__(self, folder: str | Path, *, threads: int = 0) -> None:
        self.info = read_info(folder)
        self._folder, self._threads = Path(folder), threads or os.cpu_count() or 1
        self._sessions: dict[str, Any] = {}
        self._checked: set[str] = set()

    def encode(self, ink: FloatArray) -> Posterior:
        return self._encoded({"ink": ink})

    def encode_rows(self, rows: FloatArray, lengths: NDArray[np.int32]) -> Posterior:
        return self._encoded({"rows": rows, "lengths": lengths})

    def _encoded(self, feed: dict[str, NDArray[Any]]) -> Posterior:
        mean, *rest = self._run(ENCODER, feed)
        self._check(ENCODER, mean, (len(mean), self.info.model.z_size))
        return Posterior(mean, rest[0] if rest else None)

    def start(self, code: FloatArray, told: Told) -> DrawingState:
        session = self._session(START)
        wanted = {value.name for value in session.get_inputs()}
        given: dict[str, NDArray[Any]] = {"code": code, "level": told.level, "category": told.category}
        given["picture"] = told.picture
        names = [output.name for output in session.get_outputs()]
        values = self._run(START, {name: value for name, value in given.items() if name in wanted})
        fixed = sum(name.startswith("fixed_") for name in names)
        return DrawingState(tuple(values[:fixed]), tuple(values[fixed:]))

    def draw_row(
        self, rows: FloatArray, state: DrawingState, chance: FloatArray, control: FloatArray, given: FloatArray
    ) -> tuple[Rows, DrawingState]:
        feed = {"row": rows, "given": given, "chance": chance, "control": control}
        feed.update({f"fixed_{i}": x for i, x in enumerate(state.fixed)})
        feed.update({f"state_{i}": x for i, x in enumerate(state.moving)})
        row, density, *moving = self._run(DECODER, feed)
        self._check(DECODER, row, rows.shape)
        return Rows(row, density), DrawingState(state.fixed, tuple(moving))

    def velocity(
        self, x: FloatArray, t: FloatArray, category: NDArray[np.int64], partial: FloatArray, started: FloatArray
    ) -> FloatArray:
        feed: dict[str, NDArray[Any]] = {"x": x, "t": t, "category": category}
        feed |= {"partial": partial, "started": started}
        out: FloatArray = self._run(FLOW, feed, "velocity")[0]
        self._check(FLOW, out, x.shape)
        return out

    def finished(self, category: NDArray[np.int64], partial: FloatArray) -> FloatArray:
        n, z = partial.shape
        zero = np.zeros((n, 1), np.float32)
        feed = {"x": np.zeros((n, z + FRAME), np.float32), "t": zero, "started": zero}
        out: FloatArray = self._run(FLOW, feed | {"category": category, "partial": partial}, "finished")[0]
        self._check(FLOW, out, (n,))
        return out

    def workers(self, drawings: int) -> Sequence[Runtime]:
        for name in (START, DECODER):
            self._session(name)  # opened once, whichever thread comes first
        return [self] * max(1, min(self._threads, drawings // _FEWEST))

    def _run(self, name: str, feed: dict[str, NDArray[Any]], *outputs: str) -> list[NDArray[Any]]:
        session = self._session(name)
        try:
            values: list[NDArray[Any]] = session.run(outputs or None, feed)
        except Exception as error:  # ONNX Runtime raises bare exceptions of its own extension module
            raise ModelError(f"{self._folder / name}: cannot be computed ({_reason(error)})") from error
        return values

    def _check(self, name: str, values: FloatArray, shape: tuple[int, ...]) -> None:
        if values.shape != shape or not np.isfinite(values).all():
            raise ModelError(f"{self._folder / name}: gives numbers that are not finite, or too few; it is damaged")

    def _session(self, name: str) -> Any:
        if name not in self._sessions:
            import onnxruntime

            path = self._folder / name
            if not path.is_file():
                raise ModelError(_missing(path))
            weights = FLOW_WEIGHTS if name == FLOW else WEIGHTS
            if not (self._folder / weights).is_file():
                raise ModelError(f"{self._folder / weights}: no such file; the model folder is incomplete")
            check_graph(path, weights)
            if weights not in self._checked:
                check_weights(self._folder / weights)
                self._checked.add(weights)
            options = onnxruntime.SessionOptions()
            # Rows follow one another: threads draw beside each other rather than share the small work of one row.
            options.intra_op_num_threads = 1 if name == DECODER else self._threads
            options.log_severity_level = 4  # what goes wrong is raised, and said once
            try:
                session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            except Exception as error:  # ONNX Runtime raises bare exceptions of its own extension module
                raise ModelError(
                    f"{path}: not a graph that ONNX Runtime can load, or {weights} beside it is another's "
                    f"({_reason(error)})"
                ) from error
            try:
                check_session(session, name, self.info, self._session(START) if name == DECODER else None)
            except ValueError as error:
                raise ModelError(f"{path}: does not fit {CONFIG} or the other graphs ({error})") from error
            self._sessions[name] = session
        return self._sessions[name]


class TorchRuntime:
    """A network, and the flow over its codes where there is one, in PyTorch, on any device."""

    def __init__(self, network: Network, info: ModelInfo, flow: Flow | None = None) -> None:
        self.info, self._network, self._flow = info, network.eval(), flow

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> TorchRuntime:
        """The network of a model folder."""
        from sketch_pix2seq.model.export import load_flow, load_network

        network, info = load_network(folder)
        flow = load_flow(folder, info) if (Path(folder) / FLOW).exists() else None
        return cls(network.to(device), info, None if flow is None else flow.to(device))

    def encode(self, ink: FloatArray) -> Posterior:
        return self._posterior(self._call(self._network.encode, self._tensor(ink)))

    def encode_rows(self, rows: FloatArray, lengths: NDArray[np.int32]) -> Posterior:
        return self._posterior(self._call(self._network.encode_rows, self._tensor(rows), self._tensor(lengths)))

    def _posterior(self, tensors: tuple[Any, Any]) -> Posterior:
        mean, log_variance = tensors
        return Posterior(self._numpy(mean), None if log_variance is None else self._numpy(log_variance))

    def start(self, code: FloatArray, told: Told) -> DrawingState:
        level, category, picture = (self._tensor(x) for x in told)
        return DrawingState(*self._call(self._network.start, self._tensor(code), level, category, picture))

    def draw_row(
        self, rows: FloatArray, state: DrawingState, chance: FloatArray, control: FloatArray, given: FloatArray
    ) -> tuple[Rows, DrawingState]:
        arguments = (self._tensor(x) for x in (rows, given, chance, control))
        row, density, moving = self._call(self._network.draw_row, *arguments, state.fixed, state.moving)
        return Rows(self._numpy(row), self._numpy(density)), DrawingState(state.fixed, moving)

    def velocity(
        self, x: FloatArray, t: FloatArray, category: NDArray[np.int64], partial: FloatArray, started: FloatArray
    ) -> FloatArray:
        arguments = (self._tensor(v) for v in (x, t, category, partial, started))
        return self._numpy(self._call(self._known_flow(), *arguments))

    def finished(self, category: NDArray[np.int64], partial: FloatArray) -> FloatArray:
        odds = self._call(self._known_flow().finished, self._tensor(category), self._tensor(partial))
        return self._numpy(odds.sigmoid())

    def _known_flow(self) -> Flow:
        if self._flow is None:
            raise ModelError("this model has no flow, which drawing without a picture needs; `sketch-pix2seq train`")
        return self._flow

    def workers(self, drawings: int) -> Sequence[Runtime]:
        return [self]  # PyTorch's own threads share the products

    def _call(self, function: Any, *arguments: Any) -> Any:
        import torch

        with torch.no_grad():  # states are written into, which inference mode forbids
            return function(*arguments)

    def _tensor(self, values: NDArray[Any]) -> Any:
        import torch

        # A copy: states hold views of what they are given, and the sampler writes into its arrays.
        return torch.tensor(values, device=next(self._network.parameters()).device)

    def _numpy(self, tensor: Any) -> FloatArray:
        array: FloatArray = tensor.float().cpu().numpy()
        return array


def _reason(error: Exception) -> str:
    return f"{(str(error).splitlines() or [type(error).__name__])[0].rsplit(' : ', 1)[-1]:.300}"


def _missing(path: Path) -> str:
    if path.name == FLOW:
        return (
            f"{path}: no such file; this model has no flow, so it draws only from pictures that it follows (freedom 0)"
        )
    return f"{path}: no such file; the model folder is incomplete"
