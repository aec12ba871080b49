"""A picture of a drawing's areas, painted in order on a grid: what hides a line, and what it stands out from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.formats.svg.areas import Area, Grid, Mask, band_area
from sketch_pix2seq.formats.svg.flatten import part_of
from sketch_pix2seq.formats.svg.lines import Line
from sketch_pix2seq.formats.svg.shapes import Bounds, Clip, Shape
from sketch_pix2seq.formats.svg.values import Paint
from sketch_pix2seq.sketch import DoubleArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from sketch_pix2seq.formats.svg.sampling import Samples

BESIDE: Final = 1.5
"""Pixels from the border of an area, or of a stroke, to where the colours on both sides are looked up."""
_THIN: Final = 4.0
"""Pixels below which an area has no inside that could be looked up."""
_CONTRAST: Final = 6
"""Least difference of two colours that can be seen, in one of red, green and blue (0 to 255)."""
_OPAQUE: Final = 0.95
_WITHIN: Final = 0.45
"""Share of a stroke's width from its middle to where it is looked up whether something hides it."""

Codes = NDArray[np.int32]
"""Colours packed in 24 bits; below 0 those that are not known."""


def code_of(paint: Paint) -> int:
    return (paint[0] << 16) | (paint[1] << 8) | paint[2] if paint[0] >= 0 else -1


def mixed(ink: Paint, under: Codes) -> Codes:
    """The colours of an ink on the colours below it."""
    if ink[0] < 0 or ink[3] >= _OPAQUE:
        return np.full_like(under, code_of(ink))
    parts = np.rint(_parts(under) * (1 - ink[3]) + np.array(ink[:3]) * ink[3]).astype(np.int32)
    packed = (parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2]
    return np.where(under < 0, under, packed)


def differ(a: Codes, b: Codes) -> Mask:
    """Whether colours can be told apart; one that is not known is only like itself."""
    far = np.abs(_parts(a) - _parts(b)).max(axis=-1) >= _CONTRAST
    found: Mask = np.where((a < 0) | (b < 0), a != b, far)
    return found


def stands_out(ink: Paint, paper: Paint) -> bool:
    """Whether an ink can be seen on a colour."""
    under = np.array([code_of(paper)], np.int32)
    return bool(differ(mixed(ink, under), under)[0])


def _parts(codes: Codes) -> Codes:
    return np.stack([codes >> 16, (codes >> 8) & 255, codes & 255], axis=-1)


@dataclass(eq=False)
class Painting:
    """Paints areas and tells which samples of lines can be seen."""

    lines: Sequence[Line]
    shapes: Sequence[Shape]
    polygons: Sequence[tuple[int, Area]]
    """The areas in order, each with the index of its shape."""
    samples: Samples
    grid: Grid
    paper: Paint
    shown: Callable[[Clip], Mask | None]
    """The pixels that a clip of shapes shows; None for all."""
    waiting: list[int] = field(default_factory=list)
    """Strokes that are drawn by now and not yet looked up."""
    colours: Codes = field(init=False)
    order: Codes = field(init=False)
    """Index of the last shape that covers each pixel, -1 for none."""
    result: Mask = field(init=False)
    thin: set[int] = field(init=False)

    def seen(self) -> Mask:
        """Of all samples: whether their line stands out there, and nothing hides it."""
        columns, rows = self.grid.size
        self.colours = np.full((rows, columns), code_of(self.paper), np.int32)
        self.order = np.full((rows, columns), -1, np.int32)
        self.result = np.ones(len(self.samples.line), bool)
        self.thin = {index for index, area in self.polygons if _thickness(area) * self.grid.scale < _THIN}
        by_owner: dict[int, list[int]] = {}
        for number, line in enumerate(self.lines):
            by_owner.setdefault(line.owner, []).append(number)
        areas = dict(self.polygons)
        for index, shape in enumerate(self.shapes):
            here = [number for number in by_owner.get(index, ()) if self._is_inked(self.lines[number])]
            if shape.stroke is None:
                self.waiting += here
            if index in areas:
                self._look_up()
                self._fill(index, shape, areas[index])
            if shape.stroke is not None:
                self.waiting += here
        self._look_up()
        return self.result & self._uncovered()

    def _is_inked(self, line: Line) -> bool:
        """Whether a line is told from what is below it by its own colour, not by the colours on its two sides."""
        return line.clip is None and (not line.edge or line.owner in self.thin)

    def _ink(self, line: Line) -> Paint:
        shape = self.shapes[line.owner]
        ink = shape.stroke or shape.fill
        assert ink is not None
        return ink

    def _fill(self, index: int, shape: Shape, area: Area) -> None:
        found = area.grid(self.grid)
        if found is None or shape.fill is None:
            return
        rows, columns, inside = found
        for clip in shape.clips:
            if clip.bounds is not None:
                _keep_within(inside, rows, columns, clip.bounds, self.grid)
            further = None if clip.shapes is None else self.shown(clip)
            if further is not None:
                inside &= further[rows, columns]
        colours = self.colours[rows, columns]
        if shape.fill[0] < 0:
            colours[inside] = -index - 2
        else:
            colours[inside] = mixed(shape.fill, colours[inside])
        if shape.fill[3] >= _OPAQUE:
            self.order[rows, columns][inside] = index

    def _look_up(self) -> None:
        """Whether the strokes that wait stand out from what is painted by now; those that do not, erase."""
        groups: dict[Paint, list[int]] = {}
        for number in self.waiting:
            groups.setdefault(self._ink(self.lines[number]), []).append(number)
        self.waiting.clear()
        for ink, numbers in groups.items():
            places = self.samples.places(numbers)
            widths = (
                np.array([line.width for line in self.lines])[self.samples.line[places]] if numbers else np.empty(0)
            )
            beside = widths / 2 + BESIDE / self.grid.scale
            stands = np.zeros(len(places), bool)
            for at in self._across(places, beside):
                under = self.colours[at]
                stands |= differ(mixed(ink, under), under)
            self.result[places] &= stands
            if ink[0] >= 0 and ink[3] >= _OPAQUE and not stands.all():
                for number in numbers:
                    self._erase(number)

    def _across(self, places: NDArray[np.intp], beside: DoubleArray) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Pixels of samples and on both sides of them, at a distance ``(n,)``."""
        points, normal = self.samples.points[places], self.samples.normal[places] * beside[:, None]
        return [self.grid.at(points), self.grid.at(points + normal), self.grid.at(points - normal)]

    def _erase(self, number: int) -> None:
        """A stroke of the colour of what is below it covers earlier lines."""
        line = self.lines[number]
        place = self.samples.of(number)
        hidden = ~self.result[place]
        if line.edge or not hidden.any() or line.owner == 0 or line.width * self.grid.scale < 1:
            return
        parts = [line.points]
        if not hidden.all():
            distances = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
            along, half = self.samples.along[place], self.samples.half[place]
            changes = np.flatnonzero(hidden[1:] != hidden[:-1]) + 1
            begins, ends = np.concatenate([[0], changes]), np.concatenate([changes, [len(hidden)]]) - 1
            parts = [
                part_of(line.points, distances, along[begin] - half[begin], along[end] + half[end])
                for begin, end in zip(begins, ends, strict=True)
                if hidden[begin]
            ]
        found = band_area(parts, line.width, round_caps=self.shapes[line.owner].round_caps).grid(self.grid)
        if found is not None:
            rows, columns, inside = found
            order = self.order[rows, columns]
            order[inside] = np.maximum(order[inside], line.owner)

    def _uncovered(self) -> Mask:
        """Of all samples: whether no later area or eraser covers them and both of their sides, and of borders of areas
        whether the colours on the two sides differ."""
        owners = np.array([line.owner for line in self.lines])[self.samples.line]
        inked = np.array([self._is_inked(line) for line in self.lines], bool)[self.samples.line]
        widths = np.array([line.width for line in self.lines])[self.samples.line]
        beside = np.where(inked, _WITHIN * widths, BESIDE / self.grid.scale)
        covered = np.ones(len(owners), bool)
        sides: list[Codes] = []
        for at in self._across(np.arange(len(owners)), beside):
            covered &= self.order[at] > owners
            sides.append(self.colours[at])
        return ~covered & (inked | differ(sides[1], sides[2]))


def _thickness(area: Area) -> float:
    """About the width of what an area consists of: twice its size by the length of its border."""
    x0, y0, x1, y1 = area.edges.T
    border = float(np.hypot(x1 - x0, y1 - y0).sum())
    return abs(float((x0 * y1 - x1 * y0).sum())) / border if border > 0 else 0.0


def _keep_within(inside: Mask, rows: slice, columns: slice, bounds: Bounds, grid: Grid) -> None:
    """Leave out the pixels whose centres are not within bounds."""
    left, top, right, bottom = (
        (side - origin) * grid.scale - 0.5 for side, origin in zip(bounds, grid.origin * 2, strict=True)
    )
    first, last = (
        int(np.ceil(np.clip(top, -1e6, 1e6))) - rows.start,
        int(np.floor(np.clip(bottom, -1e6, 1e6))) + 1 - rows.start,
    )
    inside[: max(0, first)] = False
    inside[max(0, last) :] = False
    first, last = (
        int(np.ceil(np.clip(left, -1e6, 1e6))) - columns.start,
        int(np.floor(np.clip(right, -1e6, 1e6))) + 1 - columns.start,
    )
    inside[:, : max(0, first)] = False
    inside[:, max(0, last) :] = False
