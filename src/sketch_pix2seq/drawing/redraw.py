"""Files or a category in, drawings and a sheet out: what `sketch-pix2seq draw` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sketch_pix2seq.categories import category_named, same_category
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.writing import (
    SHEET,
    check_free,
    checked_formats,
    drawing_names,
    file_name,
    free_name,
    make_folder,
    note_written,
    without_own,
    write_drawings,
)
from sketch_pix2seq.errors import FileError, SettingsError, SketchError
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    Problem,
    find_files,
    read_sketches,
    stem_of,
    suffix_of,
)
from sketch_pix2seq.formats.paper import PaperSize
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
    categories: tuple[str, ...] = ()
    """What was drawn from nothing."""


def redraw(
    model: Model,
    inputs: Sequence[Path],
    out: Path,
    *,
    samples: int = 9,
    formats: Sequence[str] = ("svg",),
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
    paper: PaperSize = PaperSize(),
    limit: int = 100,
    category: str | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> RedrawReport:
    """Redraw every drawing of some files and folders, write the results into ``out``, and one sheet beside them.

    ``out`` gets NAME-1.svg, NAME-2.svg ... of each picture (ndjson and npz: one file a picture) and sheet.png. Drawings
    that were written earlier are replaced, and left out where a folder is an input; other files need ``overwrite``.
    category: what the pictures show; see `Model.draw_all`.
    on_progress: called with pictures done and pictures in all. An input among several that cannot be read is reported
    and left out; alone, its error is raised. Raises SettingsError for an unknown format, or
    samples or a limit below 1; ModelError for a model without an encoder; FileError where ``out`` cannot be a folder or
    holds a file of somebody else's that would be replaced.
    """
    model.check_encoder()
    wanted = checked_formats(formats)
    if samples < 1 or limit < 1:
        raise SettingsError(f"{'samples' if samples < 1 else 'limit'} must be at least 1")
    _check_inputs(inputs, model.info.categories)
    if category is not None:
        category_named(category, model.info.categories)
    named, problems = _read(inputs, limit)
    files = [SHEET, *(file for name, _ in named for file in drawing_names(name, samples, wanted))]
    check_free(out, files, overwrite)
    make_folder(out)
    drawings: list[list[Sketch]] = []
    batch = max(1, 256 // samples)
    try:
        for begin in range(0, len(named), batch):
            part = named[begin : begin + batch]
            sketches = [sketch for _, sketch in part]
            drawn = model.draw_all(sketches, samples, seed=seed, settings=settings, category=category)
            for (name, sketch), results in zip(part, drawn, strict=True):
                write_drawings(name, [d.with_(category=sketch.category or name) for d in results], out, wanted, paper)
            drawings += drawn
            if on_progress is not None:
                on_progress(len(drawings), len(named))
    finally:  # after Ctrl-C, too: what was written may be replaced by the next call
        note_written(out, files)
    rows = [
        Row(name, [Cell(sketch), *(Cell(drawing) for drawing in results)])
        for (name, sketch), results in list(zip(named, drawings, strict=True))[:_ROWS]
    ]
    sheet = out / SHEET
    write_sheet(sheet, rows, columns=("picture", *(str(i + 1) for i in range(samples))))
    note_written(out, [SHEET])
    return RedrawReport(len(named), len(named) * samples, out, sheet, tuple(problems))


def draw_from_nothing(
    model: Model,
    category: str | Sequence[str],
    out: Path,
    *,
    samples: int = 9,
    formats: Sequence[str] = ("svg",),
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
    paper: PaperSize = PaperSize(),
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> RedrawReport:
    """Draw categories (`ANY`: of all that the model knows) without a picture; see `Model.generate`.

    category: one or several, in any case. Writes CATEGORY-1.svg ... of each and sheet.png into ``out``, as `redraw`
    does, and raises what it raises; SettingsError for an unknown category, ModelError for a model without a flow.
    """
    wanted = checked_formats(formats)
    names = _categories(model, [category] if isinstance(category, str) else category)
    if samples < 1:
        raise SettingsError("samples must be at least 1")
    taken: set[str] = set()
    stems = [free_name(file_name(name), taken) for name in names]
    files = [SHEET, *(file for stem in stems for file in drawing_names(stem, samples, wanted))]
    check_free(out, files, overwrite)
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        if on_progress is not None:
            on_progress(done, samples * len(names))

    chosen = None if names == [ANY] else names
    drawings = model.generate(chosen, samples, seed=seed, settings=settings, on_progress=count)
    make_folder(out)
    rows: list[Row] = []
    columns = min(samples, _COLUMNS)
    for number, (name, stem) in enumerate(zip(names, stems, strict=True)):
        own = drawings[number * samples : (number + 1) * samples]
        write_drawings(stem, own, out, wanted, paper)
        cells = [Cell(drawing, drawing.category or "" if name == ANY else "") for drawing in own]
        rows += [Row("" if begin else name, cells[begin : begin + columns]) for begin in range(0, samples, columns)]
    sheet = out / SHEET
    write_sheet(sheet, rows[:_ROWS])
    note_written(out, files)
    return RedrawReport(0, len(drawings), out, sheet, (), tuple(names))


def _categories(model: Model, given: Sequence[str]) -> list[str]:
    """The model's own names of categories, each once; [`ANY`] where that is given, which stands alone."""
    if any(name.casefold() == ANY for name in given):
        if len(given) > 1:
            raise SettingsError(f"{ANY!r} stands for every category; give it alone")
        return [ANY]
    return list(dict.fromkeys(category_named(name, model.info.categories) for name in given))


def _check_inputs(inputs: Sequence[Path], known: Sequence[str]) -> None:
    """Raise FileError for an input that does not exist and looks like the name of a category; it says what to type."""
    for path in inputs:
        if path.exists() or path.suffix or len(path.parts) > 1:
            continue
        name = same_category(path.name, known)
        what = "one" if name else f"one of {len(known)} categories"
        typed = _quoted(name) if name else "NAME"
        raise FileError(path, f"no such file or folder; to draw {what} from nothing: draw --category {typed}")


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _read(inputs: Sequence[Path], limit: int) -> tuple[list[tuple[str, Sketch]], list[str]]:
    files = without_own(find_files(inputs), inputs)
    named: list[tuple[str, Sketch]] = []
    problems: list[str] = []
    taken: set[str] = set()
    for path, category in files:
        try:
            notes: list[Problem] = []
            sketches = list(islice(read_sketches(path, on_problem=notes.append), limit))
            problems += map(str, notes)
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
