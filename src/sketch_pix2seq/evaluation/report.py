"""The report on a reproduction: one HTML page that stands alone, and Markdown with its pictures beside it.

It is made of what lies in the folder alone, and its verdicts are made of the figures and their intervals.
"""

from __future__ import annotations

import base64
import html
import math
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeAlias

from sketch_pix2seq.errors import FileError
from sketch_pix2seq.evaluation.experiments import (
    CONTENDERS,
    CURVE,
    EVALUATION,
    LATENT,
    MAP,
    PEOPLE,
    PUBLISHED_STEPS,
    REDRAWN,
    TEMPERATURE,
    Contender,
    Experiment,
    Plan,
    ReproduceSettings,
    crossed_name,
    kl_at_the_end,
    load_plan,
    result_folder,
)
from sketch_pix2seq.evaluation.latent import LatentFigures, load_latent
from sketch_pix2seq.evaluation.results import Estimate, Evaluation, load_evaluation
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import read_sketches
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

PAGE, TEXT, PICTURES = "report.html", "report.md", "report"

TOO_FEW_STEPS = 1000
"""Steps below which nothing is said about a claim: models that differ here differ in how they begin to learn."""
FAR_FROM_DONE = 20_000
"""Steps below which the report says that training was short."""
SMALL_FALL = 0.10
"""A fall in Rec of at most this, with certainty, counts as learning many categories as well as few."""

_COLOURS = {
    "sketch-rnn": "#d1495b",
    "rnn-no-kl": "#e08e1b",
    "cnn-kl": "#5b8c3a",
    "sketch-pix2seq": "#2f7fd1",
    "default": "#8f63c9",
}


# -- what came of it --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """One model trained on the categories of one experiment, as far as it has come."""

    experiment: Experiment
    contender: Contender
    evaluation: Evaluation | None
    crossed: dict[str, Evaluation]
    """Name of a smaller experiment -> the figures on its sketches."""
    latent: LatentFigures | None
    curve: tuple[tuple[int, float], ...]
    """Step and training loss in nats a row."""


@dataclass(frozen=True)
class Results:
    """Everything that a reproduction has found."""

    plan: Plan
    each: tuple[Result, ...]

    def of(self, experiment: Experiment, recipe: str) -> Result:
        """One of them."""
        return next(r for r in self.each if r.experiment == experiment and r.contender.recipe == recipe)

    @property
    def evaluations(self) -> list[Evaluation]:
        """Those that are there."""
        return [r.evaluation for r in self.each if r.evaluation is not None]


def read_results(folder: Path) -> Results:
    """What lies in a folder of a reproduction; what is missing yet is None. Raises as `load_plan` does."""
    plan = load_plan(folder)
    each = []
    for number, experiment in enumerate(plan.experiments):
        for contender in CONTENDERS:
            results = result_folder(folder, experiment, contender.recipe)
            crossed = {
                smaller.name: load_evaluation(results / crossed_name(smaller))
                for smaller in plan.experiments[:number]
                if (results / crossed_name(smaller)).exists()
            }
            each.append(
                Result(
                    experiment,
                    contender,
                    load_evaluation(results / EVALUATION) if (results / EVALUATION).exists() else None,
                    crossed,
                    load_latent(results / LATENT) if (results / LATENT).exists() else None,
                    _read_curve(results / CURVE),
                )
            )
    return Results(plan, tuple(each))


def _read_curve(path: Path) -> tuple[tuple[int, float], ...]:
    if not path.exists():
        return ()
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return tuple((int(step), float(nats)) for step, nats in rows)


@dataclass(frozen=True)
class Metric:
    """A column of the tables."""

    name: str
    better: Literal["higher", "lower", ""]
    form: Literal["%", "number"]
    get: Callable[[Result], Estimate | None]
    people: Callable[[Evaluation], Estimate | None] = lambda _: None
    """The same figure of people's own sketches."""


def _of(get: Callable[[Evaluation], Estimate | None]) -> Callable[[Result], Estimate | None]:
    return lambda result: None if result.evaluation is None else get(result.evaluation)


def _ret(k: int) -> Callable[[Result], Estimate | None]:
    return _of(lambda e: None if e.retrieval is None else e.retrieval.at.get(str(k)))


REC = Metric(
    "Rec top-1",
    "higher",
    "%",
    _of(lambda e: None if e.redrawn is None else e.redrawn.top1),
    lambda e: None if e.people is None else e.people.top1,
)
FID = Metric(
    "FID",
    "lower",
    "number",
    _of(lambda e: None if e.distribution is None else e.distribution.fid),
    lambda e: None if e.distribution is None else e.distribution.fid_people,
)
TURING = Metric("Turing test", "lower", "%", _of(lambda e: None if e.turing is None else e.turing.accuracy))
RET1 = Metric("Ret@1", "higher", "%", _ret(1))
SILHOUETTE = Metric("silhouette", "higher", "number", lambda r: None if r.latent is None else r.latent.silhouette)
PURITY = Metric("purity", "higher", "%", lambda r: None if r.latent is None else r.latent.purity)
METRICS = (
    Metric("L_R", "lower", "number", _of(lambda e: None if e.losses is None else e.losses.l_r)),
    Metric("nats a point", "lower", "number", _of(lambda e: None if e.losses is None else e.losses.nats_point)),
    Metric("L_KL", "", "number", _of(lambda e: None if e.losses is None else e.losses.l_kl)),
    REC,
    Metric(
        "Rec top-3",
        "higher",
        "%",
        _of(lambda e: None if e.redrawn is None else e.redrawn.top3),
        lambda e: None if e.people is None else e.people.top3,
    ),
    RET1,
    Metric("Ret@10", "higher", "%", _ret(10)),
    Metric("Ret@50", "higher", "%", _ret(50)),
    FID,
    Metric(
        "precision",
        "higher",
        "%",
        _of(lambda e: None if e.distribution is None else e.distribution.precision),
        lambda e: None if e.distribution is None else e.distribution.precision_people,
    ),
    Metric(
        "recall",
        "higher",
        "%",
        _of(lambda e: None if e.distribution is None else e.distribution.recall),
        lambda e: None if e.distribution is None else e.distribution.recall_people,
    ),
    TURING,
    Metric("ended", "higher", "%", _of(lambda e: e.ended)),
    SILHOUETTE,
    PURITY,
)
"""Every figure of the tables, in their order."""


# -- verdicts ---------------------------------------------------------------------------------------------

Outcome = Literal["for", "against", "open"]
Answer = Literal["holds here", "does not hold here", "holds in part", "cannot be told"]


@dataclass(frozen=True)
class Comparison:
    """Two figures and what their difference says of a claim."""

    outcome: Outcome
    words: str


@dataclass(frozen=True)
class Verdict:
    """A claim of the paper and what is found of it here."""

    claim: str
    answer: Answer
    reason: str
    """One sentence with the deciding numbers."""
    details: tuple[str, ...]
    """A sentence for each group of comparisons."""


def compared(first: Estimate, second: Estimate, better: str) -> Outcome:
    """Whether the first figure is better ("for"), worse ("against"), or their 95 % intervals overlap ("open")."""
    if first.low > second.high:
        return "for" if better == "higher" else "against"
    if first.high < second.low:
        return "against" if better == "higher" else "for"
    return "open"


def judged(claim: str, comparisons: Sequence[Comparison], steps: int, details: Sequence[str], what: str) -> Verdict:
    """The rule: it holds where at least half of the comparisons speak for it and none against, and the other way about.

    With some for and some against it holds in part. With fewer decided than half, or after too little training, it
    cannot be told. what: who is compared with whom, for the sentence.
    """
    favour, against = (sum(c.outcome == o for c in comparisons) for o in ("for", "against"))
    n = len(comparisons)
    deciding = next(
        (
            c.words
            for o in ("for", "against")
            for c in reversed(comparisons)
            if c.outcome == o and (o == "for" or not favour)
        ),
        comparisons[-1].words if comparisons else "",
    )
    counts = (
        f"{what}: of {n} comparisons it is better in {favour} and worse in {against}; in {n - favour - against} the "
        "intervals overlap"
    )
    answer: Answer
    if not comparisons:
        answer, reason = "cannot be told", "There is nothing to compare yet."
    elif steps < TOO_FEW_STEPS:
        answer = "cannot be told"
        reason = (
            f"{steps:,} steps are too little training: what differs now is how the models begin to learn. As they "
            f"stand, {counts}; for one, {deciding}."
        )
    else:
        reason = f"{counts[0].upper()}{counts[1:]}; for one, {deciding}."
        if favour and against:
            answer = "holds in part"
            opposite = next(c.words for c in reversed(comparisons) if c.outcome == "against")
            reason = f"{reason[:-1]}, but {opposite}."
        elif 2 * favour >= n:
            answer = "holds here"
        elif 2 * against >= n:
            answer = "does not hold here"
        else:
            answer = "cannot be told"
            reason += " Too few are decided."
    return Verdict(claim, answer, reason, tuple(details))


def verdicts(results: Results) -> list[Verdict]:
    """The paper's three claims, answered from the figures."""
    return [_encoder_claim(results), _latent_claim(results), _many_claim(results)]


def _pairwise(
    results: Results,
    pairs: Sequence[tuple[str, str, str]],
    metrics: Sequence[Metric],
    experiments: Iterable[Experiment],
) -> tuple[list[Comparison], list[str]]:
    """Comparisons of (first recipe, second recipe, in words), and a sentence for each pair and experiment."""
    comparisons, details = [], []
    for experiment in experiments:
        for first, second, words in pairs:
            parts = []
            for metric in metrics:
                a = metric.get(results.of(experiment, first))
                b = metric.get(results.of(experiment, second))
                if a is None or b is None:
                    continue
                outcome = compared(a, b, metric.better)
                figures = f"{metric.name} {show(a, metric.form)} against {show(b, metric.form)}"
                comparisons.append(Comparison(outcome, f"{figures} ({words}, {experiment.title})"))
                parts.append(f"{figures}: {_WORDS[outcome]}")
            if parts:
                details.append(f"**{experiment.title}, {words}:** {'; '.join(parts)}.")
    return comparisons, details


_WORDS = {"for": "better", "against": "worse", "open": "intervals overlap"}


def _encoder_claim(results: Results) -> Verdict:
    pairs = (
        ("cnn-kl", "sketch-rnn", "CNN against RNN, with KL"),
        ("sketch-pix2seq", "rnn-no-kl", "CNN against RNN, without KL"),
    )
    comparisons, details = _pairwise(results, pairs, (REC, FID, TURING, RET1), results.plan.experiments)
    return judged(
        "A CNN encoder draws more like people than an RNN encoder.",
        comparisons,
        results.plan.steps,
        details,
        "the CNN against the RNN, in Rec, FID, Turing test and Ret@1",
    )


def _latent_claim(results: Results) -> Verdict:
    pairs = (
        ("rnn-no-kl", "sketch-rnn", "no KL against KL, with the RNN"),
        ("sketch-pix2seq", "cnn-kl", "no KL against KL, with the CNN"),
    )
    several = [e for e in results.plan.experiments if len(e.categories) > 1]
    comparisons, details = _pairwise(results, pairs, (SILHOUETTE, PURITY), several)
    for experiment in several:
        latents = [r.latent for r in results.each if r.experiment == experiment and r.latent is not None]
        if latents:
            details.append(
                f"**{experiment.title}:** by chance purity would be {latents[0].chance * 100:.1f} %; a silhouette of "
                "0 or "
                "below says that categories lie through one another."
            )
    return judged(
        "Without the KL term the latent space shows the categories.",
        comparisons,
        results.plan.steps,
        details,
        "codes without KL against codes with KL, in silhouette and purity",
    )


def _many_claim(results: Results) -> Verdict:
    plan = results.plan
    claim = "A CNN encoder and no KL term together learn many categories at once."
    if len(plan.experiments) < 2:
        return Verdict(claim, "cannot be told", "This set has too few categories for a second experiment.", ())
    last = plan.experiments[-1]
    own = "sketch-pix2seq"
    pairs = [(own, c.recipe, f"{own} against {c.recipe}") for c in CONTENDERS if c.of_paper and c.recipe != own]
    comparisons, details = _pairwise(results, pairs, (REC,), [last])
    for contender in CONTENDERS:
        for smaller in plan.experiments[:-1]:
            few, many, same = _before_and_after(results, contender.recipe, smaller, last)
            if few is None or many is None:
                continue
            fall = Estimate(few.value - many.value, few.low - many.high, few.high - many.low, min(few.n, many.n))
            outcome: Outcome = "open"
            if fall.low > 0:
                outcome = "against"
                said = "it falls"
            elif fall.high <= SMALL_FALL:
                outcome = "for"
                said = f"it does not fall by more than {SMALL_FALL * 100:.0f} points"
            else:
                said = "whether it falls cannot be told"
            on = f"on the same sketches of {smaller.title}" if same else "each on its own test sketches"
            words = (
                f"Rec top-1 of {contender.recipe} {on} {show(few, '%')} when trained on {smaller.title}, "
                f"{show(many, '%')} when trained on {last.title}"
            )
            details.append(f"**{contender.title}:** {words[0].upper()}{words[1:]}: {said}.")
            if contender.recipe == own:
                comparisons.append(Comparison(outcome, words))
    return judged(
        claim,
        comparisons,
        plan.steps,
        details,
        f"sketch-pix2seq on {last.title} against the paper's other three models in Rec, and against itself trained on "
        "fewer",
    )


def _before_and_after(
    results: Results, recipe: str, smaller: Experiment, larger: Experiment
) -> tuple[Estimate | None, Estimate | None, bool]:
    """Rec of a model that was trained on few categories and on many, and whether on the same sketches."""
    few, many = results.of(smaller, recipe), results.of(larger, recipe)
    crossed = many.crossed.get(smaller.name)
    if crossed is not None:
        return REC.get(few), None if crossed.redrawn is None else crossed.redrawn.top1, True
    return REC.get(few), REC.get(many), False


# -- figures in words -------------------------------------------------------------------------------------


def show(estimate: Estimate | None, form: str) -> str:
    """``57.3 % (54.1 to 60.2)``; a dash for what is not there."""
    if estimate is None or math.isnan(estimate.value):
        return "–"
    value, low, high = (_number(x, form) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value}{' %' if form == '%' else ''} ({low} to {high})"


def _number(value: float, form: str) -> str:
    if form == "%":
        return f"{value * 100:.1f}"
    digits = 3 if abs(value) < 10 else 1
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return (
        f"{seconds:.0f} s"
        if minutes < 2
        else f"{minutes:.0f} minutes"
        if minutes < 120
        else f"{minutes / 60:.1f} hours"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# -- what a report is made of -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Heading:
    """A heading."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Text with `code` and **bold**."""

    text: str
    loud: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells of text; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Pictures:
    """Pictures of the report's folder side by side: file, what it shows, caption."""

    items: tuple[tuple[Path, str, str], ...]
    wide: bool = False


@dataclass(frozen=True)
class Command:
    """Lines for a shell."""

    text: str


Block: TypeAlias = Heading | Paragraph | Bullets | Table | Pictures | Command | Verdict


def write_report(folder: Path) -> tuple[Path, Path]:
    """Write ``report.html``, which needs no other file, and ``report.md`` with ``report/`` beside it.

    Made from what lies in the folder of a reproduction alone, finished or not.
    Raises FileError or FormatError where there is no reproduction or a file of it is damaged.
    """
    results = read_results(folder)
    pictures = folder / PICTURES
    try:
        pictures.mkdir(exist_ok=True)
        blocks = _blocks(results, folder, pictures)
    except OSError as error:
        raise FileError(pictures, f"cannot be written: {error.strerror or error}") from error
    title = "Sketch-pix2seq and sketch-rnn, measured"
    text = write_whole(folder / TEXT, _markdown(title, blocks).encode())
    page = write_whole(folder / PAGE, _html(title, blocks).encode())
    return page, text


def _blocks(results: Results, folder: Path, pictures: Path) -> list[Block]:
    plan = results.plan
    return [
        *_opening(results),
        Heading("The paper's three claims"),
        Paragraph(
            "A difference counts where the 95 % intervals of the two figures do not overlap, which is stricter than a "
            "test of the difference. The intervals are bootstrapped over test sketches. Each model was trained once: "
            "what "
            "another seed of training would change is in no interval. The rule for a verdict: at least half of the "
            "comparisons for it and none against it (or the other way about)."
        ),
        *verdicts(results),
        Heading("All figures"),
        *(block for experiment in plan.experiments for block in _figures(results, experiment)),
        *_crossed(results),
        *_curves(results, pictures),
        *_drawings(results, folder, pictures),
        *_maps(results, folder, pictures),
        *_protocol(results),
        Heading("How to repeat this"),
        Command(_command(plan)),
        Paragraph(
            "The same command goes on where it was stopped, and on a finished folder it writes this report again. "
            "`sketch-pix2seq export OUT/runs/N/RECIPE --data SET.arrow` makes a model folder of a run to draw with."
        ),
    ]


def _opening(results: Results) -> list[Block]:
    plan = results.plan
    missing = sum(result.evaluation is None or result.latent is None for result in results.each)
    sizes = _listed([experiment.title for experiment in plan.experiments])
    blocks: list[Block] = [
        Paragraph(
            "Four models of *Sketch-pix2seq* (Chen, Tu, Yi & Xu 2017), an RNN or a CNN as the encoder, with and "
            "without "
            f"the KL term, and ours, which is not in the paper. Each was trained on {sizes} for **{plan.steps:,} "
            "steps of "
            f"{plan.batch} sketches** and tested on sketches that it never saw, all within a budget of "
            f"{plan.settings.budget:g} minutes."
        )
    ]
    if missing:
        blocks.append(
            Paragraph(
                f"**Not finished:** {missing} of {len(results.each)} models are not trained and tested yet.", True
            )
        )
    if plan.steps < FAR_FROM_DONE:
        nats = [
            f"{r.contender.recipe} {_number(value.value, 'number')}"
            for r in results.each
            if r.experiment == plan.experiments[-1] and (value := METRICS[1].get(r)) is not None
        ]
        barely = "**The models are barely trained.** " if plan.steps < TOO_FEW_STEPS else "**Training was short.** "
        loss = f" Where they stand on {plan.experiments[-1].title}, in nats a point: {', '.join(nats)}." if nats else ""
        blocks.append(
            Paragraph(
                f"{barely}{plan.steps:,} steps are {_share(plan.steps)} of the about {PUBLISHED_STEPS:,} steps of the "
                "one "
                "published training curve that we know of (a single category; there sketch-pix2seq took 11 hours and "
                "sketch-rnn 16)."
                + loss
                + " What is said here is said of models at this point of their training, not of what they can become.",
                True,
            )
        )
    return blocks


def _share(steps: int) -> str:
    return f"{steps / PUBLISHED_STEPS * 100:.1f} %"


def _figures(results: Results, experiment: Experiment) -> list[Block]:
    own = [r for r in results.each if r.experiment == experiment]
    tested = next((r.evaluation for r in own if r.evaluation is not None), None)
    title = experiment.title[0].upper() + experiment.title[1:]
    if tested is None:
        return [Heading(title, 3), Paragraph("Not tested yet.")]
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
    return [
        Heading(title, 3),
        Paragraph(
            f"{experiment.train:,} training sketches{names}. {'; '.join(facts)}. Arrows point to the better side; with "
            "each figure, its 95 % interval."
        ),
        Table(head, tuple(rows)),
    ]


_ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


def _crossed(results: Results) -> list[Block]:
    """Rec of each model by how many categories it was trained on, on the same sketches."""
    blocks: list[Block] = []
    experiments = results.plan.experiments
    for number, tested in enumerate(experiments[:-1]):
        larger = experiments[number + 1 :]
        rows = []
        for contender in CONTENDERS:
            cells = [show(REC.get(results.of(tested, contender.recipe)), "%")]
            for experiment in larger:
                crossed = results.of(experiment, contender.recipe).crossed.get(tested.name)
                rec = None if crossed is None or crossed.redrawn is None else crossed.redrawn.top1
                cells.append(show(rec, "%"))
            rows.append((contender.title, *cells))
        if any(cell != "–" for row in rows for cell in row[2:]):
            blocks.append(Paragraph(f"Rec top-1 on the same test sketches of **{tested.title}**, by training:"))
            head = ("model", *(f"trained on {experiment.title}" for experiment in (tested, *larger)))
            blocks.append(Table(head, tuple(rows)))
    if not blocks:
        return []
    note = (
        "A model that knows one category alone is recognised whatever it is shown: its Rec says how well it draws that "
        "thing, not how well it looks."
    )
    return [Heading("From few categories to many", 3), *blocks, Paragraph(note)]


def _curves(results: Results, pictures: Path) -> list[Block]:
    items = []
    for experiment in results.plan.experiments:
        lines = [
            (r.contender.title, _COLOURS[r.contender.recipe], r.curve)
            for r in results.each
            if r.experiment == experiment and len(r.curve) > 1
        ]
        if lines:
            path = pictures / f"curves-{experiment.name}.svg"
            write_whole(path, _curve_svg(lines).encode())
            items.append((path, f"Training curves on {experiment.title}", experiment.title))
    if not items:
        return []
    text = (
        "Negative log likelihood in training, nats a row, by step. Where z is sampled and points are dropped at random "
        "this is higher than on test sketches; ours counts one row more a sketch than the others."
    )
    return [Heading("Training"), Paragraph(text), Pictures(tuple(items))]


def _curve_svg(lines: Sequence[tuple[str, str, Sequence[tuple[int, float]]]]) -> str:
    """A line chart of (title, colour, (step, nats)) with its legend above."""
    width, height, left, right, bottom = 560, 330, 52, 14, 40
    top = 16 + 18 * ((len(lines) + 1) // 2)
    last = max(step for *_, curve in lines for step, _ in curve)
    shown = [nats for *_, curve in lines for step, nats in curve if step >= 0.04 * last or step == curve[-1][0]]
    low, high = min(shown), max(shown)
    room = 0.05 * (high - low) or 0.1
    low, high = low - room, high + room

    def x(step: float) -> float:
        return left + (width - left - right) * step / last

    def y(nats: float) -> float:
        return top + (height - top - bottom) * (high - min(nats, high)) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for n, (title, colour, _) in enumerate(lines):
        at_x, at_y = left + (n % 2) * 250, 16 + 18 * (n // 2)
        parts.append(
            f'<line x1="{at_x}" y1="{at_y - 4}" x2="{at_x + 22}" y2="{at_y - 4}" stroke="{colour}" stroke-width="3"/>'
        )
        parts.append(f'<text x="{at_x + 28}" y="{at_y}" fill="#333">{html.escape(title)}</text>')
    for tick in _ticks(low, high):
        parts.append(f'<path d="M{left} {y(tick):.1f}H{width - right}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" fill="#666" text-anchor="end">{_tick(tick)}</text>')
    parts.extend(
        f'<text x="{x(tick):.1f}" y="{height - bottom + 18}" fill="#666" text-anchor="middle">{_tick(tick)}</text>'
        for tick in _ticks(0, last)
    )
    parts.append(
        f'<text x="{(left + width - right) / 2:.0f}" y="{height - 6}" fill="#666" text-anchor="middle">steps</text>'
    )
    for _, colour, curve in lines:
        points = " ".join(f"{x(step):.1f},{y(nats):.1f}" for step, nats in curve)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers between two."""
    raw = (high - low) / 7
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _tick(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{round(value, 6):g}".replace("-", "−")


def _drawings(results: Results, folder: Path, pictures: Path) -> list[Block]:
    items = []
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
        path = pictures / f"redrawn-{experiment.name}.png"
        write_sheet(path, rows, cell=104, columns=("people's", *(_SHORT[c.recipe] for c in shown)))
        items.append(
            (path, f"People's sketches and what the models made of them, {experiment.title}", experiment.title)
        )
    if not items:
        return []
    text = (
        f"Test sketches taken at random, the same for all, each redrawn once at temperature {TEMPERATURE:g} and shown "
        "whatever came of it. Left: the sketch by a person."
    )
    return [Heading("Redrawings"), Paragraph(text), Pictures(tuple(items), wide=True)]


_SHORT = {
    "sketch-rnn": "RNN + KL",
    "rnn-no-kl": "RNN, no KL",
    "cnn-kl": "CNN + KL",
    "sketch-pix2seq": "CNN, no KL",
    "default": "ours",
}


def _by_place(path: Path) -> dict[int, Sketch]:
    if not path.exists():
        return {}
    return {int(sketch.metadata.get("place", n)): sketch for n, sketch in enumerate(read_sketches(path)) if len(sketch)}


def _maps(results: Results, folder: Path, pictures: Path) -> list[Block]:
    blocks: list[Block] = []
    for experiment in reversed(results.plan.experiments):
        items = []
        for result in results.each:
            source = result_folder(folder, experiment, result.contender.recipe) / MAP
            if result.experiment != experiment or not source.exists():
                continue
            path = pictures / f"latent-{experiment.name}-{result.contender.recipe}.png"
            shutil.copyfile(source, path)
            caption = result.contender.title
            if result.latent is not None and result.latent.purity is not None:
                caption += (
                    f": silhouette {show(result.latent.silhouette, 'number')}, purity {show(result.latent.purity, '%')}"
                )
            items.append((path, f"Latent map of {result.contender.title}, {experiment.title}", caption))
        if items:
            blocks += [Heading(experiment.title[0].upper() + experiment.title[1:], 3), Pictures(tuple(items))]
    if not blocks:
        return []
    text = (
        "The code (posterior mean) of each test sketch, laid out by t-SNE and coloured by category. Neighbours on a "
        "map "
        "are neighbours among the codes; distances between groups, their sizes and shapes mean little. The figures "
        "below "
        "them are of the codes, not of the map."
    )
    return [Heading("Latent maps"), Paragraph(text), *blocks]


def _protocol(results: Results) -> list[Block]:
    plan = results.plan
    splits = ", ".join(f"{count:,} {split}" for split, count in plan.splits.items())
    largest = plan.experiments[-1]
    items = [
        f"**Data:** `{Path(plan.data).name}`, {len(largest.categories)} categories ({splits}). Sketches of over 250 "
        "points "
        "are left out of training.",
        f"**Machine:** {plan.machine}; sketch-pix2seq {plan.package}; seed {plan.settings.seed}.",
        f"**Alike for all:** decoder (LSTM of 512), data and how often each sketch is seen, {plan.steps:,} steps of "
        f"{plan.batch} sketches. The steps were chosen before training, as what fits the budget at the speeds measured "
        "on this machine.",
        "**As each recipe has it:** the paper's four models have the published optimiser, with a learning rate that is "
        "multiplied by 0.9999 at every step; it is not fitted to short runs. Ours has another optimiser, whose rate "
        "goes "
        "down at the end of the run, other augmentation, a canvas in the decoder and a code of 256 numbers. So compare "
        "the four with one another; ours shows how far one can go from there in the same steps.",
        "**KL:** the term's weight is raised slowly, as published (0.5 times 1 − 0.99 R^step). R is fitted to the "
        "length "
        f"of the run, so that its end is that of {PUBLISHED_STEPS:,} published steps: "
        f"{kl_at_the_end(plan.steps) * 100:.0f} % "
        "of the full weight here. Left as published, a short run with KL would be one without.",
    ]
    evaluations = results.evaluations
    if evaluations:
        first, whole = evaluations[0], evaluations[-1]
        spec = first.renderer
        items.append(
            f"**Renderer:** {spec.size} x {spec.size} pixels, anti-aliased line of {spec.line} pixel, margin "
            f"{spec.margin:g} "
            "pixels, aspect kept, centred; for classifier, FID and Turing test alike."
        )
        accuracy = "" if whole.people is None else f" On people's test sketches here: {show(whole.people.top1, '%')}."
        items.append(f"**Classifier for Rec and FID:** {whole.classifier}.{accuracy}")
        items.append(
            f"**Drawing:** temperature {whole.temperature:g}, one drawing of each sketch, kept whatever it is "
            f"({'the same ' if len(evaluations) > 1 else ''}test sketches for all models, at most {plan.sketches:,} an "
            "experiment, spread evenly over the categories)."
        )
        if whole.turing is not None:
            items.append(
                "**Turing test:** how often a fresh CNN, cross-validated, tells redrawings from people's sketches: 50 "
                "% is "
                "indistinguishable, and it rises with the number of sketches that the CNN learns from."
            )
        seconds = sum(e.seconds for e in evaluations)
        items.append(f"**Time for testing:** {_duration(seconds)}.")
    if not plan.turing:
        items.append("**Left out for want of time:** the Turing test.")
    if not plan.crossed:
        items.append(
            "**Left out for want of time:** the models of many categories on the sketches of the smaller experiments."
        )
    speeds = tuple(
        (c.title, *(f"{plan.seconds_a_step(c.recipe, e):.2f}" for e in plan.experiments)) for c in CONTENDERS
    )
    head = ("seconds a step, as measured", *(e.title for e in plan.experiments))
    return [Heading("How it was done"), Bullets(tuple(items)), Table(head, speeds)]


def _command(plan: Plan) -> str:
    words = [
        f"sketch-pix2seq reproduce --data {Path(plan.data).name} --out reproduction --budget {plan.settings.budget:g}"
    ]
    for f in fields(ReproduceSettings):
        value = getattr(plan.settings, f.name)
        if f.name != "budget" and value != f.default:
            words.append(f'--{f.name} "{value}"' if isinstance(value, str) else f"--{f.name} {value}")
    return " ".join(words)


# -- Markdown ---------------------------------------------------------------------------------------------


def _markdown(title: str, blocks: Sequence[Block]) -> str:
    return "\n\n".join([f"# {title}", *map(_markdown_block, blocks)]) + "\n"


def _markdown_block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {block.text}"
        case Paragraph():
            return f"> {block.text}" if block.loud else block.text
        case Bullets():
            return "\n".join(f"- {item}" for item in block.items)
        case Table():
            rows = [block.head, ("---",) * len(block.head), *block.rows]
            return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
        case Pictures():
            each = [
                f"![{shows}]({path.parent.name}/{path.name})\n\n*{caption}*" for path, shows, caption in block.items
            ]
            return "\n\n".join(each)
        case Command():
            return f"```sh\n{block.text}\n```"
        case Verdict():
            details = "\n".join(f"- {detail}" for detail in block.details)
            answer = f"**{block.answer[0].upper()}{block.answer[1:]}.** {block.reason}"
            return f"### {block.claim}\n\n{answer}\n\n{details}".rstrip()


# -- HTML -------------------------------------------------------------------------------------------------


def _html(title: str, blocks: Sequence[Block]) -> str:
    body = "\n".join(map(_html_block, blocks))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{html.escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def _html_block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
        case Paragraph():
            return f"<p{' class=loud' if block.loud else ''}>{_inline(block.text)}</p>"
        case Bullets():
            return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in block.items)}</ul>"
        case Table():
            head = "".join(f"<th scope=col>{_inline(cell)}</th>" for cell in block.head)
            rows = "\n".join(
                "<tr><th "
                f"scope=row>{_inline(row[0])}</th>{''.join(f'<td>{_figure(cell)}</td>' for cell in row[1:])}</tr>"
                for row in block.rows
            )
            return f'<div class=scroll tabindex=0 role=region aria-label="{html.escape(block.head[0])}">' + (
                f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>"
            )
        case Pictures():
            figures = "\n".join(
                f'<figure><img src="{_data_uri(path)}" alt="{html.escape(shows)}">'
                f"<figcaption>{_inline(caption)}</figcaption></figure>"
                for path, shows, caption in block.items
            )
            return f'<div class="pictures{" wide" if block.wide else ""}">\n{figures}\n</div>'
        case Command():
            return f"<div class=scroll><pre><code>{html.escape(block.text)}</code></pre></div>"
        case Verdict():
            details = "".join(f"<li>{_inline(detail)}</li>" for detail in block.details)
            answer = block.answer[0].upper() + block.answer[1:]
            more = f"<details open><summary>Figures</summary><ul>{details}</ul></details>" if details else ""
            return (
                f'<section class="verdict {_KINDS[block.answer]}"><h3>{_inline(block.claim)}</h3>'
                f"<p><strong class=answer>{answer}</strong></p><p>{_inline(block.reason)}</p>{more}</section>"
            )


_KINDS = {
    "holds here": "holds",
    "does not hold here": "fails",
    "holds in part": "partly",
    "cannot be told": "unknown",
}


def _inline(text: str) -> str:
    text = html.escape(text, quote=False).replace(" %", "&nbsp;%")
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)


def _figure(cell: str) -> str:
    """A figure with its interval below it, smaller."""
    value, parenthesis, interval = cell.partition(" (")
    return html.escape(value) + (f"<small>{html.escape(interval.rstrip(')'))}</small>" if parenthesis else "")


_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


def _data_uri(path: Path) -> str:
    return f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


_STYLE = """
:root { --ink: #1d1d21; --soft: #5c5c66; --ground: #fdfdfc; --raised: #f4f4f1; --rule: #dcdcd6;
  --holds: #1d7a46; --fails: #b3362f; --partly: #9a6a00; --unknown: #5c5c66; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf0; --soft: #a5a5b0; --ground: #17171a; --raised: #222227; --rule: #3a3a42;
    --holds: #5fcf90; --fails: #ff8a80; --partly: #e8b64a; --unknown: #b4b4be; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0.4em 0 0.6em; }
h2 { font-size: 1.35rem; margin: 2em 0 0.5em; padding-top: 0.8em; border-top: 1px solid var(--rule); }
h3 { font-size: 1.08rem; margin: 1.5em 0 0.4em; }
p, li { max-width: 78ch; overflow-wrap: break-word; }
ul { padding-left: 1.2em; }
li { margin: 0.35em 0; }
code { font-size: 0.9em; background: var(--raised); padding: 0.1em 0.3em; border-radius: 3px; }
pre { margin: 0; padding: 12px; background: var(--raised); border-radius: 6px; }
pre code { padding: 0; background: none; }
.loud { border-left: 4px solid var(--partly); background: var(--raised); padding: 10px 14px;
  border-radius: 0 6px 6px 0; }
.verdict { border: 1px solid var(--rule); border-left: 6px solid var(--kind); border-radius: 6px;
  padding: 4px 18px 10px; margin: 14px 0; }
.verdict h3 { margin-top: 0.7em; }
.answer { color: var(--kind); font-size: 1.15rem; }
.holds { --kind: var(--holds); } .fails { --kind: var(--fails); }
.partly { --kind: var(--partly); } .unknown { --kind: var(--unknown); }
summary { cursor: pointer; color: var(--soft); }
.scroll { overflow-x: auto; margin: 0.8em 0; }
table { border-collapse: separate; border-spacing: 0; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap;
  vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
th[scope=row], thead th:first-child { position: sticky; left: 0; background: var(--ground); text-align: left;
  font-weight: 600; white-space: normal; min-width: 8.5em; max-width: 13em; }
td small { display: block; color: var(--soft); font-size: 0.82em; }
.pictures { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); }
.pictures.wide { grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); }
figure { margin: 0; }
img { display: block; width: 100%; max-width: 760px; height: auto; background: #fff; border: 1px solid var(--rule);
  border-radius: 6px; }
figcaption { color: var(--soft); font-size: 0.88rem; margin-top: 4px; }
@media print { details > * { display: block; } }
"""
