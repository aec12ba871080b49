"""QuickDraw's ``.ndjson`` files: one drawing a line, simplified or raw with times, plain or gzipped.

A line is a JSON object with ``drawing``, a list of strokes ``[[x...], [y...]]`` or, raw, ``[[x...], [y...],
[milliseconds...]]``, and with ``word`` (the category), ``countrycode``, ``timestamp``, ``recognized`` and ``key_id``
where known (github.com/googlecreativelab/quickdraw-dataset). Further entries that are text, numbers or true/false are
kept too.
"""

from __future__ import annotations

import codecs
import gzip
import json
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, NoReturn, TypeGuard, cast

import numpy as np

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import open_to_read, replacing
from sketch_pix2seq.formats import OnProblem, Problem, category_of, limits, suffix_of
from sketch_pix2seq.formats.bundle import Bundle, BundleMaker, Flaw
from sketch_pix2seq.sketch import MAX_NUMBER, FloatArray, MetadataValue, Sketch, check_labels

MAX_LINE_BYTES = 8 << 20
"""Longest line that is read; the longest raw drawings of Quick, Draw! take under one megabyte."""

_GZIP_MAGIC = b"\x1f\x8b"
_NUMBERS = frozenset((int, float))
_NOT_METADATA = frozenset(("word", "drawing"))


def read_ndjson(
    path: str | Path,
    *,
    recognized: bool | None = None,
    countries: Collection[str] = (),
    strict: bool = False,
    on_problem: OnProblem | None = None,
) -> Iterator[Sketch]:
    """The drawings of an ndjson file, line by line, with coordinates as they are.

    The category is the line's ``word``, or else told by the file's name (`category_of`). Gzip is known by its content.
    recognized: keep only those that say so (or the contrary); countries: keep only these ``countrycode`` values.
    on_problem: told of each broken line (``where`` is ``line 12``, counted from 1).

    Raises FormatError for a file without a single sound line and, with ``strict``, for the first broken line;
    FileError for a file that cannot be read.
    """
    path = Path(path)
    wanted = frozenset(country.upper() for country in countries)
    category = category_of(path)
    first_problem: Problem | None = None
    sound = False
    for number, line in _lines(path):
        if isinstance(line, bytes) and line.isspace():
            continue
        try:
            sketch = _parse(line, category)
        except ValueError as error:
            problem = Problem(path, f"line {number}", str(error))
            if strict:
                raise FormatError(path, f"{problem.where}: {problem.message}") from error
            if on_problem is not None:
                on_problem(problem)
            first_problem = first_problem or problem
            continue
        sound = True
        if recognized is not None and sketch.metadata.get("recognized") is not recognized:
            continue
        if wanted and str(sketch.metadata.get("countrycode", "")).upper() not in wanted:
            continue
        yield sketch
    if not sound:
        why = f"{first_problem.where}: {first_problem.message}" if first_problem else "the file is empty"
        raise FormatError(path, f"no drawing in it ({why})")


def read_ndjson_bundles(path: str | Path, start: int = 0, stop: int | None = None) -> Iterator[Bundle]:
    """The drawings of the lines that begin within the bytes from ``start`` to before ``stop``; as `read_ndjson`.

    Broken lines are flaws, numbered from 1 at ``start``; a file without a sound line is no error. A gzipped file can
    only be read as a whole. Raises FileError for a file that cannot be read.
    """
    path = Path(path)
    category = category_of(path)
    maker = BundleMaker()
    for number, line in _lines(path, start, stop):
        maker.lines = number
        if isinstance(line, bytes) and line.isspace():
            continue
        try:
            entry = _entry_of(line)
            x, y, _, lengths = _coordinates(entry["drawing"])
            word, metadata = _word(entry, category), _metadata(entry)
            check_labels(word, metadata)
            maker.add(x, y, lengths, word, metadata)
        except ValueError as error:
            maker.flaws.append(Flaw("line", number, str(error)))
        if maker.full:
            yield maker.take()
            maker = BundleMaker()
    yield maker.take()


def is_packed(path: Path) -> bool:
    """Whether a file is gzipped. Raises FileError for a file that cannot be read."""
    with open_to_read(path) as file:
        return file.read(2) == _GZIP_MAGIC


def write_ndjson(path: str | Path, sketches: Iterable[Sketch]) -> Path:
    """Write sketches as they come, a line each; gzipped where the name ends in ``.gz``.

    Category, metadata and times are kept, and every coordinate exactly. Raises FileError for a sketch without strokes
    or with a line longer than `MAX_LINE_BYTES`, or where the place cannot be written to.
    """
    path = Path(path)
    with replacing(path) as part:
        size = 0
        with _open_to_write(part, packed=suffix_of(path).endswith(".gz")) as file:
            for sketch in sketches:
                line = _line(path, sketch)
                file.write(line)
                size += len(line)
        if suffix_of(path).endswith(".gz") and not _is_readable(part):
            _store(part)
    return path


# -- reading --------------------------------------------------------------------------------------------------


def _lines(path: Path, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes | ValueError]]:
    """Lines with their numbers. Of one that is too long only the beginning comes, so that memory stays bounded; an
    error, which is the last then, stands for what a gzip file does not give back.

    start, stop: only lines that begin within these bytes of a file that is not gzipped, numbered from 1.
    """
    number = 0
    try:
        with open_to_read(path) as file:
            packed = file.peek(2).startswith(_GZIP_MAGIC)  # type: ignore[attr-defined]
            size = limits.size_of(file)
            most, items_left = (limits.most_bytes(size), limits.most_items(size)) if packed else (size, size + 1)
            at = start
            if start:
                file.seek(start - 1)
                at += _skip_line(file, file.readline(MAX_LINE_BYTES + 1), most) - 1
            with cast(IO[bytes], gzip.open(file)) if packed else nullcontext(file) as source:
                try:
                    while (stop is None or at < stop) and (line := source.readline(MAX_LINE_BYTES + 1)):
                        number += 1
                        at += _skip_line(source, line, most)
                        items_left -= _items(line)
                        if packed and (at > most or items_left < 0):
                            yield number, ValueError("from here on, far more than drawings pack to; nothing is read")
                            return
                        yield number, line
                except (EOFError, zlib.error, gzip.BadGzipFile):
                    yield number + 1, ValueError("the gzip data is damaged or cut short from here on")
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from error


def _items(line: bytes) -> int:
    """What a line counts for in `limits.most_items`: a stroke has three lists."""
    return 1 + line.count(b"[") // (3 * limits.STROKES_AN_ITEM)


def _skip_line(source: IO[bytes], begun: bytes, most: int) -> int:
    """Go to the end of a line of which the beginning was read, or beyond ``most`` bytes; the bytes that it took."""
    size, rest = len(begun), begun
    while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n") and size <= most:
        rest = source.readline(MAX_LINE_BYTES + 1)
        size += len(rest)
    return size


def _parse(line: bytes | ValueError, category: str) -> Sketch:
    """One line's sketch. Raises ValueError that tells what is wrong with the line."""
    entry = _entry_of(line)
    x, y, times, lengths = _coordinates(entry["drawing"])
    xy = np.empty((len(x), 2), np.float32)
    xy[:, 0], xy[:, 1] = x, y
    strokes = _split(xy, lengths)
    return Sketch(
        strokes,
        _word(entry, category),
        _metadata(entry),
        None if times is None else _split(np.array(times, np.float32), lengths),
    )


def _split(numbers: FloatArray, lengths: list[int]) -> tuple[FloatArray, ...]:
    numbers.setflags(write=False)
    ends = list(accumulate(lengths))
    return tuple(numbers[end - length : end] for end, length in zip(ends, lengths, strict=True))


def _entry_of(line: bytes | ValueError) -> dict[str, Any]:
    if isinstance(line, ValueError):
        raise line
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"longer than {MAX_LINE_BYTES >> 20} MB")
    try:
        entry = json.loads(line.removeprefix(codecs.BOM_UTF8), parse_constant=_not_json)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON ({str(error)[:80]})") from error
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    if "drawing" not in entry:
        raise ValueError("no 'drawing' in it")
    return entry


def _word(entry: dict[str, Any], category: str) -> str:
    word = entry.get("word")
    return word if isinstance(word, str) and word else category


def _metadata(entry: dict[str, Any]) -> dict[str, MetadataValue]:
    return {key: value for key, value in entry.items() if key not in _NOT_METADATA and _is_plain(value)}


def _is_plain(value: object) -> TypeGuard[MetadataValue]:
    return isinstance(value, str | int | float)


def _coordinates(drawing: object) -> tuple[list[float], list[float], list[float] | None, list[int]]:
    """x and y of all points, their times where every stroke has them, and the points of each stroke.

    Raises ValueError that tells what is wrong with the drawing.
    """
    if not isinstance(drawing, list) or not drawing:
        raise ValueError("the drawing is empty or not a list of strokes")
    x: list[float] = []
    y: list[float] = []
    times: list[float] = []
    lengths: list[int] = []
    for index, stroke in enumerate(drawing):
        if not isinstance(stroke, list) or len(stroke) not in (2, 3):
            raise ValueError(f"stroke {index} is not [[x...], [y...]] (or with a third list, of times)")
        if not all(type(row) is list and row for row in stroke):
            raise ValueError(f"stroke {index} has no points, or something else in place of a list of numbers")
        length = len(stroke[0])
        if any(len(row) != length for row in stroke):
            raise ValueError(
                f"stroke {index} has lists of different lengths ({', '.join(str(len(r)) for r in stroke)})"
            )
        x += stroke[0]
        y += stroke[1]
        times += stroke[2] if len(stroke) == 3 else ()
        lengths.append(length)
    if not all(map(_are_numbers, (x, y, times))):
        for index, stroke in enumerate(drawing):
            if not all(map(_are_numbers, stroke)):
                raise ValueError(f"stroke {index} holds something that is not a number up to {MAX_NUMBER:,.0f}")
    return x, y, times if len(times) == len(x) else None, lengths


def _are_numbers(values: list[Any]) -> bool:
    """Whether all are numbers up to `MAX_NUMBER`."""
    return not values or (
        set(map(type, values)) <= _NUMBERS and max(values) <= MAX_NUMBER and min(values) >= -MAX_NUMBER
    )


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


# -- writing --------------------------------------------------------------------------------------------------


def _open_to_write(path: Path, *, packed: bool) -> IO[bytes]:
    if packed:
        return cast(IO[bytes], gzip.open(path, "wb", compresslevel=6))
    return path.open("wb")


def _line(path: Path, sketch: Sketch) -> bytes:
    if not sketch.strokes:
        raise FileError(path, "a sketch without strokes cannot be written to an ndjson file")
    line = json.dumps(_entry(sketch), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise FileError(path, f"a sketch of {sketch.n_points:,} points takes more than {MAX_LINE_BYTES >> 20} MB")
    return line


def _is_readable(packed: Path) -> bool:
    """Whether a gzipped file that was written is within the limits of what is read."""
    return all(isinstance(line, bytes) for _, line in _lines(packed))


def _store(packed: Path) -> None:
    """The same lines without packing, for drawings so much alike that they pack too well to be read."""
    with tempfile.TemporaryFile() as file:
        with gzip.open(packed) as source:
            shutil.copyfileobj(source, file)
        file.seek(0)
        with gzip.open(packed, "wb", compresslevel=0) as target:
            shutil.copyfileobj(file, target)


def _entry(sketch: Sketch) -> dict[str, object]:
    """What a line holds, in the order of QuickDraw's own files."""
    drawing = [[_plain(stroke[:, 0]), _plain(stroke[:, 1])] for stroke in sketch.strokes]
    for stroke, times in zip(drawing, sketch.times or (), strict=False):
        stroke.append(_plain(times))
    word = {} if sketch.category is None else {"word": sketch.category}
    metadata = {key: value for key, value in sketch.metadata.items() if key not in _NOT_METADATA}
    return {**word, **metadata, "drawing": drawing}


def _plain(numbers: FloatArray) -> list[int] | list[float]:
    """Whole numbers as such, others with the fewest digits that give the same float32 again."""
    if (np.abs(numbers) < 2**24).all() and np.array_equal(np.rint(numbers), numbers):
        return cast(list[int], numbers.astype(np.int64).tolist())
    return [float(str(number)) for number in numbers]
