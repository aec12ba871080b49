"""What is in a set, a file or a folder: figures by category, and drawings to look at."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.prepare import read_named
from sketch_pix2seq.data.store import SPLITS, Points, SketchSet, Split, is_set
from sketch_pix2seq.errors import DataError, FileError, SettingsError
from sketch_pix2seq.formats import OnProblem, Problem, find_files, suffix_of
from sketch_pix2seq.sketch import Sketch

SHEET_SUFFIXES = (".png", ".svg")

_Numbers: TypeAlias = NDArray[np.integer] | NDArray[np.floating]

_CHUNK = 4096
_MANY_ROWS = 60


@dataclass(frozen=True)
class LookSettings:
    """What to look at."""

    category: tuple[str, ...] = ()
    """Look at these categories only."""
    split: Split | None = None
    """Look at this split only."""
    columns: int = 10
    """Drawings side by side on the sheet."""
    rows: int = 1
    """Rows of drawings a category."""
    seed: int = 0
    """Which drawings of a category are shown: chosen by chance, the same for the same number."""


@dataclass(frozen=True)
class CategoryStatistics:
    """Figures of one category; lengths are in canvas units of sketches whose longest side is 255."""

    category: str
    sketches: int
    splits: dict[Split, int]
    """Sketches by split; those whose source knows no splits are in none."""
    strokes: float
    """Median strokes a sketch."""
    points: float
    """Median points a sketch."""
    points_95: float
    """Points of the sketch that 95 % have no more than."""
    length: float
    """Median length of the line, pen down."""


@dataclass(frozen=True)
class Sample:
    """A drawing to look at and where it came from: its place in the set, or its file."""

    sketch: Sketch
    origin: str


@dataclass(frozen=True)
class Look:
    """What `look` found, categories in alphabetical order."""

    statistics: tuple[CategoryStatistics, ...]
    samples: dict[str, list[Sample]]


def look(
    source: str | Path,
    settings: LookSettings | None = None,
    *,
    on_problem: OnProblem | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Look:
    """Figures and drawings of a SketchSet (``.arrow``, or a folder of these), or of what `formats` reads.

    on_problem: told of what a file holds that cannot be read; on_progress: of the number of sketches seen.

    Raises FileError or FormatError for what cannot be read at all, DataError where nothing is left to look at.
    """
    settings = settings or LookSettings()
    if settings.columns < 1 or settings.rows < 1:
        raise SettingsError("a sheet has at least one column and one row")
    path = Path(source)
    report = on_progress or (lambda seen: None)
    found = _in_set(path, settings, report) if is_set(path) else _in_files(path, settings, on_problem, report)
    missing = [name for name in settings.category if name not in found.samples]
    if missing or not found.samples:
        what = f"no sketch of the category {missing[0]!r}" if missing else "no sketch"
        raise DataError(f"{path}: {what}" + (f" in the split {settings.split!r}" if settings.split else ""))
    return found


def statistics(sketches: SketchSet, split: Split | None = None) -> tuple[CategoryStatistics, ...]:
    """Figures of a set by category, categories in alphabetical order; those without a sketch are left out."""
    strokes, lengths = np.empty(len(sketches), np.int32), np.empty(len(sketches), np.float32)
    for begin in range(0, len(sketches), _CHUNK):
        part = np.arange(begin, min(begin + _CHUNK, len(sketches)))
        strokes[part], lengths[part] = _strokes_and_length(sketches.gather(part))
    figures = []
    for name in sketches.categories:
        chosen = sketches.indices(split, name)
        if len(chosen):
            columns: tuple[_Numbers, ...] = (sketches.split_ids, strokes, sketches.lengths, lengths)
            figures.append(_figures(name, *(column[chosen] for column in columns)))
    return tuple(figures)


def write_contact_sheet(path: str | Path, found: Look, *, columns: int = 10, title: str | None = None) -> Path:
    """The drawings on one sheet, category by category, as .png or .svg.

    Raises SettingsError for another suffix, FileError for a place that cannot be written to.
    """
    path = Path(path)
    check_sheet_path(path)
    from sketch_pix2seq.sheet import Cell, Row, write_sheet

    rows = []
    for category, samples in found.samples.items():
        for begin in range(0, len(samples), columns):
            cells = [Cell(sample.sketch, sample.origin) for sample in samples[begin : begin + columns]]
            rows.append(Row("" if begin else category, cells))
    write_sheet(path, rows, cell=72 if len(rows) > _MANY_ROWS else 112, title=title)
    return path


def check_sheet_path(path: Path) -> None:
    """Raises SettingsError for a path that a sheet cannot be written to."""
    if suffix_of(path) not in SHEET_SUFFIXES:
        raise SettingsError(f"{path}: a sheet is written as {' or '.join(SHEET_SUFFIXES)}")


def _in_set(path: Path, settings: LookSettings, report: Callable[[int], None]) -> Look:
    sketches = SketchSet.open(path)
    wanted = [name for name in sketches.categories if not settings.category or name in settings.category]
    samples: dict[str, list[Sample]] = {}
    for name in wanted:
        indices = sketches.indices(settings.split, name)
        if len(indices):
            rng = np.random.default_rng([settings.seed, *name.encode()])
            chosen = rng.choice(indices, min(len(indices), settings.columns * settings.rows), replace=False)
            samples[name] = [Sample(sketches[int(index)], str(index)) for index in np.sort(chosen)]
    figures = tuple(row for row in statistics(sketches, settings.split) if row.category in samples)
    report(len(sketches))
    return Look(figures, samples)


@dataclass
class _Tally:
    """What is kept of one category while files are read: a few numbers a sketch, and the samples with their places."""

    splits: array[int] = field(default_factory=lambda: array("b"))
    strokes: array[int] = field(default_factory=lambda: array("i"))
    points: array[int] = field(default_factory=lambda: array("i"))
    lengths: array[float] = field(default_factory=lambda: array("f"))
    samples: list[tuple[int, Sample]] = field(default_factory=list)


def _in_files(path: Path, settings: LookSettings, on_problem: OnProblem | None, report: Callable[[int], None]) -> Look:
    rng = np.random.default_rng(settings.seed)
    room = settings.columns * settings.rows
    tallies: dict[str, _Tally] = {}
    for seen, sketch in enumerate(_sketches_in(path, on_problem)):
        if seen % 500 == 0:
            report(seen)
        name, split = sketch.category or "", sketch.metadata.get("split")
        if (settings.category and name not in settings.category) or (settings.split and split != settings.split):
            continue
        fitted = sketch.fit()
        tally = tallies.setdefault(name, _Tally())
        tally.splits.append(SPLITS.index(split) if split in SPLITS else -1)
        tally.strokes.append(len(fitted))
        tally.points.append(fitted.n_points)
        tally.lengths.append(fitted.path_length())
        # every sketch of a category is as likely as any other to stay among its samples (Vitter 1985, algorithm R)
        place = len(tally.samples) if len(tally.samples) < room else int(rng.integers(len(tally.splits)))
        if place < room:
            tally.samples[place : place + 1] = [(seen, Sample(fitted, str(sketch.metadata.get("source", ""))))]
    return Look(
        tuple(
            _figures(name, *map(np.asarray, (tally.splits, tally.strokes, tally.points, tally.lengths)))
            for name, tally in sorted(tallies.items())
        ),
        {
            name: [sample for _, sample in sorted(tally.samples, key=lambda placed: placed[0])]
            for name, tally in sorted(tallies.items())
        },
    )


def _sketches_in(path: Path, on_problem: OnProblem | None) -> Iterator[Sketch]:
    """Sketches with strokes. A file among several that cannot be read is a problem; a file alone raises."""
    files = find_files([path])
    for file, category in files:
        try:
            for sketch in read_named(file, category, on_problem=on_problem):
                if sketch.strokes:
                    yield sketch
        except FileError as error:
            if len(files) == 1:
                raise
            if on_problem is not None:
                on_problem(Problem(file, "", error.problem))


def _figures(
    category: str, splits: _Numbers, strokes: _Numbers, points: _Numbers, lengths: _Numbers
) -> CategoryStatistics:
    """One number a sketch in each array; splits index `SPLITS`, -1 for none."""
    return CategoryStatistics(
        category,
        len(splits),
        {split: int((splits == index).sum()) for index, split in enumerate(SPLITS)},
        float(np.median(strokes)),
        float(np.median(points)),
        float(np.percentile(points, 95)),
        float(np.median(lengths)),
    )


def _strokes_and_length(points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Strokes, and length of the line with the pen down, of each of several sketches."""
    begins = points.starts[:-1]
    steps = np.hypot(*np.diff(points.xy, axis=0, append=points.xy[-1:]).T.astype(np.float64))
    strokes = np.add.reduceat(points.ends.astype(np.int64), begins)
    return strokes, np.add.reduceat(np.where(points.ends, 0.0, steps), begins)
