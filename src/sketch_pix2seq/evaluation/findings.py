"""What a reproduction has found: its figures, and what they say of the paper's three claims.

It is made of what lies in the folder alone, and the verdicts are made of the figures and their intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sketch_pix2seq.evaluation.experiments import (
    CONTENDERS,
    CURVE,
    EVALUATION,
    LATENT,
    Contender,
    Experiment,
    Plan,
    crossed_name,
    load_plan,
    result_folder,
)  # fmt: skip
from sketch_pix2seq.evaluation.latent import LatentFigures, load_latent
from sketch_pix2seq.evaluation.results import Estimate, Evaluation, Likeness, load_evaluation

TOO_FEW_STEPS = 1000
"""Steps below which nothing is said about a claim: models that differ here differ in how they begin to learn."""
SMALL_FALL = 0.10
"""A fall in Rec of at most this, with certainty, counts as learning many categories as well as few."""


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
    models: tuple[Result, ...]

    def result(self, experiment: Experiment, recipe: str) -> Result:
        """One of them."""
        return next(r for r in self.models if r.experiment == experiment and r.contender.recipe == recipe)

    @property
    def evaluations(self) -> list[Evaluation]:
        """Those that are there."""
        return [r.evaluation for r in self.models if r.evaluation is not None]


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


def _likeness(get: Callable[[Likeness], Estimate | None]) -> Callable[[Result], Estimate | None]:
    return _of(lambda e: get(e.likeness[0]) if e.likeness else None)


PIXELS = Metric("told by pixels", "lower", "%", _likeness(lambda row: row.pixel_test))
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
    PIXELS,
    Metric("told by strokes", "lower", "%", _likeness(lambda row: row.stroke_test)),
    Metric("told by order", "lower", "%", _likeness(lambda row: row.order_test)),
    Metric("direction", "higher", "%", _likeness(lambda row: row.direction)),
    Metric("tau", "higher", "number", _likeness(lambda row: row.tau)),
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
                a = metric.get(results.result(experiment, first))
                b = metric.get(results.result(experiment, second))
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
    comparisons, details = _pairwise(results, pairs, (REC, FID, PIXELS, RET1), results.plan.experiments)
    return judged(
        "A CNN encoder draws more like people than an RNN encoder.",
        comparisons,
        results.plan.steps,
        details,
        "the CNN against the RNN, in Rec, FID, pixel test and Ret@1",
    )


def _latent_claim(results: Results) -> Verdict:
    pairs = (
        ("rnn-no-kl", "sketch-rnn", "no KL against KL, with the RNN"),
        ("sketch-pix2seq", "cnn-kl", "no KL against KL, with the CNN"),
    )
    several = [e for e in results.plan.experiments if len(e.categories) > 1]
    comparisons, details = _pairwise(results, pairs, (SILHOUETTE, PURITY), several)
    for experiment in several:
        latents = [r.latent for r in results.models if r.experiment == experiment and r.latent is not None]
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
    few, many = results.result(smaller, recipe), results.result(larger, recipe)
    crossed = many.crossed.get(smaller.name)
    if crossed is not None:
        return REC.get(few), None if crossed.redrawn is None else crossed.redrawn.top1, True
    return REC.get(few), REC.get(many), False


# -- figures in words -------------------------------------------------------------------------------------


def show(estimate: Estimate | None, form: str) -> str:
    """``57.3 % (54.1 to 60.2)``; a dash for what is not there."""
    if estimate is None or math.isnan(estimate.value):
        return "–"
    value, low, high = (number_text(x, form) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value}{' %' if form == '%' else ''} ({low} to {high})"


def number_text(value: float, form: str) -> str:
    if form == "%":
        return f"{value * 100:.1f}"
    digits = 3 if abs(value) < 10 else 1
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")
