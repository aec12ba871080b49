"""Order test: can a linear classifier tell a person's order of strokes from another order of the same strokes?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import DataError, missing_package
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

LEAST_STROKES = 3
"""Strokes of a sketch below which its order says little; the caller leaves such sketches out."""
_FIRST = 4
"""Strokes whose features are taken rank by rank."""
_STRENGTH = 0.03
"""Inverse strength of the logistic regression's L2 penalty."""
_NEAR = 0.05
"""A jump shorter than this share of the longest side goes on where the last stroke ended."""

# -- the test ---------------------------------------------------------------------------------------------


def order_features(sketch: Sketch) -> DoubleArray:
    """What the order test knows of one order, a vector of fixed length; the sketch is fitted first.

    Of the first four strokes, rank by rank, and of the last one: start, middle of the bounds, jump to the start from
    where the stroke before ended (vector and length), share of the ink, longest side, direction from start to end, and
    rank among the strokes by length. Of the whole sketch: the trend of each of these over the order; means, mean square
    and largest of the jumps; differences in size and place between successive strokes. Lengths are in shares of the
    longest side. Raises ValueError below two strokes.
    """
    strokes = [stroke.astype(np.float64) / CANVAS_SIZE for stroke in sketch.fit().strokes]
    n = len(strokes)
    if n < 2:
        raise ValueError(f"an order needs at least two strokes; there are {n}")
    starts, ends = (np.array([stroke[place] for stroke in strokes]) for place in (0, -1))
    low, high = np.array([s.min(axis=0) for s in strokes]), np.array([s.max(axis=0) for s in strokes])
    lengths = np.array([np.hypot(*np.diff(s, axis=0).T).sum() for s in strokes])
    middles, sizes = (low + high) / 2, (high - low).max(axis=1)
    jumps = np.zeros((n, 2))
    jumps[1:] = starts[1:] - ends[:-1]
    chords = ends - starts
    reach = np.hypot(*chords.T)[:, None]
    columns = np.column_stack(
        [
            starts,
            middles,
            jumps,
            np.hypot(*jumps.T),
            lengths / max(lengths.sum(), 1e-9),
            sizes,
            np.divide(chords, reach, out=np.zeros_like(chords), where=reach > 0),
            lengths.argsort(kind="stable").argsort(kind="stable") / (n - 1),
        ]
    )
    first = np.zeros((_FIRST, columns.shape[1]))
    first[: min(_FIRST, n)] = columns[:_FIRST]
    trend = (np.linspace(-1.0, 1.0, n)[:, None] * columns).mean(axis=0)
    up = np.hypot(*jumps[1:].T)
    steps = np.diff(middles, axis=0)
    whole = [
        up.mean(),
        np.square(up).mean(),
        np.sqrt(up).mean(),
        up.max(),
        (up < _NEAR).mean(),
        np.hypot(*steps.T).mean(),
        np.abs(steps).sum(axis=1).mean(),
        np.abs(np.diff(np.log(sizes + 0.02))).mean(),
        *np.maximum(jumps[1:], 0).mean(axis=0),
        *np.maximum(-jumps[1:], 0).mean(axis=0),
    ]
    return np.concatenate([first.ravel(), columns[-1], trend, whole])


def order_test(people: Sequence[Sketch], others: Sequence[Sketch], *, folds: int = 5, seed: int = 0) -> DoubleArray:
    """For each sketch, whether the person's order was told from the other one, ``(n,)``: 1 yes, 0 no, 0.5 cannot tell.

    people: sketches as people drew them; ``others[i]``: the strokes of ``people[i]`` in another order, some of them
    perhaps reversed (`agreement.order_pairs`). A logistic regression without intercept learns from differences of
    `order_features` on the other folds and says of a pair which one is the person's; where the two are equal it cannot
    tell. The mean is the figure: 0.5 = the order cannot be told from a person's. For scale, on test sketches of Quick,
    Draw! with three strokes or more, people's order against `ORDERS`: nearest end about 0.96, longest first 0.94, top
    to bottom 0.91, random 0.90, one swap 0.77. The figure rises with the number of sketches that it learns from.
    Raises DataError for fewer pairs than two a fold, ModelError without scikit-learn.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import KFold
    except ImportError as error:
        raise missing_package(error, "the order test", "evaluate") from error
    n = len(people)
    if n < 2 * folds or len(others) != n:
        raise DataError(f"an order test in {folds} folds needs at least {2 * folds} pairs of orders, not {n}")
    differences = np.array([order_features(a) - order_features(b) for a, b in zip(people, others, strict=True)])
    differs = np.abs(differences).max(axis=1) > 1e-9
    right = np.full(n, 0.5)
    for known, asked in KFold(folds, shuffle=True, random_state=seed).split(differences):
        known, asked = known[differs[known]], asked[differs[asked]]
        if not len(known) or not len(asked):
            continue
        scale = np.sqrt(np.square(differences[known]).mean(axis=0)) + 1e-9
        pairs = differences[known] / scale
        model = LogisticRegression(C=_STRENGTH, fit_intercept=False, max_iter=2000)
        model.fit(np.concatenate([pairs, -pairs]), np.repeat([1, 0], len(pairs)))
        right[asked] = (np.sign(differences[asked] / scale @ model.coef_[0]) + 1) / 2
    return right


# -- orders to compare with -------------------------------------------------------------------------------

Reorder = Callable[[Sequence[FloatArray], np.random.Generator], list[FloatArray]]
"""Strokes in another order, from the strokes and a generator."""


def reordered(sketch: Sketch, order: str, *, seed: int = 0) -> Sketch:
    """The strokes of a sketch in one of `ORDERS`. Raises KeyError for another name, DataError below two strokes."""
    if len(sketch) < 2:
        raise DataError("a sketch of one stroke has one order")
    return Sketch(tuple(ORDERS[order](sketch.strokes, np.random.default_rng(seed))), sketch.category)


def _nearest_end(strokes: Sequence[FloatArray], _: np.random.Generator) -> list[FloatArray]:
    """Plotter sorting: from the top left corner always to the nearest end, strokes reversed where that is nearer."""
    pen = np.concatenate(strokes).min(axis=0)
    left, found = list(strokes), []
    while left:
        gaps = np.array([[np.hypot(*(stroke[end] - pen)) for end in (0, -1)] for stroke in left])
        chosen, end = np.unravel_index(gaps.argmin(), gaps.shape)
        stroke = left.pop(int(chosen))
        found.append(stroke[::-1] if end else stroke)
        pen = found[-1][-1]
    return found


def _longest_first(strokes: Sequence[FloatArray], _: np.random.Generator) -> list[FloatArray]:
    return sorted(strokes, key=lambda stroke: -float(np.hypot(*np.diff(stroke, axis=0).T).sum()))


def _top_to_bottom(strokes: Sequence[FloatArray], _: np.random.Generator) -> list[FloatArray]:
    return sorted(strokes, key=lambda stroke: float(stroke[:, 1].min()))


def _random(strokes: Sequence[FloatArray], rng: np.random.Generator) -> list[FloatArray]:
    return [strokes[i] for i in rng.permutation(len(strokes))]


def _one_swap(strokes: Sequence[FloatArray], rng: np.random.Generator) -> list[FloatArray]:
    found = list(strokes)
    at = int(rng.integers(len(found) - 1))
    found[at], found[at + 1] = found[at + 1], found[at]
    return found


ORDERS: dict[str, Reorder] = {
    "nearest end": _nearest_end,
    "longest first": _longest_first,
    "top to bottom": _top_to_bottom,
    "random": _random,
    "one swap": _one_swap,
}
"""Orders that a machine might choose."""


def order_scale(people: Sequence[Sketch], *, folds: int = 5, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """`order_test` of people's sketches against each of `ORDERS`: the scale on which a model's figure is read."""
    return {
        name: order_test(
            people, [reordered(sketch, name, seed=seed + i) for i, sketch in enumerate(people)], folds=folds, seed=seed
        )
        for name in ORDERS
    }
