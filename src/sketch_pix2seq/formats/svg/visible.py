"""Which parts of the lines can be seen: not clipped or masked, not hidden below, not of the colour around them.

Lines are sampled and each sample is looked up: in clips exactly where they are small, else on a grid of pixels; for
what hides it, and for the colours on both sides of it, in a picture of all areas, painted in order on that grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.formats.svg.areas import Area, Areas, Grid, Mask, Patch, all_areas, band_area, polygons_area
from sketch_pix2seq.formats.svg.flatten import flattened, part_of
from sketch_pix2seq.formats.svg.limits import Budget
from sketch_pix2seq.formats.svg.lines import Line
from sketch_pix2seq.formats.svg.painting import BESIDE, Painting, keep_within
from sketch_pix2seq.formats.svg.sampling import Samples, sampled
from sketch_pix2seq.formats.svg.shapes import Bounds, Clip, Shape
from sketch_pix2seq.formats.svg.values import Paint
from sketch_pix2seq.sketch import DoubleArray

PIXELS: Final = 1024
"""Most pixels of the page's longest side."""
_LEAST_PIXELS: Final = 200
"""Fewest pixels that tell what hides what."""
_MOST_WORK: Final = 60_000_000
"""Pixels, and points times edges, that are worked through."""
_PER_AREA: Final = 6_000
"""Work that each area takes, whatever its size."""
_MOST_SAMPLES: Final = 600_000
_FEW_SAMPLES: Final = 100_000
_EXACT: Final = 2_000_000
"""Most points times edges of a clip that are looked at exactly."""
_MOST_REFINED: Final = 400
"""Ends of lines that are cut exactly."""
_FINE: Final = 4096
"""Parts of the page's size to which areas are looked up."""
_STEP: Final = 1.5
"""Pixels between samples."""
_GAP: Final = 3.0
"""Pixels that a gap must have to be a gap, and a part to be a part."""
_MASKED: Final = 0.2
"""Least value of a mask that shows anything."""


def visible_parts(
    lines: Sequence[Line], shapes: Sequence[Shape], page: Bounds, paper: Paint, budget: Budget
) -> list[tuple[Line, DoubleArray]]:
    """The parts of the lines that can be seen, in order, each with its line; of a line without gaps its own points.

    page: where the areas are looked at. paper: its colour; one that is not known differs from all.
    """
    return _View(lines, shapes, page, paper, budget).parts()


@dataclass(eq=False)
class _View:
    lines: Sequence[Line]
    shapes: Sequence[Shape]
    page: Bounds
    paper: Paint
    budget: Budget
    work: float = 0.0
    refined: int = 0
    areas: dict[int, list[tuple[Area, float]]] = field(default_factory=dict)
    grids: dict[int, Patch] = field(default_factory=dict)
    grid: Grid = field(init=False)
    samples: Samples = field(init=False)

    def parts(self) -> list[tuple[Line, DoubleArray]]:
        left, top, right, bottom = self.page
        side = max(right - left, bottom - top)
        areas = self._all_areas(side)
        pixels = self._pixels(areas, side)
        paints = pixels >= _LEAST_PIXELS
        if not paints:
            self.budget.note("too many areas to tell which lines are hidden below them: all are drawn")
        scale = max(pixels, _LEAST_PIXELS) / side
        size = (max(1, round((right - left) * scale)) + 2, max(1, round((bottom - top) * scale)) + 2)
        self.grid = Grid((left - 1 / scale, top - 1 / scale), scale, size)
        self.samples = sampled(
            [line.points for line in self.lines], _STEP / scale, _MOST_SAMPLES if paints else _FEW_SAMPLES
        )
        seen = self._within_clips()
        if paints:
            self._keep_cut_areas(seen, areas)
            painting = Painting(
                self.lines, self.shapes, areas, self.samples, self.grid, self.paper, self._shown, self._afford
            )
            seen &= painting.seen() | ~self._on_page()
        else:
            seen &= np.array([line.clip is None for line in self.lines], bool)[self.samples.line]
        return self._cut(seen & self._reaches_page(seen))

    def _on_page(self) -> Mask:
        return self._within(Clip(self.page), self.samples.points)

    def _reaches_page(self, seen: Mask) -> Mask:
        """Of all samples: whether their line is seen on the page. One that goes on beyond the page is not cut."""
        there = np.logical_or.reduceat(seen & self._on_page(), self.samples.borders[:-1])
        return there[self.samples.line]

    def _all_areas(self, side: float) -> Areas | None:
        filled = [(index, shape) for index, shape in enumerate(self.shapes) if shape.fill is not None]
        if not filled:
            return None
        parts = iter(flattened([outline for _, shape in filled for outline in shape.outlines], side / _FINE))
        polygons = [[next(parts) for _ in shape.outlines] for _, shape in filled]
        return all_areas([index for index, _ in filled], polygons, [shape.even_odd for _, shape in filled])

    def _pixels(self, areas: Areas | None, side: float) -> float:
        """How many pixels of the page's longest side there is time for."""
        pixels = float(PIXELS)
        if areas is None:
            return pixels
        surface, heights = areas.extent(np.array(self.page[:2]), np.array(self.page[2:]))
        surface, heights, fixed = surface / side**2, heights / side, _PER_AREA * len(areas.shapes)
        while pixels >= _LEAST_PIXELS and (surface * pixels + 8 * heights) * pixels + fixed > _MOST_WORK:
            pixels /= 1.25
        return pixels

    # -- clips --------------------------------------------------------------------------------------------

    def _within_clips(self) -> Mask:
        """Of all samples: whether no clip of their shape leaves them out."""
        seen = np.ones(len(self.samples.line), bool)
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, line in enumerate(self.lines):
            clips = self._clips(line)
            if clips:
                groups.setdefault(tuple(id(clip) for clip in clips), []).append(number)
        for numbers in groups.values():
            places = self.samples.places(numbers)
            for clip in self._clips(self.lines[numbers[0]]):
                seen[places] &= self._within(clip, self.samples.points[places])
        return seen

    def _keep_cut_areas(self, seen: Mask, areas: Areas | None) -> None:
        """The border of a clip is seen only where an area that it cuts goes on beyond it."""
        if areas is None:
            return
        by_clip: dict[int, list[int]] = {}
        for number, index in enumerate(areas.shapes):
            for clip in self.shapes[index].clips:
                by_clip.setdefault(id(clip), []).append(number)
        for number, line in enumerate(self.lines):
            if line.clip is None:
                continue
            place = self.samples.of(number)
            points, normal = self.samples.points[place], self.samples.normal[place] * (BESIDE / self.grid.scale)
            across = np.zeros(len(points), bool)
            for number_of_area in by_clip.get(id(line.clip), ()):
                area = areas[number_of_area]
                if self._afford(2 * len(points) * len(area.edges) + _PER_AREA):
                    across |= area.contains(points + normal) & area.contains(points - normal)
            seen[place] &= across

    def _clips(self, line: Line) -> list[Clip]:
        return [clip for clip in self.shapes[line.owner].clips if clip is not line.clip]

    def _within(self, clip: Clip, points: DoubleArray) -> Mask:
        """Of points ``(n, 2)``: whether a clip shows them."""
        seen = np.ones(len(points), bool)
        if clip.bounds is not None:
            left, top, right, bottom = clip.bounds
            slack = 1e-7 * max(right - left, bottom - top)
            x, y = points.T
            seen &= (x >= left - slack) & (x <= right + slack) & (y >= top - slack) & (y <= bottom + slack)
        if clip.shapes is None:
            return seen
        edges = sum(len(area.edges) for area, _ in self._areas(clip)) + 1
        if len(points) * edges <= _EXACT and self._afford(len(points) * edges / 2 + _PER_AREA):
            value = np.zeros(len(points))
            for shape, (area, weight) in zip(self._shapes(clip), self._areas(clip), strict=True):
                inside = area.contains(points)
                for inner in shape.clips:
                    inside &= self._within(inner, points)
                _paint(value, inside, weight, clip, shape)
            return seen & (value >= _MASKED)
        shown = self._shown(clip)
        return seen if shown is None else seen & shown.at(*self.grid.at(points))

    def _afford(self, work: float) -> bool:
        self.work += work
        if self.work <= _MOST_WORK:
            return True
        self.budget.note("too many clips, masks and erasers to tell all that they hide: more is drawn")
        return False

    def _shapes(self, clip: Clip) -> list[Shape]:
        """The shapes of a clip, once for each of their paints."""
        return [shape for shape in clip.shapes or () for paint in (shape.fill, shape.stroke) if paint is not None]

    def _areas(self, clip: Clip) -> list[tuple[Area, float]]:
        """The areas that a clip paints in order, with the alpha of each."""
        if id(clip) not in self.areas:
            found = []
            tolerance = 0.25 / self.grid.scale
            for shape in clip.shapes or ():
                polygons = flattened(shape.outlines, tolerance)
                if shape.fill is not None:
                    found.append((polygons_area(polygons, even_odd=shape.even_odd), shape.fill[3]))
                if shape.stroke is not None:
                    found.append((band_area(polygons, shape.width, round_caps=shape.round_caps), shape.stroke[3]))
            self.areas[id(clip)] = found
        return self.areas[id(clip)]

    def _shown(self, clip: Clip) -> Patch | None:
        """The pixels that the shapes of a clip show; None where there is no time to tell."""
        if id(clip) in self.grids:
            return self.grids[id(clip)]
        areas = self._areas(clip)
        edges = np.concatenate([area.edges for area, _ in areas] or [np.empty((0, 4))]).reshape(-1, 2)
        places = (edges - self.grid.origin) * self.grid.scale
        low = np.clip(np.floor(places.min(axis=0)) if len(places) else (0, 0), 0, self.grid.size).astype(int)
        high = np.clip(np.ceil(places.max(axis=0)) if len(places) else (0, 0), low, self.grid.size).astype(int)
        heights = float(np.abs(np.diff(np.clip(places[:, 1], low[1], high[1]).reshape(-1, 2), axis=1)).sum())
        if not self._afford(float((high - low).prod()) * len(areas) + 8 * heights + _PER_AREA * len(areas)):
            return None
        rows, columns = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        value = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        for shape, (area, weight) in zip(self._shapes(clip), areas, strict=True):
            patch = area.grid(self.grid)
            if patch is None:
                continue
            inside = patch.over(rows, columns)
            for inner in shape.clips:
                inside &= self._over(inner, rows, columns)
            _paint(value, inside, weight, clip, shape)
        if len(self.grids) > 16:
            self.grids.pop(next(iter(self.grids)))
        self.grids[id(clip)] = Patch(rows, columns, value >= _MASKED)
        return self.grids[id(clip)]

    def _over(self, clip: Clip, rows: slice, columns: slice) -> Mask:
        """The pixels of a part of the grid that a clip shows."""
        shown = None if clip.shapes is None else self._shown(clip)
        found = np.ones((rows.stop - rows.start, columns.stop - columns.start), bool)
        if shown is not None:
            found &= shown.over(rows, columns)
        if clip.bounds is not None:
            keep_within(found, rows, columns, clip.bounds, self.grid)
        return found

    # -- cutting ------------------------------------------------------------------------------------------

    def _cut(self, seen: Mask) -> list[tuple[Line, DoubleArray]]:
        samples = self.samples
        counts = np.diff(samples.borders)
        shown = np.add.reduceat(seen, samples.borders[:-1]) if len(counts) else counts
        parts: list[tuple[Line, DoubleArray]] = []
        for number, line in enumerate(self.lines):
            if shown[number] == counts[number]:
                parts.append((line, line.points))
            elif shown[number]:
                parts += [(line, part) for part in self._cut_line(line, samples.of(number), seen)]
        return parts

    def _cut_line(self, line: Line, place: slice, seen: Mask) -> list[DoubleArray]:
        """The parts of one line whose samples are seen; short gaps and short parts do not count."""
        along, half, here = self.samples.along[place], self.samples.half[place], seen[place]
        steps = np.hypot(*np.diff(line.points, axis=0).T)
        distances = np.concatenate([[0.0], np.cumsum(steps)])
        length = float(distances[-1])
        least = _GAP / self.grid.scale
        changes = np.flatnonzero(here[1:] != here[:-1]) + 1
        begins, ends = np.concatenate([[0], changes]), np.concatenate([changes, [len(here)]])
        if length < 2 * least:
            return [line.points] if 2 * int(here.sum()) >= len(here) else []
        runs: list[list[float]] = []
        for begin, end in zip(begins[here[begins]], ends[here[begins]], strict=True):
            first = self._border(line, distances, along, half, begin, -1)
            last = self._border(line, distances, along, half, end - 1, 1)
            if runs and first - runs[-1][1] < least:
                runs[-1][1] = last
            else:
                runs.append([first, last])
        closed = bool((line.points[0] == line.points[-1]).all())
        around = closed and len(runs) > 1 and runs[0][0] < least and runs[-1][1] > length - least
        parts = [
            part_of(line.points, distances, begin, end)
            for begin, end in runs
            if end - begin >= least or (around and (begin < least or end > length - least))
        ]
        if len(parts) == 1 and runs[0][0] < least and runs[-1][1] > length - least and len(runs) == 1:
            return [line.points]
        if around and len(parts) > 1:
            parts = [*parts[1:-1], np.concatenate([parts[-1], parts[0][1:]])]
        return parts

    def _border(
        self, line: Line, distances: DoubleArray, along: DoubleArray, half: DoubleArray, sample: int, step: int
    ) -> float:
        """Where a run of seen samples ends: between the last one and the next, exactly where a clip ends it."""
        edge = float(along[sample] + step * half[sample])
        after = sample + step
        if not 0 <= after < len(along):
            return edge

        def seen(place: float) -> bool:
            point = np.array([[np.interp(place, distances, line.points[:, axis]) for axis in (0, 1)]])
            return all(bool(self._within(clip, point)[0]) for clip in clips)

        clips = [clip for clip in self._clips(line) if clip.shapes is None or len(self._areas(clip)) < 8]
        inside, outside = float(along[sample]), float(along[after])
        self.refined += 1
        if not clips or self.refined > _MOST_REFINED or len(distances) > 10_000 or seen(outside):
            return edge
        for _ in range(16):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if seen(middle) else (inside, middle)
        return inside


def _paint(value: NDArray[np.floating], inside: Mask, alpha: float, clip: Clip, shape: Shape) -> None:
    """Paint an area of a clip path or mask into its values."""
    if clip.luminance is None:
        value[inside] = 1.0
        return
    red, green, blue, _ = shape.fill or shape.stroke or (0, 0, 0, 1.0)
    bright = (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255 if clip.luminance and red >= 0 else 1.0
    value[inside] = value[inside] * (1 - alpha) + alpha * bright
