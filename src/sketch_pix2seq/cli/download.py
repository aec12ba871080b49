"""`sketch-pix2seq download`: drawings that people made, from Google's Quick, Draw!"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.columns import Columns
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from sketch_pix2seq.cli.console import console, say, stderr, warn
from sketch_pix2seq.data.quickdraw import CATEGORIES, DownloadSettings, Transfer, check_categories, download, suggest
from sketch_pix2seq.errors import SettingsError


@dataclass(frozen=True)
class Settings(DownloadSettings):
    """Download drawings of Google's Quick, Draw! by category, several at once.

    A file that is there already is left alone; one that was cut is taken up where it ended, by the same command.

    sketch-pix2seq download cat pig "alarm clock"

    sketch-pix2seq download --list clock
    """

    categories: tyro.conf.Positional[tuple[str, ...]] = ()
    """Categories by name, in quotes where it has a space. With --list: words to look for."""
    all: bool = False
    """Download all 345 categories."""
    list: bool = False
    """Download nothing; show the 345 categories, or those that come near the words given."""
    out: Path = Path("quickdraw")
    """Folder that the files go into."""


def run(settings: Settings) -> None:
    """List the categories or download some."""
    if settings.list:
        _show(settings.categories)
        return
    if settings.all and settings.categories:
        raise SettingsError("name categories or give --all, not both")
    names = CATEGORIES if settings.all else settings.categories
    if not names:
        raise SettingsError("name at least one category, or give --all; `sketch-pix2seq download --list` shows them")
    check_categories(names)
    with _Bars() as bars:
        paths = download(names, settings.out, settings=settings, on_progress=bars.update)
    size = sum(path.stat().st_size for path in paths) / 1e6
    lines = (
        f"{len(paths)} file{'s' * (len(paths) != 1)}, {size:,.1f} MB, in {settings.out}",
        "The Quick, Draw! Dataset, CC BY 4.0, Google: https://github.com/googlecreativelab/quickdraw-dataset",
        f"Next: sketch-pix2seq prepare {_quoted(settings.out)} SET.arrow",
    )
    say("\n".join(lines))


class _Bars:
    """One progress bar a file, gone when the file is there."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=stderr(),
            transient=True,
            disable=not stderr().is_interactive,
        )
        self._tasks: dict[Path, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def update(self, transfer: Transfer) -> None:
        if transfer.remark.startswith("trying again"):
            warn(f"{transfer.path.name}: {transfer.remark}")
        if transfer.path not in self._tasks:
            self._tasks[transfer.path] = self._progress.add_task(transfer.path.name, total=None)
        task = self._tasks[transfer.path]
        self._progress.update(task, completed=transfer.done, total=transfer.total)
        if transfer.done == transfer.total:
            self._progress.update(task, visible=False)


def _show(words: tuple[str, ...]) -> None:
    """In columns for a person, a name a line for a pipe."""
    names = list(CATEGORIES)
    if words:
        names = list(dict.fromkeys(name for word in words for name in suggest(word, 20)))
        if not names:
            raise SettingsError(f"no category comes near {' or '.join(words)}; --list alone shows all 345")
    if console().is_terminal:
        console().print(Columns(names, column_first=True, padding=(0, 3)))
    else:
        say("\n".join(names))


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text
