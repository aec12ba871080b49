"""How likely people's sketches are under a model: teacher-forced, row by row, in NumPy over any runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import Told
from sketch_pix2seq.drawing.sampler import prefill
from sketch_pix2seq.raster import shades_of
from sketch_pix2seq.sequence import rows_of
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
    follow: bool = True,
    on_progress: Callable[[int], None] | None = None,
) -> Likelihood:
    """Negative log likelihood of sketches given the code of their own picture (Ha & Eck 2017, section 3.3).

    follow: of a model that attends to pictures, given the picture itself besides, as it is at freedom 0.
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
        return _forced(model, [sketches[i] for i in places], posterior.mean[places], follow)

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
    model: Model, sketches: Sequence[Sketch], codes: FloatArray, follow: bool
) -> tuple[DoubleArray, DoubleArray, NDArray[np.int64]]:
    info = model.info
    each = [rows_of(sketch, info.sequence) for sketch in sketches]
    counts = np.array([len(rows) for rows in each])
    table = np.zeros((len(each), counts.max(), 5), np.float32)
    for place, rows in zip(table, each, strict=True):
        place[: len(rows)] = rows
    told = Told.nothing(info, len(each))
    if follow and info.model.attend > 0:
        told = told._replace(picture=shades_of(model.ink_of(sketches)))
    densities, _ = prefill(model.runtime, model.runtime.start(codes, told), table, counts)
    found = -densities.astype(np.float64)
    found[np.arange(len(each)), counts - 1, 0] = 0.0  # an end row has no offset
    return found[..., 0].sum(axis=1), found[..., 1].sum(axis=1), counts - 1
