"""`sketch-pix2seq convert`: drawings from any format to any other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from sketch_pix2seq.cli.console import progress, say, warn
from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats import Problem, ReadOptions
from sketch_pix2seq.formats.convert import ConvertOptions, convert

_SHOWN = 10
"""Problems shown one by one; the rest are counted."""


@tyro.conf.configure(tyro.conf.DisallowNone)
@dataclass(frozen=True)
class Settings(ReadOptions, ConvertOptions):
    """Convert drawings between npz, ndjson, svg, png, gif and apng; pictures (png, jpg, webp, gif, bmp) are traced.

    sketch-pix2seq convert cat.ndjson.gz cat.npz

    sketch-pix2seq convert photo.jpg drawing.svg --width-mm 120

    sketch-pix2seq convert my-drawings plotter --to svg --simplify 1
    """

    paths: tyro.conf.Positional[tuple[Path, ...]] = ()
    """IN... OUT: files or folders to read, and last the file or folder to write."""
    to: str | None = None
    """The format to write where OUT is a folder: svg, npz, ndjson, ndjson.gz, png, gif or apng."""


def run(settings: Settings) -> None:
    """Convert and say how it went; FileError at the end where a file among several could not be read."""
    if len(settings.paths) < 2:
        raise SettingsError("convert needs files or folders to read and then one to write: convert IN... OUT")
    *inputs, out = settings.paths
    shown = 0

    def on_problem(problem: Problem) -> None:
        nonlocal shown
        shown += 1
        if shown <= _SHOWN:
            warn(str(problem))

    with progress() as bar:
        task = bar.add_task("converting", total=None)

        def on_progress(done: int, total: int, sketches: int) -> None:
            bar.update(task, completed=done, total=total, description=f"converting ({sketches:,} drawings)")

        report = convert(
            inputs,
            out,
            to=settings.to,
            reading=settings,
            options=settings,
            on_problem=on_problem,
            on_progress=on_progress,
        )
    if shown > _SHOWN:
        warn(f"and {shown - _SHOWN:,} more")
    left_out = f", {report.problems:,} left out" if report.problems else ""
    written = str(report.written[0]) if len(report.written) == 1 else _count(len(report.written), "file")
    line = f"{_count(report.sketches, 'drawing')} from {_count(report.files, 'file')}{left_out} -> {written}"
    say(line)
    if report.failures:
        failed, total = len(report.failures), report.files + len(report.failures)
        first = report.failures[0]
        raise FileError(
            first.path, f"{first.problem} ({failed} of {total} files could not be read; the rest is written)"
        )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
