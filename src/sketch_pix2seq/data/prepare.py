"""From files of any format to one SketchSet: fitted, simplified, sorted out, with splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np

from sketch_pix2seq.data.store import SPLITS, SketchSetWriter, Split
from sketch_pix2seq.errors import DataError, FileError, SettingsError
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    OnProblem,
    Problem,
    ReadOptions,
    find_files,
    read_sketches,
    suffix_of,
)
from sketch_pix2seq.sketch import CANVAS_SIZE, Sketch

HELD = 20
"""Sketches of a category that came without a split and are divided together; later ones are divided one by one."""
VALID_FROM = 5
"""Sketches that a category needs for one of them to be kept for validation."""
TEST_FROM = 10
"""Sketches that a category needs for one of them to be kept for tests."""

_REPORTED_PROBLEMS = 5
_MOST_POINTS = 32767


@dataclass(frozen=True)
class PrepareSettings:
    """What goes into a set, and how it is divided."""

    categories: tuple[str, ...] = ()
    """Keep these categories only; OLD=NEW keeps one under another name."""
    limit: int | None = None
    """Keep at most this many sketches a category, each split its share of them."""
    valid: float = 0.05
    """Share kept for validation, of sketches whose source has no splits; a category of 5 gives at least one."""
    test: float = 0.05
    """Share kept for tests, of sketches whose source has no splits; a category of 10 gives at least one."""
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
    strict: bool = False
    """Stop at the first file, line or drawing that is broken. Otherwise it is counted and left out."""


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
    (Ramer-Douglas-Peucker). Splits that a source has are kept. Other sketches are divided by a hash of their points, so
    that a drawing stays in its split whatever comes beside it: of a category's first `HELD`, the lowest hashes are kept
    for validation and tests, at least one each where there are `VALID_FROM` and `TEST_FROM`; later ones go by the value
    of their hash. Memory does not grow with the number of sketches, but for 8 bytes each with ``unique``.

    Raises FileError for sources that do not exist or a place that cannot be written to, DataError where no sketch is
    left, and with ``strict`` whatever the first broken file raises; ``out`` is then as it was.
    """
    settings = settings or PrepareSettings()
    _check(settings)
    files = find_files(sources)
    report = on_progress or (lambda step: None)
    sorter = _Sorter(settings)
    problems: list[Problem] = []
    problem_count = 0

    def note(problem: Problem) -> None:
        nonlocal problem_count
        problem_count += 1
        if len(problems) < _REPORTED_PROBLEMS:
            problems.append(problem)
        if on_problem is not None:
            on_problem(problem)

    options = ReadOptions(strict=settings.strict, tolerance=settings.tolerance)
    with SketchSetWriter(out) as writer:
        for number, (path, category) in enumerate(files):
            report(Step(number, len(files), writer.count))
            try:
                for sketch in read_named(path, category, options=options, on_problem=note):
                    for kept, split in sorter.take(sketch):
                        writer.add(kept, split)
                        if writer.count % 1000 == 0:
                            report(Step(number, len(files), writer.count))
            except FileError as error:
                if settings.strict:
                    raise
                note(Problem(path, "", error.problem))
        for kept, split in sorter.rest():
            writer.add(kept, split)
        report(Step(len(files), len(files), writer.count))
        if not writer.count:
            reasons = [f"{count:,} {reason}" for reason, count in sorter.dropped.items()]
            reasons += [f"the first of {problem_count:,} problems: {problems[0]}"] if problems else []
            raise DataError(f"{out}: no sketch is left to write ({'; '.join(reasons) or 'the sources are empty'})")
    return PrepareReport(Path(out), len(files), writer.count, dict(sorter.dropped), tuple(problems), problem_count)


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
    name = category or path.resolve().parent.name.replace("_", " ") or path.stem
    for sketch in sketches:
        yield sketch.with_(category=name, metadata={"source": path.name})


class _Sorter:
    """Takes sketches as they are, gives those to be kept as they should be, and counts the others by reason."""

    def __init__(self, settings: PrepareSettings) -> None:
        self.settings = settings
        self.dropped: Counter[str] = Counter()
        self._names = dict(_renaming(entry) for entry in settings.categories)
        self._countries = {code.upper() for code in settings.countries}
        self._seen: set[int] = set()
        self._held: dict[str, list[tuple[int, Sketch]] | None] = {}
        self._counts: Counter[tuple[str, Split]] = Counter()
        self._room = None if settings.limit is None else dict(zip(SPLITS, self._shares(settings.limit), strict=True))

    def take(self, sketch: Sketch) -> Iterator[tuple[Sketch, Split]]:
        """The sketches that have their split now: this one, none, or those held back together with it."""
        clean = self._clean(sketch)
        if isinstance(clean, str):
            self.dropped[clean] += 1
            return
        split = clean.metadata.get("split")
        known = split in SPLITS
        digest = _digest(clean) if self.settings.unique or not known else 0
        if self.settings.unique:
            if digest in self._seen:
                self.dropped["the same as an earlier one"] += 1
                return
            self._seen.add(digest)
        yield from self._within_limit([(clean, cast(Split, split))] if known else self._divide(clean, digest))

    def rest(self) -> Iterator[tuple[Sketch, Split]]:
        """What is still held back, of the categories that have few sketches."""
        for held in self._held.values():
            yield from self._within_limit(self._by_rank(held or []))
        self._held.clear()

    def _clean(self, sketch: Sketch) -> Sketch | str:
        """The sketch fitted and simplified under its new name, or why it is left out."""
        settings = self.settings
        name = sketch.category or ""
        if self._names and name not in self._names:
            return "of another category"
        if self._countries and str(sketch.metadata.get("countrycode", "")).upper() not in self._countries:
            return "from another country"
        if not settings.unrecognized and sketch.metadata.get("recognized") is False:
            return "not recognized by Quick, Draw!"
        if not sketch.strokes:
            return "without a stroke"
        left, top, right, bottom = sketch.bounds()
        side = max(right - left, bottom - top)
        if side == 0:
            return "without any size"
        fitted = sketch.fit()
        dense = fitted.n_points > settings.max_points or not _is_simplified(sketch, side)
        if settings.simplify_epsilon > 0 and dense:
            fitted = fitted.simplify(settings.simplify_epsilon)
        if fitted.n_points < settings.min_points:
            return f"with fewer than {settings.min_points} points"
        if fitted.n_points > settings.max_points:
            return f"with more than {settings.max_points} points"
        return fitted.with_(category=self._names[name]) if self._names else fitted

    def _divide(self, sketch: Sketch, digest: int) -> list[tuple[Sketch, Split]]:
        held = self._held.setdefault(sketch.category or "", [])
        if held is None:
            return [(sketch, self._by_value(digest))]
        held.append((digest, sketch))
        if len(held) < HELD:
            return []
        self._held[sketch.category or ""] = None
        return self._by_rank(held)

    def _by_value(self, digest: int) -> Split:
        place = digest / 2**64
        if place < self.settings.valid:
            return "valid"
        return "test" if place < self.settings.valid + self.settings.test else "train"

    def _by_rank(self, held: list[tuple[int, Sketch]]) -> list[tuple[Sketch, Split]]:
        _, valid, test = self._shares(len(held))
        order = np.argsort(np.array([digest for digest, _ in held], np.uint64), kind="stable")
        ranks = np.argsort(order)
        return [
            (sketch, "valid" if rank < valid else "test" if rank < valid + test else "train")
            for (_, sketch), rank in zip(held, ranks, strict=True)
        ]

    def _shares(self, count: int) -> tuple[int, int, int]:
        """How many of so many go to train, valid and test."""
        valid = max(1, round(count * self.settings.valid)) if self.settings.valid and count >= VALID_FROM else 0
        test = max(1, round(count * self.settings.test)) if self.settings.test and count >= TEST_FROM else 0
        return count - valid - test, valid, test

    def _within_limit(self, sketches: list[tuple[Sketch, Split]]) -> Iterator[tuple[Sketch, Split]]:
        for sketch, split in sketches:
            place = (sketch.category or "", split)
            if self._room is not None and self._counts[place] >= self._room[split]:
                self.dropped[f"beyond the limit of {self.settings.limit} a category"] += 1
                continue
            self._counts[place] += 1
            metadata = {key: value for key, value in sketch.metadata.items() if key != "split"}
            yield Sketch(sketch.strokes, sketch.category, metadata), split


def _check(settings: PrepareSettings) -> None:
    if not (0 <= settings.valid < 1 and 0 <= settings.test < 1 and settings.valid + settings.test < 1):
        raise SettingsError(f"valid {settings.valid} and test {settings.test} do not leave a part for training")
    if settings.limit is not None and settings.limit < 1:
        raise SettingsError(f"a limit of {settings.limit} sketches a category leaves nothing; 1 or more works")
    if not 1 <= settings.min_points <= settings.max_points <= _MOST_POINTS:
        raise SettingsError(f"min points must be 1 or more, and max points between them and {_MOST_POINTS:,}")
    if settings.simplify_epsilon < 0 or settings.tolerance <= 0:
        raise SettingsError("simplify epsilon is a distance of 0 or more, tolerance one above 0")
    for entry in settings.categories:
        _renaming(entry)


def _renaming(entry: str) -> tuple[str, str]:
    old, equals, new = entry.partition("=")
    if not old.strip() or (equals and not new.strip()):
        raise SettingsError(f"{entry!r} does not name a category; CATEGORY or OLD=NEW does")
    return old.strip(), new.strip() or old.strip()


def _is_simplified(sketch: Sketch, side: float) -> bool:
    """Whole coordinates and a longest side of 255, as Quick, Draw!'s simplified drawings have."""
    points = sketch.points()
    return abs(side - CANVAS_SIZE) <= 1 and bool((points == np.rint(points)).all())


def _digest(sketch: Sketch) -> int:
    """64 bits that stand for a sketch's strokes to the nearest quarter of a unit."""
    content = blake2b(np.rint(sketch.points() * 4).astype(np.int16).tobytes(), digest_size=8)
    content.update(np.array([len(stroke) for stroke in sketch.strokes], np.int32).tobytes())
    return int.from_bytes(content.digest(), "big")
