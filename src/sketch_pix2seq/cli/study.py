"""`sketch-pix2seq study`: a Turing test with people, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sketch_pix2seq.cli.console import console, progress, say
from sketch_pix2seq.drawing.pretrained import BUNDLED
from sketch_pix2seq.errors import missing_package
from sketch_pix2seq.study.design import StudySettings

if TYPE_CHECKING:
    from sketch_pix2seq.evaluation.results import Estimate
    from sketch_pix2seq.study.report import Share, SourceFigures, StudyReport


@dataclass(frozen=True)
class Serve(StudySettings):
    """Serve a page that shows drawings one at a time and asks who drew each: a person or a computer.

    sketch-pix2seq study serve --data drawings.arrow --models bundled runs/mine --out study

    The first start makes the study: sketches from the test split, and drawings by each model of other sketches. Later
    starts need only --out; answers are kept. --host 0.0.0.0 makes it reachable from other machines.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    data: Path | None = None
    """A set with a test split, as `sketch-pix2seq prepare` writes it; needed for the first start."""
    models: tuple[str, ...] = (BUNDLED,)
    """Models to compare with people, each "bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    out: Path = Path("study")
    """Folder of the study."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 = any free port."""


@dataclass(frozen=True)
class Report:
    """Report how often people took each model's drawings for a person's; the study may be running.

    sketch-pix2seq study report study

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    study: tyro.conf.Positional[Path] = Path("study")
    """Folder of the study."""
    json: bool = False
    """Print JSON instead of tables."""
    categories: bool = True
    """Show the table by category."""


@dataclass(frozen=True)
class Settings:
    """A Turing test with people: can they tell the drawings of models from those of people?

    sketch-pix2seq study serve --data drawings.arrow --models bundled --out study

    sketch-pix2seq study report study
    """

    action: (
        Annotated[Serve, tyro.conf.subcommand("serve", prefix_name=False)]
        | Annotated[Report, tyro.conf.subcommand("report", prefix_name=False)]
    )


def defaults(words: list[str]) -> tuple[Settings | None, list[str]]:
    """Settings from ``--config FILE.yaml`` for the sub-command that is named, and the other words."""
    from sketch_pix2seq.cli.main import overlaid, read_yaml, take_option

    path, others = take_option(words, "--config")
    if path is None:
        return None, others
    start: Serve | Report = Report() if others[:1] == ["report"] else Serve()
    return Settings(overlaid(start, read_yaml(Path(path)), path)), others


def run(settings: Settings) -> None:
    """Serve a study or report on one."""
    if isinstance(settings.action, Serve):
        _serve(settings.action)
    else:
        _report(settings.action)


def _serve(settings: Serve) -> None:
    from sketch_pix2seq.study.server import check_server, serve_study

    check_server()
    from sketch_pix2seq.study.make import prepare_study

    own = {name: getattr(settings, name) for name in StudySettings.__dataclass_fields__}
    with progress() as bar:
        task = bar.add_task("redrawing", total=None)
        study = prepare_study(
            settings.out,
            data=settings.data,
            models=settings.models,
            settings=StudySettings(**own),
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    with study:
        people = sum(d.model is None and not d.practice for d in study.drawings)
        redrawn = sum(d.model is not None and not d.practice for d in study.drawings)
        trials = study.design.settings.trials
        made_by = f"{', '.join(study.design.models)} ({redrawn})"
        line = f"{settings.out}: drawings by people ({people}) and by {made_by}; {trials} for each participant"
    say(line)
    serve_study(settings.out, host=settings.host, port=settings.port, on_ready=_ready)


def _ready(address: str) -> None:
    say(f"open {address} in a browser; Ctrl-C stops the server")


def _report(settings: Report) -> None:
    try:
        from sketch_pix2seq.study.report import study_report
    except ImportError as error:
        raise missing_package(error, "a report", "study") from error
    report = study_report(settings.study)
    if settings.json:
        import json

        print(json.dumps(asdict(report), indent=1))
        return
    _show(report, settings.categories)


def _show(report: StudyReport, categories: bool) -> None:
    """Tables for people."""
    from rich.table import Table

    def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        shown = Table(
            title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        for number, column in enumerate(columns):
            shown.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in rows:
            shown.add_row(*row)
        console().print()
        console().print(shown)

    people = f"{report.participants} participant{'s' * (report.participants != 1)}"
    say(f"{report.study}: {report.answers:,} answers of {people}, {report.finished} of whom answered everything")
    if report.people is not None or report.models:
        sources: list[tuple[str, SourceFigures]] = [("people", report.people)] if report.people else []
        sources += [(figures.model, figures) for figures in report.models]
        table(
            "Taken for a person's",
            ("drawings by", "answers", "share", "95 % Wilson", "95 % participants", "median time"),
            [(name, *_share_cells(figures.share), f"{figures.median_rt_ms / 1000:.1f} s") for name, figures in sources],
        )
    if report.models:
        table(
            "Told from people's",
            ("model", "d'", "95 % participants", "exact test against 50 %"),
            [
                (
                    figures.model,
                    "" if figures.d_prime is None else f"{figures.d_prime:.2f}",
                    _interval(figures.d_prime_over_participants, 1, 2),
                    _p(figures.p_value),
                )
                for figures in report.models
            ],
        )
    if report.accuracy is not None:
        accuracy = report.accuracy
        console().print()
        say(
            f"Right answers on all drawings: {accuracy.value * 100:.1f} %"
            f" ({accuracy.low * 100:.1f} to {accuracy.high * 100:.1f}), {_p(accuracy.p_value)} against 50 %"
        )
    if report.spread is not None:
        spread = report.spread
        shares = (spread.lowest, spread.quarter, spread.median, spread.three_quarters, spread.highest)
        say(
            "Right answers of each participant who answered everything, lowest, quartiles and highest: "
            + ", ".join(f"{share * 100:.0f} %" for share in shares)
        )
    if categories and report.by_category:
        names = ("people", *(figures.model for figures in report.models))
        table(
            "By category: taken for a person's, of how many answers",
            ("category", *names),
            [
                (category, *(f"{c.taken_for_person}/{c.answers}" if (c := found.get(n)) else "" for n in names))
                for category, found in report.by_category.items()
            ],
        )
    if report.notes:
        console().print()
    for note in report.notes:
        say(f"Note: {note}")


def _share_cells(share: Share) -> tuple[str, str, str, str]:
    wilson = f"{share.low * 100:.1f} to {share.high * 100:.1f}"
    return f"{share.answers:,}", f"{share.value * 100:.1f} %", wilson, _interval(share.over_participants, 100, 1)


def _interval(estimate: Estimate | None, times: float, digits: int) -> str:
    return "" if estimate is None else f"{estimate.low * times:.{digits}f} to {estimate.high * times:.{digits}f}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
