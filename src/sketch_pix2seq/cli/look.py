"""`sketch-pix2seq look`: what is in a set, a file or a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.table import Table
from rich.text import Text

from sketch_pix2seq.cli.console import console, progress, say, warn
from sketch_pix2seq.data.look import CategoryStatistics, LookSettings, check_sheet_path, look, write_contact_sheet
from sketch_pix2seq.data.store import SPLITS
from sketch_pix2seq.errors import FileError
from sketch_pix2seq.formats import Problem
from sketch_pix2seq.sheet import is_sheet

_PROBLEMS_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Settings(LookSettings):
    """Show figures of a set, a file or a folder by category, and draw a contact sheet of it.

    sketch-pix2seq look drawings.arrow --category cat pig --rows 3

    sketch-pix2seq look my-drawings/ --out mine.svg
    """

    source: tyro.conf.Positional[Path]
    """A SketchSet (.arrow), or any file or folder of drawings."""
    out: Path = Path("sheet.png")
    """The contact sheet, .png or .svg; an older sheet is replaced."""
    overwrite: bool = False
    """Replace a file that is no contact sheet, too."""


def run(settings: Settings) -> None:
    """Print the table, write the sheet."""
    check_sheet_path(settings.out)
    if settings.out.exists() and not (settings.overwrite or is_sheet(settings.out)):
        raise FileError(settings.out, "exists already and is no sheet; name another with --out, or give --overwrite")
    problems: list[Problem] = []
    with progress() as bar:
        task = bar.add_task("reading", total=None)
        found = look(
            settings.source,
            settings,
            on_problem=problems.append,
            on_progress=lambda seen: bar.update(task, completed=seen, description=f"{seen:,} sketches"),
        )
    for problem in problems[:_PROBLEMS_SHOWN]:
        warn(str(problem))
    if len(problems) > _PROBLEMS_SHOWN:
        warn(f"{len(problems) - _PROBLEMS_SHOWN:,} more lines, drawings or files could not be read")
    console().print(statistics_table(found.statistics))
    write_contact_sheet(settings.out, found, columns=settings.columns, title=settings.source.name)
    say(f"{settings.out}: {sum(map(len, found.samples.values()))} drawings")


def statistics_table(figures: Iterable[CategoryStatistics]) -> Table:
    """A table of figures by category, with a line of sums where there are several; splits where any are known."""
    figures = list(figures)
    splits = [split for split in SPLITS if any(row.splits[split] for row in figures)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category")
    for heading in ("sketches", *splits, "strokes", "points", "points 95 %", "length"):
        table.add_column(heading, justify="right")
    for row in figures:
        table.add_row(
            Text(row.category),
            f"{row.sketches:,}",
            *(f"{row.splits[split]:,}" for split in splits),
            f"{row.strokes:.0f}",
            f"{row.points:.0f}",
            f"{row.points_95:.0f}",
            f"{row.length:,.0f}",
        )
    if len(figures) > 1:
        sums = (sum(row.sketches for row in figures), *(sum(row.splits[split] for row in figures) for split in splits))
        table.add_row("all", *(f"{number:,}" for number in sums), style="bold")
    table.caption = "strokes, points, length of the line: medians"
    table.caption_justify = "left"
    return table
