"""The comparison: what it plans, what it does once only, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.errors import DataError, FileError, FormatError, SettingsError
from sketch_pix2seq.evaluation import reproduce as reproduce_room
from sketch_pix2seq.evaluation.experiments import (
    CONTENDERS,
    PUBLISHED_STEPS,
    Plan,
    ReproduceSettings,
    choose_experiments,
    kl_at_the_end,
    load_plan,
    training_settings,
)
from sketch_pix2seq.evaluation.report import write_report
from sketch_pix2seq.evaluation.reproduce import reproduce
from sketch_pix2seq.recipes.catalogue import load_recipe
from tests.evaluation.fakes import Fakes, write_set

SEVEN = {"airplane": 9, "butterfly": 8, "fish": 7, "giraffe": 6, "pig": 5, "sun": 4, "van": 30}
SETTINGS = ReproduceSettings(budget=5.0)


@pytest.fixture(scope="session")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("seven") / "set.arrow", SEVEN)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_set(tmp_path / "small.arrow", {"cat": 4, "dog": 6})


def chosen(path: Path, **settings: str) -> list[tuple[str, ...]]:
    return [e.categories for e in choose_experiments(SketchSet.open(path), ReproduceSettings(**settings))]  # type: ignore[arg-type]


def test_the_papers_categories_are_taken_where_they_are(seven: Path) -> None:
    five = ("airplane", "butterfly", "fish", "giraffe", "pig")
    assert chosen(seven) == [("pig",), five, tuple(SEVEN)]
    assert chosen(seven, one="van") == [("van",), ("airplane", "butterfly", "fish", "giraffe", "van"), tuple(SEVEN)]
    assert chosen(seven, several="sun, van") == [("sun",), ("sun", "van"), tuple(SEVEN)]
    assert chosen(seven, one="fish", several="sun,van") == [("fish",), ("fish", "sun", "van"), tuple(SEVEN)]


def test_of_another_set_the_largest_are_taken(tmp_path: Path, small: Path) -> None:
    others = write_set(tmp_path / "others.arrow", {name: 3 + i % 4 for i, name in enumerate("abcdefg")})
    assert chosen(others) == [("d",), ("b", "c", "d", "f", "g"), tuple("abcdefg")]
    assert chosen(small) == [("dog",), ("cat", "dog")]


def test_a_set_that_cannot_serve_is_refused(seven: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no category 'pigg'; did you mean 'pig'\?"):
        chosen(seven, one="pigg")
    few = write_set(tmp_path / "few.arrow", {"a": 3, "b": 3}, test=4)
    with pytest.raises(DataError, match="3 training and 4 test sketches"):
        chosen(few)


def test_the_models_differ_in_what_is_compared_alone(seven: Path, tmp_path: Path) -> None:
    fakes = Fakes()
    plan = reproduce(seven, tmp_path / "out", SETTINGS, engine=fakes.engine)
    settings = {c.recipe: training_settings(c.recipe, plan) for c in CONTENDERS}
    assert {(s.steps, s.seed, s.batch.size, s.batch.balance, s.model.decoder_size) for s in settings.values()} == {
        (plan.steps, 1, 100, 1.0, 512)
    }
    assert {
        c.recipe: (s.model.encoder == "rnn", s.loss.kl_weight > 0)
        for c, s in zip(CONTENDERS, settings.values(), strict=True)
    } == {c.recipe: (c.encoder == "RNN", c.kl) for c in CONTENDERS}
    assert {s.optimiser.decay for s in settings.values()} == {0.9999}


def test_the_kl_term_comes_as_far_in_a_short_run_as_in_a_published_one() -> None:
    published = load_recipe("sketch-rnn").loss
    assert kl_at_the_end(PUBLISHED_STEPS) == pytest.approx(published.eta(PUBLISHED_STEPS))
    assert kl_at_the_end(1000) == pytest.approx(published.eta(PUBLISHED_STEPS))
    assert kl_at_the_end(2 * PUBLISHED_STEPS) == pytest.approx(published.eta(2 * PUBLISHED_STEPS))


def test_everything_is_done_once_and_within_the_budget(seven: Path, tmp_path: Path) -> None:
    out, fakes = tmp_path / "out", Fakes()
    told: list[str] = []
    plan = reproduce(seven, out, SETTINGS, engine=fakes.engine, on_progress=lambda what, *_: told.append(what))
    assert 0.6 * 300 < fakes.now <= 300
    assert load_plan(out) == plan
    runs = [(run.parent.name, run.name) for _, run, _ in fakes.trained]
    assert runs == [(n, c.recipe) for n in ("1", "5", "7") for c in CONTENDERS]
    assert [data.name for data, _, _ in fakes.trained[::5]] == ["1.arrow", "5.arrow", "set.arrow"]
    five = SketchSet.open(out / "data" / "5.arrow")
    assert five.categories == plan.experiments[1].categories
    assert len(five.indices("train")) == plan.experiments[1].train == 35
    assert "training cnn-kl on 5 categories (8 of 15)" in told
    assert "testing cnn-kl on 5 categories (8 of 15): redrawing" in told
    for number, experiment in enumerate(("1", "5", "7")):
        for contender in CONTENDERS:
            found = {path.name for path in (out / "results" / experiment / contender.recipe).iterdir()}
            crossed = {"on-1.json", "on-5.json"} if number == 2 else {"on-1.json"} if number else set()
            assert found == {"evaluation.json", "latent.json", "latent.png", "redrawn.ndjson", "curve.csv"} | crossed
    assert not (out / "probe").exists()
    assert list(out.rglob("*.part")) == []
    before = len(fakes.trained), len(fakes.evaluated)
    assert reproduce(seven, out, SETTINGS, engine=fakes.engine) == plan
    assert (len(fakes.trained), len(fakes.evaluated)) == before


def test_all_models_see_the_same_sketches(seven: Path, tmp_path: Path) -> None:
    fakes = Fakes()
    plan = reproduce(seven, tmp_path / "out", replace(SETTINGS, limit=15), engine=fakes.engine)
    trials = [trial for _, _, trial in fakes.evaluated if trial.name != "pilot"]
    assert {(trial.limit, trial.seed) for trial in trials} == {(15, 1)}
    assert plan.sketches == 15
    on_pigs = [run.parent.name for run, data, _ in fakes.evaluated if data == "1.arrow"]
    assert sorted(on_pigs) == ["1"] * 5 + ["5"] * 5 + ["7"] * 5


def test_a_dear_evaluation_gives_up_its_costly_parts_first(seven: Path, tmp_path: Path) -> None:
    plans = [
        reproduce(seven, tmp_path / str(cost), SETTINGS, engine=Fakes(a_sketch=cost).engine)
        for cost in (0.005, 0.03, 0.2)
    ]
    assert [(plan.likeness, plan.crossed) for plan in plans] == [(True, True), (False, False), (False, False)]
    assert plans[0].sketches > plans[1].sketches >= plans[2].sketches >= 20


@pytest.mark.parametrize("at", [1, 7])
def test_it_goes_on_where_it_was_stopped(at: int, seven: Path, tmp_path: Path) -> None:
    out, fakes = tmp_path / "out", Fakes()
    fakes.interrupt_training_at = at
    with pytest.raises(KeyboardInterrupt):
        reproduce(seven, out, SETTINGS, engine=fakes.engine)
    steps = load_plan(out).steps
    plan = reproduce(seven, out, SETTINGS, engine=fakes.engine)
    assert plan.steps == steps
    assert len(fakes.trained) == 16
    assert fakes.trained[at - 1] == fakes.trained[at]
    curve = (out / "results" / "1" / "sketch-rnn" / "curve.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curve] == ["step", "1", str(steps // 2), str(steps)]


def test_a_lost_result_alone_is_made_again(seven: Path, tmp_path: Path) -> None:
    out, fakes = tmp_path / "out", Fakes()
    reproduce(seven, out, SETTINGS, engine=fakes.engine)
    (out / "results" / "5" / "cnn-kl" / "evaluation.json").unlink()
    before = len(fakes.evaluated)
    reproduce(seven, out, SETTINGS, engine=fakes.engine)
    assert len(fakes.trained) == 15
    assert [run.name for run, _, _ in fakes.evaluated[before:]] == ["cnn-kl"]


def test_another_reproduction_in_the_same_folder_is_refused(seven: Path, small: Path, tmp_path: Path) -> None:
    out, fakes = tmp_path / "out", Fakes()
    reproduce(seven, out, SETTINGS, engine=fakes.engine)
    with pytest.raises(
        SettingsError, match=r"out holds a reproduction with budget 5.0 instead of 9.0; give another --out"
    ):
        reproduce(seven, out, ReproduceSettings(budget=9.0), engine=fakes.engine)
    with pytest.raises(SettingsError, match=r"other data \(.*set\.arrow\); give another --out"):
        reproduce(small, out, SETTINGS, engine=fakes.engine)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"budget": 0.0}, "above 0 minutes"), ({"limit": 3}, "limit must be 0 or at least 10"), ({"limit": -1}, "limit")],
)
def test_settings_that_make_no_sense(settings: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ReproduceSettings(**settings)  # type: ignore[arg-type]


def test_a_folder_without_a_plan(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no reproduction there \(it has no plan\.json\)"):
        write_report(tmp_path)
    (tmp_path / "plan.json").write_text('{"version": 1}')
    with pytest.raises(FormatError, match=r"plan\.json: not the plan of a reproduction"):
        load_plan(tmp_path)


def test_speed_is_measured_and_the_model_of_a_run_is_loaded(tmp_path: Path) -> None:
    """The real trainer on a tiny network, a few steps."""
    pytest.importorskip("torch")
    from tests.training.conftest import tiny_settings

    data = write_set(tmp_path / "set.arrow", {"cat": 20, "dog": 20})
    settings = tiny_settings(steps=2, validate_every=2)
    speed = reproduce_room._measure(data, tmp_path / "probe", settings, 0.01)
    assert 0 < speed.seconds_a_point < 1
    assert 0 < speed.start_seconds < 60
    run = tmp_path / "run"
    lines: list[Any] = []
    reproduce_room._train(data, run, settings, lines.append)
    assert lines[-1].step == 2
    model = reproduce_room._load(run, data)
    assert model.info.training["steps"] == 2
    codes = model.encode_sketches([SketchSet.open(data)[0]])
    assert codes.shape == (1, 8)
    assert np.isfinite(codes).all()


def test_a_plan_says_what_a_step_costs(seven: Path, tmp_path: Path) -> None:
    plan: Plan = reproduce(seven, tmp_path / "out", SETTINGS, engine=Fakes().engine)
    pig, *_, everything = plan.experiments
    ratio = plan.seconds_a_step("default", pig) / plan.seconds_a_step("default", everything)
    assert ratio == pytest.approx(pig.points / everything.points)
