"""Specks: strokes of hardly any size that a decoder leaves where it set the pen down and thought better of it.

The pen is put down for the next stroke by chance. Where it misses, the decoder, which sees around the pen what it
imagines of the picture, lifts it at once; the miss stays on the paper. People make few strokes of that size, and where
they do, as for an eye, the imagined picture has ink.
"""

from __future__ import annotations

import numpy as np

from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

SIZE = 8.0
"""Extent in canvas units up to which a stroke can be a speck: a pixel and a half of 48."""
INK = 0.4
"""Imagined ink, of 1, that a place within a pixel must have for a stroke of that size to stay."""
APART = 3.0
"""Canvas units to the nearest other stroke; what is nearer than that is a speck too, since it shows nothing."""


def without_specks(sketch: Sketch, imagined: FloatArray, raster: RasterSpec, *, given: int = 0) -> Sketch:
    """The sketch, in the frame of the model's canvas, without its specks; one that has nothing else stays as it is.

    imagined: the ink ``(size, size)`` in 0..1 that the model imagines. given: points at the beginning that were not
    drawn by the model; strokes that have one of them stay.
    """
    ends = np.cumsum([len(stroke) for stroke in sketch.strokes])
    tiny = [bool(np.ptp(stroke, axis=0).max() <= SIZE) for stroke in sketch.strokes]
    large = [stroke for stroke, small in zip(sketch.strokes, tiny, strict=True) if not small]
    kept = [
        stroke
        for stroke, small, end in zip(sketch.strokes, tiny, ends, strict=True)
        if not small or end - len(stroke) < given or not _is_speck(stroke, large, imagined, raster)
    ]
    if len(kept) == len(sketch.strokes) or not kept:
        return sketch
    return Sketch(tuple(kept), sketch.category, sketch.metadata)


def _is_speck(stroke: FloatArray, others: list[FloatArray], imagined: FloatArray, raster: RasterSpec) -> bool:
    middle = stroke.mean(axis=0, dtype=np.float64)
    pixel = (middle - CANVAS_SIZE / 2) * raster.pixels_per_unit + (raster.size - 1) / 2
    column, row = np.clip(np.rint(pixel), 0, raster.size - 1).astype(int)
    around = imagined[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return bool(around.max() < INK) or any(_distance(middle, other) < APART for other in others)


def _distance(point: DoubleArray, stroke: FloatArray) -> float:
    """From a point to the nearest place on a polyline."""
    begins = stroke[:-1].astype(np.float64)
    steps = np.diff(stroke, axis=0).astype(np.float64)
    lengths = np.maximum(np.square(steps).sum(axis=1), 1e-12)
    along = np.clip(((point - begins) * steps).sum(axis=1) / lengths, 0.0, 1.0)
    return float(np.hypot(*(begins + along[:, None] * steps - point).T).min())
