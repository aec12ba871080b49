"""A picture of a drawing's areas, painted in order on a grid: what hides a line, and what it stands out from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.formats.svg.areas import Areas, Grid, Mask, Patch, band_area
from sketch_pix2seq.formats.svg.flatten import part_of
from sketch_pix2seq.formats.svg.lines import Line
from sketch_pix2seq.formats.svg.shapes import Bounds, Clip, Shape
from sketch_pix2seq.formats.svg.values import Paint
from sketch_pix2seq.sketch import DoubleArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sketch_pix2seq.formats.svg.sampling import Samples

BESIDE: Final = 1.5
"""Pixels from the border of an area, or of a stroke, to where the colours on both sides are looked up."""
_THIN: Final = 4.0
"""Pixels below which an area has no inside that could be looked up."""
_CONTRAST: Final = 6
"""Least difference of two colours that can be seen, in one of red, green and blue (0 to 255)."""
_OPAQUE: Final = 0.95
_MANY: Final = 64
"""Colours above which each stroke is looked up."""
_ERASING: Final = 20_000
"""Work that each eraser takes, in pixels."""
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
    areas: Areas | None
    samples: Samples
    grid: Grid
    paper: Paint
    shown: Callable[[Clip], Patch | None]
    """The pixels that a clip of shapes shows; None for all."""
    afford: Callable[[float], bool]
    """Whether there is time for some work."""
    waiting: list[int] = field(default_factory=list)
    """Strokes that are drawn by now and not yet looked up."""
    colours: Codes = field(init=False)
    order: Codes = field(init=False)
    """Index of the last shape that covers each pixel, -1 for none."""
    result: Mask = field(init=False)
    thin: set[int] = field(init=False)
    """Shapes whose areas are thinner than what can be looked up."""
    widths: DoubleArray = field(init=False)
    painted: set[int] = field(init=False)
    """Colours painted so far; once they are many, no more are added."""

    def seen(self) -> Mask:
        """Of all samples: whether their line stands out there, and nothing hides it."""
        columns, rows = self.grid.size
        self.colours = np.full((rows, columns), code_of(self.paper), np.int32)
        self.order = np.full((rows, columns), -1, np.int32)
        self.result = np.ones(len(self.samples.line), bool)
        self.thin = set()
        self.widths = np.array([line.width for line in self.lines])
        self.painted = {code_of(self.paper)}
        patches: dict[int, int] = {}
        following: Iterator[Patch | None] = iter(())
        if self.areas is not None:
            thin = self.areas.thickness() * self.grid.scale < _THIN
            self.thin = {index for index, is_thin in zip(self.areas.shapes, thin, strict=True) if is_thin}
            patches = {index: number for number, index in enumerate(self.areas.shapes)}
            following = self.areas.patches(self.grid)
        by_owner: dict[int, list[int]] = {}
        for number, line in enumerate(self.lines):
            if self._is_inked(line):
                by_owner.setdefault(line.owner, []).append(number)
        for index, shape in enumerate(self.shapes):
            here = by_owner.get(index, ())
            if here and not self._is_sure(self._ink(self.lines[here[0]])):
                self.waiting += here
            if index in patches:
                # A stroke is drawn after its own fill, and lines that stand for a fill instead of it.
                kept = (
                    self.waiting[len(self.waiting) - len(here) :] if shape.stroke is not None and self.waiting else []
                )
                kept = [number for number in kept if self.lines[number].owner == index]
                self.waiting = self.waiting[: len(self.waiting) - len(kept)]
                self._look_up()
                self._fill(index, shape, next(following))
                self.waiting += kept
        self._look_up()
        return self.result & self._uncovered()

    def _is_sure(self, ink: Paint) -> bool:
        """Whether an ink stands out from all colours painted so far."""
        if ink[0] < 0:
            return True
        if len(self.painted) > _MANY:
            return False
        under = np.array(sorted(self.painted), np.int32)
        return bool(differ(mixed(ink, under), under).all())

    def _is_inked(self, line: Line) -> bool:
        """Whether a line is told from what is below it by its own colour, not by the colours on its two sides."""
        return line.clip is None and (not line.edge or line.owner in self.thin)

    def _ink(self, line: Line) -> Paint:
        shape = self.shapes[line.owner]
        ink = shape.stroke or shape.fill
        assert ink is not None
        return ink

    def _fill(self, index: int, shape: Shape, patch: Patch | None) -> None:
        if patch is None or shape.fill is None:
            return
        rows, columns, inside = patch.rows, patch.columns, patch.inside
        for clip in shape.clips:
            if clip.bounds is not None:
                keep_within(inside, rows, columns, clip.bounds, self.grid)
            further = None if clip.shapes is None else self.shown(clip)
            if further is not None:
                inside &= further.over(rows, columns)
        colours = self.colours[rows, columns]
        if shape.fill[0] < 0:
            colours[inside] = -index - 2
        else:
            new = mixed(shape.fill, colours[inside])
            colours[inside] = new
            if len(self.painted) <= _MANY:
                self.painted.update([code_of(shape.fill)] if shape.fill[3] >= _OPAQUE else np.unique(new).tolist())
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
                    if not self.afford(_ERASING):
                        break
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
        area = band_area(parts, line.width, round_caps=self.shapes[line.owner].round_caps)
        ends = np.clip(
            area.edges.reshape(-1, 2), self.grid.origin, np.add(self.grid.origin, self.grid.size) / self.grid.scale
        )
        box = float(np.ptp(ends, axis=0).prod()) * self.grid.scale**2
        heights = float(np.abs(ends[1::2, 1] - ends[::2, 1]).sum()) * self.grid.scale
        found = area.grid(self.grid) if self.afford(box + 8 * heights) else None
        if found is not None:
            order = self.order[found.rows, found.columns]
            order[found.inside] = np.maximum(order[found.inside], line.owner)

    def _uncovered(self) -> Mask:
        """Of all samples: whether no later area or eraser covers them and both of their sides, and of borders of areas
        whether the colours on the two sides differ."""
        owners = np.array([line.owner for line in self.lines])[self.samples.line]
        inked = np.array([self._is_inked(line) for line in self.lines], bool)[self.samples.line]
        widths = self.widths[self.samples.line]
        beside = np.where(inked, _WITHIN * widths, BESIDE / self.grid.scale)
        covered = np.ones(len(owners), bool)
        sides: list[Codes] = []
        for at in self._across(np.arange(len(owners)), beside):
            covered &= self.order[at] > owners
            sides.append(self.colours[at])
        return ~covered & (inked | differ(sides[1], sides[2]))


def keep_within(inside: Mask, rows: slice, columns: slice, bounds: Bounds, grid: Grid) -> None:
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
