"""The sampler: codes in, sketches out. Batched; a drawing that has ended takes no more work.

Random numbers are hashes of (seed of the drawing, row, use), so a drawing does not depend on those drawn beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.density import log_density
from sketch_pix2seq.drawing.runtime import DrawingState, MixtureArrays, Runtime, start_rows
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, PEN_UP, mixed, uniform
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

_USES = 4
"""Random numbers a row: which Gaussian, which pen state, two for the offset."""
_PEN = 1
"""The use that chooses the pen state."""


@dataclass(frozen=True)
class SampleSettings:
    """How rows are drawn from the mixture."""

    temperature: float = 0.2
    """tau: multiplies the mixture's variance and divides the logits of the Gaussians; 0 = the likeliest."""
    pen_temperature: float = 0.5
    """Divides the logits of the pen states; far below 0.5 the end of the drawing is all but forbidden."""
    max_points: int = 250
    """A drawing that has not ended by then is cut off."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.pen_temperature < 0:
            raise SettingsError("temperatures cannot be below 0")
        if self.max_points < 1:
            raise SettingsError("max_points must be at least 1")


@dataclass(frozen=True)
class Begun:
    """n drawings that have k rows each. `begin` makes one, `draw_on` goes on with it."""

    rows: FloatArray
    """The stroke-5 rows ``(n, k, 5)``, in model units."""
    state: DrawingState
    """Before the last row is handed to the decoder."""
    log_pen: FloatArray
    """Log probabilities of the pen states at the last row, ``(n, 3)``."""
    log_likelihood: DoubleArray
    """Of the rows given the code, ``(n,)`` in nats; of a pen that is down at the last row, nothing is counted."""

    def select(self, chosen: NDArray[np.integer]) -> Begun:
        """The drawings ``chosen`` (indices, in that order, repeats allowed)."""
        return Begun(self.rows[chosen], self.state.select(chosen), self.log_pen[chosen], self.log_likelihood[chosen])


def begin(runtime: Runtime, codes: FloatArray, rows: FloatArray) -> Begun:
    """The rows ``(n, k, 5)``, k at least 0, handed to the decoder as the beginning of drawings of codes ``(n, z)``.

    A last row with the pen down leaves it to `draw_on` whether the pen lifts there.
    """
    n, k = rows.shape[:2]
    state = runtime.start(np.ascontiguousarray(codes, np.float32))
    previous = start_rows(runtime.info, n)
    total, log_pen = np.zeros(n), np.zeros((n, 3), np.float32)
    for index in range(k):
        mixture, state = runtime.step(previous, state)
        previous = np.ascontiguousarray(rows[:, index], np.float32)
        total += log_density(mixture, previous[:, :2])
        pen, log_pen = previous[:, 2:].argmax(axis=1), mixture.log_pen
        counted = (pen != PEN_DOWN) if index == k - 1 else np.ones(n, bool)
        total += np.where(counted, log_pen[np.arange(n), pen], 0.0)
    return Begun(rows.astype(np.float32), state, log_pen, total)


def draw_codes(
    runtime: Runtime,
    codes: FloatArray,
    seeds: Sequence[int] | NDArray[np.integer],
    settings: SampleSettings = SampleSettings(),
) -> list[Sketch]:
    """One drawing for each code ``(n, z)`` with its seed, in canvas units of the input's picture.

    ``metadata["ended"]`` says whether it ended by itself. The same seed, weights and device give the same strokes.
    """
    return draw_on(runtime, begin(runtime, codes, np.zeros((len(codes), 0, 5), np.float32)), seeds, settings)


def draw_on(
    runtime: Runtime,
    begun: Begun,
    seeds: Sequence[int] | NDArray[np.integer],
    settings: SampleSettings = SampleSettings(),
) -> list[Sketch]:
    """Each begun drawing finished with its seed; see `draw_codes`. The given rows count as points.

    Raises SettingsError where more rows are given than ``settings.max_points``.
    """
    info = runtime.info
    n, given = begun.rows.shape[:2]
    if given > settings.max_points:
        raise SettingsError(f"{given} points are given, and a drawing has {settings.max_points} at most (max_points)")
    streams = mixed(np.asarray(seeds).astype(np.uint64))
    table = np.zeros((n, settings.max_points, 3), np.float32)
    lengths = np.full(n, given, np.int64)
    ended = np.zeros(n, bool)
    alive = np.arange(n)
    state, rows = begun.state, start_rows(info, n)
    if given:
        rows = begun.rows[:, -1].copy()
        open_ = np.flatnonzero(rows[:, 2 + PEN_DOWN])
        chance = uniform(streams[open_] + np.uint64((given - 1) * _USES + _PEN))
        lifts = open_[_choose(begun.log_pen[open_, :PEN_END], chance, settings.pen_temperature) == PEN_UP]
        rows[lifts, 2 + PEN_DOWN], rows[lifts, 2 + PEN_UP] = 0, 1
        table[:, :given] = begun.rows[..., [0, 1, 2 + PEN_UP]]
        table[:, given - 1, 2] = rows[:, 2 + PEN_UP]
    for index in range(given, settings.max_points + 1):
        mixture, state = runtime.step(rows, state)
        chances = [uniform(streams[alive] + np.uint64(index * _USES + use)) for use in range(_USES)]
        log_pen = mixture.log_pen.copy()
        if index == 0:
            log_pen[:, PEN_END] = -np.inf  # every drawing has a point
        pen = _choose(log_pen, chances[_PEN], settings.pen_temperature)
        going = pen != PEN_END
        if index == settings.max_points:
            ended[alive[~going]] = True
            break
        offsets = _offsets(mixture, chances, settings.temperature)
        if not going.all():
            ended[alive[~going]] = True
            kept = np.flatnonzero(going)
            alive, pen, offsets = alive[kept], pen[kept], offsets[kept]
            state = state.select(kept)
            if not len(alive):
                break
        table[alive, index, :2] = offsets
        table[alive, index, 2] = pen == PEN_UP
        lengths[alive] += 1
        rows = np.zeros((len(alive), 5), np.float32)
        rows[:, :2] = offsets
        rows[np.arange(len(alive)), 2 + pen] = 1
    return [
        _sketch(table[i, : lengths[i]], info.sequence.start == "first", info.sequence.scale, bool(ended[i]))
        for i in range(n)
    ]


def _sketch(rows: FloatArray, implicit_origin: bool, scale: float, ended: bool) -> Sketch:
    scaled = rows * np.array([scale, scale, 1], np.float32)
    sketch = Sketch.from_stroke3(scaled, implicit_origin=implicit_origin, metadata={"ended": ended})
    if implicit_origin:
        return sketch
    return sketch.transform([[1, 0, CANVAS_SIZE / 2], [0, 1, CANVAS_SIZE / 2]])


def _choose(log_probability: FloatArray, chance: NDArray[np.float64], temperature: float) -> NDArray[np.int64]:
    """One of the columns for each row, by its chance in [0, 1)."""
    logits = log_probability.astype(np.float64)
    if temperature == 0:
        return np.asarray(logits.argmax(axis=1), np.int64)
    logits = logits / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    cumulative = np.cumsum(weights, axis=1)
    below = (cumulative <= (chance * cumulative[:, -1])[:, None]).sum(axis=1)
    return np.asarray(np.minimum(below, logits.shape[1] - 1), np.int64)


def _offsets(mixture: MixtureArrays, chances: list[NDArray[np.float64]], temperature: float) -> FloatArray:
    rows = np.arange(len(mixture.log_pi))
    chosen = _choose(mixture.log_pi, chances[0], temperature)
    mu_x, mu_y, rho = (x[rows, chosen] for x in (mixture.mu_x, mixture.mu_y, mixture.rho))
    sigma_x, sigma_y = (
        np.exp(x[rows, chosen]) * np.sqrt(temperature) for x in (mixture.log_sigma_x, mixture.log_sigma_y)
    )
    radius = np.sqrt(-2 * np.log1p(-chances[2]))
    angle = 2 * np.pi * chances[3]
    first, second = radius * np.cos(angle), radius * np.sin(angle)
    across = rho * first + np.sqrt(1 - rho**2) * second
    return np.stack([mu_x + sigma_x * first, mu_y + sigma_y * across], axis=1).astype(np.float32)
