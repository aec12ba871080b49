"""The analysis, against figures worked out by hand and SciPy."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sketch_pix2seq.study.design import trial_order
from sketch_pix2seq.study.report import StudyReport, study_report
from sketch_pix2seq.study.store import Study
from tests.study.conftest import small_study


def judge(study: Study, says: dict[str | None, float], participants: int, *, leave_after: int | None = None) -> None:
    """Participants who take drawings of each maker for a person's with a given probability."""
    with closing(sqlite3.connect(study.path, isolation_level=None)) as db:
        before = db.execute("SELECT count(*) FROM participant").fetchone()[0]
        rng = np.random.default_rng([3, before])
        for _ in range(participants):
            token = rng.bytes(16).hex()
            ids = [*study._practice, *trial_order(study.drawings, study.design.settings, token)]
            db.execute("INSERT INTO participant VALUES (?, ?, ?)", (token, "", json.dumps(ids)))
            for trial, drawing in enumerate(ids[:leave_after]):
                said = "person" if rng.random() < says[study.drawings[drawing].model] else "computer"
                answer = (token, trial, drawing, said, 1000.0 + 10 * trial, "")
                db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)", answer)


@pytest.fixture(scope="module")
def judged_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with small_study(tmp_path_factory.mktemp("judged")) as made:
        judge(made, {None: 0.8, "one": 0.6, "two": 0.1}, 30)
        yield made


@pytest.fixture(scope="module")
def reported(judged_study: Study) -> StudyReport:
    return study_report(judged_study.path.parent)


def test_shares_and_tests(judged_study: Study, reported: StudyReport) -> None:
    judged = judged_study.judgements()
    assert (reported.participants, reported.finished, reported.answers) == (30, 30, 180)
    assert reported.people is not None
    assert [m.model for m in reported.models] == ["one", "two"]
    people = [j.says == "person" for j in judged if j.model is None]
    for figures in reported.models:
        said = [j.says == "person" for j in judged if j.model == figures.model]
        share = figures.share
        assert (share.taken_for_person, share.answers) == (sum(said), len(said))
        assert share.value == pytest.approx(np.mean(said))
        test = stats.binomtest(len(said) - sum(said), len(said))
        assert figures.p_value == pytest.approx(test.pvalue)
        interval = stats.binomtest(sum(said), len(said)).proportion_ci(method="wilson")
        assert (share.low, share.high) == pytest.approx((interval.low, interval.high))
        rates = [(sum(part) + 0.5) / (len(part) + 1) for part in (people, said)]
        assert figures.d_prime == pytest.approx(np.diff(stats.norm.ppf(rates[::-1]))[0])
        assert share.over_participants is not None
        assert share.over_participants.n == 30
        assert share.over_participants.low < share.value < share.over_participants.high
        assert figures.d_prime is not None
        assert figures.d_prime_over_participants is not None
        assert figures.d_prime_over_participants.low < figures.d_prime < figures.d_prime_over_participants.high
        assert figures.drawings == len({j.drawing for j in judged if j.model == figures.model})
        assert figures.median_rt_ms == np.median([j.rt_ms for j in judged if j.model == figures.model])


def test_accuracy_spread_and_categories(judged_study: Study, reported: StudyReport) -> None:
    judged = judged_study.judgements()
    right = np.array([(j.says == "person") == (j.model is None) for j in judged])
    assert reported.accuracy is not None
    assert (reported.accuracy.right, reported.accuracy.answers) == (right.sum(), 180)
    assert reported.accuracy.p_value == pytest.approx(stats.binomtest(int(right.sum()), 180).pvalue)
    each = right.reshape(30, 6).mean(axis=1)
    assert reported.spread is not None
    assert reported.spread.median == pytest.approx(np.median(each))
    assert (reported.spread.lowest, reported.spread.highest) == pytest.approx((each.min(), each.max()))
    for category, found in reported.by_category.items():
        for source, counts in found.items():
            said = [j.says == "person" for j in judged if j.category == category and (j.model or "people") == source]
            assert (counts.taken_for_person, counts.answers) == (sum(said), len(said))


def test_by_hand(tmp_path: Path) -> None:
    """Two participants who take everything of people's for a person's and nothing of the model's."""
    with small_study(tmp_path, models=("one",)) as study:
        judge(study, {None: 1.0, "one": 0.0}, 2)
    report = study_report(tmp_path)
    (figures,) = report.models
    assert (figures.share.value, figures.share.low) == (0.0, 0.0)
    assert figures.share.high == pytest.approx(1.959964**2 / (6 + 1.959964**2))
    assert figures.p_value == pytest.approx(2 / 64)
    assert figures.d_prime == pytest.approx(2 * stats.norm.ppf(6.5 / 7))
    assert report.accuracy is not None
    assert report.accuracy.value == 1.0
    assert report.accuracy.p_value == pytest.approx(2 / 4096)
    assert any("Only 2 participants" in note for note in report.notes)
    assert any("one (6)" in note for note in report.notes)


def test_participants_who_agree_with_themselves_widen_the_interval_over_participants(tmp_path: Path) -> None:
    """Half of them always say one thing, half the other: the answers of each are one observation, not many."""
    with small_study(tmp_path, models=("one",)) as study:
        for person in (1.0, 0.0):
            judge(study, {None: person, "one": person}, 10)
    share = study_report(tmp_path).models[0].share
    assert share.value == 0.5
    assert share.over_participants is not None
    wide = share.over_participants.high - share.over_participants.low
    assert wide > 1.5 * (share.high - share.low)


def test_the_beginning_of_a_study(study: Study) -> None:
    report = study_report(study.path)
    assert (report.participants, report.answers, report.models, report.people) == (0, 0, (), None)
    assert report.notes == ("No counted answer yet.",)
    judge(study, {None: 1.0, "one": 1.0, "two": 1.0}, 1, leave_after=2)
    assert study_report(study.path).participants == 0, "practice does not count"
    judge(study, {None: 1.0, "one": 1.0, "two": 1.0}, 1, leave_after=3)
    report = study_report(study.path)
    assert (report.participants, report.finished, report.answers, report.spread) == (1, 0, 1, None)
    for figures in (report.people, *report.models):
        assert figures is None or figures.share.over_participants is None
    json.dumps(asdict(report), allow_nan=False)


def test_some_participants_saw_none_of_a_model(study: Study) -> None:
    judge(study, {None: 0.5, "one": 0.5, "two": 0.5}, 12, leave_after=4)
    report = study_report(study.path)
    assert (report.participants, report.finished) == (12, 0)
    json.dumps(asdict(report), allow_nan=False)
