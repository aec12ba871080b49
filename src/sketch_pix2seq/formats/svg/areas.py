"""Areas: which points lie within outlines, exactly or on a grid of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.sketch import DoubleArray

Mask: TypeAlias = NDArray[np.bool_]
_CHUNK = 1 << 20
_EDGES = 1 << 10


@dataclass(frozen=True, eq=False)
class Area:
    """What closed polygons enclose: ``edges`` are directed, ``(n, 4)`` with x and y of both ends."""

    edges: DoubleArray
    even_odd: bool = False

    def contains(self, points: DoubleArray) -> Mask:
        """Of points ``(n, 2)``, by their winding number; the work is points times edges."""
        inside = np.zeros(len(points), bool)
        step = max(1, _CHUNK // max(1, len(self.edges)))
        for begin in range(0, len(points), step):
            inside[begin : begin + step] = self._filled(self._winding(points[begin : begin + step]))
        return inside

    def _winding(self, points: DoubleArray) -> NDArray[np.intp]:
        x0, y0, x1, y1 = self.edges.T
        x, y = points[:, :1], points[:, 1:]
        up, down = (y0 <= y) & (y < y1), (y1 <= y) & (y < y0)
        side = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        winding: NDArray[np.intp] = (up & (side > 0)).sum(axis=1) - (down & (side < 0)).sum(axis=1)
        return winding

    def _filled(self, winding: NDArray[np.intp]) -> Mask:
        filled: Mask = winding % 2 == 1 if self.even_odd else winding != 0
        return filled

    def grid(self, grid: Grid) -> Patch | None:
        """The pixels whose centres it contains; None for none."""
        return next(patches(self.edges, [0, len(self.edges)], [self.even_odd], grid)) if len(self.edges) else None


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of the grid, and which of its pixels are meant; none beside it are."""

    rows: slice
    columns: slice
    inside: Mask

    def at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Mask:
        """Of pixels."""
        row, column = rows - self.rows.start, columns - self.columns.start
        height, width = self.inside.shape
        there: Mask = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        there[there] = self.inside[row[there], column[there]]
        return there

    def over(self, rows: slice, columns: slice) -> Mask:
        """Of another part of the grid."""
        found = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        top, bottom = max(rows.start, self.rows.start), min(rows.stop, self.rows.stop)
        left, right = max(columns.start, self.columns.start), min(columns.stop, self.columns.stop)
        if top < bottom and left < right:
            found[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = self.inside[
                top - self.rows.start : bottom - self.rows.start, left - self.columns.start : right - self.columns.start
            ]
        return found


@dataclass(frozen=True)
class Grid:
    """A grid of pixels over the page."""

    origin: tuple[float, float]
    scale: float
    """Pixels a unit."""
    size: tuple[int, int]
    """Columns and rows."""

    def at(self, points: DoubleArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of points ``(n, 2)``, of those outside the nearest ones."""
        places = (points - self.origin) * self.scale
        columns = np.clip(places[:, 0], 0, self.size[0] - 1).astype(np.intp)
        return np.clip(places[:, 1], 0, self.size[1] - 1).astype(np.intp), columns


def patches(edges: DoubleArray, borders: Sequence[int], even_odd: Sequence[bool], grid: Grid) -> Iterator[Patch | None]:
    """The pixels of many areas, one after the other: of the edges ``(n, 4)`` from each border to the next.

    The edges' crossings with rows of pixels are found for many areas at once, some million in memory.
    """
    placed = (edges - np.tile(grid.origin, 2)) * grid.scale - 0.5
    starts = np.asarray(borders[:-1])
    low = np.minimum(np.minimum.reduceat(placed[:, :2], starts), np.minimum.reduceat(placed[:, 2:], starts))
    high = np.maximum(np.maximum.reduceat(placed[:, :2], starts), np.maximum.reduceat(placed[:, 2:], starts))
    first = np.clip(np.ceil(low), 0, grid.size).astype(np.intp)
    last = np.clip(np.floor(high) + 1, first, grid.size).astype(np.intp)
    area = np.repeat(np.arange(len(starts)), np.diff(borders))
    y0, y1 = placed[:, 1], placed[:, 3]
    top = np.clip(np.ceil(np.minimum(y0, y1)), first[area, 1], last[area, 1]).astype(np.intp)
    bottom = np.clip(np.ceil(np.maximum(y0, y1)), first[area, 1], last[area, 1]).astype(np.intp)
    rows = np.where(first[area, 0] < last[area, 0], bottom - top, 0)
    done = np.concatenate([[0], np.cumsum(rows)])
    begin = 0
    while begin < len(starts):
        end = begin + 1
        while end < len(starts) and done[borders[end + 1]] - done[borders[begin]] <= _CHUNK:
            end += 1
        yield from _batch(placed, top, rows, borders, first, last, even_odd, range(begin, end))
        begin = end


def _batch(
    placed: DoubleArray, top: NDArray[np.intp], rows: NDArray[np.intp], borders: Sequence[int],
    first: NDArray[np.intp], last: NDArray[np.intp], even_odd: Sequence[bool], areas: range,
) -> Iterator[Patch | None]:  # fmt: skip
    """`patches` of some of the areas."""
    counts: dict[int, DoubleArray] = {}
    sizes = [(int(last[area, 1] - first[area, 1]), int(last[area, 0] - first[area, 0]) + 1) for area in areas]
    pixels = np.array([height * width for height, width in sizes])
    for edge_begin in range(borders[areas.start], borders[areas.stop], _EDGES):
        part = slice(edge_begin, min(edge_begin + _EDGES, borders[areas.stop]))
        own = np.searchsorted(np.asarray(borders), np.arange(part.start, part.stop), "right") - 1
        edge = np.repeat(np.arange(part.stop - part.start), rows[part])
        x0, y0, x1, y1 = placed[part].T
        row = np.arange(len(edge)) - np.repeat(np.cumsum(rows[part]) - rows[part], rows[part]) + top[part][edge]
        x = x0[edge] + (row - y0[edge]) * ((x1 - x0)[edge] / (y1 - y0)[edge])
        area = own[edge]
        column = np.clip(np.ceil(x), first[area, 0], last[area, 0]).astype(np.intp)
        width = last[area, 0] - first[area, 0] + 1
        place = (row - first[area, 1]) * width + column - first[area, 0]
        direction = np.where(y1 > y0, 1.0, -1.0)[edge]
        ends = (
            np.searchsorted(area, np.arange(own[0], own[-1] + 2)) if len(area) else np.zeros(own[-1] - own[0] + 2, int)
        )
        for number in range(int(own[0]), int(own[-1]) + 1):
            here = slice(int(ends[number - own[0]]), int(ends[number - own[0] + 1]))
            found: DoubleArray = np.bincount(place[here], direction[here], pixels[number - areas.start]).astype(
                np.float64
            )
            counts[number] = counts[number] + found if number in counts else found
        for number in [number for number in list(counts) if borders[number + 1] <= part.stop]:
            yield _patch(counts.pop(number), sizes[number - areas.start], first[number], last[number], even_odd[number])


def _patch(
    crossings: DoubleArray, size: tuple[int, int], first: NDArray[np.intp], last: NDArray[np.intp], even_odd: bool
) -> Patch | None:
    if size[0] <= 0 or size[1] <= 1:
        return None
    winding = np.cumsum(crossings.reshape(size)[:, :-1], axis=1)
    inside = winding % 2 == 1 if even_odd else winding != 0
    return Patch(slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0])), inside)


@dataclass(frozen=True, eq=False)
class Areas:
    """The areas of many shapes."""

    shapes: list[int]
    """Index of each one's shape."""
    edges: DoubleArray
    borders: NDArray[np.intp]
    """Where each one's edges begin, and the end."""
    even_odd: list[bool]

    def __getitem__(self, number: int) -> Area:
        return Area(self.edges[self.borders[number] : self.borders[number + 1]], self.even_odd[number])

    def thickness(self) -> DoubleArray:
        """About the width of what each consists of: twice its size by the length of its border."""
        x0, y0, x1, y1 = self.edges.T
        border = np.add.reduceat(np.hypot(x1 - x0, y1 - y0), self.borders[:-1])
        return np.abs(np.add.reduceat(x0 * y1 - x1 * y0, self.borders[:-1])) / np.where(border > 0, border, 1.0)

    def extent(self, low: DoubleArray, high: DoubleArray) -> tuple[float, float]:
        """Within bounds: the sizes of all boxes together, and the heights of all edges."""
        ends = np.clip(self.edges.reshape(-1, 2), low, high).reshape(-1, 4)
        starts = self.borders[:-1]
        boxes = np.maximum(np.maximum.reduceat(ends[:, :2], starts), np.maximum.reduceat(ends[:, 2:], starts))
        boxes -= np.minimum(np.minimum.reduceat(ends[:, :2], starts), np.minimum.reduceat(ends[:, 2:], starts))
        return float(boxes.prod(axis=1).sum()), float(np.abs(ends[:, 3] - ends[:, 1]).sum())

    def patches(self, grid: Grid) -> Iterator[Patch | None]:
        return patches(self.edges, self.borders.tolist(), self.even_odd, grid)


def all_areas(shapes: Sequence[int], polygons: Sequence[Sequence[DoubleArray]], even_odd: Sequence[bool]) -> Areas:
    """Of shapes, each of one or more polylines ``(n, 2)``, n at least 1, which are closed here."""
    parts = [part for of_shape in polygons for part in of_shape]
    lengths = np.array([len(part) for part in parts])
    starts = np.cumsum(lengths) - lengths
    points = np.concatenate(parts)
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    counts = [sum(len(part) for part in of_shape) for of_shape in polygons]
    borders = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    return Areas(list(shapes), np.hstack([points, points[following]]), borders, list(even_odd))


def polygons_area(polygons: Sequence[DoubleArray], *, even_odd: bool = False) -> Area:
    """The area of polylines ``(n, 2)``, each closed by a line from its end to its start."""
    edges = [np.hstack([points, np.roll(points, -1, axis=0)]) for points in polygons if len(points) > 1]
    return Area(np.concatenate(edges) if edges else np.empty((0, 4)), even_odd)


def band_area(lines: Sequence[DoubleArray], width: float, *, round_caps: bool) -> Area:
    """The area that a pen of this width covers on its way along polylines; joints are round."""
    half = width / 2
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    disc = half * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    edges = []
    for points in lines:
        steps = np.diff(points, axis=0)
        lengths = np.hypot(*steps.T)
        kept = lengths > 0
        along = steps[kept] / lengths[kept, None] * half
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        begin, end = points[:-1][kept], points[1:][kept]
        quads = np.stack([begin - across, end - across, end + across, begin + across], axis=1)
        joints = points if round_caps else points[1:-1]
        discs = joints[:, None] + disc
        edges += [
            np.concatenate([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 4) for corners in (quads, discs)
        ]
    return Area(np.concatenate(edges) if edges else np.empty((0, 4)))


def signed_area(points: DoubleArray) -> float:
    """Of a polygon, positive where it turns from x to y."""
    x, y = (points - points[0]).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
