"""Completion: a started drawing is continued by the decoder.

The decoder's rows lie in the square frame of the finished drawing, and its code is the finished picture's; a started
drawing tells neither. With a picture the code is known, and the frame is the one in which it makes the strokes so far
likeliest. Without, people's habits help: those who draw the same thing begin with the same parts. The started strokes
are laid on the beginnings of the atlas's drawings, or of things that are drawn from nothing; where one looks alike,
moved and scaled, the rest of its strokes, moved and scaled alike, is put beside the started strokes. The encoder's code
of that collage, and its bounds, are what the decoder goes on with: it draws what the collage is a sketch of, from the
strokes so far.

A decoder alone has no code, so its frames are weighed by the strokes so far, and it goes on from these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.collage import Beginnings, Collage
from sketch_pix2seq.drawing.model import DrawSettings, Model, Source, read_source
from sketch_pix2seq.drawing.prior import Prior
from sketch_pix2seq.drawing.sampler import Begun, begin, draw_codes, draw_on
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.sequence import PEN_DOWN, PEN_UP, SequenceSpec, mixed
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

_COLLAGES, _OF_CATEGORY = 48, 3
"""Collages that the started strokes are weighed in; of one category, where that is open."""
_FINISHED = 24
"""Collages that are finished, at least; the best become the alternatives."""
_THINGS, _THINGS_EACH = 480, (4, 96)
"""Things that are drawn to compare with where there is no atlas; of each category, at least and at most."""
_SPREAD = 0.4
"""Share of the prior's variance that they have; less than in drawing from nothing, as they should be clean."""
_USUAL = 8
"""Codes of each category of which the usual density is taken."""
_UNLIKE, _ASTRAY = 60.0, 300.0
"""Nats for a distance of the whole extent from the started strokes, and of 1 from the collage's code."""
_PLAUSIBLE = 0.2
"""Share of its nats that the prior counts with, which is far surer of itself than it should be."""
_LITTLE, _USUALLY_ADDED = 30.0, 0.3
"""Nats against a drawing that adds no ink where that share of it usually is new; less for one that adds some. A drawing
that is all but done fits the strokes so far best; people went on to add 30 %, the median of 374 validation sketches."""
_SAME = 15.0
"""Nats that an alternative has to be better by for each one before it that looks like the same category."""
_SHARES = ((1.0, 0.35), (0.9, 0.15), (0.75, 0.17), (0.6, 0.15), (0.45, 0.1), (0.3, 0.08))
"""Longest side of the started drawing over that of the finished one, and how often it is tried with a picture."""
_FIRST_ROWS = 3000
"""Rows that the first weighing of frames takes, about; of frames, it takes 32 to 128."""
_AS_PLACED = 0.5
"""Nats a point in favour of the place where the started drawing lies in the picture's own coordinates."""
_WRONG = 1e6
"""What a drawing that has not ended is behind others; half of it for one to which nothing was added."""


def complete(
    model: Model,
    started: Sketch,
    samples: int = 1,
    *,
    category: str | None = None,
    picture: Source | None = None,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
    pen_down: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> list[Sketch]:
    """Go on with a started drawing in ``samples`` ways, the likeliest first, in the started drawing's own coordinates.

    Each begins with the started strokes as they are; ``metadata["started"]`` is their number, ``metadata["ended"]``
    says whether the drawing ended by itself. The same seed, weights, settings and device give the same strokes.
    category: what it shall become. picture: what the finished drawing shall look like; if that is a `Sketch`, the
    started drawing is first tried where it lies in the coordinates of that. With neither, the strokes so far decide.
    pen_down: the pen is still on the paper at the last point, so the last stroke may go on.
    on_progress: called with the number of alternatives finished since the last call.
    Raises SettingsError for no strokes, no samples, more points than ``settings.max_points`` leaves room for, an
    unknown category, or both a category and a picture; ModelError where neither is given, or a category, and a model
    with an encoder has no prior, or where a picture is given and the model has no encoder.
    """
    if samples < 1:
        raise SettingsError("samples must be at least 1")
    if not 0 <= seed < 1 << 64:
        raise SettingsError("the seed must be a whole number from 0 to 2 ** 64 - 1")
    if not started.strokes:
        raise SettingsError("there is nothing to complete: the started drawing has no strokes")
    if started.n_points >= settings.max_points:
        raise SettingsError(
            f"the started drawing has {started.n_points} points, which leaves no room for more; "
            f"max_points is {settings.max_points}"
        )
    if category is not None and picture is not None:
        raise SettingsError("a drawing is completed towards a category or a picture, not both")
    work = _Work(model, started, pen_down, seed, settings)
    if picture is not None:
        drawings = _towards(work, picture, samples)
    elif model.sees:
        drawings = _imagined(work, _known.setdefault(model, _Known()), category, samples)
    else:
        category = model.drawn_category(category)
        drawings = _onwards(work, samples)
    if on_progress is not None:
        on_progress(samples)
    return [drawing.with_(category=category, metadata={"started": len(started)}) for drawing in drawings]


@dataclass(frozen=True, eq=False)
class _Frames:
    """n squares in the started drawing's coordinates: where the finished drawing lies, its longest side the side."""

    side: DoubleArray
    centre: DoubleArray
    """``(n, 2)``."""

    def select(self, chosen: NDArray[np.integer]) -> _Frames:
        return _Frames(self.side[chosen], self.centre[chosen])

    def and_(self, others: _Frames) -> _Frames:
        return _Frames(np.append(self.side, others.side), np.concatenate([self.centre, others.centre]))


@dataclass(frozen=True, eq=False)
class _Work:
    """What stays the same while one drawing is completed."""

    model: Model
    started: Sketch
    pen_down: bool
    seed: int
    settings: DrawSettings

    def begun(self, codes: FloatArray, frames: _Frames) -> Begun:
        """The started drawing, of each code in its frame."""
        rows = _rows(self.started, frames, self.model.info.sequence, self.pen_down)
        return begin(self.model.runtime, codes, rows)

    def likelihood(self, begun: Begun, frames: _Frames) -> DoubleArray:
        """Log density ``(n,)`` of the strokes so far in their own coordinates, whatever the sizes of the frames."""
        return np.asarray(begun.log_likelihood - 2 * begun.rows.shape[1] * np.log(frames.side))

    def seeds(self, use: int, n: int) -> NDArray[np.uint64]:
        """Seeds for n drawings; others for each use."""
        first = mixed(np.array([self.seed], np.uint64))
        counts = np.arange(n, dtype=np.uint64) + np.uint64(use << 32)
        return mixed(np.asarray(first + counts, np.uint64))


class _Finished(NamedTuple):
    """One drawing for each of n codes, in the started drawing's coordinates."""

    drawings: list[Sketch]
    codes: FloatArray
    """Of the drawings ``(n, z)``."""
    astray: DoubleArray
    """Mean square from the code that was given to the drawing's own, and what speaks against it besides, ``(n,)``."""


def _finish(work: _Work, codes: FloatArray, frames: _Frames, begun: Begun) -> _Finished:
    """Of as many candidates as asked for, the drawing whose code is nearest to the one that it was drawn from."""
    n, candidates = len(codes), work.settings.candidates
    each = np.repeat(np.arange(n), candidates)
    found = draw_on(work.model.runtime, begun.select(each), work.seeds(1, len(each)), work.settings)
    drawings = [_joined(work.started, drawn, side) for drawn, side in zip(found, frames.side[each], strict=True)]
    again = work.model.encode_sketches(drawings)
    astray = np.square(again - codes[each]).mean(axis=1, dtype=np.float64)
    astray += [0.0 if d.metadata["ended"] else _WRONG for d in drawings]
    astray += [_WRONG / 2 if d.n_points == work.started.n_points else 0.0 for d in drawings]
    best = np.arange(n) * candidates + astray.reshape(n, candidates).argmin(axis=1)
    return _Finished([drawings[i] for i in best], again[best], astray[best])


# -- without a picture ------------------------------------------------------------------------------------


def _imagined(work: _Work, known: _Known, category: str | None, samples: int) -> list[Sketch]:
    """Alternatives towards a category, or whatever the strokes so far allow; the likeliest first."""
    model = work.model
    collages = _collages(work.started, known.beginnings(model, category), category, max(_COLLAGES, samples))
    chosen = [collage.sketch for collage in collages]
    codes, frames = model.encode_sketches(chosen), _bounds(chosen)
    begun = work.begun(codes, frames)
    # The likelihood of the strokes so far is far too sure of itself, so it is tempered by their number.
    fit = work.likelihood(begun, frames) / np.sqrt(work.started.n_points)
    fit -= _UNLIKE * np.array([collage.unlike for collage in collages])
    kept = np.argsort(-fit, kind="stable")[: max(_FINISHED, samples)]
    kept = np.resize(kept, max(len(kept), samples))
    finished = _finish(work, codes[kept], frames.select(kept), begun.select(kept))
    plausible, looks = known.judged(model, finished.codes, category)
    score = fit[kept] + _PLAUSIBLE * plausible - _ASTRAY * finished.astray
    lengths = np.array([drawing.path_length() for drawing in finished.drawings])
    added = 1 - work.started.path_length() / np.maximum(lengths, 1e-9)
    score -= _LITTLE * np.maximum(0, _USUALLY_ADDED - added)
    order: list[int] = []
    for _ in range(samples):
        left = score.copy()
        if category is None:
            left -= _SAME * (looks[:, None] == looks[order]).sum(axis=1)
        left[order] = -np.inf
        order.append(int(left.argmax()))
    return [finished.drawings[i] for i in order]


def _collages(started: Sketch, beginnings: Beginnings, category: str | None, most: int) -> list[Collage]:
    """Those most alike, a few of each category where it is open; the started drawing alone where there is none."""
    counts: Counter[str | None] = Counter()
    found: list[Collage] = []
    for collage in beginnings.collages(started):
        counts[collage.sketch.category] += 1
        if category is not None or counts[collage.sketch.category] <= _OF_CATEGORY:
            found.append(collage)
        if len(found) == most:
            break
    return found or [Collage(started, 0.0)]


class _Known:
    """What is found out about a model once, for all drawings that it completes."""

    def __init__(self) -> None:
        self._beginnings: dict[str | None, Beginnings] = {}
        self._density: DoubleArray | None = None

    def beginnings(self, model: Model, category: str | None) -> Beginnings:
        """Of the atlas, or else of what the model draws from nothing."""
        if category is not None:
            model.prior.index(category)
        if category not in self._beginnings:
            self._beginnings[category] = Beginnings(_things(model, category))
        return self._beginnings[category]

    def judged(self, model: Model, codes: FloatArray, category: str | None) -> tuple[DoubleArray, NDArray[np.int64]]:
        """Log density ``(n,)`` of codes ``(n, z)``, and the category that each looks like.

        Where the category is open, by how much it is above what is usual of the one it looks like: the density of one
        that is drawn in few ways is higher everywhere.
        """
        prior = model.prior
        joint = prior.log_densities(codes) + np.log(prior.shares)
        looks = joint.argmax(axis=1)
        if category is not None:
            c = prior.index(category)
            return joint[:, c] - np.log(prior.shares[c]), looks
        if self._density is None:
            self._density = _usual_density(prior)
        return np.asarray(np.logaddexp.reduce(joint, axis=1) - self._density[looks]), looks


_known: WeakKeyDictionary[Model, _Known] = WeakKeyDictionary()


def _things(model: Model, category: str | None) -> list[Sketch]:
    """Drawings to compare with: those of the atlas or, where it lacks the category, the clearer half of new ones."""
    atlas, prior = model.atlas, model.prior
    if atlas is not None and (category is None or category in atlas.categories):
        return [drawing for drawing in atlas.drawings if category in (None, drawing.category)]
    categories = prior.categories if category is None else (category,)
    each = int(np.clip(_THINGS // len(categories), *_THINGS_EACH))
    named = [name for name in categories for _ in range(each)]
    codes = prior.sample(len(named), named, spread=_SPREAD)
    drawn = draw_codes(model.runtime, codes, list(range(len(codes))))
    index = np.array([prior.index(name) for name in named])
    densities = prior.log_densities(model.encode_sketches(drawn))
    clear = densities[np.arange(len(drawn)), index]
    clear[[not drawing.metadata["ended"] for drawing in drawn]] = -np.inf
    best = np.argsort(-clear.reshape(-1, each), axis=1, kind="stable")[:, : (each + 1) // 2]
    return [drawn[i].with_(category=named[i]) for i in (best + each * np.arange(len(best))[:, None]).ravel()]


def _usual_density(prior: Prior) -> DoubleArray:
    """Mean log density that codes of each category have, whatever they may be: ``(c,)``."""
    named = [name for name in prior.categories for _ in range(_USUAL)]
    density = prior.log_density(prior.sample(len(named), named, spread=_SPREAD))
    return np.asarray(density.reshape(-1, _USUAL).mean(axis=1))


# -- without a code ---------------------------------------------------------------------------------------


def _onwards(work: _Work, samples: int) -> list[Sketch]:
    """Alternatives of a decoder alone, in frames sampled by the likelihood of the strokes so far.

    Those come first whose frames have the likeliest size.
    """
    rng = np.random.default_rng([work.seed, 3])
    frames = _random_frames(work.started, _tries(work.started), rng)
    begun = work.begun(work.model.no_codes(len(frames.side)), frames)
    # Tempered, as in `_imagined`.
    score = work.likelihood(begun, frames) / np.sqrt(work.started.n_points)
    weights = np.exp(score - score.max())
    chosen = rng.choice(len(score), samples, p=weights / weights.sum())
    of_size = np.array([weights[frames.side == side].sum() for side in frames.side[chosen]])
    chosen = chosen[np.argsort(-of_size, kind="stable")]
    candidates = work.settings.candidates
    each = np.repeat(chosen, candidates)
    found = draw_on(work.model.runtime, begun.select(each), work.seeds(1, len(each)), work.settings)
    drawings = [_joined(work.started, drawn, side) for drawn, side in zip(found, frames.side[each], strict=True)]
    wrong = np.array([2 * (not d.metadata["ended"]) + (d.n_points == work.started.n_points) for d in drawings])
    best = np.arange(samples) * candidates + wrong.reshape(samples, candidates).argmin(axis=1)
    return [drawings[i] for i in best]


# -- towards a picture ------------------------------------------------------------------------------------


def _towards(work: _Work, picture: Source, samples: int) -> list[Sketch]:
    """Alternatives from the picture's code, in the frame in which it makes the strokes so far likeliest."""
    sketch = read_source(picture)
    code = work.model.encode_sketches([sketch])
    frames = _frame_of(work, code, _bounds([picture if isinstance(picture, Sketch) else sketch]))
    everywhere = np.zeros(samples, np.int64)
    codes, frames = code[everywhere], frames.select(everywhere)
    finished = _finish(work, codes, frames, work.begun(code, frames.select(everywhere[:1])).select(everywhere))
    return [finished.drawings[i] for i in np.argsort(finished.astray, kind="stable")]


def _frame_of(work: _Work, code: FloatArray, own: _Frames) -> _Frames:
    """The picture's own frame if the strokes so far are likely there, or else the best of many that are tried."""
    rng = np.random.default_rng([work.seed, 2])

    def worth(frames: _Frames) -> DoubleArray:
        return work.likelihood(work.begun(np.repeat(code, len(frames.side), axis=0), frames), frames)

    frames = _random_frames(work.started, _tries(work.started), rng)
    fits = _holds(own, work.started)
    if fits:
        frames = own.and_(frames)
    likely = worth(frames)
    if fits:
        likely[0] += _AS_PLACED * work.started.n_points
        if likely.argmax() == 0:
            return own
    best = frames.select(np.argsort(-likely, kind="stable")[:1])
    for spread in (0.08, 0.03):
        side = best.side * np.exp(spread * rng.normal(size=24))
        frames = best.and_(_Frames(side, best.centre + spread * side[:, None] * rng.normal(size=(24, 2))))
        best = frames.select(np.argsort(-worth(frames), kind="stable")[:1])
    return best


# -- frames, and to and from them -------------------------------------------------------------------------


def _tries(started: Sketch) -> int:
    """How many frames are weighed."""
    return int(np.clip(_FIRST_ROWS // started.n_points, 32, 128))


def _random_frames(started: Sketch, n: int, rng: np.random.Generator) -> _Frames:
    """Frames of several sizes around the started drawing, which lies anywhere in them."""
    left, top, right, bottom = started.bounds()
    extent = max(right - left, bottom - top)
    shares, often = np.array(_SHARES).T
    side = extent / rng.choice(shares, n, p=often) if extent > 0 else np.full(n, CANVAS_SIZE)
    free = side[:, None] - np.array([right - left, bottom - top])
    return _Frames(side, np.array([left, top]) - free * rng.random((n, 2)) + side[:, None] / 2)


def _bounds(sketches: list[Sketch]) -> _Frames:
    """The frames of finished drawings."""
    boxes = np.array([sketch.bounds() for sketch in sketches])
    side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return _Frames(np.where(side > 0, side, CANVAS_SIZE), (boxes[:, :2] + boxes[:, 2:]) / 2)


def _holds(frame: _Frames, sketch: Sketch) -> bool:
    """Whether the sketch lies within the frame, give or take a twentieth of its side."""
    reach = np.abs(sketch.points() - frame.centre[0]).max()
    return bool(reach <= 0.55 * frame.side[0])


def _rows(started: Sketch, frames: _Frames, spec: SequenceSpec, pen_down: bool) -> FloatArray:
    """The stroke-5 rows ``(n, k, 5)`` of the started drawing in each frame, in model units, without an end row."""
    first = spec.start == "first"
    table = started.to_stroke3(implicit_origin=first)
    if pen_down:
        table[-1, 2] = 0
        if first and started.n_points == 1:
            table = table[:0]
    scale = CANVAS_SIZE / frames.side / spec.scale
    rows = np.zeros((len(scale), len(table), 5))
    rows[:, :, :2] = table[:, :2] * scale[:, None, None]
    rows[:, :, 2 + PEN_DOWN] = 1 - table[:, 2]
    rows[:, :, 2 + PEN_UP] = table[:, 2]
    if not first:
        rows[:, 0, :2] = (started.strokes[0][0] - frames.centre) * scale[:, None]
    return rows.astype(np.float32)


def _joined(started: Sketch, drawn: Sketch, side: float) -> Sketch:
    """The started strokes as they are, and what was drawn beyond them, led on from the last given point."""
    given, last = started.n_points, len(started) - 1
    points = drawn.points().astype(np.float64)
    added = (points[given:] - points[given - 1]) * (side / CANVAS_SIZE) + started.strokes[-1][-1]
    strokes: list[FloatArray] = list(started.strokes)
    ends = np.cumsum([len(stroke) for stroke in drawn.strokes]) - given
    for index, end in enumerate(ends):
        if end <= 0:
            continue
        part = added[max(0, ends[index - 1] if index else 0) : end].astype(np.float32)
        if index == last:
            strokes[-1] = np.concatenate([strokes[-1], part])
        else:
            strokes.append(part)
    return Sketch(tuple(strokes), started.category, {**started.metadata, "ended": drawn.metadata["ended"]})
