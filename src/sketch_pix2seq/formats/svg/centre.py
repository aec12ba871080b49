"""Areas that are strokes: freehand strokes that a drawing app exported as outlines, and thin bars, as one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.formats.svg.areas import signed_area
from sketch_pix2seq.sketch import DoubleArray

CentreLine: TypeAlias = tuple[DoubleArray, float]
"""The points ``(n, 2)`` of a line and the width of the stroke."""

_BAR_WIDTH = 0.05
"""Most width of a bar that is drawn as a line, as a share of the page."""
_BAR_LENGTH = 8.0
"""Least length of a bar, in its widths."""
_MOST_BAR_POINTS = 200
_SAMPLES = 256
"""Points at equal distances on an outline."""
_LEAST_LENGTH = 4.0
"""Least length of a stroke, in its widths."""
_SLENDER = 6.0
"""Least length of an area that may be a stroke, in its widths."""
_WIDEST = 0.12
"""Most width of a stroke, as a share of the page."""
_UNEVEN = 2.5
"""Most width of a stroke, in its mean widths."""
_CAP = 0.75
"""Width below which a stroke is within its cap, in mean widths."""
_LEAST_POINTS = 12
"""Fewest points of an outline that a pen made; shapes that somebody constructed have fewer."""


def sizes(polygons: Sequence[DoubleArray]) -> tuple[DoubleArray, DoubleArray]:
    """Of polygons ``(n, 2)``: their signed areas and the lengths of their borders."""
    lengths = np.array([len(points) for points in polygons])
    starts = np.cumsum(lengths) - lengths
    points = np.concatenate(polygons)
    points = points - np.repeat(points[starts], lengths, axis=0)
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    x, y = points.T
    areas: DoubleArray = np.add.reduceat(x * y[following] - x[following] * y, starts) / 2
    borders: DoubleArray = np.add.reduceat(np.hypot(x[following] - x, y[following] - y), starts)
    return areas, borders


def slender(areas: DoubleArray, borders: DoubleArray, side: float, *, bar: bool = False) -> NDArray[np.bool_]:
    """Whether shapes are much longer than wide, for their length and width are about L = P / 2 and w = 2 A / P.

    areas, borders: of all their polygons together; holes are turned the other way round. side: of the page. bar:
    whether they may be bars, which are narrower than strokes may be.
    """
    areas = np.abs(areas)
    widest, longest = (_BAR_WIDTH, _BAR_LENGTH) if bar else (_WIDEST, _SLENDER)
    found: NDArray[np.bool_] = (areas > 0) & (2 * areas <= widest * side * borders)
    return found & (borders * borders >= 4 * longest * areas)


def bar_line(parts: Sequence[DoubleArray], side: float) -> CentreLine | None:
    """The middle of a thin straight bar on a page of this size; None for any other area."""
    if len(parts) != 1 or not 4 <= len(parts[0]) < _MOST_BAR_POINTS:
        return None
    points = parts[0]
    middle = points.mean(axis=0)
    offsets = points - middle
    if len(points) <= 5:
        corners = points[:4]
        long = corners[[1, 2]] - corners[[0, 3]], corners[[3, 2]] - corners[[0, 1]]
        pair = max(long, key=lambda sides: float(np.hypot(*sides.T).sum()))
        direction = pair.sum(axis=0)
    else:
        direction = np.linalg.eigh(offsets.T @ offsets)[1][:, 1]
    size = float(np.hypot(*direction))
    if not size > 0:
        return None
    along = direction / size
    across = np.array((-along[1], along[0]))
    places, heights = offsets @ along, offsets @ across
    length, width = float(np.ptp(places)), float(np.ptp(heights))
    if not (0 < width <= _BAR_WIDTH * side and length >= _BAR_LENGTH * width):
        return None
    if abs(signed_area(points)) < 0.9 * length * width:
        return None
    height = (heights.min() + heights.max()) / 2
    ends = np.array((places.min(), places.max()))
    return middle + ends[:, None] * along + height * across, width


def centre_line(parts: Sequence[DoubleArray], side: float) -> CentreLine | None:
    """The way of the pen whose stroke an outline is, on a page of this size; None for any other area.

    The outline goes along one side of the stroke and comes back along the other. Its two ends are where it is divided
    such that the points of both sides, counted from there, are nearest to each other on average.
    """
    if len(parts) == 2:
        return _ring(parts, side)
    if len(parts) != 1 or len(parts[0]) < _LEAST_POINTS:
        return None
    outline = _equally(parts[0], _SAMPLES)
    if outline is None:
        return None
    half = _SAMPLES // 2
    steps = np.arange(half + 1)
    begin = np.arange(half)[:, None]
    gaps = np.hypot(*(outline[(begin + steps) % _SAMPLES] - outline[(begin - steps) % _SAMPLES]).transpose(2, 0, 1))
    start = int(np.argmin(gaps.mean(axis=1)))
    there, back = outline[(start + steps) % _SAMPLES], outline[(start - steps) % _SAMPLES]
    line, widths = _middle(there, back)
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    width = float(widths[half // 8 : -half // 8].mean())
    if not (0 < width <= _WIDEST * side and length >= _LEAST_LENGTH * width and widths.max() <= _UNEVEN * width):
        return None
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    near_end = np.minimum(along, length - along) <= width
    return _straight_ends(line, near_end & (widths < _CAP * width)), width


def _straight_ends(line: DoubleArray, in_cap: NDArray[np.bool_]) -> DoubleArray:
    """The line with straight ends where it is within the caps, whose corners would bend it."""
    inner = np.flatnonzero(~in_cap)
    if len(inner) < 8:
        return line
    first, last = int(inner[0]), int(inner[-1])
    kept = line[first : last + 1]
    ends = []
    for end, near, further in ((line[0], kept[0], kept[4]), (line[-1], kept[-1], kept[-5])):
        direction = near - further
        size = float(np.hypot(*direction))
        ahead = float((end - near) @ direction) / size if size > 0 else 0.0
        ends.append(near + max(0.0, ahead) * direction / size if size > 0 else near)
    return np.concatenate([ends[:1], kept, ends[1:]])


def _middle(there: DoubleArray, back: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """The line between two sides ``(n, 2)`` and its width: each point is paired with the nearest of those across."""
    count = len(there)
    reach = max(2, count // 10)
    shifts = np.arange(-reach, reach + 1)
    across = np.clip(np.arange(count)[:, None] + shifts, 0, count - 1)
    far = np.hypot(*(there[:, None] - back[across]).transpose(2, 0, 1)) * (1 + 0.02 * np.abs(shifts) / reach)
    partner = np.maximum.accumulate(across[np.arange(count), np.argmin(far, axis=1)])
    paired = back[partner]
    line = (there + paired) / 2
    smooth = np.concatenate([line[:1], (line[:-2] + 2 * line[1:-1] + line[2:]) / 4, line[-1:]])
    return smooth, np.hypot(*(there - paired).T)


def _ring(parts: Sequence[DoubleArray], side: float) -> CentreLine | None:
    """Of a stroke that closes upon itself: between its outer and inner border."""
    outer, inner = sorted(parts, key=lambda points: -abs(signed_area(points)))
    if min(len(outer), len(inner)) < _LEAST_POINTS:
        return None
    around, within = _equally(outer, _SAMPLES), _equally(inner, _SAMPLES)
    if around is None or within is None:
        return None
    far = np.hypot(*(around[:, None] - within[None]).transpose(2, 0, 1))
    nearest = far.argmin(axis=1)
    widths = far[np.arange(len(far)), nearest]
    width = float(widths.mean())
    length = float(np.hypot(*np.diff(around, axis=0).T).sum())
    if not (0 < width <= _WIDEST * side and length >= _LEAST_LENGTH * width and widths.max() <= _UNEVEN * width):
        return None
    if len(np.unique(nearest)) < _SAMPLES // 3:
        return None
    line = (around + within[nearest]) / 2
    return np.concatenate([line, line[:1]]), width


def _equally(points: DoubleArray, count: int) -> DoubleArray | None:
    """Points at equal distances along a closed polyline; None where it has no length."""
    closed = np.concatenate([points, points[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    if not 0 < along[-1] < np.inf:
        return None
    places = np.arange(count) * along[-1] / count
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1)
