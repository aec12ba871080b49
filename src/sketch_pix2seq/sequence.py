"""How a drawing becomes rows for a decoder, and back; and random numbers that depend on no order of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.sketch import FloatArray, Sketch

Start = Literal["first", "centre"]

PEN_DOWN, PEN_UP, PEN_END = 0, 1, 2
"""The three pen states, in the order of stroke-5's last three columns."""


@dataclass(frozen=True)
class SequenceSpec:
    """How points become rows for the decoder; travels with the model."""

    start: Start = "centre"
    """Where the pen is before the first row: the "centre" of the bounds, or on the "first" point, as in sketch-rnn."""
    scale: float = 1.0
    """Canvas units a unit of the model: the standard deviation of the training set's offsets."""


def rows_of(sketch: Sketch, spec: SequenceSpec) -> FloatArray:
    """The stroke-5 rows ``(n, 5)`` of one sketch in model units, its end row included; the sketch is fitted first."""
    fitted = sketch.fit()
    if spec.start == "centre":
        left, top, right, bottom = fitted.bounds()
        fitted = fitted.transform([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2]])
    rows = fitted.to_stroke5(implicit_origin=spec.start == "first")
    rows[:, :2] /= spec.scale
    return rows.astype(np.float32)


def mixed(counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The splitmix64 generator (Steele, Lea & Flood 2014) as a hash of counters."""
    x = counters + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(counters: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1), one a counter."""
    return (mixed(counters) >> np.uint64(11)).astype(np.float64) / (1 << 53)
