"""The sampler: drawing states in, sketches out. What it does beyond drawing the next row is one search over strokes.

Where a picture is followed, each stroke is one of several proposals, weighed by the ink energy E = |picture - paper|^2:
a proposal's weight is exp(-beta x (the energy that it wastes)), which is 0 where all ink that it lays is ink of the
picture; one is resampled by weight (sequential importance resampling, Doucet et al. 2001, over strokes). Where all are
poor, further rounds propose more. Without a picture there is one proposal, and nothing is weighed.

Random numbers are hashes of (seed of the drawing, stroke, round, proposal, row), so a drawing does not depend on those
drawn beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.constants import SAMPLER
from sketch_pix2seq.drawing.interface import CHANCES
from sketch_pix2seq.drawing.runtime import DrawingState, Places, Runtime, start_rows
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.raster import render_fitted, shades_of
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, SequenceSpec, mixed, uniform
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray, Sketch

MOST_CHANCE = 1 - 2.0**-24
"""The largest of them: a larger one is 1 in float32, and 1 is no chance."""
BETA: float = SAMPLER["beta"]
"""Nats for each pixel of ink that a proposal wastes, or leaves out where it ends."""
WASTE: float = SAMPLER["waste"]
"""Share of the energy difference that counts as wasted ink: ink beside the picture's is counted twice in it."""
EXPECTED: float = SAMPLER["expected"]
"""Ink that a stroke may waste for each pixel that it covers before it counts against it: later strokes waste some, too,
and without this short strokes would weigh more than long ones."""
STROKE: float = SAMPLER["stroke"]
"""Nats against each stroke."""
USEFUL: float = SAMPLER["useful"]
"""Pixels of the picture's ink that a stroke must cover, and that must be missing to keep a drawing from ending."""
USELESS: float = SAMPLER["useless"]
"""Nats against a stroke that covers less."""
ROUNDS: int = SAMPLER["rounds"]
"""Rounds of proposals for a stroke at most."""
WARMER: float = SAMPLER["warmer"]
"""Added to the temperature in each further round."""
LONG: int = SAMPLER["long"]
"""Points from which on a proposal is cut off."""
_AT_ONCE = 256
"""Drawings times proposals that one thread draws together."""
_STRIDE = np.uint64(0x2545F4914F6CDD1D)
"""Between the random numbers of proposals."""


@dataclass(frozen=True)
class SampleSettings:
    """How strokes are drawn from the mixture."""

    temperature: float = SAMPLER["temperature"]
    """tau: multiplies the mixture's variance and divides the logits of its Gaussians; 0 = the mean of the likeliest
    Gaussian."""
    pen_temperature: float = SAMPLER["pen_temperature"]
    """Divides the logits of the pen states. Below 1, the pen lifts and ends too seldom, and scribbles on one spot."""
    max_points: int = SAMPLER["max_points"]
    """Drawings are cut off after this many points."""
    proposals: int = SAMPLER["proposals"]
    """Strokes proposed for each stroke, where a picture is followed; 1 = no search."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.pen_temperature < 0:
            raise SettingsError("temperatures cannot be below 0")
        if self.max_points < 1 or self.proposals < 1:
            raise SettingsError("max_points and proposals must be at least 1")


def prefill(
    runtime: Runtime, state: DrawingState, rows: FloatArray, lengths: NDArray[np.integer] | None = None
) -> tuple[FloatArray, DrawingState]:
    """Hand given rows ``(n, time, 5)`` to the decoder: their log densities ``(n, time, 2)``, and the state after them.

    lengths: rows of each drawing ``(n,)``, all unless given; later ones count nothing. The state is the one before the
    last row is handed over, as the sampler needs it.
    """
    n, time = rows.shape[:2]
    densities = np.zeros((n, time, 2), np.float32)
    previous, chance = start_rows(runtime.info, n), np.zeros((n, CHANCES), np.float32)
    control = np.tile(np.array([1, 1, 1, 1], np.float32), (n, 1))
    for index in range(time):
        given = np.ascontiguousarray(rows[:, index], np.float32)
        drawn, state = runtime.draw_row(previous, state, chance, control, given)
        densities[:, index] = drawn.log_density
        previous = given
    if lengths is not None:
        densities *= (np.arange(time) < np.asarray(lengths)[:, None])[..., None]
    return densities, state


def draw(
    runtime: Runtime,
    begin: Callable[[Runtime, NDArray[np.int64]], DrawingState],
    seeds: Sequence[int] | NDArray[np.integer],
    settings: SampleSettings = SampleSettings(),
    *,
    pictures: FloatArray | None = None,
    given: FloatArray | None = None,
) -> list[Sketch]:
    """One drawing for each seed, in canvas units of the drawing's own frame (its longest side about 255).

    begin: gives the states of some of the drawings, by their numbers, before the first row; of those with ``given``
    rows ``(n, k, 5)``, after these (`prefill`). pictures: ink ``(n, size, size)`` in 0..1 that strokes are weighed by.
    ``metadata["ended"]`` says whether a drawing ended by itself. The same seed, weights and device give the same
    strokes. Raises SettingsError where more rows are given than ``settings.max_points``.
    """
    if given is not None and given.shape[1] > settings.max_points:
        raise SettingsError(
            f"{given.shape[1]} points are given, and a drawing has {settings.max_points} at most (max_points)"
        )
    if not len(seeds):
        return []
    streams = mixed(np.asarray(seeds).astype(np.uint64))
    each = settings.proposals if pictures is not None else 1
    workers = runtime.workers(len(seeds) * each)
    edges = [len(seeds) * i // len(workers) for i in range(len(workers) + 1)]

    def part(worker: Runtime, ends: tuple[int, int]) -> list[Sketch]:
        out: list[Sketch] = []
        for first in range(ends[0], ends[1], max(1, _AT_ONCE // each)):
            chosen = np.arange(first, min(first + max(1, _AT_ONCE // each), ends[1]))
            some = [None if x is None else x[chosen] for x in (pictures, given)]
            search = _Search(worker, begin(worker, chosen), streams[chosen], settings, *some)
            out += search.run()
        return out

    if len(workers) == 1:
        return part(runtime, (0, len(seeds)))
    with ThreadPoolExecutor(len(workers)) as pool:
        return [sketch for some in pool.map(part, workers, pairwise(edges)) for sketch in some]


@dataclass
class _Slots:
    """Proposals: where each is. Arrays have the slots as their first axis."""

    state: DrawingState
    rows: FloatArray
    """The last rows ``(n, 5)``, not yet handed to the decoder."""
    points: FloatArray
    """stroke-3 rows ``(n, max_points, 3)`` in model units, of which the first ``at`` count."""
    at: NDArray[np.int64]
    done: NDArray[np.bool_]
    """Whether the stroke is finished."""
    ended: NDArray[np.bool_]
    """Whether the pen state was "end"."""

    def select(self, chosen: NDArray[np.integer]) -> _Slots:
        """Copies of some slots."""
        arrays = (x[chosen] for x in (self.rows, self.points, self.at, self.done, self.ended))
        return _Slots(self.state.select(chosen), *arrays)

    def put(self, places: Places, others: _Slots, sources: Places) -> None:
        """Copy what moves of some slots of others here."""
        self.state.put(places, others.state, sources)
        self.rows[places], self.points[places] = others.rows[sources], others.points[sources]
        self.at[places], self.done[places] = others.at[sources], others.done[sources]
        self.ended[places] = others.ended[sources]


class _Search:
    """n drawings, each with K proposals for its next stroke: slots d * K to d * K + K - 1."""

    def __init__(
        self,
        runtime: Runtime,
        state: DrawingState,
        streams: NDArray[np.uint64],
        settings: SampleSettings,
        pictures: FloatArray | None,
        given: FloatArray | None,
    ) -> None:
        n, k = len(streams), 0 if given is None else given.shape[1]
        self.runtime, self.settings, self.streams, self.pictures = runtime, settings, streams, pictures
        self.each = 1 if pictures is None else settings.proposals
        points = np.zeros((n, settings.max_points, 3), np.float32)
        rows = start_rows(runtime.info, n)
        if given is not None and k:
            rows = given[:, -1].astype(np.float32)
            points[:, :k] = given[..., [0, 1, 3]]
        drawings = _Slots(state, rows, points, np.full(n, k), np.zeros(n, bool), np.zeros(n, bool))
        self.slots = drawings.select(np.repeat(np.arange(n), self.each))
        self.base, self.best = drawings, drawings.select(np.arange(n))
        self.number, self.live = np.arange(n), np.ones(n, bool)
        self.stroke, self.round = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.weight = np.full(n, -np.inf)
        if pictures is not None:
            self.paper = np.stack([ink_of_points(p[:k], runtime.info) for p in points])
            self.best_paper = self.paper.copy()
            self.missing = np.array([missing_ink(*both) for both in zip(pictures, self.paper, strict=True)])
        self.finished: list[Sketch | None] = [None] * n

    def run(self) -> list[Sketch]:
        """All drawings, in their order."""
        while self.live.any():
            self._draw_rows()
            done = self.slots.done.reshape(-1, self.each).all(axis=1)
            for drawing in np.flatnonzero(done & self.live):
                if self.pictures is None:
                    self._go_on(int(drawing), self.slots, int(drawing))
                else:
                    self._weigh(int(drawing), self.pictures)
            if self.live.sum() * 2 <= len(self.live):
                self._keep(np.flatnonzero(self.live))
        return [sketch for sketch in self.finished if sketch is not None]

    def _draw_rows(self) -> None:
        """The next row of every proposal whose stroke is not finished."""
        slots, settings = self.slots, self.settings
        going = np.flatnonzero(~slots.done)
        drawing, at, rows = going // self.each, slots.at[going], slots.rows[going]
        turns = self.round[drawing]
        uses = (at[:, None] * CHANCES + np.arange(CHANCES)).astype(np.uint64)
        control = np.empty((len(going), 4), np.float32)
        control[:, 0] = settings.temperature + WARMER * turns
        control[:, 1], control[:, 3] = settings.pen_temperature, 0
        control[:, 2] = at > 0  # every drawing has a point
        if self.pictures is not None:
            control[:, 2] *= (turns == 0) | (self.missing[drawing] <= USEFUL)
        chance = np.minimum(uniform(self._streams(going)[:, None] + uses), MOST_CHANCE).astype(np.float32)
        everyone = len(going) == len(slots.done)
        state = slots.state if everyone else slots.state.select(going)
        drawn, after = self.runtime.draw_row(rows, state, chance, control, np.zeros_like(rows))
        if everyone:
            slots.state = after
        else:
            slots.state.put(going, after, slice(None))
        pen = drawn.row[:, 2:].argmax(axis=1)
        end = (pen == PEN_END) | (at == settings.max_points)
        slots.ended[going[pen == PEN_END]] = True
        drew, pens, rows = going[~end], pen[~end], drawn.row[~end]
        slots.rows[drew] = rows
        slots.points[drew, slots.at[drew], :2] = rows[:, :2]
        slots.points[drew, slots.at[drew], 2] = pens != PEN_DOWN
        slots.at[drew] += 1
        slots.done[going[end]] = True
        long = slots.at[drew] - self.base.at[drew // self.each] >= LONG if self.pictures is not None else False
        slots.done[drew[(pens != PEN_DOWN) | long]] = True

    def _streams(self, slots: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Where the random numbers of each of some proposals begin."""
        drawing, proposal = np.divmod(slots, self.each)
        code = (self.stroke[drawing] * 64 + self.round[drawing]) * 64 + proposal
        return mixed(self.streams[self.number[drawing]] + code.astype(np.uint64) * _STRIDE)

    def _weigh(self, drawing: int, pictures: FloatArray) -> None:
        """Resample one of the proposals of a drawing, and of the best of the rounds before; or go into another
        round."""
        first, base = drawing * self.each, int(self.base.at[drawing])
        papers = np.stack([self._after(slot, base) for slot in range(first, first + self.each)])
        weights = self._log_weights(drawing, papers, pictures[self.number[drawing]])
        stream = self.streams[self.number[[drawing]]]
        code = np.array([(self.stroke[drawing] * 64 + self.round[drawing]) * 64 + 63], np.uint64)
        counters = (mixed(stream + code * _STRIDE) + np.arange(len(weights), dtype=np.uint64)).astype(np.uint64)
        chance = uniform(counters)
        chosen = int((weights - np.log(-np.log(np.maximum(chance, 1e-12)))).argmax())  # Gumbel: by weight
        if weights[chosen] > self.weight[drawing]:
            self.best.put(drawing, self.slots, first + chosen)
            self.weight[drawing], self.best_paper[drawing] = weights[chosen], papers[chosen]
        if self.weight[drawing] < -BETA and self.round[drawing] + 1 < ROUNDS:
            self.round[drawing] += 1
            self.slots.put(slice(first, first + self.each), self.base, slice(drawing, drawing + 1))
            return
        self.paper[drawing] = self.best_paper[drawing]
        self.missing[drawing] = missing_ink(pictures[self.number[drawing]], self.paper[drawing])
        self.weight[drawing] = -np.inf
        self._go_on(drawing, self.best, drawing)

    def _log_weights(self, drawing: int, papers: FloatArray, picture: FloatArray) -> NDArray[np.float64]:
        """The log weight of each proposal: minus what it wastes, or leaves out where it ends.

        papers: the paper with each proposal on it ``(K, size, size)``.
        """
        before = self.paper[drawing]
        energy = np.square(papers - picture).reshape(self.each, -1).sum(axis=1)
        gain = (np.square(before - picture).sum() - energy).astype(np.float64)
        laid = np.square(papers - before).reshape(self.each, -1).sum(axis=1).astype(np.float64)
        useless = np.where(gain < USEFUL, USELESS, 0.0)
        weights = BETA * (EXPECTED * gain - WASTE * (laid - gain)) - STROKE - useless
        ended = self.slots.ended[drawing * self.each : (drawing + 1) * self.each]
        return np.where(ended, -BETA * float(self.missing[drawing]), weights)

    def _after(self, slot: int, first: int) -> FloatArray:
        """The paper of a drawing with the stroke of a slot on it."""
        paper: FloatArray = self.paper[slot // self.each]
        points = self.slots.points[slot, : self.slots.at[slot]]
        if len(points) == first:
            return paper
        return np.maximum(paper, ink_of_points(points, self.runtime.info, first))

    def _go_on(self, drawing: int, slots: _Slots, slot: int) -> None:
        """Take the stroke in a slot: the drawing is finished, or its next stroke begins there."""
        if slots.ended[slot] or slots.at[slot] >= self.settings.max_points:
            points = slots.points[slot, : slots.at[slot]]
            self.finished[self.number[drawing]] = _sketch(points, self.runtime.info.sequence, bool(slots.ended[slot]))
            self.live[drawing] = False
            return
        slots.done[slot] = False
        self.stroke[drawing] += 1
        self.round[drawing] = 0
        if self.pictures is not None:
            self.base.put(drawing, slots, slot)
            self.slots.put(slice(drawing * self.each, (drawing + 1) * self.each), slots, slice(slot, slot + 1))

    def _keep(self, drawings: NDArray[np.int64]) -> None:
        """Drop the drawings that are finished."""
        slots = (drawings[:, None] * self.each + np.arange(self.each)).ravel()
        self.slots = self.slots.select(slots)
        self.base, self.best = self.base.select(drawings), self.best.select(drawings)
        for name in ("number", "live", "stroke", "round", "weight"):
            setattr(self, name, getattr(self, name)[drawings])
        if self.pictures is not None:
            self.paper, self.missing = self.paper[drawings], self.missing[drawings]
            self.best_paper = self.best_paper[drawings]


def ink_of_points(points: FloatArray, info: ModelInfo, first: int = 0) -> FloatArray:
    """Ink ``(size, size)`` in 0..1 of stroke-3 rows ``(k, 3)`` in model units, from the row ``first`` on."""
    size = info.model.raster.size
    if len(points) == first:
        return np.zeros((size, size), np.float32)
    places = np.cumsum(points[:, :2], axis=0, dtype=np.float32)[first:] * np.float32(info.sequence.scale)
    ends = np.flatnonzero(points[first:, 2]) + 1
    if not len(ends) or ends[-1] < len(places):
        ends = np.append(ends, len(places))
    return shades_of(render_fitted(places, ends, info.model.raster))


def missing_ink(picture: FloatArray, paper: FloatArray) -> float:
    """Ink of a picture ``(size, size)`` in 0..1 beyond what the paper has within a pixel, the sum of its squares."""
    return float(np.square(np.maximum(picture - cv2.dilate(paper, np.ones((3, 3), np.uint8)), 0)).sum())


def _sketch(rows: FloatArray, spec: SequenceSpec, ended: bool) -> Sketch:
    implicit_origin = spec.start == "first"
    scaled = rows * np.array([spec.scale, spec.scale, 1], np.float32)
    sketch = Sketch.from_stroke3(scaled, implicit_origin=implicit_origin, metadata={"ended": ended})
    if implicit_origin:
        return sketch
    return sketch.transform([[1, 0, CANVAS_SIZE / 2], [0, 1, CANVAS_SIZE / 2]])
