"""How likely people's sketches are under a model: teacher-forced, row by row, in NumPy over any runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.density import log_density
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import start_rows
from sketch_pix2seq.raster import shades_of
from sketch_pix2seq.sequence import PEN_END, rows_of
from sketch_pix2seq.sketch import DoubleArray, FloatArray, Sketch

_AT_ONCE = 256


class Likelihood(NamedTuple):
    """Of n sketches, each ``(n,)``: sums in nats, and what they are divided by."""

    offset: DoubleArray
    """Negative log density of the offsets, in model units; end rows have none."""
    pen: DoubleArray
    """Negative log probability of the pen states, the end's included."""
    rows: NDArray[np.int64]
    """Rows without the end row: the points that the model has to place."""
    kl: DoubleArray | None
    """KL(q(z|x) || N(0, 1)), mean over the numbers of z; None where z is not sampled."""


def likelihood(
    model: Model,
    sketches: Sequence[Sketch],
    *,
    glimpse: bool = True,
    on_progress: Callable[[int], None] | None = None,
) -> Likelihood:
    """Negative log likelihood of sketches given the code of their own picture (Ha & Eck 2017, section 3.3).

    glimpse: of a model with a glimpse, given the picture itself besides, as it is when a picture is redrawn.
    z is its mean. Published figures of L_R divide a sketch's sum by the longest sequence of the training split; nats a
    point divide the sum of all by the number of points.
    """
    posterior = model.posterior(sketches)
    n = len(sketches)
    offset, pen, rows = np.zeros(n), np.zeros(n), np.zeros(n, np.int64)
    lengths = np.array([sketch.n_points for sketch in sketches])
    order = np.argsort(-lengths, kind="stable")
    parts = [order[begin : begin + _AT_ONCE] for begin in range(0, n, _AT_ONCE)]

    def forced(places: NDArray[np.int64]) -> tuple[DoubleArray, DoubleArray, NDArray[np.int64]]:
        return _forced(model, [sketches[i] for i in places], posterior.mean[places], glimpse)

    with ThreadPoolExecutor(len(model.runtime.workers(n))) as pool:
        for places, found in zip(parts, pool.map(forced, parts), strict=True):
            offset[places], pen[places], rows[places] = found
            if on_progress is not None:
                on_progress(len(places))
    kl = None
    if posterior.log_variance is not None:
        mean, spread = posterior.mean.astype(np.float64), posterior.log_variance.astype(np.float64)
        kl = -0.5 * (1 + spread - np.square(mean) - np.exp(spread)).mean(axis=1)
    return Likelihood(offset, pen, rows, kl)


def _forced(
    model: Model, sketches: Sequence[Sketch], codes: FloatArray, glimpse: bool
) -> tuple[DoubleArray, DoubleArray, NDArray[np.int64]]:
    info = model.info
    each = [rows_of(sketch, info.sequence) for sketch in sketches]
    counts = np.array([len(rows) for rows in each])
    table = np.zeros((len(each), counts.max(), 5), np.float32)
    for place, rows in zip(table, each, strict=True):
        place[: len(rows)] = rows
    offset, pen = np.zeros(len(each)), np.zeros(len(each))
    alive = np.arange(len(each))
    shown = model.ink_of(sketches) if glimpse and info.model.glimpse else None
    state = model.runtime.start(codes, None if shown is None else shades_of(shown))
    previous = start_rows(info, len(each))
    for index in range(counts.max()):
        going = np.flatnonzero(counts[alive] > index)
        if len(going) < len(alive):
            alive, state, previous = alive[going], state.select(going), previous[going]
        mixture, state = model.runtime.step(previous, state)
        target = table[alive, index]
        states = target[:, 2:].argmax(axis=1)
        pen[alive] -= mixture.log_pen[np.arange(len(alive)), states]
        offset[alive] -= np.where(states == PEN_END, 0.0, log_density(mixture, target[:, :2]))
        previous = target
    return offset, pen, counts - 1
