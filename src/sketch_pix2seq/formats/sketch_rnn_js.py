"""Decoders in the JSON of sketch-rnn's JavaScript programs, such as ``bird.gen.json``.

A list of three: a header, the shapes of five arrays, and the arrays in base64. Their numbers are little-endian int16,
of which 32767 stands for 10. The arrays, for an LSTM of s units and m Gaussians, rows on the left of every product:

head       ``(s, 3 + 6 m)`` and ``(3 + 6 m,)``: logits of the pen (down, up, end), then pi, mu_x, mu_y, log sigma_x,
           log sigma_y and the inverse tanh of rho, m of each
LSTM       ``(5, 4 s)`` of the row before, ``(s, 4 s)`` of the hidden state, and the bias ``(4 s,)``; gates in the order
           i, g, f, o; 1 is added to f
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.sketch import FloatArray

STEP = 10.0 / 32767
"""What 1 in an array stands for."""
_INPUTS = 5
_FINITE = 1e12
_LARGEST = 100_000_000
"""Bytes of a file at most; Google's have three million."""

Int16Array = NDArray[np.int16]


class JsWeights(NamedTuple):
    """The arrays as they are stored, in the order of the file; the module tells their shapes."""

    head: Int16Array
    head_bias: Int16Array
    from_row: Int16Array
    from_hidden: Int16Array
    bias: Int16Array


@dataclass(frozen=True, eq=False)
class JsDecoder:
    """A decoder that draws one thing from nothing."""

    name: str
    scale_factor: float
    """Pixels a unit of the decoder's offsets."""
    max_points: int
    """Rows of the longest drawing that it learned from."""
    weights: JsWeights

    @property
    def size(self) -> int:
        """Units of the LSTM."""
        return len(self.weights.from_hidden)

    @property
    def mixtures(self) -> int:
        """Gaussians of the mixture."""
        return (len(self.weights.head_bias) - 3) // 6


def values(stored: Int16Array) -> FloatArray:
    """What stored numbers stand for."""
    return stored.astype(np.float32) * np.float32(STEP)


def stored(values: FloatArray) -> Int16Array:
    """Numbers as they are stored; what is beyond 10 becomes 10."""
    return np.clip(np.rint(values / np.float64(STEP)), -32767, 32767).astype(np.int16)


def read_js(path: str | Path) -> JsDecoder:
    """Read a decoder. Raises FileError where there is no such file, FormatError for one that is anything else."""
    path = Path(path)
    header, shapes, blobs = _parts(path)
    name, scale = header.get("name", ""), _number(header.get("scale_factor"))
    if not isinstance(name, str) or scale <= 0:
        raise FormatError(path, "damaged: its header has no name or no scale_factor above 0")
    if len(shapes) != len(JsWeights._fields) or len(blobs) != len(shapes):
        raise FormatError(
            path,
            f"holds {len(blobs)} arrays; only decoders, which have {len(JsWeights._fields)}, can be imported: the "
            "files called NAME.gen.json",
        )
    arrays = [_array(path, number, *pair) for number, pair in enumerate(zip(shapes, blobs, strict=True), 1)]
    size, outputs = arrays[0].shape[0], arrays[0].shape[-1]
    wanted = [(size, outputs), (outputs,), (_INPUTS, 4 * size), (size, 4 * size), (4 * size,)]
    if [array.shape for array in arrays] != wanted or outputs < 9 or outputs % 6 != 3:
        found = ", ".join(str(list(array.shape)) for array in arrays)
        raise FormatError(path, f"no decoder of sketch-rnn has arrays of the shapes {found}")
    longest = _number(header.get("max_seq_len"))
    return JsDecoder(name, scale, int(longest) if 0 < longest < 1_000_000 else 0, JsWeights(*arrays))


def write_js(decoder: JsDecoder, path: str | Path) -> Path:
    """Write a decoder. Raises FileError for what the system refuses."""
    header = {
        "mode": 2,
        "version": 6,
        "max_seq_len": decoder.max_points,
        "name": decoder.name,
        "scale_factor": decoder.scale_factor,
    }
    shapes = [list(array.shape) for array in decoder.weights]
    blobs = [base64.b64encode(array.astype("<i2").tobytes()).decode("ascii") for array in decoder.weights]
    return write_whole(path, json.dumps([header, shapes, blobs], ensure_ascii=False).encode())


def _parts(path: Path) -> tuple[dict[str, Any], list[Any], list[Any]]:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise FormatError(path, f"has {size // 1_000_000} MB, more than any model of sketch-rnn")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(path, "no such file") from error
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise FormatError(path, "the file is empty")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"not JSON, or cut short ({error})") from error
    if not isinstance(content, list) or [type(part) for part in content] != [dict, list, list]:
        raise FormatError(path, "not a model of sketch-rnn: a header, shapes and weights are needed")
    header, shapes, blobs = content
    return header, shapes, blobs


def _array(path: Path, number: int, shape: Any, blob: Any) -> Int16Array:
    """One array. Raises FormatError where shape and content are no shape and no content, or of different sizes."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or not all(type(n) is int and n > 0 for n in shape):
        raise FormatError(path, f"damaged: {str(shape)[:40]} is not the shape of array {number}")
    try:
        data = base64.b64decode(blob, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise FormatError(path, f"damaged: array {number} is not in base64 ({error})") from error
    count = math.prod(shape)
    if len(data) != 2 * count:
        raise FormatError(path, f"cut short or damaged: array {number} has {len(data) / 2:g} numbers, not {count}")
    return np.frombuffer(data, "<i2").astype(np.int16).reshape(shape)


def _number(value: object) -> float:
    """A finite number of the header; 0 for anything else."""
    return float(value) if isinstance(value, (int, float)) and abs(value) < _FINITE else 0.0
