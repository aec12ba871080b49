"""Strokes -> ink: the one renderer, so that every picture a model sees has the same line.

A `RasterSpec` travels with every model. Ink is uint8, 0 = paper, 255 = line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.plain import check_ranges
from sketch_pix2seq.sequence import mixed, uniform
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray, Sketch

_SHIFT = 4
"""Fractional bits of OpenCV's sub-pixel coordinates."""


@dataclass(frozen=True)
class RasterSpec:
    """How ink is drawn: anti-aliased, centred, aspect kept."""

    size: int = 48
    """Side of the square picture, in pixels."""
    line: int = 1
    """Width of the line, in pixels."""
    margin: float = 1.5
    """Paper left free on each side of the longest side, in pixels."""

    def __post_init__(self) -> None:
        check_ranges(self, size=(8, 1024), line=(1, 64), margin=(0, (self.size - 2) / 2))

    @property
    def pixels_per_unit(self) -> float:
        """Pixels a canvas unit of a fitted sketch (longest side 255)."""
        return (self.size - 1 - 2 * self.margin) / CANVAS_SIZE


def render(sketch: Sketch, spec: RasterSpec) -> NDArray[np.uint8]:
    """Ink ``(size, size)`` of one sketch, which is fitted first. A sketch without strokes gives blank paper."""
    if not sketch.strokes:
        return np.zeros((spec.size, spec.size), np.uint8)
    left, top, right, bottom = sketch.bounds()
    side = max(right - left, bottom - top)
    scale = (spec.size - 1 - 2 * spec.margin) / side if side > 0 else 1.0
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    middle = (spec.size - 1) / 2
    return _draw([(stroke - centre) * scale + middle for stroke in sketch.strokes], spec)


def ink_of(sketches: Sequence[Sketch], spec: RasterSpec) -> NDArray[np.uint8]:
    """Ink ``(n, size, size)`` of sketches, each fitted to the raster."""
    ink = np.empty((len(sketches), spec.size, spec.size), np.uint8)
    for place, sketch in zip(ink, sketches, strict=True):
        place[:] = render(sketch, spec)
    return ink


def shades_of(ink: NDArray[np.uint8]) -> FloatArray:
    """Ink in 0..1, as networks take it."""
    return ink.astype(np.float32) / np.float32(255)


def render_fitted(
    centred: NDArray[np.float32], stroke_ends: NDArray[np.integer], spec: RasterSpec
) -> NDArray[np.uint8]:
    """Ink of one sketch whose bounds are already centred on (0, 0) with a longest side of 255 units.

    centred: all points in order ``(points, 2)``; stroke_ends: index after the last point of each stroke.
    """
    placed = centred * spec.pixels_per_unit + (spec.size - 1) / 2
    return _draw([placed] if len(stroke_ends) == 1 else np.split(placed, stroke_ends[:-1]), spec)


@cache
def ink_of_a_line(spec: RasterSpec) -> float:
    """Ink, in 0..1, that a line lays for each pixel of its length: the mean over directions."""
    length = (spec.size - 1) * 0.7
    angles = np.arange(32) * (np.pi / 32)
    halves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 2
    middle = (spec.size - 1) / 2
    return float(np.mean([_draw([np.stack([middle - h, middle + h])], spec).sum() for h in halves])) / 255 / length


def damaged(
    ink: NDArray[np.uint8],
    share: float | NDArray[np.floating],
    *,
    patch: int = 6,
    seed: int | NDArray[np.uint64] = 0,
) -> NDArray[np.uint8]:
    """Ink ``(n, size, size)`` with ``share`` of each picture's patches blanked, as SketchHealer's inputs are.

    The picture is laid out in squares of ``patch`` pixels (narrower at the right and bottom where they do not fill it).
    Of those that hold ink, round(share x their number) are blanked, and at least one where ``share`` is above 0.
    share: one for all, or ``(n,)``. seed: which patches go follows from it, the picture's index and the patch's; what
    a smaller share blanks a larger one blanks too. Of ``(n,)`` seeds, one a picture, the index has no part in it.
    Raises SettingsError for a share outside 0..1 or patches of less than a pixel, ValueError for another shape.
    """
    shares = np.asarray(share, np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise SettingsError(f"the share of a drawing that is damaged is 0 to 1; got {share}")
    if patch < 1:
        raise SettingsError(f"patches have at least 1 pixel a side; got {patch}")
    if ink.ndim != 3 or ink.shape[1] != ink.shape[2]:
        raise ValueError(f"ink of shape {ink.shape}; (n, size, size) is needed")
    n, size = ink.shape[:2]
    across = -(-size // patch)
    whole = np.zeros((n, across * patch, across * patch), np.uint8)
    whole[:, :size, :size] = ink
    held = whole.reshape(n, across, patch, across, patch).any(axis=(2, 4)).reshape(n, across**2)
    counts = held.sum(axis=1)
    blanked = np.rint(shares * counts).astype(np.int64)
    blanked = np.where(shares > 0, np.maximum(blanked, np.minimum(counts, 1)), blanked)
    if isinstance(seed, np.ndarray):
        pictures = mixed(seed)
    else:
        pictures = mixed(np.arange(n, dtype=np.uint64) + mixed(np.full(n, seed, np.uint64)))
    order = uniform(pictures[:, None] + np.arange(across**2, dtype=np.uint64))
    ranks = np.where(held, order, np.inf).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    gone = (ranks < blanked[:, None]).reshape(n, across, across)
    out = ink.copy()
    out[gone.repeat(patch, axis=1).repeat(patch, axis=2)[:, :size, :size]] = 0
    return out


def _draw(strokes: Sequence[NDArray[np.floating]], spec: RasterSpec) -> NDArray[np.uint8]:
    ink = np.zeros((spec.size, spec.size), np.uint8)
    lines = [np.rint(_visible(stroke) * (1 << _SHIFT)).astype(np.int32) for stroke in strokes]
    cv2.polylines(ink, lines, False, 255, spec.line, cv2.LINE_AA, _SHIFT)
    return ink


def _visible(stroke: NDArray[np.floating]) -> NDArray[np.floating]:
    """The stroke; if it is smaller than a pixel, of which OpenCV may draw nothing, as large as one."""
    low, high = stroke.min(axis=0), stroke.max(axis=0)
    size = float(np.hypot(*(high - low)))
    if size >= 1:
        return stroke
    middle = (low + high) / 2
    if size == 0:
        dash: NDArray[np.floating] = middle + np.array([[-0.5, 0.0], [0.5, 0.0]])
        return dash
    grown: NDArray[np.floating] = middle + (stroke - middle) / size
    return grown
