"""The analysis of a study: how often each model's drawings were taken for a person's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from sketch_pix2seq.evaluation.results import Estimate
from sketch_pix2seq.evaluation.statistics import bootstrap, d_prime, wilson_interval
from sketch_pix2seq.study.design import Design
from sketch_pix2seq.study.store import Judgement, Study

FEW_PARTICIPANTS = 10
"""With fewer, the bootstrap over participants is not to be relied on."""
FEW_ANSWERS = 100
"""With fewer on one model, the interval of its share is some 20 points wide or more."""

PEOPLE = "people"
_RESAMPLES = 2000


@dataclass(frozen=True)
class Share:
    """The share of answers that said "a person"."""

    taken_for_person: int
    answers: int
    value: float
    low: float
    high: float
    """95 % Wilson interval, as if every answer were independent of every other."""
    over_participants: Estimate | None
    """The same share with its 95 % bootstrap interval over participants, who are resampled with all their answers; n is
    their number. None with fewer than two."""


@dataclass(frozen=True)
class SourceFigures:
    """Answers on the drawings of one source."""

    share: Share
    drawings: int
    """Different drawings that were judged."""
    median_rt_ms: float


@dataclass(frozen=True)
class ModelFigures(SourceFigures):
    """Answers on one model's drawings."""

    model: str
    d_prime: float | None
    """z(people's share) - z(this model's share), log-linear correction (Hautus 1995); 0 = cannot be told apart.
    None where people's drawings have no answer yet."""
    d_prime_over_participants: Estimate | None
    p_value: float
    """Exact two-sided binomial test of the answers on its drawings being right (or wrong) half of the time."""


@dataclass(frozen=True)
class Accuracy:
    """Right answers on all counted drawings, half of which are people's, so that always saying the same gives 50 %."""

    right: int
    answers: int
    value: float
    low: float
    high: float
    """95 % Wilson interval."""
    p_value: float
    """Exact two-sided binomial test against 50 %."""


@dataclass(frozen=True)
class Spread:
    """Share of right answers of each participant who answered everything."""

    participants: int
    lowest: float
    quarter: float
    median: float
    three_quarters: float
    highest: float


@dataclass(frozen=True)
class CategoryShare:
    """Answers that said "a person" on one category's drawings of one source."""

    taken_for_person: int
    answers: int


@dataclass(frozen=True)
class StudyReport:
    """What a study has found so far."""

    study: str
    design: Design
    participants: int
    """Those with at least one counted answer."""
    finished: int
    answers: int
    accuracy: Accuracy | None
    people: SourceFigures | None
    models: tuple[ModelFigures, ...]
    """In the order of the design; models without an answer are left out."""
    by_category: Mapping[str, Mapping[str, CategoryShare]]
    """category -> "people" or a model's name -> answers."""
    spread: Spread | None
    notes: tuple[str, ...]
    """What a reader has to know before believing the figures."""


def study_report(path: str | Path) -> StudyReport:
    """Analyse the answers so far; the study may be running. Participants who left early count with what they answered.

    path: the study's folder or its SQLite file. Raises FileError where there is no study, FormatError for something
    else.
    """
    with Study(path) as study:
        design, judged = study.design, study.judgements()
    participants = sorted({j.participant for j in judged})
    finished = [p for p in participants if sum(j.participant == p for j in judged) == design.settings.trials]
    by_model = {name: [j for j in judged if j.model == name] for name in design.models}
    people = [j for j in judged if j.model is None]
    return StudyReport(
        study=str(path),
        design=design,
        participants=len(participants),
        finished=len(finished),
        answers=len(judged),
        accuracy=_accuracy(judged) if judged else None,
        people=SourceFigures(_share(people), *_seen(people)) if people else None,
        models=tuple(_model(name, answers, people) for name, answers in by_model.items() if answers),
        by_category=_by_category(judged, design.models),
        spread=_spread(judged, finished) if finished else None,
        notes=tuple(_notes(len(participants), by_model)),
    )


def _share(answers: Sequence[Judgement]) -> Share:
    taken, n = sum(j.says == "person" for j in answers), len(answers)
    table = _by_participant(answers)
    return Share(
        taken, n, taken / n, *wilson_interval(taken, n), _resampled(table, lambda t: float(t[:, 0].sum() / t.sum()))
    )


def _seen(answers: Sequence[Judgement]) -> tuple[int, float]:
    return len({j.drawing for j in answers}), float(median(j.rt_ms for j in answers))


def _model(name: str, answers: Sequence[Judgement], people: Sequence[Judgement]) -> ModelFigures:
    taken = sum(j.says == "person" for j in answers)
    seen, rt = _seen(answers)
    sensitivity = interval = None
    if people:
        hits = sum(j.says == "person" for j in people)
        sensitivity = d_prime(hits, len(people) - hits, taken, len(answers) - taken)
        judges = {j.participant for j in answers} & {j.participant for j in people}
        both = [_by_participant([j for j in part if j.participant in judges]) for part in (people, answers)]
        interval = _resampled(np.hstack(both), lambda t: d_prime(*(int(total) for total in t.sum(axis=0))))
    return ModelFigures(
        _share(answers), seen, rt, name, sensitivity, interval, _even_odds(len(answers) - taken, len(answers))
    )


def _by_participant(answers: Sequence[Judgement]) -> NDArray[np.int64]:
    """``(participants, 2)``: how often each said "a person" and "a computer"."""
    table: dict[int, list[int]] = {}
    for j in answers:
        table.setdefault(j.participant, [0, 0])[j.says == "computer"] += 1
    return np.array([table[participant] for participant in sorted(table)], np.int64).reshape(-1, 2)


def _resampled(table: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], float]) -> Estimate | None:
    return bootstrap(table, statistic=statistic, samples=_RESAMPLES) if len(table) > 1 else None


def _right(judgement: Judgement) -> bool:
    return (judgement.says == "person") == (judgement.model is None)


def _accuracy(judged: Sequence[Judgement]) -> Accuracy:
    right, n = sum(map(_right, judged)), len(judged)
    return Accuracy(right, n, right / n, *wilson_interval(right, n), _even_odds(right, n))


def _spread(judged: Sequence[Judgement], finished: Sequence[int]) -> Spread:
    shares = [np.mean([_right(j) for j in judged if j.participant == p]) for p in finished]
    return Spread(len(finished), *(float(value) for value in np.quantile(shares, (0, 0.25, 0.5, 0.75, 1))))


def _by_category(judged: Sequence[Judgement], models: Sequence[str]) -> dict[str, dict[str, CategoryShare]]:
    counts: dict[str, dict[str, list[int]]] = {}
    for j in judged:
        of_category = counts.setdefault(j.category, {})
        taken = of_category.setdefault(PEOPLE if j.model is None else j.model, [0, 0])
        taken[0] += j.says == "person"
        taken[1] += 1
    return {
        category: {source: CategoryShare(*counts[category][source]) for source in (PEOPLE, *models) if source in found}
        for category, found in sorted(counts.items())
    }


def _notes(participants: int, by_model: Mapping[str, Sequence[Judgement]]) -> list[str]:
    if not participants:
        return ["No counted answer yet."]
    notes = [
        "Answers of one participant are not independent: quote the interval over participants; the Wilson interval and"
        " the exact test take every answer as independent."
    ]
    if participants < FEW_PARTICIPANTS:
        notes.append(
            f"Only {participants} participant{'s' * (participants != 1)}: with fewer than {FEW_PARTICIPANTS} the"
            " interval over participants is not to be relied on either."
        )
    few = [f"{name} ({len(answers)})" for name, answers in by_model.items() if len(answers) < FEW_ANSWERS]
    if few:
        notes.append(f"Fewer than {FEW_ANSWERS} answers: {', '.join(few)}. Nothing can be concluded yet.")
    return notes


def _even_odds(right: int, n: int) -> float:
    """Two-sided p-value of so many right answers where each comes with probability one half; 1 without answers."""
    return float(binomtest(right, n).pvalue) if n else 1.0
