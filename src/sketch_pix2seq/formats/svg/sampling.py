"""Places on lines at short distances, for all lines at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.sketch import DoubleArray


@dataclass(eq=False)
class Samples:
    """Places on lines, in order: the middles of short intervals."""

    line: NDArray[np.intp]
    """Which line."""
    points: DoubleArray
    along: DoubleArray
    """Distance from the start of the line."""
    half: DoubleArray
    """Half the length of the interval."""
    normal: DoubleArray
    """Across the line, of length 1; 0 on a dot."""
    borders: NDArray[np.intp]
    """Where each line's samples begin, and the end."""

    def of(self, line: int) -> slice:
        return slice(int(self.borders[line]), int(self.borders[line + 1]))

    def places(self, lines: Sequence[int]) -> NDArray[np.intp]:
        """Indices of the samples of some lines."""
        ranges = [np.arange(self.borders[line], self.borders[line + 1]) for line in lines]
        return np.concatenate(ranges) if ranges else np.empty(0, np.intp)


def sampled(lines: Sequence[DoubleArray], step: float, most: int) -> Samples:
    """Samples of polylines ``(n, 2)``, n at least 2, at most ``step`` apart, unless they would be too many."""
    points = np.concatenate(lines)
    counts = np.array([len(line) for line in lines])
    of_line = np.repeat(np.arange(len(counts)), counts)
    inner = of_line[1:] == of_line[:-1]
    begin, end, line = points[:-1][inner], points[1:][inner], of_line[1:][inner]
    way = end - begin
    lengths = np.hypot(*way.T)
    step = max(step, float(lengths.sum()) / most)
    parts = np.maximum(1, np.ceil(lengths / step)).astype(np.intp)
    segment = np.repeat(np.arange(len(parts)), parts)
    place = (np.arange(len(segment)) - np.repeat(np.cumsum(parts) - parts, parts) + 0.5) / parts[segment]
    normal = np.stack([-way[:, 1], way[:, 0]], axis=1) / np.where(lengths > 0, lengths, 1.0)[:, None]
    before = np.cumsum(lengths) - lengths
    firsts = np.searchsorted(line, np.arange(len(counts)))
    return Samples(
        line[segment],
        begin[segment] + place[:, None] * way[segment],
        before[segment] + place * lengths[segment] - before[firsts][line[segment]],
        (lengths / parts / 2)[segment],
        normal[segment],
        np.searchsorted(line[segment], np.arange(len(counts) + 1)),
    )
