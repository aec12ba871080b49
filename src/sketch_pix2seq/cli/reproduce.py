"""`sketch-pix2seq reproduce`: the paper's comparison, within a time budget."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from sketch_pix2seq.cli.console import say, stages
from sketch_pix2seq.errors import missing_package
from sketch_pix2seq.evaluation.experiments import ReproduceSettings


@dataclass(frozen=True)
class Settings(ReproduceSettings):
    """Repeat the paper's comparison: train its four models and ours alike, test them, and write a report.

    sketch-pix2seq reproduce --data drawings.arrow --budget 60 --out reproduction

    Trains each model on one category, on five, and on all of the set. The same command goes on where it was stopped;
    when everything is done it writes the report again. The budget fits the machine as it is at the start.
    """

    data: Path = Path("drawings.arrow")
    """The set, as `sketch-pix2seq prepare` makes it."""
    out: Path = Path("reproduction")
    """Folder for runs, results and report."""


def run(settings: Settings) -> None:
    """Run or go on, and say where the report is."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import openTSNE  # noqa: F401
        import sklearn  # noqa: F401

        import sketch_pix2seq.training.run  # noqa: F401
        from sketch_pix2seq.evaluation.report import write_report
        from sketch_pix2seq.evaluation.reproduce import reproduce
    except ImportError as error:
        raise missing_package(error, "this", "train,evaluate") from error
    plain = ReproduceSettings(**{f.name: getattr(settings, f.name) for f in fields(ReproduceSettings)})
    with stages() as show:
        plan = reproduce(settings.data, settings.out, plain, on_progress=show)
        show("writing the report", 0, 0)
        page, text = write_report(settings.out)
    say(f"{plan.steps} steps of each model; report: {page} (and {text})")
