"""Areas: which points lie within outlines, exactly or on a grid of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.sketch import DoubleArray

Mask: TypeAlias = NDArray[np.bool_]
_CHUNK = 1 << 20


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

    def grid(self, grid: Grid) -> tuple[slice, slice, Mask] | None:
        """The pixels whose centres it contains: rows and columns of the grid, and which of these; None for none."""
        edges = (self.edges - np.tile(grid.origin, 2)) * grid.scale - 0.5
        if not len(edges):
            return None
        low, high = edges.reshape(-1, 2).min(axis=0), edges.reshape(-1, 2).max(axis=0)
        left, top = (max(0, int(np.ceil(side))) for side in np.minimum(low, 1e6))
        right, bottom = (
            min(most, int(np.floor(side)) + 1) for side, most in zip(np.maximum(high, -1e6), grid.size, strict=True)
        )
        if right <= left or bottom <= top:
            return None
        x0, y0, x1, y1 = edges.T
        first = np.clip(np.ceil(np.minimum(y0, y1)), top, bottom).astype(np.intp)
        last = np.clip(np.ceil(np.maximum(y0, y1)), top, bottom).astype(np.intp)
        rows = last - first
        edge = np.repeat(np.arange(len(edges)), rows)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(rows) - rows, rows) + first[edge]
        slope = (x1 - x0)[edge] / (y1 - y0)[edge]
        column = np.clip(np.ceil(x0[edge] + (row - y0[edge]) * slope), left, right).astype(np.intp)
        direction = np.where(y1 > y0, 1, -1)[edge]
        width = right - left + 1
        crossings = np.bincount((row - top) * width + column - left, direction, (bottom - top) * width)
        winding = np.cumsum(crossings.reshape(bottom - top, width)[:, :-1], axis=1, dtype=np.float32)
        return slice(top, bottom), slice(left, right), self._filled(winding.astype(np.intp))


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
