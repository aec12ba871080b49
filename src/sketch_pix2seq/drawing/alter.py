"""Changed inputs: parts added to a drawing or taken from it, two drawings in one, ink with holes in it.

Places and sizes are shares of a drawing's bounding box: x and y run from 0 at its left and top to 1 at its right and
bottom. Lines that stay keep their coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

Cut: TypeAlias = Literal["left-right", "top-bottom"]
Bounds: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_LARGEST_PART = 4.0
"""Largest size of an added part, as a share of the drawing's longest side."""


# -- one drawing ------------------------------------------------------------------------------------------


def alter(
    sketch: Sketch,
    *,
    add: Sketch | None = None,
    at: tuple[float, float] = (0.5, 0.5),
    size: float = 0.3,
    remove: Iterable[int] = (),
    cut: Bounds | None = None,
) -> Sketch:
    """Strokes ``remove``, then the region ``cut`` taken away, then ``add`` put on: all as they are alone, below.

    All shares are of the box of ``sketch`` as it is given, all numbers those of its strokes.
    """
    changed = without_strokes(sketch, remove)
    box = sketch.bounds()
    if cut is not None:
        if len(cut) != 4:
            raise SettingsError(f"a region has four sides: left, top, right, bottom; {len(cut)} given")
        changed = without_region(changed, *cut, box=box)
    return changed if add is None else with_part(changed, add, at=at, size=size, box=box)


def with_part(
    sketch: Sketch,
    part: Sketch,
    *,
    at: tuple[float, float] = (0.5, 0.5),
    size: float = 0.3,
    box: Bounds | None = None,
) -> Sketch:
    """The sketch with another one drawn on it, whose strokes come last; times are dropped.

    at: where the middle of the part goes, x and y; from -1 to 2, so that it may lie outside. size: the longest side of
    the part, as a share of the longest side of the sketch; above 0, at most 4. box: what the shares are of, where it is
    not the sketch's own box.
    Raises SettingsError for numbers outside these or an empty part, ValueError for a sketch without strokes.
    """
    if len(at) != 2 or not all(-1 <= share <= 2 for share in at):
        raise SettingsError(f"a part goes to x and y from -1 to 2 (0 to 1 is on the drawing); got {_listed(at)}")
    if not 0 < size <= _LARGEST_PART:
        raise SettingsError(f"the size of a part is above 0 and at most {_LARGEST_PART:g}; got {size:g}")
    if not part.strokes:
        raise SettingsError("the part to add holds no drawing")
    left, top, right, bottom = box or sketch.bounds()
    own_left, own_top, own_right, own_bottom = part.bounds()
    side = max(own_right - own_left, own_bottom - own_top)
    scale = size * max(right - left, bottom - top) / side if side > 0 else 1.0
    x = _between(left, right, at[0]) - scale * (own_left + own_right) / 2
    y = _between(top, bottom, at[1]) - scale * (own_top + own_bottom) / 2
    placed = part.transform([[scale, 0, x], [0, scale, y]])
    return replace(sketch, strokes=sketch.strokes + placed.strokes, times=None)


def without_strokes(sketch: Sketch, numbers: Iterable[int]) -> Sketch:
    """The sketch without some of its strokes, which count from 1; a number given twice is as good as once.

    Raises SettingsError for a stroke that does not exist, or where none would be left.
    """
    gone = set(numbers)
    count = len(sketch)
    for number in sorted(gone):
        if not 1 <= number <= count:
            raise SettingsError(f"there is no stroke {number}; the drawing has strokes 1 to {count}")
    if gone and len(gone) == count:
        raise SettingsError(f"nothing would be left of the drawing, which has {count} stroke{'s' * (count != 1)}")
    kept = [index for index in range(count) if index + 1 not in gone]
    return replace(
        sketch,
        strokes=tuple(sketch.strokes[index] for index in kept),
        times=None if sketch.times is None else tuple(sketch.times[index] for index in kept),
    )


def without_region(
    sketch: Sketch, left: float, top: float, right: float, bottom: float, *, box: Bounds | None = None
) -> Sketch:
    """The sketch with what lies in a region clipped away; strokes are cut at its edge, and times are dropped.

    left, top, right, bottom: shares, which may lie outside 0..1. box: as in `with_part`.
    Raises SettingsError for a region without area or where nothing would be left, ValueError for a sketch without
    strokes.
    """
    if not (left < right and top < bottom) or not np.isfinite([left, top, right, bottom]).all():
        sides = _listed((left, top, right, bottom))
        raise SettingsError(f"a region needs left below right and top below bottom; got {sides}")
    x0, y0, x1, y1 = box or sketch.bounds()
    low = np.array([_between(x0, x1, left), _between(y0, y1, top)])
    high = np.array([_between(x0, x1, right), _between(y0, y1, bottom)])

    def outside(points: DoubleArray) -> NDArray[np.bool_]:
        return np.asarray(((points < low) | (points > high)).any(axis=1))

    edges = [(axis, float(side[axis])) for axis in (0, 1) for side in (low, high)]
    strokes = _clipped(sketch, edges, outside)
    if not strokes:
        raise SettingsError("nothing would be left of the drawing; choose a smaller region")
    return replace(sketch, strokes=strokes, times=None)


# -- two drawings in one ----------------------------------------------------------------------------------


def overlaid(a: Sketch, b: Sketch) -> Sketch:
    """Both drawings on one canvas, each fitted and centred; the strokes of ``a`` come first.

    Raises ValueError for a sketch without strokes.
    """
    return Sketch(_centred(a).strokes + _centred(b).strokes)


def spliced(a: Sketch, b: Sketch, cut: Cut = "left-right", at: float = 0.5) -> Sketch:
    """The left (or top) part of ``a`` and the right (or bottom) part of ``b``, each fitted and centred on the canvas.

    at: where both are cut, as a share of the canvas's side, above 0 and below 1.
    Raises SettingsError for another ``cut`` or ``at``, or where nothing of one drawing lies on its side of the cut;
    ValueError for a sketch without strokes.
    """
    if cut not in ("left-right", "top-bottom"):
        raise SettingsError(f"no cut {cut!r}; there are left-right and top-bottom")
    if not 0 < at < 1:
        raise SettingsError(f"the place of the cut is above 0 and below 1; got {at:g}")
    axis = 0 if cut == "left-right" else 1
    edge = at * CANVAS_SIZE
    before = _clipped(_centred(a), [(axis, edge)], lambda points: points[:, axis] <= edge)
    after = _clipped(_centred(b), [(axis, edge)], lambda points: points[:, axis] >= edge)
    for strokes, which, side in ((before, "first", cut.split("-")[0]), (after, "second", cut.split("-")[1])):
        if not strokes:
            raise SettingsError(f"nothing of the {which} drawing lies to the {side} of a cut at {at:g}; move the cut")
    return Sketch(before + after)


# -- clipping ---------------------------------------------------------------------------------------------


def _clipped(
    sketch: Sketch, edges: Sequence[tuple[int, float]], wanted: Callable[[DoubleArray], NDArray[np.bool_]]
) -> tuple[FloatArray, ...]:
    """The parts of strokes that are wanted; ``edges``: the lines, as axis and coordinate, where that may change."""
    parts: list[FloatArray] = []
    for stroke in sketch.strokes:
        points, own = _with_crossings(stroke.astype(np.float64), edges)
        if len(points) == 1:
            parts += [stroke] if wanted(points)[0] else []
            continue
        kept = wanted((points[:-1] + points[1:]) / 2)
        if kept.all():
            parts.append(stroke)
            continue
        turns = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]])))
        for begin, end in zip(turns[::2], turns[1::2], strict=True):
            needed = own[begin : end + 1].copy()
            needed[[0, -1]] = True
            parts.append(points[begin : end + 1][needed].astype(np.float32))
    return tuple(parts)


def _with_crossings(points: DoubleArray, edges: Sequence[tuple[int, float]]) -> tuple[DoubleArray, NDArray[np.bool_]]:
    """The polyline with a point more wherever it crosses one of the edges, and which points are its own."""
    own = np.ones(len(points), bool)
    for axis, edge in edges:
        side = points[:, axis] - edge
        crossed = np.flatnonzero(side[:-1] * side[1:] < 0)
        share = (side[crossed] / (side[crossed] - side[crossed + 1]))[:, None]
        crossings = points[crossed] + share * (points[crossed + 1] - points[crossed])
        crossings[:, axis] = edge
        points, own = np.insert(points, crossed + 1, crossings, axis=0), np.insert(own, crossed + 1, False)
    return points, own


def _centred(sketch: Sketch) -> Sketch:
    """Fitted, with the middle of its bounds in the middle of the canvas."""
    fitted = sketch.fit()
    left, top, right, bottom = fitted.bounds()
    return fitted.transform([[1, 0, (CANVAS_SIZE - left - right) / 2], [0, 1, (CANVAS_SIZE - top - bottom) / 2]])


def _between(low: float, high: float, share: float) -> float:
    return (1 - share) * low + share * high


def _listed(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:g}" for number in numbers)
