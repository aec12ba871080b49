"""Specks and repeats: strokes that a decoder leaves by mistake, and that show nothing.

The pen is put down for the next stroke by chance. Where it misses, the decoder, which sees around the pen what it
imagines of the picture, lifts it at once; the miss stays on the paper. People make few strokes of that size, and where
they do, as for an eye, the imagined picture has ink, or the real one that is looked at. Where the pen is put down on a
line that is drawn already, it may draw that once more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

SIZE = 8.0
"""Extent in canvas units up to which a stroke can be a speck: a pixel and a half of 48."""
INK = 0.4
"""Ink, of 1, that a place within a pixel must have for a stroke of that size to stay."""
REPEAT = 4.0
"""Canvas units: a stroke that is nowhere farther than that from the others repeats them; less than a pixel of 48."""


def without_specks(sketch: Sketch, known: FloatArray, raster: RasterSpec, *, given: int = 0) -> Sketch:
    """The sketch, in the frame of the model's canvas, without specks and repeats; one of specks alone stays as it is.

    known: the ink ``(size, size)`` in 0..1 that the model imagines or looks at. given: points at the beginning that
    were not drawn by the model; strokes that have one of them stay. Of strokes that repeat each other, the first stays.
    """
    ends = np.cumsum([len(stroke) for stroke in sketch.strokes])
    tiny = [bool(np.ptp(stroke, axis=0).max() <= SIZE) for stroke in sketch.strokes]
    own = [bool(end - len(stroke) < given) for stroke, end in zip(sketch.strokes, ends, strict=True)]
    cleaned = [
        at
        for at, stroke in enumerate(sketch.strokes)
        if own[at] or not tiny[at] or not _is_speck(stroke, known, raster)
    ]
    if not cleaned:
        return sketch
    kept = _without_repeats([sketch.strokes[at] for at in cleaned], [own[at] for at in cleaned])
    if len(kept) == len(sketch.strokes):
        return sketch
    return Sketch(tuple(kept), sketch.category, sketch.metadata)


def _is_speck(stroke: FloatArray, known: FloatArray, raster: RasterSpec) -> bool:
    middle = stroke.mean(axis=0, dtype=np.float64)
    pixel = (middle - CANVAS_SIZE / 2) * raster.pixels_per_unit + (raster.size - 1) / 2
    column, row = np.clip(np.rint(pixel), 0, raster.size - 1).astype(int)
    around = known[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return bool(around.max() < INK)


def _without_repeats(strokes: list[FloatArray], own: list[bool]) -> list[FloatArray]:
    points = [stroke.astype(np.float64) for stroke in strokes]
    lines = np.concatenate([np.stack([each[:-1], each[1:]], axis=1) for each in points])
    of = np.repeat(np.arange(len(points)), [len(each) - 1 for each in points])
    near = np.split(_lie_by(np.concatenate(points), lines), np.cumsum([len(each) for each in points])[:-1])
    there = np.ones(len(lines), bool)
    kept = list(range(len(strokes)))
    for at in reversed(kept):
        others = there & (of != at)
        if own[at] or not near[at][:, others].any(axis=1).all():
            continue
        if _lie_by(_between(points[at]), lines[others]).any(axis=1).all():
            there = others
            kept.remove(at)
    return [strokes[at] for at in kept]


def _lie_by(points: DoubleArray, lines: DoubleArray) -> NDArray[np.bool_]:
    """Whether each of points ``(n, 2)`` lies by each of lines ``(m, 2, 2)``, begin and end: ``(n, m)``."""
    (begin_x, begin_y), (step_x, step_y) = lines[:, 0].T, (lines[:, 1] - lines[:, 0]).T
    x, y = points[:, :1] - begin_x, points[:, 1:] - begin_y
    squares = np.maximum(step_x**2 + step_y**2, 1e-12)
    shares = np.clip((x * step_x + y * step_y) / squares, 0.0, 1.0)
    return np.asarray((x - shares * step_x) ** 2 + (y - shares * step_y) ** 2 <= REPEAT**2)


def _between(points: DoubleArray) -> DoubleArray:
    """Places ``(n, 2)`` along a polyline, at most `REPEAT` apart."""
    steps = np.diff(points, axis=0)
    counts = np.ceil(np.hypot(*steps.T) / REPEAT).astype(np.int64)
    parts = [
        point + np.arange(count)[:, None] / count * step
        for point, step, count in zip(points, steps, counts, strict=False)
    ]
    return np.concatenate([points[-1:], *parts])
