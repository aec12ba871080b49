"""How things are drawn, apart from what they look like: strokes, pen-ups and their order, against people's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import DataError, missing_package
from sketch_pix2seq.evaluation.results import StrokeStatistic
from sketch_pix2seq.evaluation.statistics import bootstrap, kolmogorov_smirnov
from sketch_pix2seq.sketch import CANVAS_SIZE, Sketch

CLOSED = 0.1
"""A stroke is closed where its ends are no further apart than this share of its length."""

_UNITS = "canvas units"
_SIDE = "of the longest side"
_STROKE = "of sketches with two strokes or more"


@dataclass(frozen=True, eq=False)
class StrokeMeasure:
    """One quantity of many sketches."""

    name: str
    unit: str
    values: NDArray[np.float64]
    """``(n,)``; NaN for a sketch that has no such quantity, such as a jump in a sketch of one stroke."""


def stroke_measures(sketches: Sequence[Sketch]) -> tuple[StrokeMeasure, ...]:
    """What is measured of each sketch, which is fitted first (longest side 255 canvas units).

    A pen-up, or jump, is the straight line from the end of a stroke to the beginning of the next one. A stroke is
    closed where it has three points or more and its ends are within `CLOSED` of its length. Sketches carry no times,
    so that nothing here is a speed. Sketches without strokes are left out: n counts the others.
    """
    drawn = [sketch for sketch in sketches if sketch.strokes]
    if not drawn:
        return ()
    strokes = [stroke for sketch in drawn for stroke in sketch.strokes]
    counts = np.array([len(sketch.strokes) for sketch in drawn])
    lengths = np.array([len(stroke) for stroke in strokes])
    ends = np.cumsum(lengths)
    begins = ends - lengths
    last = np.cumsum(counts)
    first = last - counts

    points = np.concatenate(strokes).astype(np.float64)
    low = np.minimum.reduceat(points, begins[first])
    side = (np.maximum.reduceat(points, begins[first]) - low).max(axis=1)
    scale = np.divide(CANVAS_SIZE, side, out=np.ones(len(drawn)), where=side > 0)
    n_points = np.add.reduceat(lengths, first)
    points = (points - np.repeat(low, n_points, axis=0)) * np.repeat(scale, n_points)[:, None]

    way = np.zeros(len(points))
    way[1:] = np.hypot(*np.diff(points, axis=0).T)
    jump = way[begins]
    jump[first] = 0.0
    way[begins] = 0.0
    length = np.add.reduceat(way, begins)
    gap = np.hypot(*(points[ends - 1] - points[begins]).T)
    closed = (lengths >= 3) & (length > 0) & (gap <= CLOSED * length)
    start = points[begins] / CANVAS_SIZE
    forward = np.zeros_like(start)
    forward[1:] = np.diff(start, axis=0)
    forward[first] = 0.0

    down, up = np.add.reduceat(length, first), np.add.reduceat(jump, first)
    share_up = np.divide(up, down + up, out=np.zeros(len(drawn)), where=down + up > 0)
    several = counts > 1

    def a_jump(totals: NDArray[np.float64]) -> NDArray[np.float64]:
        means = np.full(len(drawn), np.nan)
        means[several] = totals[several] / (counts[several] - 1)
        return means

    proceeds = np.add.reduceat(forward, first)
    longest_first = length[first] >= np.maximum.reduceat(length, first)
    return (
        StrokeMeasure("strokes", "a sketch", counts.astype(np.float64)),
        StrokeMeasure("points", "a stroke", n_points / counts),
        StrokeMeasure("drawn length", _UNITS, down),
        StrokeMeasure("pen-up travel", _UNITS, up),
        StrokeMeasure("pen-up share", "of the whole way", share_up),
        StrokeMeasure("pen-up jump", f"{_UNITS}, mean of a sketch", a_jump(up)),
        StrokeMeasure("first stroke begins below the top", _SIDE, start[first, 1]),
        StrokeMeasure("first stroke begins right of the left edge", _SIDE, start[first, 0]),
        StrokeMeasure("first stroke is the longest", _STROKE, np.where(several, longest_first, np.nan)),
        StrokeMeasure("next stroke begins lower by", _SIDE, a_jump(proceeds[:, 1])),
        StrokeMeasure("next stroke begins further right by", _SIDE, a_jump(proceeds[:, 0])),
        StrokeMeasure(
            "closed strokes", "of a sketch's strokes", np.add.reduceat(closed.astype(np.int64), first) / counts
        ),
    )


def stroke_statistics(
    people: Sequence[Sketch], drawn: Sequence[Sketch], *, seed: int = 0
) -> tuple[StrokeStatistic, ...]:
    """Every quantity of `stroke_measures` in people's sketches and in drawings: means, and how far apart they are.

    Means and their 95 % intervals are over the sketches that have the quantity; distances are those of
    `statistics.kolmogorov_smirnov`. Give drawings of the same inputs, so that both sides hold the same categories: else
    part of what is measured is the difference of the categories.
    A quantity that no sketch of one side has is left out. Raises DataError where a side has no sketch with strokes.
    """
    sides = stroke_measures(people), stroke_measures(drawn)
    for name, measures in zip(("people's sketches", "drawings"), sides, strict=True):
        if not measures:
            raise DataError(f"stroke statistics compare sketches; there are none with strokes among the {name}")
    found = []
    for theirs, ours in zip(*sides, strict=True):
        a, b = (measure.values[~np.isnan(measure.values)] for measure in (theirs, ours))
        if len(a) and len(b):
            means = bootstrap(a, seed=seed), bootstrap(b, seed=seed)
            found.append(StrokeStatistic(theirs.name, theirs.unit, *means, kolmogorov_smirnov(a, b, seed=seed)))
    return tuple(found)


def stroke_features(sketches: Sequence[Sketch]) -> NDArray[np.float64]:
    """What the stroke-level two-sample test knows of each sketch, ``(n, 27)``; NaN where a sketch lacks a quantity.

    The 12 quantities of `stroke_measures`; the smallest, the largest and the standard deviation of the strokes' lengths
    and numbers of points; the smallest and mean side of a stroke's bounds; chord over length, mean of the strokes; the
    first and the last stroke's share of the length; the shortest and the longest jump; where the last stroke ends.
    Raises DataError for a sketch without strokes.
    """
    if not all(sketch.strokes for sketch in sketches):
        raise DataError("a two-sample test of strokes needs sketches with strokes; there is one without")
    measures = np.stack([measure.values for measure in stroke_measures(sketches)], axis=1)
    return np.concatenate([measures, [_spreads(sketch) for sketch in sketches]], axis=1)


def _spreads(sketch: Sketch) -> list[float]:
    strokes = [stroke.astype(np.float64) for stroke in sketch.fit().strokes]
    lengths = np.array([np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes])
    points = np.array([len(stroke) for stroke in strokes])
    sides = np.array([np.ptp(stroke, axis=0).max() for stroke in strokes])
    chords = np.array([np.hypot(*(stroke[-1] - stroke[0])) for stroke in strokes])
    jumps = [float(np.hypot(*(b[0] - a[-1]))) for a, b in pairwise(strokes)] or [np.nan]
    whole = max(float(lengths.sum()), 1.0)
    return [
        *(float(f(x)) for x in (lengths, points) for f in (np.min, np.max, np.std)),
        float(sides.min()),
        float(sides.mean()),
        float((chords / np.maximum(lengths, 1.0)).mean()),
        float(lengths[0]) / whole,
        float(lengths[-1]) / whole,
        min(jumps),
        max(jumps),
        *map(float, strokes[-1][-1]),
    ]


def stroke_two_sample_test(
    people: Sequence[Sketch], drawn: Sequence[Sketch], *, folds: int = 5, trees: int = 200, seed: int = 0
) -> NDArray[np.bool_]:
    """Whether a random forest tells people's sketches from redrawings by their strokes alone, right or not ``(2, n)``.

    The forest sees `stroke_features` and no pixel. people, drawn: n sketches each, ``drawn[i]`` is
    the redrawing of ``people[i]``. Row 0 of the result is of people's sketches, row 1 of redrawings. A sketch and its
    redrawing are always in the same fold. 0.5 of them right is chance; the figure rises with the number of sketches,
    which must be told beside it (Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests").
    Raises DataError for fewer sketches than two a fold or a sketch without strokes, ModelError without scikit-learn.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import KFold
    except ImportError as error:
        raise missing_package(error, "the stroke-level two-sample test", "evaluate") from error
    n = len(people)
    if n < 2 * folds or len(drawn) != n:
        raise DataError(f"a two-sample test in {folds} folds needs at least {2 * folds} sketches, not {n}")
    sides = [stroke_features(side) for side in (people, drawn)]
    right = np.zeros((2, n), bool)
    for known, asked in KFold(folds, shuffle=True, random_state=seed).split(sides[0]):
        forest = RandomForestClassifier(trees, min_samples_leaf=2, random_state=seed, n_jobs=-1)
        forest.fit(np.concatenate([side[known] for side in sides]), np.repeat([1, 0], len(known)))
        for row, side in enumerate(sides):
            right[row, asked] = forest.predict(side[asked]) == 1 - row
    return right
