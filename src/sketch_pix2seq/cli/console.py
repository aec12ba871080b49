"""Where commands print: results on stdout, progress and warnings on stderr.

rich is imported where there is a terminal or a table to show: importing it takes a tenth of a short command's time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Bar(Protocol):
    """What commands ask of a progress bar; rich's `Progress` is one."""

    def add_task(self, description: str, *, total: float | None = None) -> Any:
        """Begin a task; its key."""
        ...

    def update(
        self,
        task_id: Any,
        *,
        total: float | None = None,
        completed: float | None = None,
        description: str | None = None,
    ) -> None:
        """Show how far a task is."""
        ...


class _NoBar:
    def add_task(self, description: str, *, total: float | None = None) -> Any:
        return None

    def update(
        self,
        task_id: Any,
        *,
        total: float | None = None,
        completed: float | None = None,
        description: str | None = None,
    ) -> None:
        pass


@cache
def console() -> Console:
    """The console for results."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def stderr() -> Console:
    """The console for progress and warnings."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """A result, as it is."""
    print(text, flush=True)


def warn(message: str) -> None:
    """One line on stderr about something that was skipped or is odd, printed above any progress bar."""
    if sys.stderr.isatty():
        stderr().print(f"warning: {message}", markup=False, soft_wrap=True, style="yellow")
    else:
        print(f"warning: {message}", file=sys.stderr, flush=True)


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
            if isinstance(bar, _NoBar) and part != said:
                print(part, file=sys.stderr, flush=True)
            said = part

        yield show


@contextmanager
def progress() -> Iterator[Bar]:
    """A progress bar on stderr, where that is a terminal, that goes away when done."""
    if not sys.stderr.isatty():
        yield _NoBar()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=stderr(),
        transient=True,
    ) as bar:
        yield bar
