"""Taking strokes back: where a decoder looks at a picture, a stroke that does not lie on its ink is drawn again.

A person who copies a picture sees whether a stroke went where it should, and rubs it out if not. So does the sampler:
it compares the ink before and after each stroke with the picture's, and where the stroke brings the drawing too little
nearer, goes back to where the stroke began, decoder and all, and draws another. Nor does a drawing end while ink is
missing, unless strokes for it have failed. The more have, the farther from where the decoder thinks it does the next
one may begin; at last it begins where ink is missing, of which the decoder likes one place better than another.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.runtime import DrawingState
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.raster import RasterSpec, render_fitted, shades_of
from sketch_pix2seq.sketch import DoubleArray, FloatArray

LONG = 60
"""Points from which on a stroke is a scribble."""
_EXACT = 0.9
"""What a stroke must bring, of what it brings at most, which is all that it lays; less and less after each attempt."""
_LEAST = 0.3
"""What it must bring besides, in pixels of ink: a dot brings about one, a repeat nothing."""
_MISSING = 0.3
"""Missing ink that is worth a stroke."""
_WARMER = 0.05
"""What each attempt that failed adds to the temperature at which the begin of the next one is drawn."""
_SEEKS = 3
"""Attempts that fail before the next one begins where ink is missing."""
_SHOWS = 0.2
"""Missing ink of a pixel in which a stroke can begin."""
_OPINION = 0.25
"""Exponent of the decoder's density where a place is chosen among those where ink is missing."""


@dataclass
class Takes:
    """Where n drawings stood when their last stroke was finished, and what they look at."""

    picture: FloatArray
    """Ink ``(n, size, size)`` in 0..1."""
    paper: FloatArray
    """Ink ``(n, size, size)`` in 0..1 of the strokes so far."""
    state: DrawingState
    """Before the last row is handed to the decoder."""
    rows: FloatArray
    """The last rows ``(n, 5)``."""
    at: NDArray[np.int64]
    """Points so far, ``(n,)``."""
    most: NDArray[np.int64]
    """How often a stroke can be taken back, ``(n,)``; 0 where there is no picture."""
    left: NDArray[np.int64]
    """How often the next stroke still can, ``(n,)``."""
    taken: NDArray[np.int64]
    """Strokes that were taken back so far, ``(n,)``."""
    missing: DoubleArray
    """Ink of the picture that is more than a pixel from the paper's, ``(n,)``."""

    def select(self, slots: NDArray[np.integer]) -> Takes:
        """The drawings in these slots alone."""
        arrays = (self.picture[slots], self.paper[slots], self.state.select(slots), self.rows[slots], self.at[slots])
        return Takes(*arrays, self.most[slots], self.left[slots], self.taken[slots], self.missing[slots])

    def put(self, slots: NDArray[np.integer], other: Takes) -> None:
        """Others in these slots."""
        self.state.put(slots, other.state)
        self.picture[slots], self.paper[slots], self.rows[slots] = other.picture, other.paper, other.rows
        self.at[slots], self.most[slots], self.left[slots] = other.at, other.most, other.left
        self.taken[slots], self.missing[slots] = other.taken, other.missing

    def after(self, slot: int, points: FloatArray, info: ModelInfo) -> FloatArray:
        """The paper of one drawing when the stroke that ends the points ``(k, 3)`` is on it, too."""
        lifts = np.flatnonzero(points[:-1, 2])
        after: FloatArray = np.maximum(
            self.paper[slot], ink_of_points(points, info, lifts[-1] + 1 if len(lifts) else 0)
        )
        return after

    def is_worth_it(self, slot: int, after: FloatArray) -> bool:
        """Whether a stroke brings one drawing near enough to its picture."""
        picture, before = self.picture[slot], self.paper[slot]
        gain = float(np.square(before - picture).sum() - np.square(after - picture).sum())
        laid = float(np.square(after - before).sum())
        return gain > (_LEAST + _EXACT * laid) * int(self.left[slot]) / int(self.most[slot])

    def lack(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which drawings, that have so many points, stand between two strokes, and should not end there yet."""
        return np.asarray((self.missing > _MISSING) & (self.at == at) & (self.left > self.most // 2))

    def warmth(self, at: NDArray[np.int64]) -> DoubleArray:
        """What is added to the temperature of the next offset of drawings that have so many points, ``(n,)``."""
        return np.where(self.at == at, _WARMER * (self.most - self.left), 0.0)

    def seeking(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Drawings, by their slots, that have so many points and set the pen down where ink is missing."""
        failed = (self.most - self.left >= _SEEKS) & (self.left > 0)
        return np.flatnonzero((self.missing > _MISSING) & (self.at == at) & failed)


def begins_of(picture: FloatArray, paper: FloatArray, raster: RasterSpec) -> tuple[DoubleArray, DoubleArray]:
    """Where ink of a picture is missing ``(k, 2)``, in canvas units from the centre, and the log of how much ``(k,)``.

    picture, paper: ink ``(size, size)`` in 0..1.
    """
    missing = missing_of(picture, paper)
    row, column = np.nonzero(missing > _SHOWS)
    left = np.pad(np.maximum(picture - paper, 0), 1)
    down, across = (step.ravel() for step in np.mgrid[-1:2, -1:2])
    near = left[row[:, None] + 1 + down, column[:, None] + 1 + across].astype(np.float64)
    near /= near.sum(axis=1, keepdims=True)
    places = np.stack([column + near @ across, row + near @ down], axis=1) - (raster.size - 1) / 2
    return places / raster.pixels_per_unit, np.log(missing[row, column].astype(np.float64))


def choose_begin(opinion: DoubleArray, ink: DoubleArray, chance: float) -> int:
    """One of k places where ink is missing, by a chance in [0, 1): log densities, and the logs of the ink, ``(k,)``."""
    logits = _OPINION * opinion + ink
    cumulative = np.cumsum(np.exp(logits - logits.max()))
    return min(int((cumulative <= chance * cumulative[-1]).sum()), len(logits) - 1)


def missing_of(picture: FloatArray, paper: FloatArray) -> FloatArray:
    """Ink of a picture ``(size, size)`` beyond what the paper has within a pixel."""
    missing: FloatArray = np.maximum(picture - cv2.dilate(paper, np.ones((3, 3), np.uint8)), 0)
    return missing


def missing_ink(picture: FloatArray, paper: FloatArray) -> float:
    """The same of the whole picture, as the sum of its squares."""
    return float(np.square(missing_of(picture, paper)).sum())


def ink_of_points(points: FloatArray, info: ModelInfo, first: int = 0) -> FloatArray:
    """Ink ``(size, size)`` in 0..1 of stroke-3 rows ``(k, 3)`` in model units, of a model that begins in the centre.

    first: where the first stroke that is drawn begins.
    """
    places = np.cumsum(points[:, :2], axis=0, dtype=np.float32)[first:] * np.float32(info.sequence.scale)
    ends = np.flatnonzero(points[first:, 2]) + 1
    if not len(ends) or ends[-1] < len(places):
        ends = np.append(ends, len(places))
    return shades_of(render_fitted(places, ends, info.model.raster))
