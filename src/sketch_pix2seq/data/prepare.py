"""From files of any format to one SketchSet: fitted, simplified, sorted out, with splits."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.store import SPLITS, UNITS, Rows, SketchSetWriter, Split
from sketch_pix2seq.data.workers import in_order, processors
from sketch_pix2seq.errors import DataError, FileError, FormatError, SettingsError
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    NDJSON_SUFFIXES,
    NPZ_SUFFIXES,
    OnProblem,
    Problem,
    ReadOptions,
    as_text,
    find_files,
    read_sketches,
    suffix_of,
)
from sketch_pix2seq.formats.bundle import Bundle, BundleMaker, Flaw, bundles_of
from sketch_pix2seq.formats.ndjson import is_packed, read_ndjson_bundles
from sketch_pix2seq.formats.npz import read_npz_bundles
from sketch_pix2seq.sketch import CANVAS_SIZE, MetadataValue, Sketch, points_that_matter

HELD = 100
"""Sketches of a category that came without a split and are divided together; later ones are divided one by one."""
VALID_FROM = 5
"""Sketches that a category needs for one of them to be kept for validation."""
TEST_FROM = 10
"""Sketches that a category needs for one of them to be kept for tests."""
_ENOUGH = 5
"""Sketches kept for validation, and for tests, of a category whose share is less, if a tenth of it is that many."""

_REPORTED_PROBLEMS = 5
_REPORTED_SKETCHES = 1000
_MOST_POINTS = 32767

_UNIT = 4 << 20
"""Bytes of .ndjson that are read by one process at a time, some ten thousand drawings."""
_UNPACKED = 4
"""Times that a packed file grows."""
_ONE_SKETCH = _UNIT // 32
"""Bytes of .ndjson that take as long as a picture or an SVG."""
_UNITS_A_PROCESS = 2
"""Units for which it is worth the time to start a process."""


@dataclass(frozen=True)
class PrepareSettings:
    """What goes into a set, and how it is divided."""

    categories: tuple[str, ...] = ()
    """Keep these categories only; OLD=NEW keeps one under another name."""
    limit: int | None = None
    """Keep at most this many sketches a category, each split its share of them."""
    valid: float = 0.05
    """Share kept for validation of sketches whose source has no splits. A category of 5 gives one, one of 50 five."""
    test: float = 0.05
    """Share kept for tests of sketches whose source has no splits. A category of 10 gives one, one of 50 five."""
    simplify_epsilon: float = 2.0
    """Leave out points that lie within this many canvas units (longest side = 255) of the line through the others.
    What is simplified already, as Quick, Draw!'s own files are, stays as it is. 0 keeps every point."""
    min_points: int = 4
    """Leave out sketches with fewer points, after simplification."""
    max_points: int = 250
    """Leave out sketches with more points, after simplification."""
    unrecognized: bool = False
    """Keep drawings that Quick, Draw! did not recognize, too (known of .ndjson files only)."""
    countries: tuple[str, ...] = ()
    """Keep only drawings from these countries (two-letter codes, known of .ndjson files only)."""
    unique: bool = False
    """Leave out a drawing that is exactly the same as an earlier one."""
    tolerance: float = 0.5
    """How far an SVG's curve may lie from its polyline, on a canvas whose longest side is 255."""
    centre_lines: bool = False
    """Draw one line for each filled outline of an SVG that is a freehand stroke, as drawing apps export them."""
    hidden: bool = False
    """Keep the lines of an SVG that cannot be seen: clipped, masked, covered, beside the page or white on white."""
    doubtful: bool = False
    """Keep pictures that are likely no drawings, too: photos of the world, screenshots, pages of text."""
    strict: bool = False
    """Stop at the first file, line or drawing that is broken. Otherwise it is counted and left out."""
    processes: int = 0
    """Processes that read; the set is the same with any number. 0 = one for each processor."""
    shard_size: int = 0
    """Write a folder of files with so many sketches each; everything takes it as it takes one file. 0 = one file."""


@dataclass(frozen=True)
class PrepareReport:
    """What `prepare` did."""

    path: Path
    files: int
    """Files read, in full or in part."""
    sketches: int
    """Sketches written."""
    dropped: dict[str, int]
    """What was left out: reason -> sketches, in the order of the steps."""
    problems: tuple[Problem, ...]
    """The first few lines, drawings or files that could not be read."""
    problem_count: int
    """How many there were."""
    notes: tuple[Problem, ...] = ()
    """The first few things that were read otherwise than they are written, though nothing was left out."""
    note_count: int = 0
    """How many there were."""


@dataclass(frozen=True)
class Step:
    """How far `prepare` is: files finished, files in all, sketches written."""

    files_done: int
    files: int
    sketches: int


def prepare(
    sources: Sequence[str | Path],
    out: str | Path,
    settings: PrepareSettings | None = None,
    *,
    on_progress: Callable[[Step], None] | None = None,
    on_problem: OnProblem | None = None,
) -> PrepareReport:
    """Make one SketchSet of files and folders in any format that `formats` reads; an older one is replaced.

    The category of a picture or an SVG is the name of its folder. Each sketch is fitted to 255 units and simplified
    (Ramer-Douglas-Peucker). Splits that a source has are kept. Other sketches are divided by a hash of their
    points, so that a drawing stays in its split whatever comes beside it: of a category's first `HELD`, the lowest
    hashes are kept for validation and tests, at least one each where there are `VALID_FROM` and `TEST_FROM`, and
    five where there are fifty; later ones go by the value of their hash. Files are read by several processes, parts
    of a large .ndjson too, and a small job by this one alone; the set is the same. Memory grows with the processes
    and with the largest .npz, but not with the number of sketches, except for 8 bytes each with ``unique``.

    Raises FileError for sources that do not exist or a place that cannot be written to, DataError where no sketch is
    left, and with ``strict`` whatever the first broken file raises; ``out`` is then as it was.
    """
    settings = settings or PrepareSettings()
    _check(settings)
    files = find_files(sources)
    report = on_progress or (lambda step: None)
    sorter = _Sorter(settings)
    problems: list[Problem] = []
    notes: list[Problem] = []
    problem_count = note_count = 0

    def note(problem: Problem) -> None:
        nonlocal problem_count, note_count
        if problem.kept:
            note_count += 1
            notes.extend([problem] if len(notes) < _REPORTED_PROBLEMS else [])
            return
        if settings.strict:
            raise FormatError(problem.path, f"{problem.where}: {problem.message}")
        problem_count += 1
        if len(problems) < _REPORTED_PROBLEMS:
            problems.append(problem)
        if on_problem is not None:
            on_problem(problem)

    def fail(error: FileError) -> None:
        if settings.strict:
            raise error
        note(Problem(error.path, "", error.problem))

    units = _units(files)
    processes = min(settings.processes or processors(), max(1, len(units) // _UNITS_A_PROCESS))
    work = partial(_parts, settings)
    with SketchSetWriter(out, settings.shard_size) as writer, closing(in_order(work, units, processes)) as parts:
        for number, of_file in groupby(parts, key=lambda part: part.number):
            path = files[number][0]
            report(Step(number, len(files), writer.count))
            told = writer.count // _REPORTED_SKETCHES
            reading = _Reading()
            for part in of_file:
                for flaw in part.flaws:
                    note(reading.problem(path, flaw))
                for problem in part.notes:
                    note(problem)
                reading.take(part)
                for rows, splits in sorter.take(part):
                    writer.add_rows(rows, splits)
                if writer.count // _REPORTED_SKETCHES > told:
                    told = writer.count // _REPORTED_SKETCHES
                    report(Step(number, len(files), writer.count))
                if part.error is not None:
                    fail(part.error)
            if suffix_of(path) in NDJSON_SUFFIXES and not reading.sound and not reading.failed:
                fail(FormatError(path, f"no drawing in it ({reading.why})"))
        for rows, splits in sorter.rest():
            writer.add_rows(rows, splits)
        report(Step(len(files), len(files), writer.count))
        if not writer.count:
            reasons = [f"{count:,} {reason}" for reason, count in sorter.report().items()]
            reasons += [f"the first of {problem_count:,} problems: {problems[0]}"] if problems else []
            raise DataError(f"{out}: no sketch is left to write ({'; '.join(reasons) or 'the sources are empty'})")
    return PrepareReport(
        Path(out), len(files), writer.count, sorter.report(), tuple(problems), problem_count, tuple(notes), note_count
    )


def read_named(
    path: Path, category: str | None, *, options: ReadOptions | None = None, on_problem: OnProblem | None = None
) -> Iterator[Sketch]:
    """`read_sketches`, each sketch with a category: a picture's or an SVG's is the one given, else its folder's name.

    Those carry the file's name as ``metadata["source"]``.
    """
    sketches = read_sketches(path, options=options, on_problem=on_problem)
    if suffix_of(path) in MANY_SUFFIXES:
        yield from sketches
        return
    name = category or as_text(path.resolve().parent.name.replace("_", " ") or path.stem)
    for sketch in sketches:
        yield sketch.with_(category=name, metadata={"source": as_text(path.name)})


# -- what is done in many processes ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """A file, or the lines that begin in a part of it."""

    number: int
    path: Path
    category: str | None
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class _Part:
    """Some sketches of a piece, as they are to be, and what was left out among them.

    splits: indices of `SPLITS`, -1 where the source has none; digests: uint64, 0 where nobody asks for them; dropped:
    sketches for each of `_reasons`.
    """

    number: int
    rows: Rows
    splits: NDArray[np.int8]
    digests: NDArray[np.uint64]
    dropped: NDArray[np.int64]
    flaws: Sequence[Flaw] = ()
    lines: int = 0
    sound: int = 0
    """Drawings that could be read."""
    error: FileError | None = None
    """Why the piece cannot be read, or not further."""
    notes: Sequence[Problem] = ()
    """What was read otherwise than written."""
    last: bool = False
    """Nothing follows of this piece."""


def _units(files: Sequence[tuple[Path, str | None]]) -> list[list[_Piece]]:
    """All there is to read, in order, in units of about the same work."""
    units: list[list[_Piece]] = []
    room = 0
    for number, (path, category) in enumerate(files):
        size = path.stat().st_size if path.exists() else 0
        if suffix_of(path) in NPZ_SUFFIXES:
            pieces = [(_Piece(number, path, category), size * _UNPACKED)]
        elif suffix_of(path) not in NDJSON_SUFFIXES:
            pieces = [(_Piece(number, path, category), _ONE_SKETCH)]
        elif _is_whole(path):
            pieces = [(_Piece(number, path, category), size * _UNPACKED)]
        else:
            starts = range(0, max(1, size), _UNIT)
            pieces = [(_Piece(number, path, category, at, at + _UNIT), _UNIT) for at in starts[:-1]]
            pieces.append((_Piece(number, path, category, starts[-1]), size - starts[-1]))
        for piece, cost in pieces:
            if room <= 0:
                units.append([])
                room = _UNIT
            units[-1].append(piece)
            room -= cost
    return units


def _is_whole(path: Path) -> bool:
    """Whether a file of lines can only be read from its beginning; one that cannot be read says so later."""
    try:
        return is_packed(path)
    except FileError:
        return True


def _parts(settings: PrepareSettings, unit: Sequence[_Piece]) -> Iterator[_Part]:
    """What a unit's pieces hold, the last part of each marked."""
    for piece in unit:
        error: FileError | None = None
        notes: list[Problem] = []
        try:
            for bundle in _bundles(piece, settings, notes.append):
                yield _cleaned(piece.number, bundle, settings)
        except FileError as found:
            error = found
        yield replace(_cleaned(piece.number, BundleMaker().take(), settings), error=error, notes=notes, last=True)


def _bundles(piece: _Piece, settings: PrepareSettings, on_note: OnProblem) -> Iterator[Bundle]:
    suffix = suffix_of(piece.path)
    if suffix in NPZ_SUFFIXES:
        return read_npz_bundles(piece.path)
    if suffix in NDJSON_SUFFIXES:
        return read_ndjson_bundles(piece.path, piece.start, piece.stop)
    options = ReadOptions(
        tolerance=settings.tolerance,
        centre_lines=settings.centre_lines,
        hidden=settings.hidden,
        doubtful=settings.doubtful,
    )
    return bundles_of(read_named(piece.path, piece.category, options=options, on_problem=on_note))


def _reasons(settings: PrepareSettings) -> tuple[str, ...]:
    """Why a sketch may be left out, in the order of the steps."""
    return (
        "of another category",
        "from another country",
        "not recognized by Quick, Draw!",
        "without a stroke",
        "without any size",
        f"with fewer than {settings.min_points} points",
        f"with more than {settings.max_points} points",
        "the same as an earlier one",
        f"beyond the limit of {settings.limit} a category",
    )


_SAME, _BEYOND = 7, 8


def _cleaned(number: int, bundle: Bundle, settings: PrepareSettings) -> _Part:
    """The sketches of a bundle fitted and simplified under their new names, but for those that are left out."""
    flaws, lines, sound = bundle.flaws, bundle.lines, len(bundle)
    names = dict(_renaming(entry) for entry in settings.categories)
    countries = {code.upper() for code in settings.countries}
    dropped = np.zeros(len(_reasons(settings)), np.int64)

    def without(bundle: Bundle, reason: int, unwanted: NDArray[np.bool_] | list[bool]) -> Bundle:
        unwanted = np.asarray(unwanted, bool)
        dropped[reason] = unwanted.sum()
        return bundle.only(~unwanted)

    if names:
        bundle = without(bundle, 0, [category not in names for category in bundle.categories])
    if countries:
        codes = (str(metadata.get("countrycode", "")).upper() for metadata in bundle.metadata)
        bundle = without(bundle, 1, [code not in countries for code in codes])
    if not settings.unrecognized:
        bundle = without(bundle, 2, [metadata.get("recognized") is False for metadata in bundle.metadata])
    bundle = without(bundle, 3, bundle.sketches == 0)
    low, side = _bounds(bundle)
    sized = side > 0
    bundle, low, side = without(bundle, 4, ~sized), low[sized], side[sized]
    bundle = _simplified(bundle, low, side, settings)
    bundle = without(bundle, 5, bundle.points < settings.min_points)
    bundle = without(bundle, 6, bundle.points > settings.max_points)

    known: dict[object, int] = {split: index for index, split in enumerate(SPLITS)}
    splits = np.array([known.get(metadata.get("split"), -1) for metadata in bundle.metadata], np.int8)
    categories: dict[str, int] = {}
    for category in bundle.categories:
        categories.setdefault(names.get(category, category), len(categories))
    ends = np.cumsum(bundle.strokes)
    before = np.cumsum(bundle.points) - bundle.points
    rows = Rows(
        np.rint(bundle.xy * UNITS).astype(np.int16),
        (ends - np.repeat(before, bundle.sketches)).astype(np.int16),
        bundle.points,
        bundle.sketches,
        np.array([categories[names.get(category, category)] for category in bundle.categories], np.int64),
        tuple(categories),
        [_text(metadata) for metadata in bundle.metadata],
    )
    digests = _digests(bundle, np.full(len(bundle), True) if settings.unique else splits < 0)
    return _Part(number, rows, splits, digests, dropped, flaws, lines, sound)


def _bounds(bundle: Bundle) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left and top ``(n, 2)``, and the longest side ``(n,)``, of each sketch."""
    if not len(bundle):
        return np.empty((0, 2)), np.empty(0)
    starts = np.cumsum(bundle.points) - bundle.points
    low = np.minimum.reduceat(bundle.xy, starts).astype(np.float64)
    high = np.maximum.reduceat(bundle.xy, starts).astype(np.float64)
    return low, (high - low).max(axis=1)


def _simplified(
    bundle: Bundle, low: NDArray[np.float64], side: NDArray[np.float64], settings: PrepareSettings
) -> Bundle:
    """Every sketch fitted, and simplified where it is not."""
    points = bundle.points
    scale = CANVAS_SIZE / side
    xy = ((bundle.xy - np.repeat(low, points, axis=0)) * np.repeat(scale, points)[:, None]).astype(np.float32)
    fitted = replace(bundle, xy=xy)
    if settings.simplify_epsilon == 0 or not len(bundle):
        return fitted
    # Whole coordinates and a longest side of 255 are what Quick, Draw!'s simplified drawings have.
    whole = np.logical_and.reduceat((bundle.xy == np.rint(bundle.xy)).all(axis=1), np.cumsum(points) - points)
    dense = np.flatnonzero((points > settings.max_points) | ~whole | (np.abs(side - CANVAS_SIZE) > 1))
    if not len(dense):
        return fitted
    kept = np.ones(len(xy), bool)
    ends = np.cumsum(bundle.strokes)
    for stroke in np.flatnonzero(np.isin(np.repeat(np.arange(len(bundle)), bundle.sketches), dense)):
        part = slice(ends[stroke] - bundle.strokes[stroke], ends[stroke])
        kept[part] = False
        kept[part][points_that_matter(xy[part], settings.simplify_epsilon)] = True
    strokes = np.add.reduceat(kept.astype(np.int64), ends - bundle.strokes)
    return replace(fitted, xy=xy[kept], strokes=strokes)


def _text(metadata: Mapping[str, MetadataValue]) -> str | None:
    """Metadata as a set keeps it; the split has a place of its own."""
    kept = {key: value for key, value in metadata.items() if key != "split"}
    return json.dumps(kept) if kept else None


def _digests(bundle: Bundle, wanted: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """64 bits that stand for a sketch's strokes to the nearest quarter of a unit; 0 for those not wanted."""
    digests = np.zeros(len(bundle), np.uint64)
    points = np.rint(bundle.xy * 4).astype(np.int16).tobytes()
    strokes = bundle.strokes.astype(np.int32).tobytes()
    point = [0, *(np.cumsum(bundle.points) * 4).tolist()]
    stroke = [0, *(np.cumsum(bundle.sketches) * 4).tolist()]
    for i in np.flatnonzero(wanted).tolist():
        content = blake2b(points[point[i] : point[i + 1]], digest_size=8)
        content.update(strokes[stroke[i] : stroke[i + 1]])
        digests[i] = int.from_bytes(content.digest(), "big")
    return digests


# -- what is done in one, in order ----------------------------------------------------------------------------


class _Reading:
    """How far a file is: its pieces count lines from their own beginning."""

    def __init__(self) -> None:
        self.sound = 0
        self.failed = False
        self.why = "the file is empty"
        self._flawed = False
        self._lines_before = 0
        self._lines = 0

    def problem(self, path: Path, flaw: Flaw) -> Problem:
        """A flaw with its place in the file."""
        problem = Problem(path, f"{flaw.kind} {self._lines_before + flaw.number}", flaw.message)
        if not self._flawed:
            self._flawed, self.why = True, f"{problem.where}: {problem.message}"
        return problem

    def take(self, part: _Part) -> None:
        """Go on by a part."""
        self.sound += part.sound
        self.failed |= part.error is not None
        if part.last:
            self._lines_before, self._lines = self._lines_before + self._lines, 0
        else:
            self._lines = part.lines


class _Seen:
    """Numbers that were seen: sorted runs, merged as they grow, of 8 bytes a number."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def new(self, numbers: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of some numbers were not seen before, here or earlier; all are from now on."""
        values, first = np.unique(numbers, return_index=True)
        fresh = np.ones(len(values), bool)
        for run in self._runs:
            fresh &= run[np.minimum(np.searchsorted(run, values), len(run) - 1)] != values
        if fresh.any():
            self._runs.append(values[fresh])
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort()
            self._runs.append(merged)
        result = np.zeros(len(numbers), bool)
        result[first[fresh]] = True
        return result


class _Sorter:
    """Gives the sketches that are kept their splits, and counts the others by reason."""

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings
        self._dropped = np.zeros(len(_reasons(settings)), np.int64)
        self._seen = _Seen()
        self._held: dict[str, list[tuple[int, Rows]] | None] = {}
        self._counts: Counter[tuple[str, int]] = Counter()
        self._room = None if settings.limit is None else self._shares(settings.limit)

    def report(self) -> dict[str, int]:
        """Sketches left out so far: reason -> count, in the order of the steps."""
        counts = zip(_reasons(self.settings), self._dropped.tolist(), strict=True)
        return {reason: count for reason, count in counts if count}

    def take(self, part: _Part) -> Iterator[tuple[Rows, NDArray[np.int8]]]:
        """The sketches that have their split now: most of these, and those held back together with one of them."""
        self._dropped += part.dropped
        rows, splits, digests = part.rows, part.splits, part.digests
        if self.settings.unique:
            new = self._seen.new(digests)
            self._dropped[_SAME] += len(new) - new.sum()
            rows, splits, digests = rows.only(new), splits[new], digests[new]
        unknown = splits < 0
        splits = np.where(unknown, self._by_value(digests), splits)
        closed = np.array([self._held.get(name, ()) is None for name in rows.names], bool)
        start = 0
        for i in np.flatnonzero(unknown & ~closed[rows.categories]).tolist():
            name = rows.names[rows.categories[i]]
            held = self._held.setdefault(name, [])
            if held is None:
                continue
            yield from self._within_limit(rows.part(start, i), splits[start:i])
            start = i + 1
            held.append((int(digests[i]), rows.only(np.arange(len(rows)) == i)))  # a copy, so that the others can go
            if len(held) == HELD:
                self._held[name] = None
                yield from self._by_rank(held)
        yield from self._within_limit(rows.part(start, len(rows)), splits[start:])

    def rest(self) -> Iterator[tuple[Rows, NDArray[np.int8]]]:
        """What is still held back, of the categories that have few sketches."""
        for held in self._held.values():
            yield from self._by_rank(held or [])
        self._held.clear()

    def _by_value(self, digests: NDArray[np.uint64]) -> NDArray[np.int8]:
        place = digests / 2.0**64
        train, valid, test = range(len(SPLITS))
        last = np.where(place < self.settings.valid + self.settings.test, test, train)
        return np.where(place < self.settings.valid, valid, last).astype(np.int8)

    def _by_rank(self, held: list[tuple[int, Rows]]) -> Iterator[tuple[Rows, NDArray[np.int8]]]:
        _, valid, test = self._shares(len(held))
        order = np.argsort(np.array([digest for digest, _ in held], np.uint64), kind="stable")
        ranks = np.argsort(order)
        for (_, row), rank in zip(held, ranks, strict=True):
            split: Split = "valid" if rank < valid else "test" if rank < valid + test else "train"
            yield from self._within_limit(row, np.array([SPLITS.index(split)], np.int8))

    def _shares(self, count: int) -> tuple[int, int, int]:
        """How many of so many go to train, valid and test."""
        least = max(1, min(_ENOUGH, count // 10))
        valid = max(least, round(count * self.settings.valid)) if self.settings.valid and count >= VALID_FROM else 0
        test = max(least, round(count * self.settings.test)) if self.settings.test and count >= TEST_FROM else 0
        return count - valid - test, valid, test

    def _within_limit(self, rows: Rows, splits: NDArray[np.int8]) -> Iterator[tuple[Rows, NDArray[np.int8]]]:
        if self._room is None or not len(rows):
            yield rows, splits
            return
        kept = np.zeros(len(rows), bool)
        for code, split in np.unique(np.stack([rows.categories, splits]), axis=1).T.tolist():
            place = (rows.names[code], split)
            among = np.flatnonzero((rows.categories == code) & (splits == split))
            room = self._room[split] - self._counts[place]
            kept[among[: max(0, room)]] = True
            self._counts[place] += min(max(0, room), len(among))
        self._dropped[_BEYOND] += len(kept) - kept.sum()
        yield rows.only(kept), splits[kept]


def _check(settings: PrepareSettings) -> None:
    if not (0 <= settings.valid < 1 and 0 <= settings.test < 1 and settings.valid + settings.test < 1):
        raise SettingsError(f"valid {settings.valid} and test {settings.test} do not leave a part for training")
    if settings.limit is not None and settings.limit < 1:
        raise SettingsError(f"a limit of {settings.limit} sketches a category leaves nothing; 1 or more works")
    if not 1 <= settings.min_points <= settings.max_points <= _MOST_POINTS:
        raise SettingsError(f"min points must be 1 or more, and max points between them and {_MOST_POINTS:,}")
    if min(settings.processes, settings.shard_size) < 0:
        raise SettingsError("processes and shard size are 0 or more; 0 stands for one a processor, and for one file")
    if not (0 <= settings.simplify_epsilon < math.inf and 0 < settings.tolerance < math.inf):
        raise SettingsError("simplify epsilon is a distance of 0 or more, tolerance one above 0")
    for entry in settings.categories:
        _renaming(entry)


def _renaming(entry: str) -> tuple[str, str]:
    old, equals, new = entry.partition("=")
    if not old.strip() or (equals and not new.strip()):
        raise SettingsError(f"{entry!r} does not name a category; CATEGORY or OLD=NEW does")
    return old.strip(), new.strip() or old.strip()
