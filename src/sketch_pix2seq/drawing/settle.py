"""Settling: where a decoder looks at a picture, a finished drawing is laid exactly on the picture's ink.

The decoder knows to about half a pixel where a line goes, and the picture, whose lines are anti-aliased, shows it more
exactly. So the points of a finished drawing move a little, until the ink that its lines lay is nearest to the picture's
in the least squares. They move by a pixel and a half at most, and together with their neighbours, so that a stroke
keeps its shape; order and number of strokes and points stay. Where the picture shows nothing, a line stays as it is.
The method is Gauss and Newton's, with a damped step.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, FloatArray, Sketch

# Ink at d pixels from a line of one pixel: PEAK exp(-(d / WIDTH) ** SHAPE). Fitted to lines of many slopes as the
# renderer draws them, which makes each line of n pixels n - 1 wider to both sides.
_PEAK = 0.945
_WIDTH = 0.79
_SHAPE = 2.2
_STEPS = 2
"""A third brings hardly more."""
_STAY = 0.02
"""Cost of a move, in squares of ink a square pixel."""
_STIFF = 0.2
"""Cost of the difference between the moves of two points of a line that follow each other."""
_FIXED = 1e9
"""The same of a point that is given."""
_REACH = 1.5
"""Pixels that a point moves at most, in x and in y."""
_LEAST = 1e-8
"""Square pixels below which a length is taken for 0."""


def settled(sketch: Sketch, picture: FloatArray, raster: RasterSpec, *, given: int = 0) -> Sketch:
    """The sketch, in the frame of the model's canvas, with its points moved onto the ink of a picture.

    picture: ink ``(size, size)`` in 0..1, as the model looks at it; of blank paper, the sketch stays as it is. given:
    points at the beginning that were not drawn by the model; they stay.
    """
    around = cv2.dilate(picture, np.ones((3, 3), np.uint8))
    row, column = np.nonzero(around)
    if not len(row) or not sketch.strokes:
        return sketch
    places, ink = np.stack([column, row], axis=1).astype(np.float64), picture[row, column].astype(np.float64)
    ends = np.cumsum([len(stroke) for stroke in sketch.strokes])
    middle = (raster.size - 1) / 2
    pixels = (np.concatenate(sketch.strokes).astype(np.float64) - CANVAS_SIZE / 2) * raster.pixels_per_unit + middle
    begins = np.setdiff1d(np.arange(len(pixels)), ends - 1)
    dots = np.setdiff1d(ends - 1, begins + 1)
    lines = np.stack([np.append(begins, dots), np.append(begins + 1, dots)], axis=1)
    costs = _costs(len(pixels), begins)
    costs[np.arange(2 * given), np.arange(2 * given)] += _FIXED
    moves = np.zeros_like(pixels)
    for _ in range(_STEPS):
        gradient, curvature = _pull(pixels + moves, lines, places, ink, float(raster.line - 1))
        # OpenCV's solver, since a product or solver that starts threads of its own is slow beside the sampler's.
        slope = gradient + (costs * moves.ravel()).sum(axis=1)
        _, step = cv2.solve(curvature + costs, slope[:, None], flags=cv2.DECOMP_CHOLESKY)
        moves = np.clip(moves - step.reshape(-1, 2), -_REACH, _REACH)
    units = (pixels + moves - middle) / raster.pixels_per_unit + CANVAS_SIZE / 2
    return Sketch(tuple(np.split(units.astype(np.float32), ends[:-1])), sketch.category, sketch.metadata)


def _costs(n: int, begins: NDArray[np.int64]) -> DoubleArray:
    """What moves of n points cost, as a matrix ``(2 n, 2 n)`` of a quadratic form."""
    costs = _STAY * np.eye(2 * n)
    for axis in (0, 1):
        here, there = 2 * begins + axis, 2 * begins + 2 + axis
        costs[here, here] += _STIFF
        costs[there, there] += _STIFF
        costs[here, there] -= _STIFF
        costs[there, here] -= _STIFF
    return costs


def _pull(
    points: DoubleArray, lines: NDArray[np.int64], places: DoubleArray, ink: DoubleArray, inside: float
) -> tuple[DoubleArray, DoubleArray]:
    """Gradient ``(2 n,)`` and curvature ``(2 n, 2 n)``, without second derivatives, of half the squares of ink.

    lines: which points ``(m, 2)`` each of them joins. Each place ``(k, 2)`` sees the line that is nearest to it, whose
    ink is full up to ``inside`` pixels.
    """
    begin = points[lines[:, 0]]
    step = points[lines[:, 1]] - begin
    squares = np.maximum(np.square(step).sum(axis=1), _LEAST)
    nearest = _nearest(begin, step, squares, places)
    x, y = (places - begin[nearest]).T
    across, down = step[nearest].T
    share = np.clip((x * across + y * down) / squares[nearest], 0.0, 1.0)
    x, y = x - share * across, y - share * down
    distance = np.sqrt(np.maximum(x * x + y * y, _LEAST))
    beyond = np.maximum(distance - inside, 0.0) / _WIDTH
    laid = _PEAK * np.exp(-(beyond**_SHAPE))
    fall = laid * (_SHAPE / _WIDTH) * beyond ** (_SHAPE - 1) / distance
    across, down = fall * x, fall * y
    # How the ink of each place changes with x and y of the two ends of its line.
    change = np.stack([across * (1 - share), down * (1 - share), across * share, down * share])
    pulls = np.stack([_summed(one * (laid - ink), nearest, len(lines)) for one in change], axis=1)
    bends = np.empty((len(lines), 4, 4))
    for one in range(4):
        for other in range(one + 1):
            bends[:, one, other] = bends[:, other, one] = _summed(change[one] * change[other], nearest, len(lines))
    ends = np.stack([2 * lines[:, 0], 2 * lines[:, 0] + 1, 2 * lines[:, 1], 2 * lines[:, 1] + 1], axis=1)
    gradient, curvature = np.zeros(points.size), np.zeros((points.size, points.size))
    np.add.at(gradient, ends, pulls)
    np.add.at(curvature, (ends[:, :, None], ends[:, None, :]), bends)
    return gradient, curvature


def _nearest(begin: DoubleArray, step: DoubleArray, squares: DoubleArray, places: DoubleArray) -> NDArray[np.int64]:
    """Which of m lines is nearest to each of k places ``(k,)``."""
    middle = places.mean(axis=0)
    begin = begin - middle
    x, y = (places - middle).astype(np.float32).T[:, :, None]
    (slope_x, slope_y), from_ = (step / squares[:, None]).astype(np.float32).T, begin.astype(np.float32).T
    shares = x * slope_x
    shares += y * slope_y
    shares -= slope_x * from_[0] + slope_y * from_[1]
    # Less the square of the place itself, which is the same for each line.
    far = x * (-2 * from_[0])
    far += y * (-2 * from_[1])
    far += np.square(from_).sum(axis=0)
    within = np.clip(shares, 0, 1)
    shares *= -2
    shares += within
    within *= squares.astype(np.float32)
    within *= shares
    far += within
    return np.asarray(far.argmin(axis=1), np.int64)


def _summed(values: DoubleArray, groups: NDArray[np.int64], n: int) -> DoubleArray:
    return np.asarray(np.bincount(groups, values, n), np.float64)
