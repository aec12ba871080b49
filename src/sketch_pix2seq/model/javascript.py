"""Model folders from and to the JSON of sketch-rnn's JavaScript programs (`formats.sketch_rnn_js`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from sketch_pix2seq.errors import FileError, ModelError, SettingsError
from sketch_pix2seq.formats.sketch_rnn_js import STEP, JsDecoder, JsWeights, read_js, stored, values, write_js
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.model.folder import CONFIG, WEIGHTS, ModelInfo, read_info
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.model.untrusted import Shapes, check_weights
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
        unit_code=False,
        noise=0.0,
        category_size=0,
        attend=0.0,
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
    network = Network(settings, info.sequence, 1)
    network.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()})
    return write_folder(folder, network, info.categories, record, exact=True)


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


def _weights(path: Path, shapes: Shapes) -> dict[str, FloatArray]:
    check_weights(path, shapes)
    found = load_file(path)
    return {name: found[name].astype(np.float32) for name in shapes}


def _longest(info: ModelInfo) -> int:
    """Rows of the longest drawing that a model learned from, as far as its record tells."""
    found: Any = info.training.get("max_points")
    record: Any = info.training
    for name in ("settings", "batch", "max_points") if found is None else ():
        record = found = record.get(name) if isinstance(record, Mapping) else None
    return found if isinstance(found, int) and 0 < found <= 1_000_000 else 250
