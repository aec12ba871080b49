"""The sampler: codes in, sketches out. Batched; where a drawing has ended, the next one takes its place.

Random numbers are hashes of (seed of the drawing, row, use), so a drawing does not depend on those drawn beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.aim import aim
from sketch_pix2seq.drawing.density import log_density
from sketch_pix2seq.drawing.retake import LONG, Takes, begins_of, choose_begin, ink_of_points, missing_ink
from sketch_pix2seq.drawing.runtime import DrawingState, MixtureArrays, Runtime, start_rows
from sketch_pix2seq.drawing.settle import settled
from sketch_pix2seq.drawing.specks import without_specks
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, PEN_UP, SequenceSpec, mixed, uniform
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

_USES = 4
"""Random numbers a row: which Gaussian, which pen state, two for the offset."""
_AGAIN = 3
"""Random numbers of each further offset that is tried: which Gaussian, and two for the offset."""
_TRIED = 1 << 24
"""Where the random numbers of what is tried begin."""
_RETAKEN = 1 << 32
"""Where the random numbers of what is drawn after a stroke was taken back begin, for each that was."""
_PEN = 1
"""The use that chooses the pen state."""
_COLDEST = 1e-9
"""What a temperature of 0 divides by: the likeliest is chosen."""
_IN_HAND = 256
"""Drawings that one thread draws together: enough for full speed of the products, few enough for its caches."""


@dataclass(frozen=True)
class SampleSettings:
    """How rows are drawn from the mixture."""

    temperature: float = 0.2
    """tau: multiplies the mixture's variance and divides the logits of the Gaussians; 0 = the likeliest."""
    pen_temperature: float = 0.5
    """Divides the logits of the pen states; far below 0.5 the end of the drawing is all but forbidden."""
    max_points: int = 250
    """A drawing that has not ended by then is cut off."""
    specks: bool = False
    """Leave in what the decoder set down by mistake, as a model with a canvas does now and then; see `specks`."""
    tries: int = 8
    """Offsets tried for each row: the better one lies on the ink that the model imagines, or looks at, the likelier it
    is drawn; 1 = the first that comes. Only with a canvas."""
    retakes: int = 8
    """How often a stroke that does not lie on the picture's ink is taken back and drawn again; 0 = never. Only where
    the decoder looks at the picture."""
    settle: bool = True
    """Move the points of a finished drawing a little, onto the picture's ink. Only where the decoder looks at it."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.pen_temperature < 0:
            raise SettingsError("temperatures cannot be below 0")
        if self.max_points < 1 or self.tries < 1:
            raise SettingsError("max_points and tries must be at least 1")
        if self.retakes < 0:
            raise SettingsError("retakes cannot be below 0")


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


def begin(runtime: Runtime, codes: FloatArray, rows: FloatArray, pictures: FloatArray | None = None) -> Begun:
    """The rows ``(n, k, 5)``, k at least 0, handed to the decoder as the beginning of drawings of codes ``(n, z)``.

    pictures: see `Runtime.start`. A last row with the pen down leaves it to `draw_on` whether the pen lifts there.
    """
    n, k = rows.shape[:2]
    state = runtime.start(np.ascontiguousarray(codes, np.float32), pictures)
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
    pictures: FloatArray | None = None,
) -> list[Sketch]:
    """One drawing for each seed, in canvas units of the input's picture; the codes ``(n, z)`` share the seeds evenly.

    pictures: one for each code, see `Runtime.start`.
    The first ``len(seeds) // n`` drawings are of the first code, and so on.
    ``metadata["ended"]`` says whether it ended by itself. The same seed, weights and device give the same strokes.
    """
    each = len(seeds) // max(1, len(codes))

    def some(runtime: Runtime, chosen: NDArray[np.int64]) -> Begun:
        of = chosen // each
        first = int(of[0])
        part = slice(first, of[-1] + 1)
        shown = None if pictures is None else pictures[part]
        begun = begin(runtime, codes[part], np.zeros((of[-1] + 1 - first, 0, 5), np.float32), shown)
        return begun.select(of - first)

    drawings = _shared(runtime, some, each, np.asarray(seeds), settings)
    if pictures is None or not settings.settle or not runtime.info.model.glimpse:
        return drawings
    return [settled(drawing, pictures[i // each], runtime.info.model.raster) for i, drawing in enumerate(drawings)]


def draw_on(
    runtime: Runtime,
    begun: Begun,
    seeds: Sequence[int] | NDArray[np.integer],
    settings: SampleSettings = SampleSettings(),
) -> list[Sketch]:
    """Each begun drawing finished with its seed; see `draw_codes`. The given rows count as points.

    Raises SettingsError where more rows are given than ``settings.max_points``.
    """
    given = begun.rows.shape[1]
    if given > settings.max_points:
        raise SettingsError(f"{given} points are given, and a drawing has {settings.max_points} at most (max_points)")
    drawings = _shared(runtime, lambda _, chosen: begun.select(chosen), 1, np.asarray(seeds), settings)
    pictures = begun.state.picture if settings.settle else None
    if pictures is None:
        return drawings
    raster = runtime.info.model.raster
    return [settled(*both, raster, given=given) for both in zip(drawings, pictures, strict=True)]


_Some: TypeAlias = Callable[[Runtime, NDArray[np.int64]], Begun]
"""Begins some of the drawings, named by their numbers, which follow one another."""


def _shared(
    runtime: Runtime, some: _Some, each: int, seeds: NDArray[np.integer], settings: SampleSettings
) -> list[Sketch]:
    """Every drawing finished, by as many threads as the runtime has use for; each takes its part of them."""
    if not len(seeds):
        return []
    streams = mixed(seeds.astype(np.uint64))
    workers = runtime.workers(len(seeds))
    if len(workers) == 1:
        return _finished(runtime, some, each, range(len(seeds)), streams, settings)
    unit = each if len(seeds) // each >= len(workers) else 1  # a code's drawings stay together where there are several
    edges = [len(seeds) // unit * i // len(workers) * unit for i in range(len(workers) + 1)]
    with ThreadPoolExecutor(len(workers)) as pool:
        parts = pool.map(
            lambda worker, part: _finished(worker, some, each, part, streams, settings),
            workers,
            [range(*ends) for ends in pairwise(edges)],
        )
        return [sketch for part in parts for sketch in part]


@dataclass
class _Hand:
    """Drawings in hand, each in its slot."""

    numbers: NDArray[np.int64]
    state: DrawingState
    rows: FloatArray
    """The last rows ``(n, 5)``, not yet handed to the decoder."""
    points: FloatArray
    """What is drawn: ``(n, max_points, 3)`` stroke-3 rows in model units, of which the first ``at`` count."""
    at: NDArray[np.int64]
    ink: FloatArray | None
    """What is to be drawn ``(n, size, size)`` in 0..1; see `DrawingState.ink`."""
    chances: DoubleArray
    """Random numbers for each use of each row, ``(n, max_points + 1, uses)``: `_USES`, and those of what is tried."""
    takes: Takes | None
    """What strokes are compared with, where they can be taken back."""

    def select(self, slots: NDArray[np.integer]) -> _Hand:
        """The drawings in these slots alone."""
        ink = None if self.ink is None else self.ink[slots]
        takes = None if self.takes is None else self.takes.select(slots)
        rows, points, at, chances = (x[slots] for x in (self.rows, self.points, self.at, self.chances))
        return _Hand(self.numbers[slots], self.state.select(slots), rows, points, at, ink, chances, takes)

    def put(self, slots: NDArray[np.integer], other: _Hand) -> None:
        """Others in these slots."""
        self.state.put(slots, other.state)
        self.numbers[slots], self.rows[slots], self.points[slots] = other.numbers, other.rows, other.points
        self.at[slots], self.chances[slots] = other.at, other.chances
        if self.ink is not None and other.ink is not None:
            self.ink[slots] = other.ink
        if self.takes is not None and other.takes is not None:
            self.takes.put(slots, other.takes)


def _begun(
    begun: Begun, numbers: NDArray[np.int64], streams: NDArray[np.uint64], info: ModelInfo, settings: SampleSettings
) -> _Hand:
    """Drawings with the points that are given; where the last of them has the pen down, whether it lifts is drawn."""
    n, given = begun.rows.shape[:2]
    ink = begun.state.ink if settings.tries > 1 else None
    chances = _chances(streams, settings, ink is not None)
    points = np.zeros((n, settings.max_points, 3), np.float32)
    rows = start_rows(info, n)
    if given:
        rows = begun.rows[:, -1].copy()
        open_ = np.flatnonzero(rows[:, 2 + PEN_DOWN])
        chance = chances[open_, given - 1, _PEN]
        lifts = open_[_choose(begun.log_pen[open_, :PEN_END], chance, settings.pen_temperature) == PEN_UP]
        rows[lifts, 2 + PEN_DOWN], rows[lifts, 2 + PEN_UP] = 0, 1
        points[:, :given] = begun.rows[..., [0, 1, 2 + PEN_UP]]
        points[:, given - 1, 2] = rows[:, 2 + PEN_UP]
    at = np.full(n, given)
    takes, picture = None, begun.state.picture if settings.retakes else None
    if picture is not None:
        paper = np.zeros_like(picture)
        for drawing in range(n if given else 0):
            paper[drawing] = ink_of_points(points[drawing, :given], info)
        most = np.where(picture.any(axis=(1, 2)), settings.retakes, 0)
        before = begun.state.moves.select(np.arange(n))
        missing = np.array([missing_ink(*both) for both in zip(picture, paper, strict=True)])
        takes = Takes(picture, paper, before, rows.copy(), at.copy(), most, most.copy(), np.zeros(n, np.int64), missing)
    return _Hand(numbers, begun.state, rows, points, at, ink, chances, takes)


def _chances(streams: NDArray[np.uint64], settings: SampleSettings, tries: bool) -> DoubleArray:
    rows = settings.max_points + 1
    chances = _uniform(streams, rows, _USES)
    if not tries:
        return chances
    again = _uniform(streams + np.uint64(_TRIED), rows, 1 + _AGAIN * (settings.tries - 1))
    return np.concatenate([chances, again], axis=-1)


def _uniform(streams: NDArray[np.uint64], rows: int, uses: int) -> DoubleArray:
    numbers = np.arange(rows * uses, dtype=np.uint64)
    return uniform(streams[:, None] + numbers).reshape(len(streams), rows, uses)


def _finished(
    runtime: Runtime, some: _Some, each: int, numbers: range, streams: NDArray[np.uint64], settings: SampleSettings
) -> list[Sketch]:
    """The drawings of these numbers. So many are in hand at a time; where one has ended, the next takes its place."""

    finished: dict[int, Sketch] = {}
    waiting = numbers

    def taken(count: int) -> _Hand:
        nonlocal waiting
        chosen = np.array(waiting[:count])
        waiting = waiting[count:]
        return _begun(some(runtime, chosen), chosen, streams[chosen], runtime.info, settings)

    # A code's drawings are begun together where they are not too many, so that it is started once.
    hand = taken(min(len(numbers), _IN_HAND // each * each or _IN_HAND))
    given = int(hand.at[0])
    busy = np.ones(len(hand.at), bool)
    few = max(1, len(busy) // 8, min(each, len(busy) // 4))
    while True:
        slots = np.arange(len(busy))
        mixture, hand.state = runtime.step(hand.rows, hand.state)
        chance = hand.chances[slots, hand.at]
        log_pen = mixture.log_pen.copy()
        log_pen[hand.at == 0, PEN_END] = -np.inf  # every drawing has a point
        if hand.takes is not None:
            log_pen[hand.takes.lack(hand.at), PEN_END] = -np.inf
        pen = _choose(log_pen, chance[:, _PEN], settings.pen_temperature)
        stop = busy & ((pen == PEN_END) | (hand.at == settings.max_points))
        for slot in np.flatnonzero(stop):
            rows = hand.points[slot, : hand.at[slot]]
            sketch = _sketch(rows, runtime.info.sequence, bool(pen[slot] == PEN_END))
            known = None if settings.specks else hand.state.known(int(slot))
            if known is not None:
                sketch = without_specks(sketch, known, runtime.info.model.raster, given=given)
            finished[int(hand.numbers[slot])] = sketch
        busy &= ~stop
        going, free = np.flatnonzero(busy), np.flatnonzero(~busy)
        offsets = _aimed(mixture, chance, hand, runtime.info, settings)
        _seek(offsets, mixture, chance, hand, runtime.info)
        pen, offsets = pen[going], offsets[going]
        hand.rows = np.zeros((len(busy), 5), np.float32)
        hand.rows[going, :2] = offsets
        hand.rows[going, 2 + pen] = 1
        hand.points[going, hand.at[going], :2] = offsets
        hand.points[going, hand.at[going], 2] = pen == PEN_UP
        hand.at[going] += 1
        if hand.takes is not None:
            _take_back(hand, hand.takes, going, streams, runtime.info, settings)
        if waiting and (len(free) >= few or not len(going)):
            free = free[: min(len(free) // each * each or len(free), len(waiting))]
            hand.put(free, taken(len(free)))
            busy[free] = True
        elif not waiting and len(free) > len(busy) // 4:
            if not len(going):
                return [finished[number] for number in numbers]
            hand, busy = hand.select(going), np.ones(len(going), bool)


def _take_back(
    hand: _Hand,
    takes: Takes,
    going: NDArray[np.int64],
    streams: NDArray[np.uint64],
    info: ModelInfo,
    settings: SampleSettings,
) -> None:
    """Strokes that are finished stay or, as those that find no end, go."""
    finished, gone = [], []
    for slot in going[(hand.rows[going, 2 + PEN_UP] == 1) | (hand.at[going] - takes.at[going] > LONG)]:
        if not hand.rows[slot, 2 + PEN_UP]:
            gone += [slot] * bool(takes.left[slot])
            continue
        paper = takes.after(slot, hand.points[slot, : hand.at[slot]], info)
        if takes.left[slot] and not takes.is_worth_it(slot, paper):
            gone.append(slot)
        else:
            takes.paper[slot] = paper
            takes.missing[slot] = missing_ink(takes.picture[slot], paper)
            takes.left[slot] = takes.most[slot]
            finished.append(slot)
    if finished:
        takes.state.put(np.array(finished), hand.state.moves.select(np.array(finished)))
        takes.rows[finished], takes.at[finished] = hand.rows[finished], hand.at[finished]
    if gone:
        takes.left[gone] -= 1
        takes.taken[gone] += 1
        hand.state.moves.put(np.array(gone), takes.state.select(np.array(gone)))
        hand.rows[gone], hand.at[gone] = takes.rows[gone], takes.at[gone]
        further = streams[hand.numbers[gone]] + np.uint64(_RETAKEN) * takes.taken[gone].astype(np.uint64)
        hand.chances[gone] = _chances(further, settings, hand.ink is not None)


def _sketch(rows: FloatArray, spec: SequenceSpec, ended: bool) -> Sketch:
    implicit_origin = spec.start == "first"
    scaled = rows * np.array([spec.scale, spec.scale, 1], np.float32)
    sketch = Sketch.from_stroke3(scaled, implicit_origin=implicit_origin, metadata={"ended": ended})
    if implicit_origin:
        return sketch
    return sketch.transform([[1, 0, CANVAS_SIZE / 2], [0, 1, CANVAS_SIZE / 2]])


def _choose(
    log_probability: FloatArray, chance: NDArray[np.float64], temperature: float | DoubleArray
) -> NDArray[np.int64]:
    """One of the columns for each row, by its chance in [0, 1); temperature: one for all, or of each ``(n,)``."""
    logits = log_probability.astype(np.float64)
    logits = (logits - logits.max(axis=1, keepdims=True)) / np.maximum(temperature, _COLDEST)[..., None]
    weights = np.exp(logits)
    cumulative = np.cumsum(weights, axis=1)
    below = (cumulative <= (chance * cumulative[:, -1])[:, None]).sum(axis=1)
    return np.asarray(np.minimum(below, logits.shape[1] - 1), np.int64)


def _aimed(
    mixture: MixtureArrays, chance: DoubleArray, hand: _Hand, info: ModelInfo, settings: SampleSettings
) -> FloatArray:
    """One offset for each row ``(n, 2)``: of several, one that lies well on the ink that is there to draw."""
    temperature = np.full(len(chance), settings.temperature)
    if hand.takes is not None:
        temperature += hand.takes.warmth(hand.at)
    first = _offsets(mixture, chance[:, [0, 2, 3]], temperature)
    if hand.ink is None:
        return first
    tried = [first]
    places = range(_USES + 1, chance.shape[1], _AGAIN)
    tried += [_offsets(mixture, chance[:, at : at + _AGAIN], temperature) for at in places]
    offsets = np.stack(tried, axis=1)
    worth = aim(hand.state.sight(hand.ink), offsets * info.sequence.scale, info.model.raster)
    chosen = _choose(worth.astype(np.float32), chance[:, _USES], 1.0)
    return np.asarray(offsets[np.arange(len(offsets)), chosen])


def _seek(offsets: FloatArray, mixture: MixtureArrays, chance: DoubleArray, hand: _Hand, info: ModelInfo) -> None:
    """Where strokes for missing ink have failed, offsets ``(n, 2)`` that lead to it are put in the places of others."""
    if hand.takes is None:
        return
    for slot in hand.takes.seeking(hand.at):
        places, ink = begins_of(hand.takes.picture[slot], hand.takes.paper[slot], info.model.raster)
        if not len(places):
            continue
        place = hand.state.sight(hand.takes.picture).place[slot]
        goals = ((places - place) / info.sequence.scale).astype(np.float32)
        alone = MixtureArrays(*(x[[slot] * len(goals)] for x in mixture))
        offsets[slot] = goals[choose_begin(log_density(alone, goals), ink, float(chance[slot, 0]))]


def _offsets(mixture: MixtureArrays, chance: DoubleArray, temperature: DoubleArray) -> FloatArray:
    """chance: ``(n, 3)``, which Gaussian, and two for the place in it; temperature: ``(n,)``."""
    rows = np.arange(len(mixture.log_pi))
    chosen = _choose(mixture.log_pi, chance[:, 0], temperature)
    mu_x, mu_y, rho = (x[rows, chosen] for x in (mixture.mu_x, mixture.mu_y, mixture.rho))
    sigma_x, sigma_y = (
        np.exp(x[rows, chosen]) * np.sqrt(temperature) for x in (mixture.log_sigma_x, mixture.log_sigma_y)
    )
    radius = np.sqrt(-2 * np.log1p(-chance[:, 1]))
    angle = 2 * np.pi * chance[:, 2]
    first, second = radius * np.cos(angle), radius * np.sin(angle)
    across = rho * first + np.sqrt(1 - rho**2) * second
    return np.stack([mu_x + sigma_x * first, mu_y + sigma_y * across], axis=1).astype(np.float32)
