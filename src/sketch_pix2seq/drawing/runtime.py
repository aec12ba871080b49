"""Runtimes: what drawing asks of a network, in NumPy arrays. ONNX Runtime draws without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.aim import Sight
from sketch_pix2seq.errors import ModelError
from sketch_pix2seq.model.folder import DECODER, DECODER_INT8, ENCODER, START, WEIGHTS, ModelInfo, read_info
from sketch_pix2seq.sequence import PEN_DOWN, PEN_UP
from sketch_pix2seq.sketch import FloatArray

if TYPE_CHECKING:
    from sketch_pix2seq.model.network import Network

RuntimeName = Literal["onnx", "torch"]
Precision = Literal["float32", "int8"]
"""Of the decoder's large products."""

_IMAGINED = 2
"""Place of the imagined ink in what stays the same; see `Network.start`."""
_GLIMPSED = 3
"""Place of the pictures that are looked at, 0 everywhere where there is none."""
_FEWEST = 16
"""Drawings from which a thread of its own is worth while."""


class MixtureArrays(NamedTuple):
    """The mixture of n next rows: `model.mixture.Mixture` in NumPy, float32."""

    log_pi: FloatArray
    mu_x: FloatArray
    mu_y: FloatArray
    log_sigma_x: FloatArray
    log_sigma_y: FloatArray
    rho: FloatArray
    log_pen: FloatArray


class Posterior(NamedTuple):
    """What an encoder makes of n sketches: the mean of z ``(n, z)``, which is the code, and its log variance.

    log_variance is None for a model whose z is not sampled.
    """

    mean: FloatArray
    log_variance: FloatArray | None


@dataclass(frozen=True)
class DrawingState:
    """Where n drawings are: arrays of a runtime's own kind, first axis n. ``fixed`` stays the same while drawing."""

    fixed: tuple[Any, ...]
    moving: tuple[Any, ...]

    def select(self, chosen: NDArray[np.integer]) -> DrawingState:
        """The drawings ``chosen`` (indices, in that order, repeats allowed)."""
        return DrawingState(tuple(x[chosen] for x in self.fixed), tuple(x[chosen] for x in self.moving))

    def known(self, drawing: int) -> FloatArray | None:
        """The ink ``(size, size)`` in 0..1 that a model with a canvas imagines of one of them, or that it looks at.

        None of other models.
        """
        if len(self.fixed) <= _IMAGINED:
            return None
        imagined = _array(self.fixed[_IMAGINED][drawing])
        picture = DrawingState(tuple(x[drawing : drawing + 1] for x in self.fixed), ()).picture
        return imagined if picture is None else np.maximum(imagined, picture[0])

    @property
    def ink(self) -> FloatArray | None:
        """The ink ``(n, size, size)`` in 0..1 that is to be drawn; None of models without a canvas.

        Of drawings that look at a picture it is the picture's, of others what is imagined.
        """
        if len(self.fixed) <= _IMAGINED:
            return None
        imagined, picture = _array(self.fixed[_IMAGINED]), self.picture
        if picture is None:
            return imagined.copy()
        return np.where(picture.any(axis=(1, 2), keepdims=True), picture, imagined)

    @property
    def picture(self) -> FloatArray | None:
        """The ink ``(n, size, size)`` in 0..1 of the pictures that drawings look at, blank where there is none.

        None of models without a glimpse.
        """
        if len(self.fixed) <= _GLIMPSED:
            return None
        picture = _array(self.fixed[_GLIMPSED])
        return np.where((picture != 0).any(axis=(1, 2), keepdims=True), (picture + 1) / 2, np.float32(0))

    @property
    def moves(self) -> DrawingState:
        """What does not stay the same."""
        return DrawingState((), self.moving)

    def sight(self, ink: FloatArray) -> Sight:
        """What drawings by a model with a canvas see before the next row, with the ink that is to be drawn."""
        return Sight(ink, *(_array(x) for x in self.moving[-3:]))

    def put(self, places: NDArray[np.integer], others: DrawingState) -> None:
        """Others in the places of some, in the arrays themselves."""
        for mine, theirs in zip(self.fixed + self.moving, others.fixed + others.moving, strict=True):
            mine[places] = theirs


def _array(values: Any) -> FloatArray:
    return np.asarray(values if isinstance(values, np.ndarray) else values.cpu(), np.float32)


class Runtime(Protocol):
    """A network that draws. Arrays are float32, batches along the first axis."""

    info: ModelInfo

    def encode(self, ink: FloatArray) -> Posterior:
        """Ink ``(n, size, size)`` in 0..1 -> what an encoder that sees pictures makes of it."""
        ...

    def encode_rows(self, rows: FloatArray, lengths: NDArray[np.int32]) -> Posterior:
        """stroke-5 rows ``(n, time, 5)`` with lengths ``(n,)`` -> what an encoder that reads strokes makes of them."""
        ...

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        """Codes ``(n, z)`` -> the state before the first row.

        picture: ink ``(n, size, size)`` in 0..1 for a decoder with a glimpse to look at; of those without ink, and with
        None, it has the code alone. Other decoders take no notice.
        """
        ...

    def step(self, rows: FloatArray, state: DrawingState) -> tuple[MixtureArrays, DrawingState]:
        """Last rows ``(n, 5)`` (first: `start_rows`) -> the mixture of the next rows, and the state after it."""
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

    def __init__(self, folder: str | Path, *, threads: int = 0, precision: Precision = "float32") -> None:
        self.info = read_info(folder)
        self._folder, self._threads = Path(folder), threads or os.cpu_count() or 1
        self._decoder = DECODER_INT8 if precision == "int8" else DECODER
        if precision == "int8" and not (self._folder / DECODER_INT8).is_file():
            raise ModelError(f"{folder}: it has no {DECODER_INT8}, which `train` and `export` write now")
        self._sessions: dict[str, Any] = {}

    def encode(self, ink: FloatArray) -> Posterior:
        return self._encoded({"ink": ink})

    def encode_rows(self, rows: FloatArray, lengths: NDArray[np.int32]) -> Posterior:
        return self._encoded({"rows": rows, "lengths": lengths})

    def _encoded(self, feed: dict[str, NDArray[Any]]) -> Posterior:
        mean, *rest = self._session(ENCODER).run(None, feed)
        return Posterior(mean, rest[0] if rest else None)

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        session = self._session(START)
        names = [output.name for output in session.get_outputs()]
        feed = {"code": code}
        if self.info.model.glimpse:
            size = self.info.model.raster.size
            feed["picture"] = np.zeros((len(code), size, size), np.float32) if picture is None else picture
        values = dict(zip(names, session.run(None, feed), strict=True))
        return DrawingState(
            tuple(values[name] for name in names if name.startswith("fixed_")),
            tuple(values[name] for name in names if name.startswith("state_")),
        )

    def step(self, rows: FloatArray, state: DrawingState) -> tuple[MixtureArrays, DrawingState]:
        feed = {"row": rows}
        feed.update({f"fixed_{i}": x for i, x in enumerate(state.fixed)})
        feed.update({f"state_{i}": x for i, x in enumerate(state.moving)})
        values = self._session(self._decoder).run(None, feed)
        count = len(MixtureArrays._fields)
        return MixtureArrays(*values[:count]), DrawingState(state.fixed, tuple(values[count:]))

    def workers(self, drawings: int) -> Sequence[Runtime]:
        for name in (START, self._decoder):
            self._session(name)  # opened once, whichever thread comes first
        return [self] * max(1, min(self._threads, drawings // _FEWEST))

    def _session(self, name: str) -> Any:
        if name not in self._sessions:
            import onnxruntime

            path = self._folder / name
            if not path.is_file():
                raise ModelError(f"{path}: no such file; the model folder is incomplete")
            options = onnxruntime.SessionOptions()
            # Rows follow one another: threads draw beside each other rather than share the small work of one row.
            options.intra_op_num_threads = self._threads if name == ENCODER else 1
            options.log_severity_level = 4  # what goes wrong is raised, and said once
            try:
                self._sessions[name] = onnxruntime.InferenceSession(
                    str(path), options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # ONNX Runtime raises bare exceptions of its own extension module
                weights = self._folder / WEIGHTS
                if not weights.is_file():
                    raise ModelError(f"{weights}: no such file; the model folder is incomplete") from error
                reason = str(error).splitlines()[0].rsplit(" : ", 1)[-1]
                raise ModelError(
                    f"{path}: not a graph that ONNX Runtime can load, or {WEIGHTS} beside it is another's ({reason})"
                ) from error
        return self._sessions[name]


class TorchRuntime:
    """A network in PyTorch, on any device."""

    def __init__(self, network: Network, info: ModelInfo) -> None:
        self.info, self._network = info, network.eval()

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> TorchRuntime:
        """The network of a model folder."""
        from sketch_pix2seq.model.export import load_network

        network, info = load_network(folder)
        return cls(network.to(device), info)

    def encode(self, ink: FloatArray) -> Posterior:
        return self._posterior(self._call(self._network.encode, self._tensor(ink)))

    def encode_rows(self, rows: FloatArray, lengths: NDArray[np.int32]) -> Posterior:
        return self._posterior(self._call(self._network.encode_rows, self._tensor(rows), self._tensor(lengths)))

    def _posterior(self, tensors: tuple[Any, Any]) -> Posterior:
        mean, log_variance = tensors
        return Posterior(self._numpy(mean), None if log_variance is None else self._numpy(log_variance))

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        shown = None if picture is None else self._tensor(picture)
        return DrawingState(*self._call(self._network.start, self._tensor(code), shown))

    def step(self, rows: FloatArray, state: DrawingState) -> tuple[MixtureArrays, DrawingState]:
        mixture, after = self._call(self._network.step, self._tensor(rows), state.fixed, state.moving)
        return MixtureArrays(*(self._numpy(x) for x in mixture)), DrawingState(state.fixed, after)

    def workers(self, drawings: int) -> Sequence[Runtime]:
        return [self]  # PyTorch's own threads share the products

    def _call(self, function: Any, *arguments: Any) -> Any:
        import torch

        with torch.no_grad():  # states are written into, which inference mode forbids
            return function(*arguments)

    def _tensor(self, values: NDArray[Any]) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(values)).to(next(self._network.parameters()).device)

    def _numpy(self, tensor: Any) -> FloatArray:
        array: FloatArray = tensor.float().cpu().numpy()
        return array
