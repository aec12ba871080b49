"""Google's sketch-rnn ``.npz`` files: drawings of one category in the splits train, valid and test.

Each split is a pickled object array of int16 stroke-3 rows ``(n, 3)``, the first point being the origin and left out
(Ha & Eck 2017, section 3.1). Pickles are never run: see `sketch_pix2seq.formats.unpickle`.
The plain layout ``points (N, 3)`` and ``lengths``, which needs no pickle, is read too.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import open_to_read, replacing
from sketch_pix2seq.formats import OnProblem, Problem, category_of, limits
from sketch_pix2seq.formats.bundle import MOST_SKETCHES, Bundle, BundleMaker, Flaw
from sketch_pix2seq.formats.unpickle import (
    MAX_ITEMS,
    MAX_VALUE_BYTES,
    Numbers,
    RefusedPickleError,
    unpickle_object_array,
)
from sketch_pix2seq.sketch import MAX_NUMBER, MetadataValue, Sketch

SPLITS = ("train", "valid", "test")
UNSPLIT = "all"
"""What stands for the split where a file (``points`` and ``lengths``) has none."""

MAX_MEMBER_BYTES = 2 << 30
"""Size of an array inside a file that is still read, unpacked."""
MAX_STEP = 1e6
"""Longest step of the pen that is taken for one, in canvas units, along either axis."""
_SAFE_STEPS = int(MAX_NUMBER / MAX_STEP)
"""Steps that cannot lead beyond what a sketch holds."""

_MAX_HEADER_BYTES = 4096
_HEADER = [
    re.compile(pattern)
    for pattern in (
        r"'descr':\s*'([^']*)'",
        r"'fortran_order':\s*(True|False)",
        r"'shape':\s*\(([\dL, ]*)\)",
    )
]
_NUMBER_CODE = re.compile(r"[<>|=]?(?:[iu][1248]|f[248])")

_STEPS_A_BYTE = 2
_SPARE_STEPS = 100_000
"""Instructions of a pickle that are run for each byte of the file, and beside those. Drawings of a few points take one
or two for each byte that they are packed to, others far fewer."""
_STEPS_WRITTEN = 30
"""More than the instructions that NumPy writes for an array."""


def read_npz(
    path: str | Path,
    *,
    splits: Collection[str] | None = None,
    strict: bool = False,
    on_problem: OnProblem | None = None,
) -> Iterator[tuple[str, Sketch]]:
    """The splits' names and sketches of a sketch-rnn file, in the order train, valid, test.

    A sketch's category is the file's name (`category_of`), and its split is also in ``metadata["split"]``; a file
    without splits gives the name `UNSPLIT` and no such entry.
    splits: names of those to read, all where None.
    on_problem: told of each drawing left out (``where`` is the split and its index in it, from 0).

    Raises FormatError for a file that is not such an .npz, is damaged, or asks for more than arrays (nothing is
    executed), and, with ``strict``, for the first drawing that is broken; FileError for a file that cannot be read.
    """
    path = Path(path)
    category = category_of(path)
    for split, arrays in _arrays(path, splits):
        metadata = {} if split == UNSPLIT else {"split": split}
        for rows in _sound(path, split, arrays, strict, on_problem):
            yield split, Sketch.from_stroke3(rows, implicit_origin=True, category=category, metadata=metadata)


def read_npz_bundles(path: str | Path) -> Iterator[Bundle]:
    """The drawings of a sketch-rnn file, as `read_npz` gives them, end to end; those that are broken are flaws."""
    path = Path(path)
    category = category_of(path)
    for split, arrays in _arrays(path, None):
        metadata = {} if split == UNSPLIT else {"split": split}
        for start in range(0, len(arrays), MOST_SKETCHES):
            yield _bundle(arrays[start : start + MOST_SKETCHES], category, metadata, split, start)


def read_npz_stroke3(
    path: str | Path, *, strict: bool = False, on_problem: OnProblem | None = None
) -> dict[str, list[NDArray[np.int16]]]:
    """The bare rows of a sketch-rnn file, ``(n, 3)`` int16 arrays by split; otherwise as `read_npz`.

    Rows of another type are rounded to whole units as `write_npz` does.
    """
    path = Path(path)
    result = {}
    for split, arrays in _arrays(path, None):
        sound = _sound(path, split, arrays, strict, on_problem)
        result[split] = [_whole(path, f"{split} {index}", rows) for index, rows in enumerate(sound)]
    return result


def write_npz(path: str | Path, splits: Mapping[str, Iterable[Sketch]]) -> Path:
    """Write sketches by split in the layout of Google's sketch-rnn files.

    train, valid and test are always there, if only empty. Points are rounded to whole canvas units, each by itself,
    so that no error adds up. Categories are not kept: the file's name tells it.

    Raises FileError for a sketch without strokes or with steps longer than 32,767 units, or where the place cannot be
    written to.
    """
    path = Path(path)
    return _write(path, {split: [_rows(path, sketch) for sketch in sketches] for split, sketches in splits.items()})


def write_npz_mixed(path: str | Path, sketches: Iterable[Sketch]) -> Path:
    """`write_npz` with the split of each sketch taken from its ``metadata["split"]``, train where that is none."""
    path = Path(path)
    splits: dict[str, list[NDArray[np.int16]]] = {}
    for sketch in sketches:
        split = sketch.metadata.get("split")
        name = split if isinstance(split, str) and split in SPLITS else SPLITS[0]
        splits.setdefault(name, []).append(_rows(path, sketch))
    return _write(path, splits)


# -- reading --------------------------------------------------------------------------------------------------


class _Budget:
    """What a file may still unpack to; see `limits`."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.bytes_left = limits.most_bytes(size)
        self.items_left = limits.most_items(size)
        self.steps = _STEPS_A_BYTE * size + _SPARE_STEPS

    def take_member(self, info: zipfile.ZipInfo) -> None:
        """Raises FormatError for a member that is too large, or too large for its file."""
        size = info.file_size
        if size > MAX_MEMBER_BYTES:
            name = _shown(info.filename)
            raise FormatError(self.path, f"{name} unpacks to {size} bytes; up to {MAX_MEMBER_BYTES} are read")
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise FormatError(self.path, f"refused: {_shown(info.filename)} unpacks to far more than drawings do")

    def take_items(self, count: int) -> None:
        """Raises FormatError for more drawings than the file can hold."""
        self.items_left -= count
        if self.items_left < 0:
            raise FormatError(self.path, "refused: holds more drawings or strokes than a file of its size can")

    def take_rows(self, rows: Numbers) -> None:
        """The same for the strokes of drawings, or of one."""
        if rows.ndim == 2 and rows.shape[1] == 3 and len(rows) > limits.STROKES_AN_ITEM:
            self.take_items(int(np.count_nonzero(rows[:, 2])) // limits.STROKES_AN_ITEM)


def _arrays(path: Path, splits: Collection[str] | None) -> Iterator[tuple[str, list[Numbers]]]:
    with _refusals(path), open_to_read(path) as file, zipfile.ZipFile(file) as archive:
        budget = _Budget(path, limits.size_of(file))
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        names = [split for split in SPLITS if split in members]
        if not names and not {"points", "lengths"} <= members.keys():
            held = ", ".join(_shown(name) for name in sorted(members)[:5]) or "nothing"
            raise FormatError(path, f"holds {held}; a sketch-rnn file holds {', '.join(SPLITS)} (or points, lengths)")
        if not names and (splits is None or UNSPLIT in splits):
            points = _member(budget, archive, members["points"])
            lengths = _member(budget, archive, members["lengths"])
            yield UNSPLIT, _split_points(budget, points, lengths)
        for split in names:
            if splits is None or split in splits:
                arrays = _as_list(budget, split, _member(budget, archive, members[split]))
                for rows in arrays:
                    budget.take_rows(rows)
                yield split, arrays


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """What goes wrong while a zip is read, as this package's errors."""
    try:
        yield
    except RefusedPickleError as error:
        raise FormatError(path, f"refused: {error}") from error
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError) as error:
        raise FormatError(path, f"not an .npz file, or a damaged one ({_shown(str(error)) or 'cut short'})") from error
    except (NotImplementedError, RuntimeError) as error:
        raise FormatError(path, f"packed in a way that NumPy never does ({_shown(str(error))})") from error
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from error


def _member(budget: _Budget, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Numbers | list[Numbers]:
    """One array of the archive: plain numbers, or the items of an object array."""
    path = budget.path
    budget.take_member(info)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(path, f"{_shown(info.filename)} is packed in a way that NumPy never does")
    with archive.open(info) as member:
        shape, code = _header(path, info.filename, member)
        if code in ("|O", "O", "|O8", "|O4"):
            budget.take_items(shape[0] if shape else 0)
            return unpickle_object_array(member, shape, budget.steps)
        if not _NUMBER_CODE.fullmatch(code):
            raise FormatError(path, f"{_shown(info.filename)} holds values of type {_shown(code)}; numbers are needed")
        data = member.read()
    dtype = np.dtype(code)
    if prod(shape) * dtype.itemsize != len(data):
        what = f"{len(data)} bytes do not make an array of {_shown(str(shape))}"
        raise FormatError(path, f"{_shown(info.filename)} is damaged: {what}")
    return np.frombuffer(data, dtype).reshape(shape) if data else np.zeros((0, 0, 3), dtype)


def _header(path: Path, name: str, member: IO[bytes]) -> tuple[tuple[int, ...], str]:
    """Shape and type code of a .npy file, read up to where the data begins (numpy.lib.format, versions 1 to 3).

    NumPy's own reader evaluates the header, and warns of files that Python 2 wrote, which Google's are.
    """
    start = member.read(8)
    size = int.from_bytes(member.read(2 if start[6:7] == b"\x01" else 4), "little")
    header = member.read(size).decode("latin-1") if size <= _MAX_HEADER_BYTES else ""
    found = [pattern.search(header) for pattern in _HEADER]
    if not start.startswith(b"\x93NUMPY") or None in found:
        raise FormatError(path, f"{_shown(name)} is not a NumPy array")
    code, fortran, shape = (match[1] for match in found if match)
    sides = [side.strip(" L") for side in shape.split(",") if side.strip()]
    if not all(side.isdigit() and len(side) <= 18 for side in sides):
        raise FormatError(path, f"{_shown(name)} has the shape ({_shown(shape)}), which no array has")
    if fortran == "True" and len(sides) > 1:
        raise FormatError(path, f"{_shown(name)} is stored column by column; rows (dx, dy, lift) are needed")
    return tuple(int(side) for side in sides), code


def _shown(text: str) -> str:
    """Text that comes out of a file, fit for one line of a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text[:80])


def _as_list(budget: _Budget, split: str, member: Numbers | list[Numbers]) -> list[Numbers]:
    if isinstance(member, list):
        return member
    if member.ndim == 3 or member.size == 0:
        budget.take_items(len(member))
        return list(member)
    raise FormatError(budget.path, f"{split} has the shape {member.shape}; a list of (n, 3) arrays is needed")


def _split_points(budget: _Budget, points: Numbers | list[Numbers], lengths: Numbers | list[Numbers]) -> list[Numbers]:
    path = budget.path
    if isinstance(points, list) or points.ndim != 2 or points.shape[1] != 3:
        raise FormatError(path, "points must be one array (N, 3)")
    if isinstance(lengths, list) or lengths.ndim != 1 or lengths.dtype.kind not in "iu" or (lengths < 0).any():
        raise FormatError(path, "lengths must be one list of whole numbers")
    budget.take_items(len(lengths))
    budget.take_rows(points)
    if sum(lengths.tolist()) != len(points):
        raise FormatError(path, f"lengths add up to {sum(lengths.tolist())} where there are {len(points)} points")
    return np.split(points, np.cumsum(lengths)[:-1])


def _bundle(
    arrays: list[Numbers], category: str, metadata: Mapping[str, MetadataValue], split: str, first: int
) -> Bundle:
    faults = [_fault(rows) for rows in arrays]
    flaws = [Flaw(split, first + index, fault) for index, fault in enumerate(faults) if fault is not None]
    sound = [rows for rows, fault in zip(arrays, faults, strict=True) if fault is None]
    if not sound or any(rows.dtype.kind == "f" for rows in sound):
        maker = BundleMaker()
        for rows in sound:
            maker.add_sketch(Sketch.from_stroke3(rows, implicit_origin=True, category=category, metadata=metadata))
        maker.flaws = flaws
        return maker.take()
    # Sums of whole numbers are exact, so they can run on from one drawing to the next.
    begun = [bool(rows[0, 2]) and not rows[0, 0] and not rows[0, 1] for rows in sound]
    origin = np.zeros((1, 3), np.int64)
    table = np.concatenate([part for rows, dot in zip(sound, begun, strict=True) for part in (origin[dot:], rows)])
    counts = np.array([len(rows) + (not dot) for rows, dot in zip(sound, begun, strict=True)])
    starts = np.cumsum(counts) - counts
    points = np.cumsum(table[:, :2], axis=0)
    points -= np.repeat(points[starts] - table[starts, :2], counts, axis=0)
    ends = table[:, 2] == 1
    ends[starts + counts - 1] = True
    return Bundle(
        points.astype(np.float32),
        np.diff(np.flatnonzero(ends), prepend=-1),
        np.add.reduceat(ends.astype(np.int64), starts),
        [category] * len(sound),
        [metadata] * len(sound),
        flaws,
    )


def _sound(
    path: Path, split: str, arrays: list[Numbers], strict: bool, on_problem: OnProblem | None
) -> Iterator[Numbers]:
    for index, rows in enumerate(arrays):
        fault = _fault(rows)
        if fault is None:
            yield rows
        elif strict:
            raise FormatError(path, f"{split} {index}: {fault}")
        elif on_problem is not None:
            on_problem(Problem(path, f"{split} {index}", fault))


def _fault(rows: Numbers) -> str | None:
    if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype.kind not in "iuf":
        return f"has the shape {rows.shape} of {rows.dtype}; rows of three numbers (dx, dy, lift) are needed"
    if len(rows) == 0:
        return "has no points"
    if rows.dtype.itemsize > 2 or rows.dtype.kind == "f" or len(rows) > _SAFE_STEPS:
        with np.errstate(invalid="ignore"):  # signalling NaNs
            steps = rows[:, :2].astype(np.float64)
        if not (np.abs(steps) <= MAX_STEP).all():
            return f"holds a step that is not a number up to {MAX_STEP:,.0f} units"
        if len(rows) > _SAFE_STEPS and np.abs(np.cumsum(steps, axis=0)).max() > MAX_NUMBER:
            return f"leads to a point beyond {MAX_NUMBER:,.0f} units"
    lifts = rows[:, 2]
    if not ((lifts == 0) | (lifts == 1)).all():
        return "has a pen state that is neither 0 nor 1"
    return None


# -- writing --------------------------------------------------------------------------------------------------


def _write(path: Path, splits: Mapping[str, list[NDArray[np.int16]]]) -> Path:
    arrays = {split: _object_array(splits.get(split, [])) for split in (*SPLITS, *sorted(splits.keys() - set(SPLITS)))}
    with replacing(path) as part:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        if not _is_readable(part, list(arrays.values())):  # so few drawings pack so well only where they are alike
            with part.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            if not _is_readable(part, list(arrays.values())):
                raise FileError(path, "an .npz file cannot hold that many drawings or points; .ndjson can")
    return path


def _is_readable(path: Path, arrays: list[NDArray[np.object_]]) -> bool:
    """Whether a file that was written from the arrays is within the limits of what is read."""
    budget = _Budget(path, path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                budget.take_member(info)
        for items in arrays:
            budget.take_items(len(items))
            for rows in items:
                budget.take_rows(rows)
    except FormatError:
        return False
    most, largest = max(map(len, arrays)), max((rows.nbytes for items in arrays for rows in items), default=0)
    return most <= MAX_ITEMS and largest <= MAX_VALUE_BYTES and most * _STEPS_WRITTEN <= budget.steps


def _object_array(items: list[NDArray[np.int16]]) -> NDArray[np.object_]:
    """Filled one by one: NumPy would make one three-dimensional array of items that are equally long."""
    array = np.empty(len(items), object)
    for index, item in enumerate(items):
        array[index] = item
    return array


def _rows(path: Path, sketch: Sketch) -> NDArray[np.int16]:
    if not sketch.strokes:
        raise FileError(path, "a sketch without strokes cannot be written to an .npz file")
    whole = replace(sketch, strokes=tuple(np.rint(stroke) for stroke in sketch.strokes))
    return _int16(path, "a sketch", whole.to_stroke3(implicit_origin=True))


def _whole(path: Path, where: str, rows: Numbers) -> NDArray[np.int16]:
    if rows.dtype == np.int16:
        return rows.astype(np.int16, copy=False)
    points = np.rint(np.cumsum(rows[:, :2].astype(np.float64), axis=0))
    return _int16(path, where, np.column_stack([np.diff(points, axis=0, prepend=0.0), rows[:, 2]]))


def _int16(path: Path, where: str, rows: NDArray[np.float64]) -> NDArray[np.int16]:
    if len(rows) and np.abs(rows).max() > 32767:
        raise FileError(path, f"{where} has a step longer than 32,767 units; fit it to the canvas first")
    return rows.astype(np.int16)
