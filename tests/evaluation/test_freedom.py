"""The table over freedom, of a scripted model: copies at 0, other people's drawings at 1; and of the tracer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from sketch_pix2seq.drawing.recognition import Classifier
from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.freedom import LikenessSettings, Sample, freedom_table, traced
from sketch_pix2seq.evaluation.results import ANOTHER_PERSON, TRACED, Likeness
from sketch_pix2seq.raster import RasterSpec, ink_of
from sketch_pix2seq.sketch import FloatArray, Sketch

CATEGORIES = ("face", "house")


def drawing(category: str, rng: np.random.Generator) -> Sketch:
    """Four strokes in the order and direction of everybody here: details first, then from the right."""
    parts = {
        "face": ([[90, 90], [100, 100]], [[70, 180], [180, 170]], [[180, 60], [200, 90]], [[255, 20], [250, 255]]),
        "house": ([[120, 150], [120, 180]], [[255, 255], [255, 120]], [[20, 255], [10, 130]], [[250, 120], [10, 110]]),
    }[category]
    strokes = []
    for part in parts:
        a, b = (np.array(p, float) + rng.normal(0, 9, 2) for p in part)
        middle = (a + b) / 2 + rng.normal(0, 6, 2)
        strokes.append(np.stack([a, middle, b]).astype(np.float32))
    return Sketch(tuple(strokes), category).fit()


def drawings(n: int, seed: int) -> list[Sketch]:
    rng = np.random.default_rng(seed)
    return [drawing(CATEGORIES[i % 2], rng) for i in range(n)]


class Blurred:
    """Stands for a classifier: features are the ink of 8 x 8 patches; it knows whether the top is empty."""

    categories = ("cat", "face", "house")
    raster = RasterSpec()

    def __init__(self) -> None:
        self.looked = 0

    def look(self, sketches: Sequence[Sketch]) -> tuple[FloatArray, FloatArray]:
        self.looked += len(sketches)
        ink = ink_of(sketches, self.raster).astype(np.float32) / 255
        features = ink.reshape(len(ink), 6, 8, 6, 8).mean(axis=(2, 4)).reshape(len(ink), -1)
        right = [sketch.category == "house" for sketch in sketches]
        logits = np.stack([np.zeros(len(ink)), 0.5 * np.ones(len(ink)), np.array(right, float)], axis=1)
        return logits.astype(np.float32), features


class Scripted:
    """Draws the picture itself where it is not free, else another person's drawing of the same."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float, int, int]] = []

    def __call__(self, pictures: Sequence[Sketch], freedom: float, samples: int, seed: int) -> list[list[Sketch]]:
        self.asked.append((len(pictures), freedom, samples, seed))
        rng = np.random.default_rng([seed, 7])
        free = [[drawing(p.category or "", rng) for _ in range(samples)] for p in pictures]
        return free if freedom else [[picture] * samples for picture in pictures]


SETTINGS = LikenessSettings(samples=3, varied=20, pixel_test=False)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample(drawings(60, 0), drawings(60, 1), drawings(60, 2), drawings(200, 3), CATEGORIES)


@pytest.fixture(scope="module")
def rows(sample: Sample) -> dict[str, Likeness]:
    table = freedom_table(Scripted(), sample, cast(Classifier, Blurred()), freedoms=(0.0, 1.0), settings=SETTINGS)
    assert [row.name for row in table] == ["freedom 0", "freedom 1", TRACED, ANOTHER_PERSON]
    assert [row.freedom for row in table] == [0.0, 1.0, None, None]
    assert {row.inputs for row in table} == {60}
    return {row.name: row for row in table}


def value(row: Likeness, name: str) -> float:
    estimate = getattr(row, name)
    assert estimate is not None, name
    assert estimate.low <= estimate.value <= estimate.high
    return float(estimate.value)


def test_copies(rows: dict[str, Likeness]) -> None:
    row = rows["freedom 0"]
    exact = {name: value(row, name) for name in ("variety", "fid_ratio", "f1", "matched", "first", "direction", "tau")}
    assert exact == pytest.approx({**dict.fromkeys(exact, 1.0), "variety": 0.0})
    assert value(row, "twin") == pytest.approx(1)
    assert value(row, "top1") == 1
    assert value(row, "order_test") == value(row, "stroke_test") == 0.5
    assert value(row, "strokes") == 1


def test_other_peoples_drawings_are_free_and_like_peoples(rows: dict[str, Likeness]) -> None:
    for row in (rows["freedom 1"], rows[ANOTHER_PERSON]):
        assert value(row, "f1") < 0.9
        assert value(row, "direction") > 0.95
        assert value(row, "tau") > 0.95
        assert value(row, "order_test") == pytest.approx(0.5, abs=0.1)
        assert 0.3 < value(row, "stroke_test") < 0.7
        assert value(row, "fid_ratio") < 1.5
        assert value(row, "recall") > 0.7
    assert value(rows["freedom 1"], "variety") == pytest.approx(1, abs=0.15)
    assert rows[ANOTHER_PERSON].variety is None


def test_the_tracer_copies_the_ink_and_fails_what_is_to_catch_it(rows: dict[str, Likeness]) -> None:
    traces, people = rows[TRACED], rows[ANOTHER_PERSON]
    assert value(traces, "f1") > 0.9
    assert value(traces, "top1") == 1
    assert value(traces, "variety") == 0
    assert value(traces, "order_test") > value(people, "order_test") + 0.2
    assert value(traces, "stroke_test") > value(people, "stroke_test") + 0.2
    assert value(traces, "direction") < value(people, "direction") - 0.2
    assert value(traces, "tau") < value(people, "tau") - 0.2


def test_drawings_that_are_there_are_not_made_again(sample: Sample) -> None:
    draw, classifier = Scripted(), Blurred()
    there = {0.0: list(sample.people)}
    table = freedom_table(
        draw, sample, cast(Classifier, classifier), freedoms=(0.0, 0.5), settings=SETTINGS, drawn=there, scale=False
    )
    assert [row.name for row in table] == ["freedom 0", "freedom 0.5"]
    # One drawing of each input where none is there; two more of twenty inputs, from another seed.
    assert draw.asked == [(20, 0.0, 2, 1), (60, 0.5, 1, 0), (20, 0.5, 2, 1)]
    # People, reference and training once; then of each row 60 drawings and three of twenty.
    assert classifier.looked == 60 + 60 + 200 + 2 * (60 + 60)


def test_what_is_not_there_is_left_out(sample: Sample) -> None:
    bare = Sample(sample.people[:8], [], [], [], CATEGORIES)
    (row, trace) = freedom_table(
        Scripted(), bare, cast(Classifier, Blurred()), freedoms=(1.0,), settings=LikenessSettings(samples=1)
    )
    assert trace.name == TRACED
    for name in ("variety", "fid_ratio", "recall", "twin", "order_test", "pixel_test", "stroke_test"):
        assert getattr(row, name) is None, name
    assert row.top1 is not None
    with pytest.raises(DataError, match="two inputs or more"):
        freedom_table(Scripted(), Sample(sample.people[:1], [], [], [], CATEGORIES), cast(Classifier, Blurred()))
    with pytest.raises(DataError, match="'face' is not of those"):
        freedom_table(Scripted(), Sample(sample.people, [], [], [], ("house",)), cast(Classifier, Blurred()))


def test_the_tracer_finds_the_lines_of_a_sketch() -> None:
    house = drawings(2, 0)[1]
    nothing = Sketch(())
    found, dot = traced([house, nothing])
    assert found.category == "house"
    assert abs(len(found) - len(house)) <= 1
    assert dot.n_points == 1
