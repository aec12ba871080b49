"""`sketch-pix2seq prepare`: from files of any format to one set to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from sketch_pix2seq.cli.console import console, progress, say, warn
from sketch_pix2seq.cli.look import statistics_table
from sketch_pix2seq.data.look import statistics
from sketch_pix2seq.data.prepare import PrepareReport, PrepareSettings, Step, prepare
from sketch_pix2seq.data.store import SET_SUFFIX, SPLITS, SketchSet
from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats import suffix_of

FEW = 20
"""Sketches below which a category is named in a warning."""


@dataclass(frozen=True)
class Settings(PrepareSettings):
    """Make one SketchSet of files and folders: .npz, .ndjson, SVGs and pictures, in any mix.

    In a folder of pictures or SVGs, the category of each is the name of the folder that it lies in.

    sketch-pix2seq prepare quickdraw drawings.arrow

    sketch-pix2seq prepare my-drawings/ mine.arrow --valid 0.1
    """

    paths: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Files and folders to read and, last, the set to write (.arrow); an older set of that name is replaced."""
    overwrite: bool = False
    """Replace a file that is no set, too."""


def run(settings: Settings) -> None:
    """Make the set; show what is in it and what was left out."""
    if len(settings.paths) < 2 or suffix_of(settings.paths[-1]) != SET_SUFFIX:
        raise SettingsError(f"name what to read and, last, the set to write: prepare SOURCE... SET{SET_SUFFIX}")
    *sources, out = settings.paths
    if out.exists() and not settings.overwrite:
        _check_set(out)
    with progress() as bar:
        task = bar.add_task("reading", total=None)

        def show(step: Step) -> None:
            bar.update(task, completed=step.files_done, total=step.files, description=f"{step.sketches:,} sketches")

        report = prepare(sources, out, settings, on_progress=show)
    _show(report)


def _check_set(out: Path) -> None:
    """Raise FileError for a file that is no set."""
    try:
        SketchSet.open(out)
    except FileError as error:
        raise FileError(out, "exists already and is no set; name another, or give --overwrite") from error


def _show(report: PrepareReport) -> None:
    sketches = SketchSet.open(report.path)
    figures = statistics(sketches)
    console().print(statistics_table(figures))
    lines = [f"{report.sketches:,} sketches in {len(figures)} categories from {report.files:,} files -> {report.path}"]
    lines += [f"left out: {count:,} {reason}" for reason, count in report.dropped.items()]
    say("\n".join(lines))
    for problem in report.problems:
        warn(str(problem))
    if report.problem_count > len(report.problems):
        warn(f"{report.problem_count - len(report.problems):,} more lines, drawings or files could not be read")
    for problem in report.notes:
        warn(str(problem))
    if report.note_count > len(report.notes):
        warn(f"{report.note_count - len(report.notes):,} more notes on files that were read")
    few = [row.category for row in figures if row.sketches < FEW]
    if few:
        warn(f"fewer than {FEW} sketches, too few to learn from: {', '.join(few)}")
    empty = [split for split in SPLITS if not len(sketches.indices(split))]
    if empty:
        warn(f"no sketch in {' and '.join(empty)}; training needs some in train and valid")
