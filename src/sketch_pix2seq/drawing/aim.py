"""Aiming: of several offsets that the decoder might draw, which one lies best on the ink that is there to draw.

The mixture of the next offset knows about where a line goes. The ink that a decoder with a canvas imagines, or the
picture itself where it looks at that, knows better: a line that the pen draws should lie on ink, and where the pen is
set down for the next stroke there should be ink that is not drawn yet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sketch import DoubleArray, FloatArray

_ALONG = np.array([0.2, 0.4, 0.6, 0.8])
"""Places along a line that are looked at, beside its end."""
_END = 0.4
"""Weight of the end of a line."""
_AGAIN, _AGAIN_JUMP = 0.5, 0.7
"""Share of the ink at the end that counts no more where it is drawn: of a line, and of a jump with the pen up."""
_FULL = 2.0
"""Tally, in cell sides, whose inverse is taken for drawn."""
_SHARPNESS = 8.0
"""Logits for ink of 1."""


class Sight(NamedTuple):
    """What n drawings see before the next row is drawn."""

    ink: FloatArray
    """``(n, size, size)`` in 0..1: what is to be drawn."""
    tally: FloatArray
    """``(n, nodes * nodes)``: what is drawn; see `model.canvas`."""
    place: FloatArray
    """Where the pen is, in canvas units from the centre, ``(n, 2)``."""
    down: FloatArray
    """1 where the pen is down, ``(n, 1)``."""


def aim(sight: Sight, offsets: FloatArray, raster: RasterSpec) -> DoubleArray:
    """Logits ``(n, k)`` of k offsets ``(n, k, 2)`` in canvas units: the more of them there is to draw, the higher."""
    nodes = round(float(np.sqrt(sight.tally.shape[1])))
    tally = sight.tally.reshape(-1, nodes, nodes)
    middle = (raster.size - 1) / 2
    here = sight.place[:, None].astype(np.float64) * raster.pixels_per_unit + middle
    steps = offsets * raster.pixels_per_unit
    end = here + steps
    ink = _read(sight.ink, end)
    laid = np.tanh(_FULL * _read(tally, (end + 0.5) * ((nodes - 1) / raster.size)))
    along = np.mean([_read(sight.ink, here + share * steps) for share in _ALONG], axis=0)
    line = (1 - _END) * along + _END * ink * (1 - _AGAIN * laid)
    jump = ink * (1 - _AGAIN_JUMP * laid)
    return np.asarray(_SHARPNESS * np.where(sight.down > 0, line, jump))


def _read(grids: FloatArray, at: DoubleArray) -> DoubleArray:
    """Grids ``(n, side, side)`` between their numbers at places ``(n, k, 2)``, x before y; 0 outside."""
    side = grids.shape[1]
    inside = ((at >= 0) & (at <= side - 1)).all(axis=-1)
    low = np.clip(at, 0, side - 1.001)
    column, row = low[..., 0].astype(np.int64), low[..., 1].astype(np.int64)
    x, y = low[..., 0] - column, low[..., 1] - row
    grid = np.arange(len(grids))[:, None]
    above = grids[grid, row, column] * (1 - x) + grids[grid, row, column + 1] * x
    below = grids[grid, row + 1, column] * (1 - x) + grids[grid, row + 1, column + 1] * x
    return np.asarray((above * (1 - y) + below * y) * inside)
