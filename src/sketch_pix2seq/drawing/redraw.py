"""Files or a category in, drawings and a sheet out: what `sketch-pix2seq draw` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.writing import SHEET, checked_formats, free_name, make_folder, write_drawings
from sketch_pix2seq.errors import FileError, SettingsError, SketchError
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    find_files,
    read_sketches,
    stem_of,
    suffix_of,
)
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

ANY = "any"
"""Stands for every category that the model knows."""
_ROWS = 40
"""Pictures on the sheet at most."""
_COLUMNS = 8
"""Drawings of a category side by side."""


@dataclass(frozen=True)
class RedrawReport:
    """What was drawn."""

    pictures: int
    drawings: int
    folder: Path
    sheet: Path
    problems: tuple[str, ...]
    """Inputs that could not be read, one line each."""


def redraw(
    model: Model,
    inputs: Sequence[Path],
    out: Path,
    *,
    samples: int = 9,
    formats: Sequence[str] = ("svg",),
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
    width_mm: float | None = None,
    limit: int = 100,
    on_progress: Callable[[int, int], None] | None = None,
) -> RedrawReport:
    """Redraw every drawing of some files and folders, write the results into ``out``, and one sheet beside them.

    ``out`` gets NAME-1.svg, NAME-2.svg ... of each picture (ndjson and npz: one file a picture) and sheet.png.
    on_progress: called with pictures done and pictures in all. An input among several that cannot be read is reported
    and left out; alone, its error is raised. Raises SettingsError for an unknown format, or
    samples or a limit below 1; ModelError for a model without an encoder; FileError where ``out`` cannot be a folder.
    """
    model.check_encoder()
    wanted = checked_formats(formats)
    if samples < 1 or limit < 1:
        raise SettingsError(f"{'samples' if samples < 1 else 'limit'} must be at least 1")
    named, problems = _read(inputs, limit)
    make_folder(out)
    drawings: list[list[Sketch]] = []
    batch = max(1, 256 // samples)
    for begin in range(0, len(named), batch):
        part = named[begin : begin + batch]
        drawn = model.draw_all([sketch for _, sketch in part], samples, seed=seed, settings=settings)
        for (name, sketch), results in zip(part, drawn, strict=True):
            write_drawings(name, [d.with_(category=sketch.category or name) for d in results], out, wanted, width_mm)
        drawings += drawn
        if on_progress is not None:
            on_progress(len(drawings), len(named))
    rows = [
        Row(name, [Cell(sketch), *(Cell(drawing) for drawing in results)])
        for (name, sketch), results in list(zip(named, drawings, strict=True))[:_ROWS]
    ]
    sheet = out / SHEET
    write_sheet(sheet, rows, columns=("picture", *(str(i + 1) for i in range(samples))))
    return RedrawReport(len(named), len(named) * samples, out, sheet, tuple(problems))


def draw_from_nothing(
    model: Model,
    category: str,
    out: Path,
    *,
    samples: int = 9,
    formats: Sequence[str] = ("svg",),
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
    width_mm: float | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> RedrawReport:
    """Draw a category (`ANY`: of all that the model knows) without a picture; see `Model.generate`.

    Writes CATEGORY-1.svg ... and sheet.png into ``out``, as `redraw` does, and raises what it raises; SettingsError for
    an unknown category, ModelError for a model without a flow.
    """
    wanted = checked_formats(formats)
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        if on_progress is not None:
            on_progress(done, samples)

    name = None if category == ANY else category
    drawings = model.generate(name, samples, seed=seed, settings=settings, on_progress=count)
    make_folder(out)
    write_drawings(category, drawings, out, wanted, width_mm)
    columns = min(samples, _COLUMNS)
    cells = [Cell(drawing, drawing.category or "" if name is None else "") for drawing in drawings]
    rows = [Row("" if begin else category, cells[begin : begin + columns]) for begin in range(0, samples, columns)]
    sheet = out / SHEET
    write_sheet(sheet, rows[:_ROWS])
    return RedrawReport(0, samples, out, sheet, ())


def _read(inputs: Sequence[Path], limit: int) -> tuple[list[tuple[str, Sketch]], list[str]]:
    files = find_files(inputs)
    named: list[tuple[str, Sketch]] = []
    problems: list[str] = []
    taken: set[str] = set()
    for path, category in files:
        try:
            sketches = list(islice(read_sketches(path), limit))
        except SketchError as error:
            if len(files) == 1:
                raise
            problems.append(str(error))
            continue
        many = suffix_of(path) in MANY_SUFFIXES
        for number, sketch in enumerate(sketches, 1):
            name = free_name(f"{stem_of(path)}-{number:03d}" if many else stem_of(path), taken)
            named.append((name, sketch.with_(category=category).fit()))
    if not named:
        raise FileError(inputs[0], "no drawing could be read" if problems else "there is no picture or drawing in it")
    return named, problems
