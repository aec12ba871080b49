"""SVG in: the lines that a drawing shows, as polylines in drawing order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from sketch_pix2seq.errors import FormatError, SettingsError
from sketch_pix2seq.formats.svg import limits
from sketch_pix2seq.formats.svg.document import Document, parse_document, read_bytes
from sketch_pix2seq.formats.svg.limits import Budget
from sketch_pix2seq.formats.svg.lines import as_drawn, candidates, clip_edges, painted_lines
from sketch_pix2seq.formats.svg.painting import stands_out
from sketch_pix2seq.formats.svg.shapes import Bounds, Shape, boxes
from sketch_pix2seq.formats.svg.values import UNKNOWN, Paint
from sketch_pix2seq.formats.svg.visible import visible_parts
from sketch_pix2seq.formats.svg.walk import TOO_LARGE, Page, Walk
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

_DOT: Final = 2e-4
"""Largest extent of a dot, as a share of the drawing, or of the page where there is nothing else."""
_WHITE: Final[Paint] = (255, 255, 255, 1.0)
_FREEHAND: Final = 0.5
"""Least share of a drawing's lines that look like freehand strokes exported as outlines for a hint to be given."""
_SAME: Final = 1e-4
"""Distance of two lines that are the same, as a share of the drawing."""
_MOST_REPEATED: Final = 20_000
"""Lines that are compared with others."""
_MIXERS: Final = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
"""Large odd numbers: a sum of multiples of them stands for a place."""


@dataclass(frozen=True)
class _Reading:
    tolerance: float
    centre_lines: bool
    hidden: bool


def read_svg(
    path: str | Path,
    *,
    tolerance: float = 0.5,
    centre_lines: bool = False,
    hidden: bool = False,
    on_note: Callable[[str], None] | None = None,
) -> Sketch:
    """The visible lines of an SVG (or .svgz) in its user units: one stroke a subpath, in document order.

    Areas give their outline, but those that merely colour the page are left out, and thin bars give their middle. What
    is clipped, masked, covered, beside the page or of the colour of what is below it is left out; where nothing would
    be left, all painted outlines are drawn. No point of a curve is farther than ``tolerance`` from its polyline, in
    units of a drawing whose longest side is 255. What is smaller than 1/5000 of the drawing is a dot: a stroke of one
    point. The category is the document's title, where it has one.

    centre_lines: areas that are freehand strokes, as drawing apps export them, give one line each, not their outline.
    hidden: keep painted lines that cannot be seen.
    on_note: told in one line each what was drawn otherwise than written, such as path data up to an error.

    Raises FileError for a file that cannot be opened, FormatError for one that is not SVG, is malformed, larger than
    `limits` or without lines, SettingsError for a tolerance that is not above 0.
    """
    if not (tolerance > 0 and math.isfinite(tolerance)):
        raise SettingsError(f"a tolerance of {tolerance} is not possible; give a number above 0")
    path = Path(path)
    document = parse_document(path, read_bytes(path))
    budget = Budget(path)
    with np.errstate(all="ignore"):  # numbers off the scale are found by one check, not by warnings on the way
        page = Walk(document, budget).page()
        lines = [] if page is None else _lines(page, _Reading(tolerance, centre_lines, hidden), budget)
        strokes = _strokes(lines, page)
    if not strokes:
        raise FormatError(path, _nothing_drawn(document, budget))
    if on_note is not None:
        for note in budget.notes:
            on_note(note)
    return Sketch(strokes, document.title)


def _lines(page: Page, reading: _Reading, budget: Budget) -> list[DoubleArray]:
    shapes = _bounded(page.shapes, budget)
    if not shapes:
        return []
    reach = _reach(shapes, page)
    side = max(reach[2] - reach[0], reach[3] - reach[1])
    allowed = reading.tolerance * side / CANVAS_SIZE
    where = page.bounds if page.sized else reach
    lines = [] if reading.hidden else _visible(shapes, page, where, allowed, reading, budget)
    if lines:
        return lines
    found = painted_lines(shapes, page.bounds, allowed, budget)
    if found and not reading.hidden:
        budget.note("nothing in it can be seen on its page; its lines are drawn all the same")
    return found


def _visible(
    shapes: Sequence[Shape], page: Page, where: Bounds, allowed: float, reading: _Reading, budget: Budget
) -> list[DoubleArray]:
    found = candidates(shapes, page.bounds, allowed, budget, centre_lines=reading.centre_lines)
    lines = found.lines
    if any(shape.fill is not None and shape.clips for shape in shapes):
        lines = [*lines, *clip_edges(shapes, page.bounds, allowed)]
        lines.sort(key=lambda line: line.owner)
    if found.looks_freehand and found.looks_freehand >= _FREEHAND * len(lines):
        budget.note("it looks like freehand strokes exported as outlines; --centre-lines draws one line for each")
    if not lines:
        return []
    paper = page.background or _WHITE
    paper = (*paper[:3], 1.0) if paper[3] > 0.5 else _WHITE
    if _is_plain(shapes, where, paper):
        return [as_drawn(line, line.points, allowed) for line in lines]  # no areas, whose borders strokes may repeat
    parts = visible_parts(lines, shapes, where, paper, budget)
    if not parts and paper == _WHITE:
        parts = visible_parts(lines, shapes, where, UNKNOWN, budget)
    return _without_repeats([as_drawn(line, part, allowed) for line, part in parts], [line.edge for line, _ in parts])


def _is_plain(shapes: Sequence[Shape], page: Bounds, paper: Paint) -> bool:
    """Whether there are only strokes that stand out from the paper and are not clipped."""
    if any(shape.fill is not None or shape.clips for shape in shapes):
        return False
    if not all(stands_out(paint, paper) for paint in {shape.stroke for shape in shapes} if paint is not None):
        return False
    left, top, right, bottom = page
    found = boxes(shapes)
    return bool((found[:, :2] >= (left, top)).all() and (found[:, 2:] <= (right, bottom)).all())


def _bounded(shapes: Sequence[Shape], budget: Budget) -> list[Shape]:
    """The shapes without the outlines whose coordinates are off the scale."""
    if not shapes or np.abs(boxes(shapes)).max() < limits.MAX_COORDINATE:
        return list(shapes)
    budget.note(TOO_LARGE)
    kept = []
    for shape in shapes:
        outlines = [outline for outline in shape.outlines if np.abs(outline.points).max() < limits.MAX_COORDINATE]
        if outlines:
            kept.append(replace(shape, outlines=outlines))
    return kept


def _reach(shapes: Sequence[Shape], page: Page) -> Bounds:
    """Bounds of what may be seen."""
    found = boxes(shapes)
    low, high = found[:, :2].min(axis=0), found[:, 2:].max(axis=0)
    if page.sized:
        inside_low, inside_high = np.maximum(low, page.bounds[:2]), np.minimum(high, page.bounds[2:])
        if (inside_low < inside_high).any():
            low, high = inside_low, inside_high
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _strokes(lines: Sequence[DoubleArray], page: Page | None) -> tuple[FloatArray, ...]:
    """With dots of one point."""
    if not lines or page is None:
        return ()
    points = np.concatenate(lines)
    side = float(np.ptp(points, axis=0).max())
    dot = _DOT * side
    page_side = max(page.bounds[2] - page.bounds[0], page.bounds[3] - page.bounds[1])
    if page.sized and side < _DOT * page_side:
        dot = side
    starts = np.cumsum([len(line) for line in lines]) - [len(line) for line in lines]
    extents = (np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)).max(axis=1)
    return tuple(
        (line[:1] if extent <= dot else line).astype(np.float32)
        for line, extent in zip(lines, extents.tolist(), strict=True)
    )


def _without_repeats(lines: Sequence[DoubleArray], edges: Sequence[bool]) -> list[DoubleArray]:
    """The lines but those all of whose segments are in others: of an area's border and a stroke along it, only one."""
    if not any(edges) or not lines:
        return list(lines)
    counts = np.array([len(line) for line in lines])
    of_line = np.repeat(np.arange(len(lines)), counts)
    inner = of_line[1:] == of_line[:-1]
    points = np.concatenate(lines)
    unit = float(np.ptp(points, axis=0).max()) * _SAME or 1.0
    places = np.rint((points - points[0]) / unit).astype(np.int64).astype(np.uint64) @ _MIXERS
    ends = places[:-1][inner], places[1:][inner]
    _, number = np.unique(np.maximum(*ends) * _MIXERS[0] + np.minimum(*ends), return_inverse=True)
    is_edge = np.array(edges)
    times = np.bincount(number)
    in_edges = np.bincount(number, is_edge[of_line[:-1][inner]], len(times))
    segments = counts - 1
    begins = np.cumsum(segments) - segments
    repeated = np.flatnonzero(np.logical_and.reduceat((times[number] > 1) & (in_edges[number] > 0), begins))
    kept = np.ones(len(lines), bool)
    for index in sorted(
        repeated[:_MOST_REPEATED].tolist(), key=lambda index: (segments[index], not is_edge[index], -index)
    ):
        own, here = np.unique(number[begins[index] : begins[index] + segments[index]], return_counts=True)
        others = times[own] if is_edge[index] else in_edges[own] + here
        if (others > here).all():
            times[own] -= here
            in_edges[own] -= here * is_edge[index]
            kept[index] = False
    return [line for line, keep in zip(lines, kept, strict=True) if keep]


def _nothing_drawn(document: Document, budget: Budget) -> str:
    why = f"; {budget.notes[0]}" if budget.notes else ""
    if document.problem is not None:
        return document.problem
    if document.left_out:
        kinds = " and ".join({"text": "text", "image": "embedded pictures"}[tag] for tag in sorted(document.left_out))
        return f"no lines in it, only {kinds}; convert text to paths, or give the picture itself"
    return f"no lines in it: nothing is drawn, or all is hidden{why}"
