"""From any format to any other: files, whole folders, one drawing or many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    NPZ_SUFFIXES,
    WRITE_SUFFIXES,
    OnProblem,
    Problem,
    ReadOptions,
    find_files,
    numbered,
    read_sketches,
    stem_of,
    suffix_of,
    write_sketches,
)
from sketch_pix2seq.formats.paper import PaperSettings
from sketch_pix2seq.sketch import CANVAS_SIZE, Sketch

_NEARLY_FITTED = 5.0
"""Canvas units by which the longest side of a drawing may miss 255 and still count as fitted."""


@dataclass(frozen=True)
class ConvertOptions(PaperSettings):
    """What happens to the drawings on their way."""

    limit: int | None = None
    """Take at most this many drawings from each file."""
    simplify: float = 0.0
    """Leave out points that lie within this many canvas units of the line through the others (Ramer-Douglas-Peucker).
    0 keeps every point; Quick, Draw!'s own simplified drawings used 2."""
    fit: bool | None = None
    """Move and scale each drawing so that its longest side is 255 canvas units. Unless told, only an .npz is fitted,
    whose drawings are that size by definition."""
    overwrite: bool = False
    """Replace files that exist already."""


@dataclass
class ConvertReport:
    """What a conversion did."""

    files: int = 0
    """Files read in full."""
    sketches: int = 0
    """Drawings written."""
    written: list[Path] = field(default_factory=list)
    problems: int = 0
    """Lines or drawings inside files that were left out."""
    failures: list[FileError] = field(default_factory=list)
    """Files that could not be read; what had been read of one before it broke was kept."""


OnProgress = Callable[[int, int, int], None]
"""Told of files done, files in all, and drawings written so far."""

Source: TypeAlias = tuple[Path, str | None]
"""A file to read and the category that its place tells."""


def convert(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    to: str | None = None,
    reading: ReadOptions | None = None,
    options: ConvertOptions | None = None,
    on_problem: OnProblem | None = None,
    on_progress: OnProgress | None = None,
) -> ConvertReport:
    """Convert files and folders to a file or a folder.

    ``out`` with a suffix of `WRITE_SUFFIXES` is one file that takes everything (for the formats of one drawing a file:
    a folder of its name with numbered files where there is more than one, see `write_sketches`). Otherwise ``out`` is a
    folder and ``to`` names the format: each input gives a file of its own name, the tree of an input folder is kept
    (below the folder's name where there are several inputs), and a file of many drawings makes a folder of numbered
    files. Pictures and SVGs found in a folder take its name as their category.

    A file that cannot be read is told to ``on_problem``, listed in the report's ``failures`` and does not stop the
    others; with ``reading.strict`` it does.

    Raises FileError for an input that does not exist, a suffix that is unknown, an output that exists already or cannot
    be written, and where no drawing came out; SettingsError for settings that contradict each other.
    """
    job = _Job(reading or ReadOptions(), options or ConvertOptions(), on_problem, on_progress)
    steps = _steps([Path(given) for given in inputs], Path(out), to)
    if not job.options.overwrite:
        _refuse_existing([target for _, target in steps])
    job.run(steps)
    return job.report


# -- what goes where ------------------------------------------------------------------------------------------


def _steps(inputs: Sequence[Path], out: Path, to: str | None) -> list[tuple[list[Source], Path]]:
    """Sources and the target that takes them."""
    if not inputs:
        raise SettingsError("nothing to convert: name the files or folders to read and then the one to write")
    if suffix_of(out) in WRITE_SUFFIXES and not out.is_dir():
        if to is not None and _suffix(to) != suffix_of(out):
            raise SettingsError(f"--to {to} contradicts the name {out}; leave one of them out")
        return [(find_files(inputs), out)]
    if to is not None:
        return [([source], target) for source, target in _targets(inputs, out, _suffix(to))]
    if suffix_of(out) and not out.is_dir():
        raise FileError(out, f"{suffix_of(out)} cannot be written; these can: {' '.join(WRITE_SUFFIXES)}")
    raise SettingsError(f"{out} is a folder: say with --to which format to write, as in --to svg")


def _suffix(to: str) -> str:
    suffix = "." + to.lower().removeprefix(".")
    if suffix not in WRITE_SUFFIXES:
        known = " ".join(known.removeprefix(".") for known in WRITE_SUFFIXES)
        raise SettingsError(f"--to {to} is not a format that can be written; these are: {known}")
    return suffix


def _targets(inputs: Sequence[Path], out: Path, suffix: str) -> Iterator[tuple[Source, Path]]:
    taken: set[Path] = set()
    for given in inputs:
        base = out / given.resolve().name if given.is_dir() and len(inputs) > 1 else out
        for path, category in find_files([given]):
            folder = base / path.relative_to(given).parent if given.is_dir() else base
            target = folder / f"{stem_of(path)}{suffix}"
            number = 2
            while target in taken:
                target = folder / f"{stem_of(path)}-{suffix_of(path).strip('.')}-{number}{suffix}"
                number += 1
            taken.add(target)
            yield (path, category), target


def _refuse_existing(targets: Sequence[Path]) -> None:
    existing = [path for target in targets for path in _possible(target) if path.exists()]
    if existing:
        more = f", as do {len(existing) - 1} more" if len(existing) > 1 else ""
        raise FileError(existing[0], f"exists already{more}; nothing was written, --overwrite replaces what is there")


def _possible(target: Path) -> Iterator[Path]:
    yield target
    if suffix_of(target) not in MANY_SUFFIXES:
        yield numbered(target, 1)


# -- the work -------------------------------------------------------------------------------------------------


class _Job:
    def __init__(
        self,
        reading: ReadOptions,
        options: ConvertOptions,
        on_problem: OnProblem | None,
        on_progress: OnProgress | None,
    ) -> None:
        if options.limit is not None and options.limit < 1:
            raise SettingsError(f"a limit of {options.limit} drawings a file leaves nothing; 1 or more works")
        if not 0 <= options.simplify < math.inf:
            raise SettingsError(f"simplify is a distance of 0 or more, not {options.simplify}")
        if not 0 < reading.tolerance < math.inf:
            raise SettingsError(f"tolerance is a distance above 0, not {reading.tolerance}")
        if options.width_mm is not None and not 0 < options.width_mm <= 1e6:
            raise SettingsError(f"a width of {options.width_mm} mm is not possible; give 1 to 1,000,000")
        self.reading = reading
        self.options = options
        self.paper = options.size()
        self.on_problem = on_problem
        self.on_progress = on_progress
        self.report = ConvertReport()
        self.total = 0

    def run(self, steps: Sequence[tuple[Sequence[Source], Path]]) -> None:
        self.total = sum(len(sources) for sources, _ in steps)
        for sources, target in steps:
            categories: set[str | None] = set()
            sketches = self.prepared(sources, target, categories)
            first = list(islice(sketches, 1))
            if first:
                self.report.written += write_sketches(chain(first, sketches), target, paper=self.paper)
            if suffix_of(target) in NPZ_SUFFIXES and len(categories) > 1:
                self.tell(Problem(target, "", f"an .npz has no room for categories: {len(categories)} became one"))
        if not self.report.sketches:
            if self.report.failures:
                raise self.report.failures[0]
            raise FileError(steps[0][1], "not written: no drawing came out of what was read")

    def prepared(self, sources: Sequence[Source], target: Path, categories: set[str | None]) -> Iterator[Sketch]:
        """The sketches as they are to be written; a file that cannot be read is noted and passed over."""
        for path, category in sources:
            try:
                for sketch in islice(self.read(path), self.options.limit):
                    if sketch.strokes:
                        categories.add(category or sketch.category)
                        self.report.sketches += 1
                        yield self.shaped(sketch, category, target)
                self.report.files += 1
            except FileError as error:
                if self.reading.strict:
                    raise
                self.report.failures.append(error)
                if self.total > 1:
                    self.tell(Problem(error.path, "", error.problem))
            self.progressed()

    def read(self, path: Path) -> Iterator[Sketch]:
        for index, sketch in enumerate(read_sketches(path, options=self.reading, on_problem=self.left_out)):
            if index % 100 == 99:
                self.progressed()
            yield sketch

    def shaped(self, sketch: Sketch, category: str | None, target: Path) -> Sketch:
        if category:
            sketch = sketch.with_(category=category)
        fit = self.options.fit
        if fit or (fit is None and suffix_of(target) in NPZ_SUFFIXES and not _is_fitted(sketch)):
            sketch = sketch.fit()
        return sketch.simplify(self.options.simplify) if self.options.simplify else sketch

    def left_out(self, problem: Problem) -> None:
        self.report.problems += not problem.kept
        self.tell(problem)

    def tell(self, problem: Problem) -> None:
        if self.on_problem is not None:
            self.on_problem(problem)

    def progressed(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self.report.files + len(self.report.failures), self.total, self.report.sketches)


def _is_fitted(sketch: Sketch) -> bool:
    left, top, right, bottom = sketch.bounds()
    return abs(max(right - left, bottom - top) - CANVAS_SIZE) <= _NEARLY_FITTED
