"""The report on a reproduction: one HTML page that stands alone, and Markdown with its pictures beside it.

The words are in ``templates/report.md.j2``; the page is that Markdown in ``templates/report.html.j2``.
"""

from __future__ import annotations

import base64
import html
import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from sketch_pix2seq.errors import FileError, missing_package
from sketch_pix2seq.evaluation.experiments import (
    CONTENDERS,
    MAP,
    PEOPLE,
    PUBLISHED_STEPS,
    REDRAWN,
    TEMPERATURE,
    Experiment,
    Plan,
    ReproduceSettings,
    kl_at_the_end,
    result_folder,
)  # fmt: skip
from sketch_pix2seq.evaluation.findings import (
    METRICS,
    REC,
    TOO_FEW_STEPS,
    Result,
    Results,
    number_text,
    read_results,
    show,
    verdicts,
)  # fmt: skip
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import read_sketches
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

PAGE, TEXT, PICTURES = "report.html", "report.md", "report"
FAR_FROM_DONE = 20_000
"""Steps below which the report says that training was short."""

_TITLE = "Sketch-pix2seq and sketch-rnn, measured"
_COLOURS = {
    "sketch-rnn": "#d1495b",
    "rnn-no-kl": "#e08e1b",
    "cnn-kl": "#5b8c3a",
    "sketch-pix2seq": "#2f7fd1",
    "default": "#8f63c9",
}
_SHORT = {
    "sketch-rnn": "RNN + KL",
    "rnn-no-kl": "RNN, no KL",
    "cnn-kl": "CNN + KL",
    "sketch-pix2seq": "CNN, no KL",
    "default": "ours",
}
_ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


@dataclass(frozen=True)
class Figures:
    """A table with its heading and what stands above it."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture in the report's folder."""

    file: str
    shows: str
    caption: str


def write_report(folder: Path) -> tuple[Path, Path]:
    """Write ``report.html``, which needs no other file, and ``report.md`` with ``report/`` beside it.

    Made from what lies in the folder of a reproduction alone, finished or not.
    Raises FileError or FormatError where there is no reproduction or a file of it is damaged, ModelError without
    Jinja2, markdown-it-py or matplotlib.
    """
    try:
        import jinja2
        import matplotlib  # noqa: F401
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise missing_package(error, "a report", "evaluate") from error
    results = read_results(folder)
    pictures = folder / PICTURES
    try:
        pictures.mkdir(exist_ok=True)
        context = _context(results, folder, pictures)
    except OSError as error:
        raise FileError(pictures, f"cannot be written: {error.strerror or error}") from error
    templates = partial(
        jinja2.Environment,
        loader=jinja2.PackageLoader("sketch_pix2seq.evaluation"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    markdown = templates(autoescape=False).get_template("report.md.j2").render(context)
    markdown = re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"
    body = _as_page(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown), folder)
    page = templates(autoescape=False).get_template("report.html.j2").render(title=html.escape(_TITLE), body=body)
    return write_whole(folder / PAGE, page.encode()), write_whole(folder / TEXT, markdown.encode())


# -- what the template is given ---------------------------------------------------------------------------


def _context(results: Results, folder: Path, pictures: Path) -> dict[str, Any]:
    plan, evaluations = results.plan, results.evaluations
    largest = plan.experiments[-1]
    nats = [
        f"{r.contender.recipe} {number_text(value.value, 'number')}"
        for r in results.models
        if r.experiment == largest and (value := METRICS[1].get(r)) is not None
    ]
    speeds = tuple(
        (c.title, *(f"{plan.seconds_a_step(c.recipe, e):.2f}" for e in plan.experiments)) for c in CONTENDERS
    )
    return {
        "title": _TITLE,
        "plan": plan,
        "results": results,
        "largest": largest,
        "sizes": _listed([experiment.title for experiment in plan.experiments]),
        "missing": sum(result.evaluation is None or result.latent is None for result in results.models),
        "far_from_done": FAR_FROM_DONE,
        "too_few_steps": TOO_FEW_STEPS,
        "published_steps": PUBLISHED_STEPS,
        "nats": ", ".join(nats),
        "verdicts": verdicts(results),
        "figures": [_figures(results, experiment) for experiment in plan.experiments],
        "crossed": _crossed(results),
        "curves": _curves(results, pictures),
        "drawings": _drawings(results, folder, pictures),
        "maps": _maps(results, folder, pictures),
        "temperature": TEMPERATURE,
        "data": Path(plan.data).name,
        "splits": ", ".join(f"{count:,} {split}" for split, count in plan.splits.items()),
        "kl_at_the_end": kl_at_the_end(plan.steps),
        "first": evaluations[0] if evaluations else None,
        "whole": evaluations[-1] if evaluations else None,
        "several": len(evaluations) > 1,
        "seconds": _duration(sum(e.seconds for e in evaluations)),
        "speeds": Figures("", "", ("seconds a step, as measured", *(e.title for e in plan.experiments)), speeds),
        "command": _command(plan),
        "show": show,
    }


def _figures(results: Results, experiment: Experiment) -> Figures:
    own = [r for r in results.models if r.experiment == experiment]
    tested = next((r.evaluation for r in own if r.evaluation is not None), None)
    title = _capitalised(experiment.title)
    if tested is None:
        return Figures(title, "", (), ())
    used = [m for m in METRICS if any(m.get(r) is not None for r in own)]
    head = ("model", *(f"{m.name}{_ARROWS[m.better]}" for m in used))
    rows = [(r.contender.title, *(show(m.get(r), m.form) for m in used)) for r in own]
    if any(m.people(tested) is not None for m in used):
        rows.append(("people's own sketches", *(show(m.people(tested), m.form) for m in used)))
    facts = [f"{tested.sketches:,} test sketches"]
    if tested.retrieval is not None:
        facts.append(f"Ret@k in a gallery of {tested.retrieval.gallery:,}")
    if tested.losses is not None:
        facts.append(f"L_R over {tested.losses.longest} rows (N_max)")
    latent = next((r.latent for r in own if r.latent is not None), None)
    if latent is not None and latent.purity is not None:
        facts.append(
            f"silhouette and purity ({latent.neighbours} neighbours) of {latent.codes:,} codes, chance "
            f"{latent.chance * 100:.1f} %"
        )
    names = f" ({', '.join(experiment.categories)})" if 1 < len(experiment.categories) <= 12 else ""
    return Figures(title, f"{experiment.train:,} training sketches{names}. {'; '.join(facts)}.", head, tuple(rows))


def _crossed(results: Results) -> list[Figures]:
    """Rec of each model by how many categories it was trained on, on the same sketches."""
    found = []
    experiments = results.plan.experiments
    for number, tested in enumerate(experiments[:-1]):
        larger = experiments[number + 1 :]
        rows = []
        for contender in CONTENDERS:
            cells = [show(REC.get(results.result(tested, contender.recipe)), "%")]
            for experiment in larger:
                crossed = results.result(experiment, contender.recipe).crossed.get(tested.name)
                rec = None if crossed is None or crossed.redrawn is None else crossed.redrawn.top1
                cells.append(show(rec, "%"))
            rows.append((contender.title, *cells))
        if any(cell != "–" for row in rows for cell in row[2:]):
            head = ("model", *(f"trained on {experiment.title}" for experiment in (tested, *larger)))
            found.append(Figures(tested.title, "", head, tuple(rows)))
    return found


def _curves(results: Results, pictures: Path) -> list[Picture]:
    found = []
    for experiment in results.plan.experiments:
        own = [r for r in results.models if r.experiment == experiment and len(r.curve) > 1]
        if own:
            file = f"curves-{experiment.name}.svg"
            write_whole(pictures / file, _curve_svg(own))
            found.append(Picture(file, f"Training curves on {experiment.title}", experiment.title))
    return found


def _curve_svg(results: Sequence[Result]) -> bytes:
    """A line chart; the fall of the first steps, which would flatten all else, is cut off above."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    last = max(step for r in results for step, _ in r.curve)
    shown = [nats for r in results for step, nats in r.curve if step >= 0.04 * last or step == r.curve[-1][0]]
    room = 0.05 * (max(shown) - min(shown)) or 0.1
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for r in results:
        steps, nats = zip(*r.curve, strict=True)
        axes.plot(steps, nats, color=_COLOURS[r.contender.recipe], label=r.contender.title)
    axes.set_xlim(0, last)
    axes.set_ylim(min(shown) - room, max(shown) + room)
    axes.set_xlabel("steps")
    axes.set_ylabel("nats a row")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "report", "svg.fonttype": "none"}):  # the same chart, the same bytes
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return file.getvalue()


def _drawings(results: Results, folder: Path, pictures: Path) -> list[Picture]:
    found = []
    for experiment in results.plan.experiments:
        people = _by_place(result_folder(folder, experiment) / PEOPLE)
        drawn = {c: _by_place(result_folder(folder, experiment, c.recipe) / REDRAWN) for c in CONTENDERS}
        shown = [c for c in CONTENDERS if drawn[c]]
        if not people or not shown:
            continue
        blank = Sketch(())
        rows = [
            Row(sketch.category or "", [Cell(sketch), *(Cell(drawn[c].get(place, blank)) for c in shown)])
            for place, sketch in sorted(people.items())
        ]
        file = f"redrawn-{experiment.name}.png"
        write_sheet(pictures / file, rows, cell=104, columns=("people's", *(_SHORT[c.recipe] for c in shown)))
        shows = f"People's sketches and what the models made of them, {experiment.title}"
        found.append(Picture(file, shows, experiment.title))
    return found


def _by_place(path: Path) -> dict[int, Sketch]:
    if not path.exists():
        return {}
    return {int(sketch.metadata.get("place", n)): sketch for n, sketch in enumerate(read_sketches(path)) if len(sketch)}


def _maps(results: Results, folder: Path, pictures: Path) -> list[tuple[str, list[Picture]]]:
    found = []
    for experiment in reversed(results.plan.experiments):
        items = []
        for result in results.models:
            source = result_folder(folder, experiment, result.contender.recipe) / MAP
            if result.experiment != experiment or not source.exists():
                continue
            file = f"latent-{experiment.name}-{result.contender.recipe}.png"
            shutil.copyfile(source, pictures / file)
            caption = result.contender.title
            if result.latent is not None and result.latent.purity is not None:
                silhouette, purity = show(result.latent.silhouette, "number"), show(result.latent.purity, "%")
                caption += f": silhouette {silhouette}, purity {purity}"
            items.append(Picture(file, f"Latent map of {result.contender.title}, {experiment.title}", caption))
        if items:
            found.append((_capitalised(experiment.title), items))
    return found


def _command(plan: Plan) -> str:
    words = [
        f"sketch-pix2seq reproduce --data {Path(plan.data).name} --out reproduction --budget {plan.settings.budget:g}"
    ]
    for f in fields(ReproduceSettings):
        value = getattr(plan.settings, f.name)
        if f.name != "budget" and value != f.default:
            words.append(f'--{f.name} "{value}"' if isinstance(value, str) else f"--{f.name} {value}")
    return " ".join(words)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


# -- from Markdown to the page ----------------------------------------------------------------------------

_KINDS = {
    "Holds here": "holds",
    "Does not hold here": "fails",
    "Holds in part": "partly",
    "Cannot be told": "unknown",
}
_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


def _as_page(body: str, folder: Path) -> str:
    """The rendered Markdown with its pictures inside, scrolling tables, small intervals and coloured answers."""
    body = re.sub(r'<p><img src="([^"]+)" alt="([^"]*)" /></p>\n<p><em>(.*?)</em></p>', partial(_figure, folder), body)
    body = body.replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="figures"><table>')
    body = body.replace("</table>", "</table></div>")
    body = re.sub(r"<td>([^<(]+) \(([^<)]+)\)</td>", r"<td>\1<small>\2</small></td>", body)
    for answer, kind in _KINDS.items():
        body = body.replace(f"<p><strong>{answer}.</strong>", f'<p><strong class="answer {kind}">{answer}.</strong>')
    return body.replace(" %", "&nbsp;%")


def _figure(folder: Path, match: re.Match[str]) -> str:
    source, shows, caption = match.groups()
    path = folder / html.unescape(source)
    data = f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"
    wide = ' class="wide"' if path.name.startswith("redrawn") else ""
    return f'<figure{wide}><img src="{data}" alt="{shows}"><figcaption>{caption}</figcaption></figure>'
