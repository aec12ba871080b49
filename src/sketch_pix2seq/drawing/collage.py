"""Collages: a started drawing, and beside it the rest of another drawing that begins alike; see `drawing.complete`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

PLACES = 24
"""Places along the lines at which two drawings are compared."""

_WARP = 1.16
"""How far width and height may be stretched apart from the mean scale to make first strokes look alike."""
_AT_ONCE = 2048
"""Beginnings compared together."""


class Collage(NamedTuple):
    """A started drawing with the rest of another."""

    sketch: Sketch
    """In the started drawing's coordinates, its strokes first; the category is the other drawing's."""
    unlike: float
    """Distance from the started drawing to the beginning of the other, in extents of the started drawing."""


class Beginnings:
    """Drawings, each cut wherever one may stop: at the ends and in the middle of its strokes."""

    def __init__(self, drawings: Sequence[Sketch]) -> None:
        """drawings: those of a single point are of no use, and left out."""
        self._drawings = [drawing for drawing in drawings if drawing.n_points > 1]
        cuts = [_cuts(drawing) for drawing in self._drawings]
        self._of = np.repeat(np.arange(len(cuts)), [len(each) for each in cuts])
        self._cuts = np.concatenate([np.zeros(0, np.int64), *cuts])
        pairs = list(zip(self._drawings, cuts, strict=True))
        self._places = np.concatenate([np.zeros((0, PLACES, 2)), *(_places(drawing, each) for drawing, each in pairs)])
        corners = np.concatenate([np.zeros((0, 2, 2)), *(_corners(drawing, each) for drawing, each in pairs)])
        self._size, self._centre = corners[:, 1] - corners[:, 0], corners.mean(axis=1)

    def __len__(self) -> int:
        """How many drawings."""
        return len(self._drawings)

    def collages(self, started: Sketch) -> Iterator[Collage]:
        """One with each drawing that can be laid on the started one, moved and scaled; the most alike first."""
        left, top, right, bottom = started.bounds()
        size, middle = np.array([right - left, bottom - top]), np.array([left + right, top + bottom]) / 2
        extent = float(size.max())
        usable = np.flatnonzero(self._size.max(axis=1, initial=0) > 0) if extent > 0 else np.arange(len(self._of))
        scale = _stretch(self._size[usable], size)
        own = _places(started, np.array([started.n_points]))[0] - middle
        unlike = np.empty(len(usable))
        for first in range(0, len(usable), _AT_ONCE):
            part = np.s_[first : first + _AT_ONCE]
            places = (self._places[usable[part]] - self._centre[usable[part], None]) * scale[part, None]
            unlike[part] = _distance(own, places) / (extent or CANVAS_SIZE)
        taken: set[int] = set()
        for index in np.argsort(unlike, kind="stable"):
            beginning = int(usable[index])
            of = int(self._of[beginning])
            if of not in taken:
                taken.add(of)
                sketch = self._collage(started, beginning, scale[index], middle)
                yield Collage(sketch, float(unlike[index]))

    def _collage(self, started: Sketch, beginning: int, scale: DoubleArray, middle: DoubleArray) -> Sketch:
        drawing, cut = self._drawings[self._of[beginning]], self._cuts[beginning]
        points = (drawing.points().astype(np.float64) - self._centre[beginning]) * scale + middle
        ends = _ends(drawing)
        rest = np.split(points, ends[:-1])[int((ends <= cut).sum()) :]
        if cut not in ends:
            rest[0] = points[cut - 1 : ends[ends > cut][0]]
        return Sketch((*started.strokes, *(part.astype(np.float32) for part in rest)), drawing.category)


def _ends(drawing: Sketch) -> NDArray[np.int64]:
    return np.cumsum([len(stroke) for stroke in drawing.strokes])


def _cuts(drawing: Sketch) -> NDArray[np.int64]:
    """Numbers of points after which the drawing may be cut."""
    ends = _ends(drawing)
    starts = np.concatenate([[0], ends[:-1]])
    return np.union1d(ends, starts + np.maximum(1, (ends - starts) // 2))[:-1]


def _corners(drawing: Sketch, cuts: NDArray[np.int64]) -> DoubleArray:
    """Left top and right bottom ``(n, 2, 2)`` of the first points, of n numbers."""
    points = drawing.points().astype(np.float64)
    return np.stack([reach.accumulate(points)[cuts - 1] for reach in (np.minimum, np.maximum)], axis=1)


def _places(drawing: Sketch, cuts: NDArray[np.int64]) -> DoubleArray:
    """Places ``(n, PLACES, 2)`` at equal distances along the lines of the drawing's first points, of n numbers."""
    points = drawing.points().astype(np.float64)
    steps = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T)
    steps[np.concatenate([[0], _ends(drawing)[:-1]])] = 0
    along = np.cumsum(steps)
    at = along[cuts - 1][:, None] * np.linspace(0.0, 1.0, PLACES)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=2)


def _stretch(size: DoubleArray, wanted: DoubleArray) -> DoubleArray:
    """Scales ``(n, 2)`` across and down that bring boxes ``(n, 2)`` to a wanted size, within the limits of `_WARP`."""
    if wanted.max() == 0:
        return np.ones_like(size)
    longest = size.max(axis=1, keepdims=True)
    overall = wanted.max() / longest
    wide = (size > 0.05 * longest) & (wanted > 0.05 * wanted.max())
    scale = np.where(wide, wanted / np.where(wide, size, 1.0), overall)
    mean = np.sqrt(scale.prod(axis=1, keepdims=True))
    return np.asarray(np.clip(scale, mean / _WARP, mean * _WARP))


def _distance(places: DoubleArray, others: DoubleArray) -> FloatArray:
    """Mean distance ``(n,)`` from places ``(k, 2)`` to the nearest of others ``(n, k, 2)`` and back, halved."""
    off = (places[:, None] - others[:, None]).astype(np.float32)
    squares = np.square(off).sum(axis=3)
    there, back = (np.sqrt(squares.min(axis=axis)).mean(axis=1) for axis in (1, 2))
    return np.asarray((there + back) / 2)
