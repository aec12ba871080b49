"""Where commands print: results on stdout, progress and warnings on stderr."""

from __future__ import annotations

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
