"""Everything at once, on a small set: every figure is there, in its bounds, and repeatable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.recognition import Classifier, load_classifier
from sketch_pix2seq.errors import DataError, FormatError
from sketch_pix2seq.evaluation.evaluate import evaluate
from sketch_pix2seq.evaluation.results import (
    ANOTHER_PERSON,
    TRACED,
    Estimate,
    Evaluation,
    load_evaluation,
    save_evaluation,
)
from sketch_pix2seq.evaluation.settings import EvaluateSettings
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.sketch import FloatArray, Sketch
from tests.evaluation.conftest import TINY, fixed_network

SETTINGS = EvaluateSettings(samples=2, inputs=12, varied=4, pixel_test=False)


@pytest.fixture(scope="session")
def shapes_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows rings and crosses by name alone: its weights are noise."""
    folder = tmp_path_factory.mktemp("shapes-model") / "model"
    return write_folder(folder, fixed_network(TINY["attends"]), ["cross", "ring"], {"steps": 3})


class Copyist(Model):
    """Draws every sketch as it is, and keeps account of what it was asked."""

    asked: list[tuple[int, int, DrawSettings]]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """With the encoder of a model folder."""
        copyist = cls(load_model(folder).runtime)
        copyist.asked = []
        return copyist

    def draw_all(
        self, sources: Sequence[object], samples: int = 1, *, settings: DrawSettings = DrawSettings(), **_: object
    ) -> list[list[Sketch]]:
        self.asked.append((len(sources), samples, settings))
        drawn = [source for source in sources if isinstance(source, Sketch)]
        return [[sketch.with_(metadata={"ended": True})] * samples for sketch in drawn]


@pytest.fixture(scope="session")
def found(shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float]) -> Evaluation:
    classifier = load_classifier(quick_classifier[0])
    return evaluate(load_model(shapes_model), SketchSet.open(shapes), SETTINGS, name="noise", classifier=classifier)


def test_every_figure_of_a_model_that_cannot_draw(found: Evaluation) -> None:
    assert found.sketches == 60
    assert found.categories == ("cross", "ring")
    assert found.people is not None
    assert found.redrawn is not None
    assert found.people.top1.value == 1.0
    assert found.redrawn.top1.value < 0.8
    assert found.redrawn.top3.value == 1.0  # of two categories
    assert found.rec_difference is not None
    assert found.rec_difference.value == pytest.approx(found.redrawn.top1.value - 1)
    assert found.rec_difference.low < found.rec_difference.value < found.rec_difference.high
    assert np.sum(found.redrawn.confusion) == 60
    assert [len(row) for row in found.redrawn.confusion] == [3, 3]
    assert found.retrieval is not None
    assert found.retrieval.gallery == 60
    assert found.retrieval.at["1"].value < 0.3
    assert found.retrieval.at["50"].value >= found.retrieval.at["10"].value >= found.retrieval.at["1"].value
    assert found.distribution is not None
    assert found.distribution.fid.value > 3 * found.distribution.fid_people.value
    assert found.distribution.recall.value < found.distribution.recall_people.value
    assert found.losses is not None
    assert found.losses.l_kl is None
    assert found.losses.longest == 14
    assert found.losses.nats_point.low < found.losses.nats_point.value < found.losses.nats_point.high
    assert found.losses.l_r.value == pytest.approx(
        found.losses.nats_point.value * (30 * 14 + 30 * 4) / 60 / 14, rel=1e-6
    )
    # This model has no flow, so that it draws at freedom 0 alone.
    assert [row.name for row in found.likeness] == ["freedom 0", TRACED, ANOTHER_PERSON]
    model, traces, people = found.likeness
    assert {row.inputs for row in found.likeness} == {12}
    assert model.variety is not None
    assert model.variety.value > 0
    assert people.variety is None
    assert traces.f1.value > 0.9 > people.f1.value > model.f1.value
    assert people.top1 is not None
    assert people.top1.value == 1.0
    assert all(row.stroke_test is not None and row.pixel_test is None for row in found.likeness)
    assert [at.damage for at in found.healing] == [0.1, 0.3, 0.5]
    assert all(at.gallery == 60 and at.retrieved.n == 12 for at in found.healing)
    assert found.strokes


def test_a_perfect_copyist(shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float]) -> None:
    copyist = Copyist.of(shapes_model)
    found = evaluate(copyist, SketchSet.open(shapes), SETTINGS, classifier=load_classifier(quick_classifier[0]))
    assert found.redrawn == found.people
    assert found.rec_difference == Estimate(0.0, 0.0, 0.0, 60)
    assert found.retrieval is not None
    assert found.retrieval.at["1"].value == 1.0
    assert found.distribution is not None
    assert found.distribution.fid.value == found.distribution.fid_people.value
    # One pass for every figure that can share it, and one more drawing of each of four inputs, for variety.
    assert [(inputs, samples) for inputs, samples, _ in copyist.asked] == [(60, 1), (4, 1)]
    copies = found.likeness[0]
    assert copies.variety is not None
    assert copies.variety.value == 0
    assert copies.f1.value == 1
    assert copies.direction is not None
    assert copies.direction.value == 1
    assert all(statistic.distance.value == 0 for statistic in found.strokes)


def test_a_model_with_a_flow_is_asked_at_every_freedom(
    shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float]
) -> None:
    copyist = Copyist.of(shapes_model)
    copyist.has_flow = True
    settings = replace(SETTINGS, freedoms=(0.0, 0.5), damages=(), scale=False)
    classifier = load_classifier(quick_classifier[0])
    found = evaluate(copyist, SketchSet.open(shapes), settings, classifier=classifier)
    assert [row.freedom for row in found.likeness] == [0.0, 0.5]
    asked = [(inputs, settings.freedom) for inputs, _, settings in copyist.asked]
    assert asked == [(60, 0.0), (4, 0.0), (12, 0.5), (4, 0.5)]


def test_the_same_seed_gives_the_same_figures(
    shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float]
) -> None:
    settings = replace(SETTINGS, limit=10, inputs=10)
    model, classifier, sketches = load_model(shapes_model), load_classifier(quick_classifier[0]), SketchSet.open(shapes)
    first, second, other = (
        replace(evaluate(model, sketches, replace(settings, seed=seed), classifier=classifier), seconds=0.0)
        for seed in (0, 0, 1)
    )
    assert first == second
    assert replace(other, seed=0) != first


def test_a_limit_is_spread_over_the_categories(
    shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float]
) -> None:
    limited = replace(SETTINGS, limit=7, inputs=0)
    classifier = load_classifier(quick_classifier[0])
    found = evaluate(Copyist.of(shapes_model), SketchSet.open(shapes), limited, classifier=classifier)
    assert found.sketches == 7
    assert found.people is not None
    assert sorted(estimate.n for estimate in found.people.by_category.values()) == [3, 4]
    assert found.likeness == ()
    assert found.healing == ()


def test_healing_that_gives_back_the_whole_sketch(
    shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float]
) -> None:
    sketches = SketchSet.open(shapes)

    class Healer(Copyist):
        """Draws the whole sketch, if the ink that it is shown is less than that of the sketch."""

        def draw_codes(self, codes: FloatArray, samples: int = 1, **_: object) -> list[list[Sketch]]:
            people = [sketches[int(i)].fit() for i in sketches.indices("test")]
            whole = self.encode_sketches(people)
            near = np.square(codes[:, None] - whole).sum(axis=2).argmin(axis=1)
            assert np.abs(codes - whole[near]).max() > 0
            return [[replace(people[i], metadata={"ended": True})] for i in near]

    healer = Healer.of(shapes_model)
    settings = replace(SETTINGS, freedoms=(), damages=(0.1,), inputs=20)
    found = evaluate(healer, sketches, settings, classifier=load_classifier(quick_classifier[0]))
    (healed,) = found.healing
    assert (healed.damage, healed.gallery, healed.retrieved.n) == (0.1, 60, 20)
    assert healed.retrieved.value > 0.4
    assert healed.top1 is not None
    assert healed.top1.n == 20


class Stranger(Classifier):
    """A classifier of other things."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        super().__init__(path)
        self.categories = names


@pytest.mark.parametrize(("names", "rec"), [(("cat", "dog"), None), (("cat", "ring"), 30)])
def test_categories_that_the_classifier_does_not_know(
    shapes: Path, shapes_model: Path, quick_classifier: tuple[Path, float], names: tuple[str, ...], rec: int | None
) -> None:
    stranger = Stranger(quick_classifier[0], names)
    settings = replace(SETTINGS, damages=())
    found = evaluate(Copyist.of(shapes_model), SketchSet.open(shapes), settings, classifier=stranger)
    if rec is None:
        assert found.people is None
        assert found.likeness[0].top1 is None
    else:
        assert found.people is not None
        assert found.people.top1.n == rec
        assert list(found.people.by_category) == ["ring"]
    assert found.distribution is not None


def test_a_set_of_other_things_is_refused(
    house: Sketch, tmp_path: Path, shapes_model: Path, quick_classifier: tuple[Path, float]
) -> None:
    with SketchSetWriter(tmp_path / "houses.arrow") as writer:
        for _ in range(3):
            writer.add(house, "test")
    houses, classifier = SketchSet.open(tmp_path / "houses.arrow"), load_classifier(quick_classifier[0])
    with pytest.raises(DataError, match=r"nothing of what the model was trained on \(cross, ring\)"):
        evaluate(load_model(shapes_model), houses, SETTINGS, classifier=classifier)


def test_figures_survive_the_disk(found: Evaluation, tmp_path: Path) -> None:
    path = save_evaluation(found, tmp_path / "found.json")
    again = load_evaluation(path)
    assert asdict(again) == {**asdict(found), "training": dict(found.training)}
    assert again.people == found.people
    path.write_text(path.read_text().replace('"gallery"', '"hall"'))
    with pytest.raises(FormatError, match="not an evaluation"):
        load_evaluation(path)
