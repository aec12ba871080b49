"""SketchSet: many sketches in a memory-mapped Arrow file, or in several, its shards.

A row holds ``category`` and ``split`` (dictionary-encoded strings), ``xy`` (int16, x and y in turn, in 1/64 of a canvas
unit), ``ends`` (int16, the index after the last point of each stroke) and ``metadata`` (JSON or null). The file is an
Arrow IPC file, so pandas, DuckDB and `datasets` read it too. A folder of such files is a set, too: their sketches in
the order of the files' names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b, file_digest
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import DataError, FileError, FormatError, missing_package
from sketch_pix2seq.files import open_to_read, replacing, replacing_folder
from sketch_pix2seq.sketch import FloatArray, Sketch

if TYPE_CHECKING:
    from typing import Self

    import pyarrow

Split = Literal["train", "valid", "test"]
Integer = TypeVar("Integer", bound=np.integer)
SPLITS: tuple[Split, ...] = get_args(Split)

UNITS = 64
"""Stored steps a canvas unit: coordinates are kept to 1/64 of a unit."""
LIMIT = 32767 / UNITS
"""Largest coordinate that can be stored, in canvas units."""

SET_SUFFIX = ".arrow"
"""What the name of a set's file ends in."""

_ROWS_PER_BATCH = 4096
_VERSION = b"1"
_ADVICE = "`sketch-pix2seq prepare SOURCE... SET.arrow` makes one"


def _arrow() -> Any:
    """pyarrow, which sets alone need. Raises ModelError where it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise missing_package(error, "a set of drawings (.arrow)", "sets") from error
    return pyarrow


@cache
def _schema() -> pyarrow.Schema:
    pa = _arrow()
    return pa.schema(
        [
            pa.field("category", pa.dictionary(pa.int16(), pa.string()), nullable=False),
            pa.field("split", pa.dictionary(pa.int8(), pa.string()), nullable=False),
            pa.field("xy", pa.list_(pa.int16()), nullable=False),
            pa.field("ends", pa.list_(pa.int16()), nullable=False),
            pa.field("metadata", pa.string()),
        ],
        metadata={b"sketch_pix2seq.set": _VERSION, b"units_per_canvas_unit": str(UNITS).encode()},
    )


@dataclass(frozen=True)
class Points:
    """Several sketches end to end, as the loader wants them.

    xy: ``(points, 2)`` float32, canvas units; ends: ``(points,)`` bool, the last point of a stroke;
    starts: ``(sketches + 1,)`` int64, where each sketch begins.
    """

    xy: FloatArray
    ends: NDArray[np.bool_]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Sketches as a set stores them, end to end.

    xy: ``(points, 2)`` int16, in 1/64 of a canvas unit; ends: int16, where each stroke ends in its sketch; points and
    strokes: int64, how many each sketch has. categories: int64, index ``names``. metadata: JSON or None.
    """

    xy: NDArray[np.int16]
    ends: NDArray[np.int16]
    points: NDArray[np.int64]
    strokes: NDArray[np.int64]
    categories: NDArray[np.int64]
    names: tuple[str, ...]
    metadata: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.points)

    def part(self, start: int, stop: int) -> Rows:
        """The sketches from ``start`` to before ``stop``."""
        if (start, stop) == (0, len(self)):
            return self
        point, stroke = int(self.points[:start].sum()), int(self.strokes[:start].sum())
        return Rows(
            self.xy[point : point + int(self.points[start:stop].sum())],
            self.ends[stroke : stroke + int(self.strokes[start:stop].sum())],
            self.points[start:stop],
            self.strokes[start:stop],
            self.categories[start:stop],
            self.names,
            self.metadata[start:stop],
        )

    def only(self, kept: NDArray[np.bool_]) -> Rows:
        """Some of the sketches."""
        if kept.all():
            return self
        return Rows(
            self.xy[np.repeat(kept, self.points)],
            self.ends[np.repeat(kept, self.strokes)],
            self.points[kept],
            self.strokes[kept],
            self.categories[kept],
            self.names,
            [self.metadata[i] for i in np.flatnonzero(kept).tolist()],
        )


class SketchSetWriter:
    """Writes a SketchSet as sketches come, in bounded memory; a context manager.

    shard_size: sketches in each file of a set that is a folder of files, ``00000-of-00004.arrow`` and so on; 0 = one
    file. The set appears under its name only when all went well; an older one is replaced.
    Raises FileError for a place that cannot be written to, also later, when the disk is full.
    """

    def __init__(self, path: str | Path, shard_size: int = 0) -> None:
        self.path, self._shard_size = Path(path), shard_size
        self._shards: list[Path] = []
        self._clear()
        self.count = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(self.path.parent, f"cannot be made: {error.strerror or error}") from error
        if self.path.is_dir() and not (shard_size and all(f.suffix == SET_SUFFIX for f in self.path.iterdir())):
            raise FileError(self.path, "is a folder; it would be lost, so name another or remove it first")
        with ExitStack() as stack:
            self._place = stack.enter_context((replacing_folder if shard_size else replacing)(self.path))
            self._begin_file()
            self._whole = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._whole:
            with self._file:
                if error is not None:
                    raise error
                self._flush()
            for number, shard in enumerate(self._shards):
                shard.rename(shard.with_name(f"{number:05d}-of-{len(self._shards):05d}{SET_SUFFIX}"))

    def _begin_file(self) -> None:
        pa = _arrow()
        self._categories: dict[str, int] = {}
        self._room = self._shard_size
        place = self._place
        if self._shard_size:
            place = self._place / f"{len(self._shards):05d}{SET_SUFFIX}"
            self._shards.append(place)
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        with ExitStack() as stack:
            sink = stack.enter_context(pa.OSFile(str(place), "wb"))
            self._writer = stack.enter_context(pa.ipc.new_file(sink, _schema(), options=options))
            self._file = stack.pop_all()

    def add(self, sketch: Sketch, split: Split) -> None:
        """Add one sketch; metadata is kept, times are not.

        Raises DataError for a sketch without strokes or category, with over 32,767 points, or off the canvas (beyond
        511 units).
        """
        if not sketch.strokes or not sketch.category:
            raise DataError(f"{sketch!r} cannot go into a set: it needs strokes and a category")
        xy = np.rint(sketch.points() * UNITS)
        if len(xy) > 32767 or np.abs(xy).max() > 32767:
            raise DataError(f"{sketch!r} cannot go into a set: it has too many points or lies beyond {LIMIT:.0f} units")
        rows = Rows(
            xy.astype(np.int16),
            np.cumsum([len(stroke) for stroke in sketch.strokes]).astype(np.int16),
            np.array([len(xy)]),
            np.array([len(sketch)]),
            np.zeros(1, np.int64),
            (sketch.category,),
            [json.dumps(dict(sketch.metadata)) if sketch.metadata else None],
        )
        self.add_rows(rows, np.array([SPLITS.index(split)], np.int8))

    def add_rows(self, rows: Rows, splits: NDArray[np.int8]) -> None:
        """Add sketches, the split of each as an index of `SPLITS`."""
        start = 0
        while start < len(rows):
            if self._shard_size and not self._room:
                self._flush()
                self._file.close()
                self._begin_file()
            stop = min(len(rows), start + _ROWS_PER_BATCH - self._waiting)
            if self._shard_size:
                stop = min(stop, start + self._room)
                self._room -= stop - start
            self._rows.append(rows.part(start, stop))
            self._split.append(splits[start:stop])
            codes = rows.categories[start:stop].tolist()
            known = {code: self._categories.setdefault(rows.names[code], len(self._categories)) for code in codes}
            self._category += [known[code] for code in codes]
            self._waiting += stop - start
            self.count += stop - start
            if self._waiting == _ROWS_PER_BATCH:
                self._flush()
            start = stop

    def _clear(self) -> None:
        self._rows: list[Rows] = []
        self._split: list[NDArray[np.int8]] = []
        self._category: list[int] = []
        self._waiting = 0

    def _flush(self) -> None:
        if not self._waiting:
            return
        pa = _arrow()
        xy = np.concatenate([rows.xy for rows in self._rows])
        points = np.concatenate([rows.points for rows in self._rows])
        ends = np.concatenate([rows.ends for rows in self._rows])
        strokes = np.concatenate([rows.strokes for rows in self._rows])
        columns = [
            pa.DictionaryArray.from_arrays(
                pa.array(self._category, pa.int16()), pa.array(list(self._categories), pa.string())
            ),
            pa.DictionaryArray.from_arrays(pa.array(np.concatenate(self._split)), pa.array(list(SPLITS), pa.string())),
            _lists(xy.reshape(-1), points * 2),
            _lists(ends, strokes),
            pa.array([text for rows in self._rows for text in rows.metadata], pa.string()),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=_schema()))
        self._clear()


class SketchSet:
    """A set of sketches, memory-mapped: opening one takes 7 bytes a sketch, and none for its drawings.

    files: the file, or the shards in their order.
    categories: the names, in alphabetical order. category_ids ``(n,)`` int16 index them; split_ids ``(n,)`` int8 index
    `SPLITS`; lengths ``(n,)`` int32 are the points of each sketch. ``set[i]`` gives a `Sketch`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.files = _files_of(self.path)
        parts = [_read(file) for file in self.files]
        batches = [batch for part, _ in parts for batch in part]
        self._xy = [_list_views(batch.column("xy")) for batch in batches]
        self._ends = [_list_views(batch.column("ends")) for batch in batches]
        self._metadata = [batch.column("metadata") for batch in batches]
        self._first_row = np.cumsum([0, *(batch.num_rows for batch in batches)])
        self.categories: tuple[str, ...] = tuple(sorted({name for _, names in parts for name in names}))
        place = {name: i for i, name in enumerate(self.categories)}
        ranks = [np.array([place[name] for name in names], np.int16) for _, names in parts]
        codes = [rank[_codes(b.column("category"))] for rank, (part, _) in zip(ranks, parts, strict=True) for b in part]
        self.category_ids: NDArray[np.int16] = _joined(codes, np.int16)
        self.split_ids = _joined([_codes(b.column("split")) for b in batches], np.int8)
        self.lengths = np.empty(len(self), np.int32)
        for (_, offsets), first in zip(self._xy, self._first_row[:-1], strict=True):
            np.subtract(offsets[1:], offsets[:-1], out=self.lengths[first : first + len(offsets) - 1])
        self.lengths >>= 1  # two numbers a point

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a set: a file, or a folder with its shards.

        Raises FileError where there is none, FormatError where a file is something else or is damaged, or where a shard
        is missing: types, ranges
        and the ends of strokes are checked before anything is used, and nothing takes more memory than the file has.
        """
        return cls(path)

    @cached_property
    def fingerprint(self) -> str:
        """Thirty-two digits that stand for the bytes of the file, or of all shards in their order (BLAKE2b)."""
        digests = []
        for path in self.files:
            with path.open("rb") as file:
                digests.append(file_digest(file, lambda: blake2b(digest_size=16)).hexdigest())
        return digests[0] if len(digests) == 1 else blake2b("\n".join(digests).encode(), digest_size=16).hexdigest()

    def __len__(self) -> int:
        return int(self._first_row[-1])

    def __iter__(self) -> Iterator[Sketch]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Sketch:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sketch {index} of a set of {len(self)}")
        index %= len(self)
        batch = int(self._batches_of(np.array([index]))[0])
        row = index - int(self._first_row[batch])
        xy = _row(self._xy[batch], row).reshape(-1, 2).astype(np.float32) / UNITS
        ends = _row(self._ends[batch], row)
        text = self._metadata[batch][row].as_py()
        try:
            return Sketch(
                tuple(np.split(xy, ends[:-1])),
                self.categories[self.category_ids[index]],
                dict(json.loads(text)) if text else {},
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise FormatError(self.path, f"damaged: sketch {index} has metadata that is no JSON object") from error

    def indices(self, split: Split | None = None, category: str | None = None) -> NDArray[np.int64]:
        """Indices of the sketches of a split, of a category, or of both. Raises DataError for an unknown category."""
        chosen = np.ones(len(self), bool)
        if split is not None:
            chosen &= self.split_ids == SPLITS.index(split)
        if category is not None:
            if category not in self.categories:
                raise DataError(f"{self.path}: no category {category!r}; it has {', '.join(self.categories)}")
            chosen &= self.category_ids == self.categories.index(category)
        return np.flatnonzero(chosen)

    def gather(self, indices: Sequence[int] | NDArray[np.integer]) -> Points:
        """The points of several sketches end to end. Those that follow each other in the set are copied as one."""
        chosen = np.asarray(indices, np.int64)
        lengths = self.lengths[chosen]
        within = self._batches_of(chosen)
        begins = np.ones(len(chosen), bool)
        begins[1:] = (np.diff(chosen) != 1) | (np.diff(within) != 0)
        firsts = np.flatnonzero(begins)
        batches = within[firsts]
        rows = chosen[firsts] - self._first_row[batches]
        stops = rows + np.diff(firsts, append=len(chosen))
        xy, ends, strokes = [], [], []
        for batch, row, stop in zip(batches.tolist(), rows.tolist(), stops.tolist(), strict=True):
            values, offsets = self._xy[batch]
            xy.append(values[offsets[row] : offsets[stop]])
            values, offsets = self._ends[batch]
            ends.append(values[offsets[row] : offsets[stop]])
            strokes.append(offsets[row + 1 : stop + 1] - offsets[row:stop])
        starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        is_end = np.zeros(starts[-1], bool)
        is_end[np.concatenate(ends) + np.repeat(starts[:-1], np.concatenate(strokes)) - 1] = True
        return Points((np.concatenate(xy).astype(np.float32) / np.float32(UNITS)).reshape(-1, 2), is_end, starts)

    def _batches_of(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._first_row, indices, side="right") - 1


def is_set(path: Path) -> bool:
    """Whether a path is that of a set: a file with its suffix, or a folder with such files."""
    return path.suffix.lower() == SET_SUFFIX or (path.is_dir() and any(path.glob(f"*{SET_SUFFIX}")))


def _files_of(path: Path) -> tuple[Path, ...]:
    """The file of a set, or its shards. Raises FileError for a folder without any, FormatError where one is missing."""
    if not path.is_dir():
        return (path,)
    found = tuple(sorted(path.glob(f"*{SET_SUFFIX}")))
    if not found:
        raise FileError(path, f"a folder without a set ({SET_SUFFIX}) in it; {_ADVICE}")
    there = {file.stem for file in found}
    totals = {int(match[1]) for name in there if (match := re.fullmatch(r"\d{5}-of-(\d{5})", name))}
    missing = [name for n in totals for i in range(n) if (name := f"{i:05d}-of-{n:05d}") not in there]
    if missing:
        raise FormatError(path, f"a set that is not whole: {min(missing)}{SET_SUFFIX} is missing; copy it there")
    return found


def _lists(values: NDArray[np.int16], lengths: NDArray[np.int64]) -> pyarrow.ListArray:
    pa = _arrow()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def _read(path: Path) -> tuple[list[pyarrow.RecordBatch], list[str]]:
    """The batches of a set's file, memory-mapped and checked, and its categories."""
    from sketch_pix2seq.data.untrusted import RefusedArrowError, batches_of

    pa, schema = _arrow(), _schema()
    if not path.exists():
        raise FileError(path, f"no such file; {_ADVICE}")
    open_to_read(path).close()
    try:
        buffer = pa.memory_map(str(path)).read_buffer()
        metadata = pa.ipc.open_file(buffer).schema.metadata or {}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise FormatError(path, f"not a SketchSet; {_ADVICE}") from error
    if {key: metadata.get(key) for key in schema.metadata} != schema.metadata:
        raise FormatError(path, f"an Arrow file, but not a SketchSet of this version; {_ADVICE}")
    try:
        batches = batches_of(buffer, schema)
        for batch in batches:
            _check_batch(batch, last=batch is batches[-1])
        return batches, _names(batches)
    except RefusedArrowError as error:
        raise FormatError(path, f"a SketchSet that is damaged: {error}; {_ADVICE}") from error


def _check_batch(batch: pyarrow.RecordBatch, *, last: bool) -> None:
    """Raises RefusedArrowError unless every row is a sketch as `Rows` describes it."""
    from sketch_pix2seq.data.untrusted import RefusedArrowError

    if batch.num_rows != _ROWS_PER_BATCH and not (last and 0 < batch.num_rows < _ROWS_PER_BATCH):
        raise RefusedArrowError(f"a part has {batch.num_rows} rows")
    if batch.column("split").dictionary.to_pylist() != list(SPLITS):
        raise RefusedArrowError("its splits are not train, valid and test")
    for name in ("xy", "ends"):
        if batch.column(name).values.null_count:
            raise RefusedArrowError(f"numbers are missing in {name}")
    (_, numbers), (ends, strokes) = _list_views(batch.column("xy")), _list_views(batch.column("ends"))
    lengths = np.diff(numbers)
    if (lengths <= 0).any() or (lengths % 2).any() or (np.diff(strokes) <= 0).any():
        raise RefusedArrowError("a sketch has no points or half a point")
    used = ends[strokes[0] : strokes[-1]].astype(np.int32)
    firsts = strokes[:-1] - strokes[0]
    steps = np.diff(used, prepend=0)
    steps[firsts] = used[firsts]
    if (steps <= 0).any() or (used[strokes[1:] - strokes[0] - 1] != lengths // 2).any():
        raise RefusedArrowError("a stroke ends where it cannot")


def _names(batches: Sequence[pyarrow.RecordBatch]) -> list[str]:
    """The categories that the codes of all batches index: each batch knows those of the batches before it."""
    from sketch_pix2seq.data.untrusted import RefusedArrowError

    known: list[str] = []
    for batch in batches:
        names = batch.column("category").dictionary.to_pylist()
        if names[: len(known)] != known or not all(names) or len(set(names)) != len(names):
            raise RefusedArrowError("its categories are not the same throughout")
        known = names
    return known


def _list_views(column: pyarrow.ListArray) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    return column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True)


def _row(views: tuple[NDArray[np.int16], NDArray[np.int32]], row: int) -> NDArray[np.int16]:
    values, offsets = views
    return values[offsets[row] : offsets[row + 1]]


def _codes(column: pyarrow.DictionaryArray) -> NDArray[np.integer]:
    codes: NDArray[np.integer] = column.indices.to_numpy(zero_copy_only=True)
    return codes


def _joined(parts: Sequence[NDArray[np.integer]], dtype: type[Integer]) -> NDArray[Integer]:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype)
