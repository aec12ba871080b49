"""Outlines as polylines that stay within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sketch_pix2seq.formats.svg import limits
from sketch_pix2seq.formats.svg.limits import Budget
from sketch_pix2seq.formats.svg.outlines import Outline
from sketch_pix2seq.sketch import DoubleArray


def flattened(outlines: Sequence[Outline], tolerance: float, budget: Budget | None = None) -> list[DoubleArray]:
    """The points ``(n, 2)`` of each outline.

    A chord is off by at most step^2 / 8 of the second derivative, which is at most 6 times the largest second
    difference of the control points. Raises FormatError through the budget where there are too many points.
    """
    if all(outline.is_straight() for outline in outlines):
        return _within([outline.points for outline in outlines], budget)
    points = np.concatenate([outline.points for outline in outlines])
    degrees = np.frombuffer(b"".join(outline.degrees for outline in outlines), np.uint8).astype(np.intp)
    pieces = np.array([len(outline.degrees) for outline in outlines])
    of_outline = np.repeat(np.arange(len(outlines)), pieces)
    starts = np.cumsum(degrees) - degrees + of_outline
    ends = starts + degrees
    curved = degrees == 3
    first, second = points[starts + curved], points[ends - curved]
    begin, end = points[starts], points[ends]
    bends = 6 * np.maximum(np.hypot(*(begin - 2 * first + second).T), np.hypot(*(first - 2 * second + end).T))
    steps = np.ones(len(degrees))
    if tolerance > 0:
        steps[curved] = np.maximum(1.0, np.ceil(np.sqrt(bends[curved] / (8 * tolerance))))
    if budget is not None and not steps.sum() + len(outlines) <= limits.MAX_POINTS:
        budget.refuse(f"more than {limits.MAX_POINTS:,} points at this tolerance; give a larger one")
    counts = steps.astype(np.intp)
    piece = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
    t = ((within + 1) / counts[piece])[:, None]
    s = 1 - t
    found = s**3 * begin[piece] + 3 * s * s * t * first[piece] + 3 * s * t * t * second[piece] + t**3 * end[piece]
    straight = ~curved[piece]
    found[straight] = end[piece[straight]]
    borders = np.cumsum(np.bincount(of_outline, counts, len(outlines)).astype(np.intp))
    parts = np.split(found, borders[:-1])
    return [np.concatenate([outline.points[:1], part]) for outline, part in zip(outlines, parts, strict=True)]


def _within(lines: list[DoubleArray], budget: Budget | None) -> list[DoubleArray]:
    if budget is not None and sum(map(len, lines)) > limits.MAX_POINTS:
        budget.refuse(f"more than {limits.MAX_POINTS:,} points, which is too many for a drawing")
    return lines


def outline_length(outline: Outline) -> float:
    """To about a thousandth of it."""
    side = float(np.ptp(outline.points, axis=0).max())
    (points,) = flattened([outline], side / 2000)
    return line_length(points)


def line_length(points: DoubleArray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def dashed(points: DoubleArray, dashes: Sequence[float], offset: float, most: int) -> list[DoubleArray]:
    """The parts of a polyline that its dashes show; the whole where there would be more than ``most`` of them.

    dashes: lengths of dash, gap, dash..., an even number of them, in the units of the points.
    """
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    length, period = float(along[-1]), sum(dashes)
    if not length > 0 or not math.isfinite(length) or length / period * len(dashes) > most:
        return [points]
    borders = np.concatenate([[0.0], np.cumsum(dashes)])
    found = []
    base = -math.fmod(offset, period) - (period if math.fmod(offset, period) < 0 else 0.0) - period
    while base < length:
        for begin, end in zip(borders[:-1:2] + base, borders[1::2] + base, strict=True):
            if end >= 0 and begin < length and end > begin:
                found.append(part_of(points, along, max(0.0, float(begin)), min(length, float(end))))
        base += period
    return found


def part_of(points: DoubleArray, along: DoubleArray, begin: float, end: float) -> DoubleArray:
    """The points of a polyline between two distances from its start; ``along`` are the distances of its points."""
    inner = points[np.searchsorted(along, begin, "right") : np.searchsorted(along, end, "left")]
    ends = [[np.interp(place, along, points[:, axis]) for axis in (0, 1)] for place in (begin, end)]
    return np.concatenate([ends[:1], inner, ends[1:]])
