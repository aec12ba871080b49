"""How a drawing becomes rows for a decoder, and back; and random numbers that depend on no order of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.plain import check_ranges
from sketch_pix2seq.sketch import FloatArray, Sketch

Start = Literal["first", "centre"]

PEN_DOWN, PEN_UP, PEN_END = 0, 1, 2
"""The three pen states, in the order of stroke-5's last three columns."""

FRAME = 3
"""Numbers that say where started strokes lie in a whole drawing; see `frame_of`."""
_FRAME_SCALE = np.array([1.5, 4.0, 4.0])
"""Makes the spread of these numbers about 1."""


@dataclass(frozen=True)
class SequenceSpec:
    """How points become rows for the decoder; travels with the model."""

    start: Start = "centre"
    """Where the pen is before the first row: the "centre" of the bounds, or on the "first" point, as in sketch-rnn."""
    scale: float = 1.0
    """Canvas units a unit of the model: the standard deviation of the training set's offsets."""

    def __post_init__(self) -> None:
        check_ranges(self, scale=(1e-6, 1e6))


def rows_of(sketch: Sketch, spec: SequenceSpec) -> FloatArray:
    """The stroke-5 rows ``(n, 5)`` of one sketch in model units, its end row included; the sketch is fitted first."""
    fitted = sketch.fit()
    if spec.start == "centre":
        left, top, right, bottom = fitted.bounds()
        fitted = fitted.transform([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2]])
    rows = fitted.to_stroke5(implicit_origin=spec.start == "first")
    rows[:, :2] /= spec.scale
    return rows.astype(np.float32)


Bounds = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Side ``(n,)``, the longest one, and centre ``(n, 2)`` of the bounds of drawings."""


def frame_of(part: Bounds, whole: Bounds) -> FloatArray:
    """Where started strokes lie in whole drawings ``(n, FRAME)``: the log of how much larger the whole is, and the
    place of their centre from its centre, in its sides."""
    ratio = np.log2(np.maximum(whole[0], 1e-6) / np.maximum(part[0], 1e-6))
    place = (part[1] - whole[1]) / np.maximum(whole[0], 1e-6)[:, None]
    frame: FloatArray = (np.concatenate([ratio[:, None], place], axis=1) * _FRAME_SCALE).astype(np.float32)
    return frame


def whole_of(part: Bounds, frame: FloatArray) -> Bounds:
    """Bounds of the whole drawings in which strokes with the bounds ``part`` lie as the frames say (`frame_of`)."""
    numbers = frame / _FRAME_SCALE
    side = part[0] * np.exp2(np.clip(numbers[:, 0], 0, 4))
    return side, part[1] - numbers[:, 1:] * side[:, None]


def mixed(counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The splitmix64 generator (Steele, Lea & Flood 2014) as a hash of counters."""
    x = counters + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(counters: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1), one a counter."""
    return (mixed(counters) >> np.uint64(11)).astype(np.float64) / (1 << 53)


def permuted(places: NDArray[np.integer], sizes: NDArray[np.integer], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where a random permutation of 0 to size - 1 puts each place; a permutation for each size and key.

    A Feistel network over the next power of two, run again where it leaves the range (Black & Rogaway 2002, section
    4), so that any part of a permutation of millions is there without the rest. All arguments broadcast together.
    """
    places, sizes, keys = np.broadcast_arrays(places, sizes, keys)
    bits = np.maximum(2, np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.uint64))
    low = bits // np.uint64(2)
    masks = [(np.uint64(1) << width) - np.uint64(1) for width in (low, bits - low)]

    def once(at: NDArray[np.uint64], chosen: NDArray[np.integer]) -> NDArray[np.uint64]:
        shift, key, low_mask, high_mask = low[chosen], keys[chosen], masks[0][chosen], masks[1][chosen]
        left, right = at >> shift, at & low_mask
        for turn in range(0, 8, 2):
            left = left ^ (mixed(right + key + np.uint64(turn << 48)) & high_mask)
            right = right ^ (mixed(left + key + np.uint64(turn + 1 << 48)) & low_mask)
        joined: NDArray[np.uint64] = (left << shift) | right
        return joined

    found = places.astype(np.uint64)
    outside = np.arange(len(found))
    while len(outside):
        found[outside] = once(found[outside], outside)
        outside = outside[found[outside] >= sizes[outside].astype(np.uint64)]
    return found.astype(np.int64)
