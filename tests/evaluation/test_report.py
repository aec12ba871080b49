"""The report: what it says of the claims, and that its page and its Markdown are whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sketch_pix2seq.evaluation.experiments import (
    CONTENDERS,
    Experiment,
    Plan,
    ReproduceSettings,
    Speed,
    load_plan,
    save_plan,
)
from sketch_pix2seq.evaluation.findings import Result, Results, compared, show, verdicts
from sketch_pix2seq.evaluation.latent import LatentFigures
from sketch_pix2seq.evaluation.report import write_report
from sketch_pix2seq.evaluation.reproduce import reproduce
from sketch_pix2seq.evaluation.results import Estimate, Evaluation
from tests.evaluation.fakes import Fakes, evaluation, near, write_set

PIG = Experiment(("pig",), 100, 50, 40.0)
TWO = Experiment(("fish", "pig"), 200, 100, 40.0)


def results(
    figures: Mapping[str, Evaluation | None],
    purity: dict[str, float] | None = None,
    *,
    steps: int = 5000,
    fewer: dict[str, float] | None = None,
) -> Results:
    """Results on two categories with these figures; ``fewer``: Rec of the models that learned one category alone."""
    speeds = {c.recipe: Speed(1e-4, 1.0) for c in CONTENDERS}
    experiments = (TWO,) if fewer is None else (PIG, TWO)
    plan = Plan(
        ReproduceSettings(), "set.arrow", "mark", {"train": 9}, experiments, steps, 100, "a machine", "1", speeds, 200
    )
    each = []
    for contender in CONTENDERS:
        found = figures.get(contender.recipe, evaluation())
        share = (purity or {}).get(contender.recipe, 0.5)
        latent = LatentFigures(100, 2, near(share - 0.3), near(share), 10, 0.5)
        if fewer is not None:
            alone = evaluation(fewer.get(contender.recipe, 0.5))
            each.append(Result(PIG, contender, alone, {}, None, ()))
        crossed = {"1": found} if fewer is not None and found is not None else {}
        each.append(Result(TWO, contender, found, crossed, latent, ()))
    return Results(plan, tuple(each))


CNN, RNN = ("cnn-kl", "sketch-pix2seq"), ("sketch-rnn", "rnn-no-kl")
GOOD, BAD = evaluation(0.8, fid=8, pixels=0.7, ret=0.8), evaluation(0.4, fid=30, pixels=0.95, ret=0.2)


def test_the_encoder_claim_in_every_direction() -> None:
    better = {**dict.fromkeys(CNN, GOOD), **dict.fromkeys(RNN, BAD)}
    worse = {**dict.fromkeys(CNN, BAD), **dict.fromkeys(RNN, GOOD)}
    verdict = verdicts(results(better))[0]
    assert verdict.answer == "holds here"
    assert "of 8 comparisons it is better in 8 and worse in 0" in verdict.reason
    assert "Ret@1 80.0 % (78.0 to 82.0) against 20.0 % (18.0 to 22.0)" in verdict.reason
    assert "Rec top-1 80.0 % (78.0 to 82.0) against 40.0 % (38.0 to 42.0): better" in verdict.details[0]
    assert "FID 8.000 (7.600 to 8.400) against 30.0 (29.6 to 30.4): better" in verdict.details[0]
    assert verdicts(results(worse))[0].answer == "does not hold here"
    assert verdicts(results({}))[0].answer == "cannot be told"
    assert "in 8 the intervals overlap" in verdicts(results({}))[0].reason
    with_kl, without = {"cnn-kl": GOOD, "sketch-rnn": BAD}, {"sketch-pix2seq": BAD, "rnn-no-kl": GOOD}
    mixed = verdicts(results({**with_kl, **without}))[0]
    assert mixed.answer == "holds in part"
    assert "better in 4 and worse in 4" in mixed.reason
    assert ", but " in mixed.reason


def test_one_difference_among_many_does_not_decide() -> None:
    verdict = verdicts(results({"cnn-kl": replace(evaluation(), redrawn=evaluation(0.7).redrawn)}))[0]
    assert verdict.answer == "cannot be told"
    assert "better in 1 and worse in 0" in verdict.reason
    assert verdict.reason.endswith("Too few are decided.")


def test_after_too_little_training_nothing_is_claimed() -> None:
    better = {**dict.fromkeys(CNN, GOOD), **dict.fromkeys(RNN, BAD)}
    for verdict in verdicts(results(better, {"sketch-pix2seq": 0.9}, steps=40, fewer={})):
        assert verdict.answer == "cannot be told"
        assert "40 steps are too little training" in verdict.reason


def test_the_latent_claim() -> None:
    free, held = ("rnn-no-kl", "sketch-pix2seq"), ("sketch-rnn", "cnn-kl")
    shows = {**dict.fromkeys(free, 0.9), **dict.fromkeys(held, 0.6)}
    verdict = verdicts(results({}, shows))[1]
    assert verdict.answer == "holds here"
    assert "purity 90.0 % (88.0 to 92.0) against 60.0 % (58.0 to 62.0): better" in verdict.details[0]
    assert "by chance purity would be 50.0 %" in verdict.details[-1]
    hides = {**dict.fromkeys(free, 0.6), **dict.fromkeys(held, 0.9)}
    assert verdicts(results({}, hides))[1].answer == "does not hold here"
    assert verdicts(results({}))[1].answer == "cannot be told"


def test_the_claim_on_many_categories() -> None:
    best = {"sketch-pix2seq": evaluation(0.8), **{n: evaluation(0.5) for n in ("sketch-rnn", "cnn-kl", "rnn-no-kl")}}
    verdict = verdicts(results(best, fewer={"sketch-pix2seq": 0.81}))[2]
    assert verdict.answer == "holds here"
    assert any("on the same sketches of pig 81.0 %" in d and "not fall by more than 10" in d for d in verdict.details)
    falls = verdicts(results(best, fewer={"sketch-pix2seq": 0.95}))[2]
    assert falls.answer == "holds in part"
    assert "Rec top-1 of sketch-pix2seq on the same sketches of pig 95.0 %" in falls.reason
    worst = {"sketch-pix2seq": evaluation(0.3)}
    assert verdicts(results(worst, fewer={}))[2].answer == "does not hold here"
    assert verdicts(results({}, fewer=None))[2].answer == "cannot be told"


def test_a_set_that_the_classifier_does_not_know_has_no_rec() -> None:
    unknown = {c.recipe: evaluation(None) for c in CONTENDERS}
    encoder, _, many = verdicts(results(unknown, fewer={}))
    assert "Rec" in encoder.details[0]
    assert "Rec" not in encoder.details[-1]
    assert many.answer == "cannot be told"


def test_intervals_decide() -> None:
    assert compared(near(0.5), near(0.45), "higher") == "for"
    assert compared(near(0.5), near(0.45), "lower") == "against"
    assert compared(near(0.5), near(0.47), "higher") == "open"
    assert show(Estimate(-0.6123, -0.7, -0.5, 3), "number") == "−0.612 (−0.700 to −0.500)"
    assert show(None, "%") == "–"


# -- the files ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished reproduction on three categories."""
    folder = tmp_path_factory.mktemp("report")
    data = write_set(folder / "set.arrow", {"cat": 4, "dog & <b>": 6, "pig": 3})
    reproduce(data, folder / "out", ReproduceSettings(budget=5.0, several="cat,pig"), engine=Fakes().engine)
    write_report(folder / "out")
    return folder / "out"


class Links(HTMLParser):
    """What a page loads and where it leads; and whether its elements close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_no_other_file(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    page = Links(text)
    assert page.open == []
    assert page.loaded
    assert all(link.startswith("data:image/") for link in page.loaded)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in text
    assert page.tags.count("img") == 3 + 3 + 15
    assert "dog &amp; &lt;b&gt;" in text
    assert "<b>" not in text


def test_the_pictures_of_the_markdown_are_there(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == 3 + 3 + 15
    assert all((folder / link).stat().st_size for link in links)
    assert {folder / link for link in links} == set((folder / "report").iterdir())


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_the_report_says_what_was_run(name: str, folder: Path) -> None:
    text = (folder / name).read_text()
    plan = load_plan(folder)
    for piece in (
        f"{plan.steps:,} steps of 100 sketches",
        "barely trained",
        "a compact CNN that knows 47 categories",
        "48 x 48 pixels",
        plan.machine,
        "sketch-pix2seq reproduce --data set.arrow --out reproduction --budget 5",
        'several "cat,pig"',
        "Cannot be told",
        "Rec top-1",
        "people's own sketches",
        "60,000",
        "Ret@k in a gallery of 200",
    ):
        assert piece in text.replace("&#x27;", "'").replace("&quot;", '"'), piece
    for contender in CONTENDERS:
        assert contender.title in text


def test_long_training_is_not_called_short(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "long"
    shutil.copytree(folder, other)
    save_plan(replace(load_plan(other), steps=60_000), other)
    text = write_report(other)[1].read_text()
    assert "barely trained" not in text
    assert "Training was short" not in text


def test_an_unfinished_reproduction_has_a_report_that_says_so(folder: Path, tmp_path: Path) -> None:
    save_plan(load_plan(folder), tmp_path)
    page, text = write_report(tmp_path)
    assert "15 of 15 models are not trained and tested yet" in text.read_text()
    assert "Not tested yet" in page.read_text()
