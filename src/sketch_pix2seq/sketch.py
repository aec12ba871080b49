"""`Sketch`: the one value that every room speaks.

Canvas coordinates: x to the right, y down, in canvas units; a fitted sketch has a longest side of 255 units
(QuickDraw's simplified drawings). Sequence forms follow sketch-rnn (Ha & Eck 2017, section 3.1):

stroke-3   rows ``(dx, dy, lift)``; lift = 1 when the pen leaves the paper after this point
stroke-5   rows ``(dx, dy, down, up, end)``; exactly one of the last three is 1
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from typing import Self

FloatArray: TypeAlias = NDArray[np.float32]
DoubleArray: TypeAlias = NDArray[np.float64]
MetadataValue: TypeAlias = str | int | float | bool

CANVAS_SIZE = 255.0
"""Longest side of a fitted sketch, in canvas units."""
MAX_NUMBER = 1e9
"""Largest coordinate (canvas units) or time (milliseconds) that a sketch holds, below 0 as well."""
MAX_RESAMPLED = 10_000_000
"""Points that `Sketch.resample` gives at most."""

_EMPTY: Mapping[str, MetadataValue] = MappingProxyType({})


@dataclass(frozen=True, eq=False, repr=False)
class Sketch:
    """Strokes in drawing order. Immutable: every method returns a new sketch.

    strokes: one float32 array ``(points, 2)`` a stroke, at least one point each, canvas units.
    category: what the drawing is of, where known.
    metadata: what came with it (``key_id``, ``countrycode``, ``recognized``, ``timestamp``, ``source``...).
    times: milliseconds since the first point, one array ``(points,)`` a stroke, where the source recorded them.

    It can be pickled and copied, and everything in it can be written as JSON and UTF-8.
    Raises ValueError for an array that is not ``(points, 2)`` or is empty, for a coordinate or a time that is not a
    number up to `MAX_NUMBER`, and for what `check_labels` refuses.
    """

    strokes: tuple[FloatArray, ...]
    category: str | None = None
    metadata: Mapping[str, MetadataValue] = field(default_factory=lambda: _EMPTY)
    times: tuple[FloatArray, ...] | None = None

    def __post_init__(self) -> None:
        strokes = tuple(_frozen(stroke) for stroke in self.strokes)
        for index, stroke in enumerate(strokes):
            if stroke.ndim != 2 or stroke.shape[1] != 2 or len(stroke) == 0:
                raise ValueError(
                    f"stroke {index} has shape {stroke.shape}; (points, 2) with at least one point is needed"
                )
        if not _are_bounded(strokes):
            index = next(i for i, stroke in enumerate(strokes) if not _are_bounded((stroke,)))
            raise ValueError(f"stroke {index} holds a coordinate that is not a number up to {MAX_NUMBER:,.0f}")
        object.__setattr__(self, "strokes", strokes)
        check_labels(self.category, self.metadata)
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))
        if self.times is not None:
            times = tuple(_frozen(stroke_times) for stroke_times in self.times)
            if [t.shape for t in times] != [(len(s),) for s in strokes]:
                raise ValueError("times must hold one number for each point of each stroke")
            if not _are_bounded(times):
                raise ValueError(f"times hold something that is not a number up to {MAX_NUMBER:,.0f}")
            object.__setattr__(self, "times", times)

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.strokes, self.category, dict(self.metadata), self.times)

    # -- what it is ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of strokes."""
        return len(self.strokes)

    def __repr__(self) -> str:
        name = f"{self.category!r}, " if self.category else ""
        return f"Sketch({name}{len(self.strokes)} strokes, {self.n_points} points)"

    def __eq__(self, other: object) -> bool:
        """Same strokes, category, metadata and times."""
        if not isinstance(other, Sketch):
            return NotImplemented
        return (
            self.category == other.category
            and dict(self.metadata) == dict(other.metadata)
            and _same(self.strokes, other.strokes)
            and (self.times is None) == (other.times is None)
            and _same(self.times or (), other.times or ())
        )

    def __hash__(self) -> int:
        return hash((self.category, tuple((stroke + 0.0).tobytes() for stroke in self.strokes)))  # -0.0 equals 0.0

    @property
    def n_points(self) -> int:
        """Number of points over all strokes."""
        return sum(len(stroke) for stroke in self.strokes)

    def points(self) -> FloatArray:
        """All points in drawing order, ``(n_points, 2)``."""
        return np.concatenate(self.strokes) if self.strokes else np.empty((0, 2), np.float32)

    def path_length(self) -> float:
        """Length of all strokes together, without the ways of the lifted pen, in the sketch's units."""
        return sum(float(np.hypot(*np.diff(stroke.astype(np.float64), axis=0).T).sum()) for stroke in self.strokes)

    def bounds(self) -> tuple[float, float, float, float]:
        """``(left, top, right, bottom)`` in canvas units. Raises ValueError for a sketch without strokes."""
        if not self.strokes:
            raise ValueError("a sketch without strokes has no bounds")
        points = self.points()
        left, top = points.min(axis=0)
        right, bottom = points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def with_(self, *, category: str | None = None, metadata: Mapping[str, MetadataValue] | None = None) -> Sketch:
        """The same strokes with another category, or with entries added to the metadata."""
        return replace(
            self,
            category=self.category if category is None else category,
            metadata={**self.metadata, **(metadata or {})},
        )

    # -- sequence forms -----------------------------------------------------------------------------------

    def to_stroke3(self, *, implicit_origin: bool = False) -> DoubleArray:
        """stroke-3 rows in float64, ``(n_points, 3)``; the inverse of `from_stroke3` with the same argument.

        The first row leads from (0, 0) to the first point. With ``implicit_origin`` the first point is the origin
        and left out, as in Google's sketch-rnn files, ``(n_points - 1, 3)``; a first stroke that is a single dot
        then begins with a row ``(0, 0, 1)``, so that its pen-up is kept.
        """
        if not self.strokes:
            return np.empty((0, 3))
        rows = np.empty((self.n_points, 3))
        points = self.points().astype(np.float64)
        rows[0, :2] = points[0]
        rows[1:, :2] = np.diff(points, axis=0)
        rows[:, 2] = 0.0
        rows[np.cumsum([len(stroke) for stroke in self.strokes]) - 1, 2] = 1.0
        if not implicit_origin:
            return rows
        if len(self.strokes[0]) == 1:
            rows[0] = (0.0, 0.0, 1.0)
            return rows
        return rows[1:]

    @classmethod
    def from_stroke3(
        cls,
        rows: ArrayLike,
        *,
        implicit_origin: bool = False,
        category: str | None = None,
        metadata: Mapping[str, MetadataValue] = _EMPTY,
    ) -> Self:
        """A sketch from stroke-3 rows ``(n, 3)``; see `to_stroke3`.

        A last row without a lift still ends its stroke. Raises ValueError for another shape or for numbers that are
        not finite.
        """
        table = np.asarray(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 3:
            raise ValueError(f"stroke-3 needs rows (dx, dy, lift); got an array of shape {table.shape}")
        if implicit_origin and not (len(table) and table[0].tolist() == [0.0, 0.0, 1.0]):
            table = np.concatenate([np.zeros((1, 3)), table])
        points = _frozen(np.cumsum(table[:, :2], axis=0))
        ends = [0, *((table[:, 2] > 0.5).nonzero()[0] + 1).tolist(), len(points)]
        strokes = tuple(points[start:end] for start, end in pairwise(ends) if end > start)
        return cls(strokes, category, metadata)

    def to_stroke5(self, length: int | None = None, *, implicit_origin: bool = False) -> DoubleArray:
        """stroke-5 rows in float64: the points, then end rows ``(0, 0, 0, 0, 1)``: one, or as many as fill ``length``.

        Raises ValueError where ``length`` leaves no room for an end row.
        """
        rows = self.to_stroke3(implicit_origin=implicit_origin)
        total = len(rows) + 1 if length is None else length
        if total <= len(rows):
            raise ValueError(f"{len(rows)} rows and an end row do not fit into a length of {length}")
        out = np.zeros((total, 5))
        out[: len(rows), :2] = rows[:, :2]
        out[: len(rows), 2] = 1.0 - rows[:, 2]
        out[: len(rows), 3] = rows[:, 2]
        out[len(rows) :, 4] = 1.0
        return out

    @classmethod
    def from_stroke5(
        cls,
        rows: ArrayLike,
        *,
        implicit_origin: bool = False,
        category: str | None = None,
        metadata: Mapping[str, MetadataValue] = _EMPTY,
    ) -> Self:
        """A sketch from stroke-5 rows ``(n, 5)``; everything from the first end row on is left out."""
        table = np.asarray(rows, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 5:
            raise ValueError(f"stroke-5 needs rows (dx, dy, down, up, end); got an array of shape {table.shape}")
        ended = np.flatnonzero(table[:, 4] > 0.5)
        drawn = table[: ended[0]] if len(ended) else table
        return cls.from_stroke3(
            drawn[:, [0, 1, 3]], implicit_origin=implicit_origin, category=category, metadata=metadata
        )

    # -- geometry -----------------------------------------------------------------------------------------

    def transform(self, matrix: ArrayLike) -> Self:
        """Every point multiplied by an affine ``(2, 3)`` matrix."""
        m = np.asarray(matrix, dtype=np.float64)
        return replace(self, strokes=tuple((s @ m[:, :2].T + m[:, 2]).astype(np.float32) for s in self.strokes))

    def fit(self, size: float = CANVAS_SIZE) -> Self:
        """Moved and scaled, aspect kept, so that left and top are 0 and the longest side is ``size``.

        A single dot, which has no side, only moves.
        """
        if not self.strokes:
            return self
        left, top, right, bottom = self.bounds()
        side = max(right - left, bottom - top)
        scale = size / side if side > 0 else 1.0
        origin = np.array([left, top], np.float64)
        return replace(self, strokes=tuple(((s - origin) * scale).astype(np.float32) for s in self.strokes))

    def simplify(self, epsilon: float = 2.0) -> Self:
        """Ramer-Douglas-Peucker a stroke at a time; no dropped point is farther than ``epsilon`` from the line kept.

        QuickDraw's own simplified drawings used 2.0 on a 255-unit canvas.
        """
        kept = [points_that_matter(s, epsilon) for s in self.strokes]
        return replace(
            self,
            strokes=tuple(s[k] for s, k in zip(self.strokes, kept, strict=True)),
            times=None if self.times is None else tuple(t[k] for t, k in zip(self.times, kept, strict=True)),
        )

    def resample(self, spacing: float = 1.0) -> Self:
        """Points at equal distances of at most ``spacing`` along each stroke; both ends stay. Times are dropped.

        Raises ValueError where that would give more than `MAX_RESAMPLED` points.
        """
        if not spacing > 0:
            raise ValueError("spacing must be above 0")
        if not self.path_length() / spacing <= MAX_RESAMPLED:
            raise ValueError(f"a spacing of {spacing:g} would give more than {MAX_RESAMPLED:,} points")
        return replace(self, strokes=tuple(_resample(s, spacing) for s in self.strokes), times=None)

    # -- leaving the library ------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the sketch in the format that the suffix of ``path`` names (.svg, .png, .gif, .apng, .ndjson, .npz)."""
        from sketch_pix2seq.formats import write_sketch

        return write_sketch(self, path)

    def _repr_svg_(self) -> str:
        """What a notebook shows: the sketch being drawn."""
        from sketch_pix2seq.formats.animation import animated_svg

        return animated_svg(self)


def points_that_matter(stroke: FloatArray, epsilon: float) -> NDArray[np.integer]:
    """Indices of the points of a stroke ``(points, 2)`` that `Sketch.simplify` keeps."""
    from simplification.cutil import simplify_coords_idx

    if len(stroke) <= 2:
        return np.arange(len(stroke))
    return np.asarray(simplify_coords_idx(np.ascontiguousarray(stroke, np.float64), epsilon))


def bounds_of(sketches: Iterable[Sketch]) -> tuple[float, float, float, float]:
    """Bounds of several sketches together, ``(left, top, right, bottom)``."""
    boxes = np.array([sketch.bounds() for sketch in sketches])
    return float(boxes[:, 0].min()), float(boxes[:, 1].min()), float(boxes[:, 2].max()), float(boxes[:, 3].max())


def check_labels(category: str | None, metadata: Mapping[str, MetadataValue]) -> None:
    """Raises ValueError for a category or metadata that a sketch cannot hold: anything but text that UTF-8 can say,
    and for values also true, false, finite numbers and whole numbers of up to 64 bits."""
    if category is not None and not _is_text(category):
        raise ValueError(f"the category {category!r:.80} is not text that can be written as UTF-8")
    for key, value in metadata.items():
        if not _is_text(key):
            raise ValueError(f"the metadata's name {key!r:.80} is not text that can be written as UTF-8")
        if isinstance(value, str):
            kept = _is_text(value)
        elif isinstance(value, int):
            kept = abs(value) < 1 << 64
        else:
            kept = isinstance(value, float) and math.isfinite(value)
        if not kept:
            raise ValueError(f"the metadata's {key!r:.80} is not text, a finite number of up to 64 bits, true or false")


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _are_bounded(arrays: Sequence[FloatArray]) -> bool:
    """Whether all are numbers up to `MAX_NUMBER`; NaN is none."""
    if not arrays:
        return True
    numbers = np.concatenate(arrays)
    return bool(numbers.max() <= MAX_NUMBER and numbers.min() >= -MAX_NUMBER)


def _frozen(values: ArrayLike) -> FloatArray:
    """float32 that nobody can change: a copy, unless it is that already."""
    if isinstance(values, np.ndarray) and values.dtype == np.float32 and not values.flags.writeable:
        owner = values.base
        if owner is None or (isinstance(owner, np.ndarray) and owner.base is None and not owner.flags.writeable):
            return values
    with np.errstate(over="ignore"):
        array = np.array(values, dtype=np.float32)
    array.setflags(write=False)
    return array


def _same(a: Sequence[FloatArray], b: Sequence[FloatArray]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def _resample(stroke: FloatArray, spacing: float) -> FloatArray:
    steps = np.hypot(*np.diff(stroke.astype(np.float64), axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] == 0:
        return stroke[:1]
    at = np.linspace(0.0, along[-1], int(np.ceil(along[-1] / spacing)) + 1)
    return np.stack([np.interp(at, along, stroke[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)
