"""Lines that a drawing may show: of each painted shape its strokes, or the edges of its area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sketch_pix2seq.formats.svg.areas import signed_area
from sketch_pix2seq.formats.svg.centre import bar_line, centre_line, sizes, slender
from sketch_pix2seq.formats.svg.flatten import dashed, flattened
from sketch_pix2seq.formats.svg.limits import Budget
from sketch_pix2seq.formats.svg.outlines import Outline
from sketch_pix2seq.formats.svg.shapes import Bounds, Clip, Shape
from sketch_pix2seq.sketch import DoubleArray, points_that_matter

_FINE = 4096
"""Parts of the page's size to which lines are looked up."""
_MOST_DASHES = 500
"""Dashes of one line that are drawn one by one."""
_FLAT = 1e-6
"""Height of an area without any, as a share of its length."""
_COVERED = 0.93
"""Least share of the page that a background covers: rounded corners leave some out."""
_UNEVEN = 0.01
"""Most by which a background's corners may differ, as a share of the page."""
_MOST_TESTS = 2000
"""Areas that are turned into centre lines."""
_FREEHAND_PIECES = 32
"""Fewest lines and curves of an outline that makes one think of a freehand stroke."""
_MOST_HINTS = 50
"""Areas that are looked at for a hint."""


@dataclass(eq=False)
class Line:
    """A polyline that may be seen."""

    points: DoubleArray
    owner: int
    """Index of its shape."""
    edge: bool
    """The border of an area, not the middle of a stroke."""
    width: float = 0.0
    """Of a stroke."""
    clip: Clip | None = None
    """Of the border of a clip: which one."""
    whole: DoubleArray | None = None
    """The whole line with no more points than the tolerance asks for, where this is known."""


@dataclass
class Candidates:
    lines: list[Line]
    backgrounds: set[int]
    """Indices of the shapes that only colour the page."""
    looks_freehand: int = 0
    """Areas that look like freehand strokes which were exported as outlines."""


def candidates(
    shapes: Sequence[Shape], page: Bounds, tolerance: float, budget: Budget, *, centre_lines: bool
) -> Candidates:
    """The lines of all shapes in order, whether they can be seen or not."""
    outlines = [outline for shape in shapes for outline in shape.outlines]
    side = max(page[2] - page[0], page[3] - page[1])
    wholes = flattened(outlines, tolerance, budget)
    fine = min(tolerance, side / _FINE)
    fines = wholes if fine == tolerance else flattened(outlines, fine)
    polylines = iter(zip(fines, wholes, strict=True))
    areas, borders = sizes(fines)
    maybe_flat = np.abs(areas) <= _FLAT * borders**2
    first = np.cumsum([0, *(len(shape.outlines) for shape in shapes)])
    of_shapes = np.add.reduceat(areas, first[:-1]), np.add.reduceat(borders, first[:-1])
    is_slender, is_thin = slender(*of_shapes, side), slender(*of_shapes, side, bar=True)
    result = Candidates([], set())
    tested = 0
    for index, shape in enumerate(shapes):
        pairs = [next(polylines) for _ in shape.outlines]
        if shape.stroke is not None:
            for (part, whole), outline in zip(pairs, shape.outlines, strict=True):
                result.lines += _stroke(part, whole, outline, shape, index)
            continue
        parts = [part for part, _ in pairs]
        if len(result.backgrounds) == index and _is_background(shape, parts, page):
            result.backgrounds.add(index)
            continue
        middle = bar_line(parts, side) if is_thin[index] else None
        if middle is None and is_slender[index] and tested < (_MOST_TESTS if centre_lines else _MOST_HINTS):
            tested += 1
            freehand = centre_line(parts, side)
            pieces = sum(len(outline.degrees) for outline in shape.outlines)
            result.looks_freehand += freehand is not None and pieces >= _FREEHAND_PIECES
            middle = freehand if centre_lines else None
        if middle is not None:
            result.lines.append(Line(middle[0], index, False, middle[1]))
        else:
            result.lines += [
                Line(_closed(part), index, True, whole=_closed(whole))
                for number, (part, whole) in enumerate(pairs, first[index])
                if not (maybe_flat[number] and _is_flat(part))
            ]
    if centre_lines and tested == _MOST_TESTS:
        budget.note(f"more than {_MOST_TESTS:,} filled outlines: the later ones stay outlines")
    return result


def _stroke(points: DoubleArray, whole: DoubleArray, outline: Outline, shape: Shape, index: int) -> list[Line]:
    if not shape.dashes:
        return [Line(points, index, False, shape.width, whole=whole)]
    parts = dashed(points, shape.dashes, shape.dash_offset, _MOST_DASHES)
    if not shape.round_caps:
        parts = [part for part in parts if len(part) > 2 or (part[0] != part[-1]).any()]
    if outline.closed and len(parts) > 1 and (parts[0][0] == points[0]).all() and (parts[-1][-1] == points[-1]).all():
        parts = [*parts[1:-1], np.concatenate([parts[-1], parts[0][1:]])]
    return [Line(part, index, False, shape.width) for part in parts]


def painted_lines(shapes: Sequence[Shape], page: Bounds, tolerance: float, budget: Budget) -> list[DoubleArray]:
    """The outlines of all shapes but backgrounds; of nothing but backgrounds, those."""
    outlines = [outline for shape in shapes for outline in shape.outlines]
    polylines = iter(flattened(outlines, tolerance, budget) if outlines else [])
    kept: list[DoubleArray] = []
    left_out: list[DoubleArray] = []
    for shape in shapes:
        parts = [next(polylines) for _ in shape.outlines]
        (left_out if shape.stroke is None and _is_background(shape, parts, page) else kept).extend(parts)
    return kept or left_out


def as_drawn(line: Line, part: DoubleArray, tolerance: float) -> DoubleArray:
    """A part of a line, or all of it, with no more points than the tolerance asks for."""
    if line.whole is not None and part is line.points:
        return line.whole
    return part[points_that_matter(part.astype(np.float32), tolerance)] if tolerance > 0 else part


def _closed(points: DoubleArray) -> DoubleArray:
    return points if (points[0] == points[-1]).all() else np.concatenate([points, points[:1]])


def _is_flat(points: DoubleArray) -> bool:
    """Whether a polygon encloses nothing because all of it lies on one line."""
    from_start = points - points[0]
    far = from_start[np.argmax((from_start**2).sum(axis=1))]
    length = float(far @ far)
    if length == 0:
        return True
    return float(np.abs(from_start @ (-far[1], far[0])).max()) <= _FLAT * length


def _is_background(shape: Shape, parts: Sequence[DoubleArray], page: Bounds) -> bool:
    """Whether an area merely colours the page: it covers it, but for corners that are cut or rounded all alike."""
    left, top, right, bottom = page
    width, height = right - left, bottom - top
    if shape.fill is None or len(parts) != 1:
        return False
    points = parts[0]
    low, high = points.min(axis=0), points.max(axis=0)
    slack = 0.01 * max(width, height)
    if low[0] > left + slack or low[1] > top + slack or high[0] < right - slack or high[1] < bottom - slack:
        return False
    inside = np.clip(points, (left, top), (right, bottom))
    if abs(signed_area(inside)) < _COVERED * width * height:
        return False
    middle = np.array(((left + right) / 2, (top + bottom) / 2))
    quarters = []
    for x, y in ((left, top), (right, top), (right, bottom), (left, bottom)):
        corner = np.clip(inside, np.minimum(middle, (x, y)), np.maximum(middle, (x, y)))
        quarters.append(abs(signed_area(corner)))
    return max(quarters) - min(quarters) <= _UNEVEN / 4 * width * height


def clip_edges(shapes: Sequence[Shape], page: Bounds, tolerance: float) -> list[Line]:
    """The borders of clip paths and masks that cut areas; each belongs to the last shape that it cuts."""
    last: dict[int, tuple[Clip, int]] = {}
    side = max(page[2] - page[0], page[3] - page[1])
    for index, shape in enumerate(shapes):
        if shape.fill is not None:
            for clip in shape.clips:
                if clip.bounds != page:
                    last[id(clip)] = (clip, index)
    lines = []
    for clip, index in last.values():
        outlines = [outline for shape in clip.shapes or () for outline in shape.outlines]
        polygons = flattened(outlines, min(tolerance, side / _FINE))
        if clip.bounds is not None:
            left, top, right, bottom = clip.bounds
            polygons = [*polygons, np.array([(left, top), (right, top), (right, bottom), (left, bottom)])]
        lines += [Line(_closed(points), index, True, clip=clip) for points in polygons if not _is_flat(points)]
    return lines
