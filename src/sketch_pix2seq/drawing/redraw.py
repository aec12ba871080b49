"""Files in, drawings and a sheet out: what `sketch-pix2seq draw` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.errors import FileError, SettingsError, SketchError
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    find_files,
    read_sketches,
    stem_of,
    suffix_of,
    write_sketch,
    write_sketches,
)
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

FORMATS = ("svg", "png", "gif", "apng", "ndjson", "npz")
SHEET = "sheet.png"
_ROWS = 40
"""Pictures on the sheet at most."""


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
    samples or a limit below 1; FileError where ``out`` cannot be a folder.
    """
    wanted = [] if list(formats) == ["none"] else list(formats)
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise SettingsError(f"no format {unknown[0]!r}; there are {', '.join(FORMATS)} and none")
    if samples < 1 or limit < 1:
        raise SettingsError(f"{'samples' if samples < 1 else 'limit'} must be at least 1")
    named, problems = _read(inputs, limit)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(out, f"cannot be made into a folder: {error.strerror or error}") from error
    drawings: list[list[Sketch]] = []
    batch = max(1, 256 // (samples * settings.candidates))
    for begin in range(0, len(named), batch):
        part = named[begin : begin + batch]
        drawn = model.draw_all([sketch for _, sketch in part], samples, seed=seed, settings=settings)
        for (name, sketch), results in zip(part, drawn, strict=True):
            _write(name, [d.with_(category=sketch.category or name) for d in results], out, wanted, width_mm)
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
            name = _free(f"{stem_of(path)}-{number:03d}" if many else stem_of(path), taken)
            named.append((name, sketch.with_(category=category).fit()))
    if not named:
        raise FileError(inputs[0], "no drawing could be read" if problems else "there is no picture or drawing in it")
    return named, problems


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with a number behind it where two inputs share it."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    taken.add(candidate)
    return candidate


def _write(name: str, drawings: Sequence[Sketch], out: Path, formats: Sequence[str], width_mm: float | None) -> None:
    for suffix in formats:
        if f".{suffix}" in MANY_SUFFIXES:
            write_sketches(drawings, out / f"{name}.{suffix}")
            continue
        for number, drawing in enumerate(drawings, 1):
            write_sketch(drawing, out / f"{name}-{number}.{suffix}", width_mm=width_mm)
