"""Many drawings end to end: a `Sketch` each takes several times as long as reading it, so this is for millions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.sketch import FloatArray, MetadataValue, Sketch

MOST_SKETCHES = 4096
"""Drawings in one bundle."""
MOST_POINTS = 1 << 18
"""Points after which a bundle takes no further drawing."""


@dataclass(frozen=True)
class Flaw:
    """Something that was left out: ``line 12`` of what was read, or ``train 7``, and why.

    Without a kind: what is odd about the file as a whole, which was kept.
    """

    kind: str
    number: int
    message: str


@dataclass(frozen=True)
class Bundle:
    """Drawings end to end, as they are stored in a file (not fitted, not simplified), without times.

    xy: ``(points, 2)`` float32; strokes: points of each stroke; sketches: strokes of each sketch, both int64.
    """

    xy: FloatArray
    strokes: NDArray[np.int64]
    sketches: NDArray[np.int64]
    categories: Sequence[str]
    metadata: Sequence[Mapping[str, MetadataValue]]
    flaws: Sequence[Flaw] = ()
    """What was left out among these drawings."""
    lines: int = 0
    """Lines read so far, where the file has lines."""

    def __len__(self) -> int:
        return len(self.sketches)

    @property
    def points(self) -> NDArray[np.int64]:
        """Points of each drawing."""
        total = np.concatenate([[0], np.cumsum(self.strokes)])
        ends = np.cumsum(self.sketches)
        points: NDArray[np.int64] = total[ends] - total[ends - self.sketches]
        return points

    def only(self, kept: NDArray[np.bool_]) -> Bundle:
        """Some of the drawings."""
        if kept.all():
            return self
        strokes = np.repeat(kept, self.sketches)
        chosen = np.flatnonzero(kept).tolist()
        return Bundle(
            self.xy[np.repeat(strokes, self.strokes)],
            self.strokes[strokes],
            self.sketches[kept],
            [self.categories[i] for i in chosen],
            [self.metadata[i] for i in chosen],
        )


class BundleMaker:
    """Collects drawings until there are enough for a bundle."""

    def __init__(self) -> None:
        self.lines = 0
        self.flaws: list[Flaw] = []
        self._x: list[float] = []
        self._y: list[float] = []
        self._strokes: list[int] = []
        self._sketches: list[int] = []
        self._categories: list[str] = []
        self._metadata: list[Mapping[str, MetadataValue]] = []

    @property
    def full(self) -> bool:
        """Whether it is time for a bundle."""
        return max(len(self._sketches), len(self.flaws)) >= MOST_SKETCHES or len(self._x) >= MOST_POINTS

    def add(
        self,
        x: list[float],
        y: list[float],
        strokes: list[int],
        category: str,
        metadata: Mapping[str, MetadataValue],
    ) -> None:
        """Add a drawing: coordinates over all strokes, and the points of each stroke."""
        self._x += x
        self._y += y
        self._strokes += strokes
        self._sketches.append(len(strokes))
        self._categories.append(category)
        self._metadata.append(metadata)

    def add_sketch(self, sketch: Sketch) -> None:
        """Add a sketch."""
        x, y = sketch.points().T.tolist()
        self.add(x, y, [len(stroke) for stroke in sketch.strokes], sketch.category or "", sketch.metadata)

    def take(self) -> Bundle:
        """What was collected."""
        xy = np.empty((len(self._x), 2), np.float32)
        xy[:, 0] = np.array(self._x, np.float64)
        xy[:, 1] = np.array(self._y, np.float64)
        return Bundle(
            xy,
            np.array(self._strokes, np.int64),
            np.array(self._sketches, np.int64),
            self._categories,
            self._metadata,
            self.flaws,
            self.lines,
        )


def bundles_of(sketches: Iterable[Sketch]) -> Iterator[Bundle]:
    """Sketches as bundles."""
    maker = BundleMaker()
    for sketch in sketches:
        maker.add_sketch(sketch)
        if maker.full:
            yield maker.take()
            maker = BundleMaker()
    yield maker.take()
