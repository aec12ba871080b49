"""`sketch-pix2seq evaluate`: a model in figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from sketch_pix2seq.cli.console import console, stages, warn
from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.errors import missing_package
from sketch_pix2seq.evaluation.results import ANOTHER_PERSON, TRACED, Estimate, Evaluation, Likeness, save_evaluation
from sketch_pix2seq.evaluation.settings import EvaluateSettings

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Settings(EvaluateSettings):
    """Measure what a model draws, on sketches it never saw. Every figure comes with a 95 % interval.

    sketch-pix2seq evaluate bundled --data drawings.arrow --out evaluation.json

    sketch-pix2seq evaluate runs/mine --data mine.arrow --limit 500 --no-pixel-test
    """

    model: tyro.conf.Positional[str] = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    data: Path = Path("drawings.arrow")
    """The set; its split is redrawn, its training split is what FID compares with."""
    split: Split = "test"
    """Which sketches."""
    classifier: str = BUNDLED
    """"bundled", or a file that `train-classifier` made."""
    out: Path | None = None
    """Write all figures to this JSON file, confusion and categories included."""
    json: bool = False
    """Print JSON instead of tables."""


def run(settings: Settings) -> None:
    """Evaluate; print tables, or JSON."""
    try:
        from sketch_pix2seq.evaluation.evaluate import evaluate
    except ImportError as error:
        raise missing_package(error, "evaluating", "evaluate") from error
    model = load_model(settings.model)
    sketches = SketchSet.open(settings.data)
    classifier = load_classifier(settings.classifier)
    plain = EvaluateSettings(**{f.name: getattr(settings, f.name) for f in fields(EvaluateSettings)})
    with stages() as show:
        found = evaluate(
            model,
            sketches,
            plain,
            name=settings.model,
            split=settings.split,
            classifier=classifier,
            on_progress=show,
        )
    if settings.pixel_test and any(row.pixel_test is None for row in found.likeness):
        warn('the pixel test was left out: it needs PyTorch (pip install "sketch-pix2seq[evaluate]") and more sketches')
    if settings.out is not None:
        save_evaluation(found, settings.out)
    if settings.json:
        console().print(json.dumps(asdict(found), indent=1), markup=False, soft_wrap=True)
        return
    for part in tables(found):
        console().print(part)
    if settings.out is not None:
        console().print(f"all figures: {settings.out}", markup=False, soft_wrap=True)


def tables(found: Evaluation) -> Iterator[Table | str]:
    """The figures as tables and lines."""
    from rich.markup import escape
    from rich.table import Table

    raster = found.renderer
    yield escape(
        f"{found.model}: {found.network}\n"
        f"{found.sketches} sketches of {len(found.categories)} categories, split {found.split!r} of {found.data}; "
        f"temperature {found.temperature:g}, seed {found.seed}\n"
        f"renderer: {raster.size} x {raster.size} pixels, line {raster.line}, anti-aliased, margin {raster.margin:g}, "
        f"aspect kept, centred\nclassifier: {found.classifier}\nmachine: {found.machine}; {found.seconds:.0f} s"
    )
    table = Table("figure", "value", "95 % interval", "of", title="Redrawings at freedom 0", title_justify="left")
    for row in _figures(found):
        table.add_row(*map(escape, row))
    yield table
    if found.likeness:
        yield _likeness(found)
    if found.healing:
        first_damage = found.healing[0]
        table = Table(
            "patches removed", "Rec top-1", "Ret@1",
            title=f"Healing ({first_damage.retrieved.n} inputs, gallery of {first_damage.gallery})",
            title_justify="left",
        )  # fmt: skip
        for at_damage in found.healing:
            rec = "-" if at_damage.top1 is None else _percent(at_damage.top1)
            table.add_row(f"{at_damage.damage:.0%}", rec, _percent(at_damage.retrieved))
        yield table
    table = Table("strokes", "people", "redrawn", "KS distance", title="Strokes at freedom 0", title_justify="left")
    for statistic in found.strokes:
        name = f"{statistic.name} ({statistic.unit})" if statistic.unit else statistic.name
        values = (f"{x.value:.3g}" for x in (statistic.people, statistic.redrawn, statistic.distance))
        table.add_row(escape(name), *values)
    yield table
    yield from _categories(found)


def _figures(found: Evaluation) -> Iterator[tuple[str, str, str, str]]:
    def percent(name: str, estimate: Estimate, of: str) -> tuple[str, str, str, str]:
        return name, _percent(estimate), f"{100 * estimate.low:.1f} .. {100 * estimate.high:.1f}", of

    def number(name: str, estimate: Estimate, of: str) -> tuple[str, str, str, str]:
        return name, f"{estimate.value:.4f}", f"{estimate.low:.4f} .. {estimate.high:.4f}", of

    if found.losses is not None:
        losses = found.losses
        yield number("L_R", losses.l_r, f"a sketch over N_max {losses.longest}")
        yield number("nats a point", losses.nats_point, f"{losses.nats_point.n} sketches")
        if losses.l_r_code is not None and losses.nats_point_code is not None:
            yield number("L_R, code alone", losses.l_r_code, "the picture not looked at while drawing")
            yield number("nats a point, code alone", losses.nats_point_code, f"{losses.nats_point_code.n} sketches")
        if losses.l_kl is not None:
            yield number("L_KL", losses.l_kl, "a sketch and number of z")
    if found.people is not None and found.redrawn is not None:
        for k in ("top1", "top3"):
            redrawn, people = getattr(found.redrawn, k), getattr(found.people, k)
            name = k.replace("top", "top-")
            yield percent(f"Rec {name}, redrawings", redrawn, f"{redrawn.n} redrawings")
            yield percent(f"Rec {name}, people's", people, f"{people.n} sketches")
        if found.rec_difference is not None:
            value, low, high = (100 * getattr(found.rec_difference, of) for of in ("value", "low", "high"))
            yield "Rec top-1, difference", f"{value:+.2f}", f"{low:+.2f} .. {high:+.2f}", "points, paired by sketch"
    if found.retrieval is not None:
        for k, estimate in found.retrieval.at.items():
            yield percent(
                f"Ret@{k}", estimate, f"gallery of {found.retrieval.gallery}, tau {found.retrieval.temperature:g}"
            )
    if found.distribution is not None:
        it = found.distribution
        of = f"against {it.reference} people's (biased upwards when few)"
        yield number("FID, redrawings", it.fid, of)
        yield number("FID, people's", it.fid_people, of)
        yield percent("precision, redrawings", it.precision, f"k = {it.neighbours}")
        yield percent("precision, people's", it.precision_people, f"k = {it.neighbours}")
        yield percent("recall, redrawings", it.recall, f"k = {it.neighbours}")
        yield percent("recall, people's", it.recall_people, f"k = {it.neighbours}")
    yield percent("ended by itself", found.ended, f"{found.ended.n} redrawings")


def _likeness(found: Evaluation) -> Table:
    """One column for each row of the table over freedom; the last one holds half of the widest interval in the line."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    rows = found.likeness
    short = {TRACED: "trace", ANOTHER_PERSON: "other"}
    names = ["by freedom", "people", *(short.get(row.name, row.name.removeprefix("freedom ")) for row in rows), "±"]
    table = Table(
        *(Column(name, no_wrap=True) for name in names), title_justify="left", box=SIMPLE_HEAD, padding=0,
        title=f"Drawings beside people's, {rows[0].inputs} inputs (trace: by the package's tracer;\nother: another "
        "person's sketch of the category)",
    )  # fmt: skip
    rec = None if found.people is None else found.people.top1
    recall = None if found.distribution is None else found.distribution.recall_people

    def line(name: str, people: str | Estimate | None, get: Callable[[Likeness], Estimate | None], scale: int) -> None:
        estimates = [get(row) for row in rows]
        half = max((scale * (e.high - e.low) / 2 for e in estimates if e is not None), default=None)
        if half is None:
            return
        digits = 1 if scale == 100 else 2
        own = people if isinstance(people, str) else _short(people, scale, digits)
        table.add_row(name, own, *(_short(e, scale, digits) for e in estimates), f"{half:.{digits}f}")

    line("variety", "1", lambda row: row.variety, 1)
    line("Rec top-1, %", rec, lambda row: row.top1, 100)
    line("FID over people's", "1", lambda row: row.fid_ratio, 1)
    line("recall, %", recall, lambda row: row.recall, 100)
    line("nearest twin", "1", lambda row: row.twin, 1)
    line("F1 to the input", "1", lambda row: row.f1, 1)
    line("strokes over people's", "1", lambda row: row.strokes, 1)
    line("strokes matched, %", "", lambda row: row.matched, 100)
    line("same first stroke, %", "", lambda row: row.first, 100)
    line("same direction, %", "", lambda row: row.direction, 100)
    line("Kendall's tau", "", lambda row: row.tau, 1)
    line("told by order, %", "50", lambda row: row.order_test, 100)
    line("told by strokes, %", "50", lambda row: row.stroke_test, 100)
    line("told by pixels, %", "50", lambda row: row.pixel_test, 100)
    return table


def _short(estimate: Estimate | None, scale: int, digits: int) -> str:
    return "-" if estimate is None else f"{scale * estimate.value:.{digits}f}"


def _categories(found: Evaluation) -> Iterator[Table]:
    from rich.markup import escape
    from rich.table import Table

    if found.people is None or found.redrawn is None:
        return
    table = Table(
        "category", "sketches", "Rec, people's", "Rec, redrawn", "Ret@1", "nats a point", "people's taken for",
        title="By category", title_justify="left",
    )  # fmt: skip
    for index, name in enumerate(found.categories):
        people, redrawn = found.people.by_category.get(name), found.redrawn.by_category.get(name)
        if people is None or redrawn is None:
            continue
        ret = found.retrieval.by_category[name] if found.retrieval is not None else None
        nats = found.losses.by_category[name] if found.losses is not None else None
        table.add_row(
            escape(name),
            str(people.n),
            _percent(people),
            _percent(redrawn),
            "-" if ret is None else _percent(ret),
            "-" if nats is None else f"{nats.value:.2f}",
            escape(_mistaken(found.people.confusion[index], found.categories, index)),
        )
    yield table


def _mistaken(row: tuple[int, ...], names: tuple[str, ...], own: int) -> str:
    """The two categories that people's sketches of a category are most often taken for."""
    order = sorted(range(len(row)), key=lambda i: -row[i])
    others = [i for i in order if i != own and row[i] > 0][:2]
    return ", ".join(f"{names[i] if i < len(names) else 'others'} {row[i] / sum(row):.0%}" for i in others)


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} %"
