"""What the walk over a document finds: painted shapes and what cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from sketch_pix2seq.formats.svg import values
from sketch_pix2seq.formats.svg.outlines import Outline, polygon_outline
from sketch_pix2seq.formats.svg.values import Matrix, Paint
from sketch_pix2seq.sketch import DoubleArray

Bounds: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, eq=False)
class Clip:
    """What of a shape is seen: only what lies within.

    bounds: a rectangle, or None. shapes: the areas within which to be seen, or None; of a mask their paints tell how
    much.
    """

    bounds: Bounds | None = None
    shapes: tuple[Shape, ...] | None = None
    luminance: bool | None = None
    """Of a mask: whether its brightness counts, or only its alpha. None for a clip path."""

    def moved(self, m: Matrix) -> Clip:
        shapes = None if self.shapes is None else tuple(shape.moved(m) for shape in self.shapes)
        if self.bounds is None:
            return Clip(None, shapes, self.luminance)
        rectangle = rectangle_clip(self.bounds, m)
        return rectangle if shapes is None else Clip(rectangle.bounds, shapes, self.luminance)


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """An element that draws, in the coordinates of the page. Its paints have the opacity of its groups."""

    outlines: list[Outline]
    fill: Paint | None
    stroke: Paint | None = None
    width: float = 1.0
    """Of the stroke."""
    even_odd: bool = False
    round_caps: bool = False
    dashes: tuple[float, ...] = ()
    """Lengths of dash, gap, dash..., an even number of them; none for a line without gaps."""
    dash_offset: float = 0.0
    clips: tuple[Clip, ...] = ()

    def moved(self, m: Matrix) -> Shape:
        size = values.size_of(m)
        return replace(
            self,
            outlines=[outline.moved(m) for outline in self.outlines],
            width=self.width * size,
            dashes=tuple(length * size for length in self.dashes),
            dash_offset=self.dash_offset * size,
            clips=tuple(clip.moved(m) for clip in self.clips),
        )

    def bounds(self) -> Bounds:
        """Of the points and control points of its outlines."""
        low = np.min([outline.points.min(axis=0) for outline in self.outlines], axis=0)
        high = np.max([outline.points.max(axis=0) for outline in self.outlines], axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def boxes(shapes: Sequence[Shape]) -> DoubleArray:
    """The bounds of all shapes at once, ``(n, 4)``; each has an outline."""
    points = np.concatenate([outline.points for shape in shapes for outline in shape.outlines])
    counts = np.array([sum(len(outline.points) for outline in shape.outlines) for shape in shapes], np.intp)
    starts = np.cumsum(counts) - counts
    return np.hstack([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)])


def corners(bounds: Bounds) -> DoubleArray:
    left, top, right, bottom = bounds
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])


def rectangle_clip(bounds: Bounds, m: Matrix) -> Clip:
    """The clip to a rectangle that a matrix moves."""
    outline = polygon_outline(corners(bounds), closed=True).moved(m)
    if (m[1] == 0 and m[2] == 0) or (m[0] == 0 and m[3] == 0):
        low, high = outline.points.min(axis=0), outline.points.max(axis=0)
        return Clip((float(low[0]), float(low[1]), float(high[0]), float(high[1])))
    return Clip(shapes=(Shape([outline], (0, 0, 0, 1.0)),))
