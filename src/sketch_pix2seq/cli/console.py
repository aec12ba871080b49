"""Where commands print: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn


@cache
def console() -> Console:
    """The console for results."""
    return Console(highlight=False)


@cache
def stderr() -> Console:
    """The console for progress and warnings."""
    return Console(stderr=True, highlight=False)


def warn(message: str) -> None:
    """One line on stderr about something that was skipped or is odd, printed above any progress bar."""
    stderr().print(f"warning: {message}", markup=False, soft_wrap=True, style="yellow")


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for work in several parts, told of (part, done, total); without a terminal, each part is a line on stderr.

    What follows a colon in a part's name is shown in the bar alone.
    """
    said = ""
    with progress() as bar:
        task = bar.add_task("starting", total=None)

        def show(what: str, done: int, total: int) -> None:
            nonlocal said
            bar.update(task, description=what, completed=done, total=total or None)
            part = what.split(":")[0]
            if bar.disable and part != said:
                stderr().print(part, markup=False, soft_wrap=True)
            said = part

        yield show


def progress() -> Progress:
    """A progress bar on stderr, where that is a terminal, that goes away when done; use as a context manager."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=stderr(),
        transient=True,
        disable=not stderr().is_interactive,
    )
