from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.strokes import (
    CLOSED,
    stroke_features,
    stroke_measures,
    stroke_statistics,
    stroke_two_sample_test,
)
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


def measured(*sketches: Sketch) -> dict[str, np.ndarray]:
    return {measure.name: measure.values for measure in stroke_measures(sketches)}


def plain_measures(sketch: Sketch) -> dict[str, float]:
    """The same, one stroke after another."""
    strokes = [stroke.astype(np.float64) for stroke in sketch.fit().strokes]
    lengths = [float(np.hypot(*np.diff(s, axis=0).T).sum()) for s in strokes]
    moves = [b[0] - a[-1] for a, b in pairwise(strokes)]
    onward = [(b[0] - a[0]) / 255 for a, b in pairwise(strokes)]
    up = float(sum(np.hypot(*move) for move in moves))
    none = float("nan")
    return {
        "strokes": len(strokes),
        "points": sum(map(len, strokes)) / len(strokes),
        "drawn length": sum(lengths),
        "pen-up travel": up,
        "pen-up share": up / (up + sum(lengths)),
        "pen-up jump": up / len(moves) if moves else none,
        "first stroke begins below the top": strokes[0][0, 1] / 255,
        "first stroke begins right of the left edge": strokes[0][0, 0] / 255,
        "first stroke is the longest": float(lengths[0] == max(lengths)) if moves else none,
        "next stroke begins lower by": float(np.mean([o[1] for o in onward])) if moves else none,
        "next stroke begins further right by": float(np.mean([o[0] for o in onward])) if moves else none,
        "closed strokes": float(
            np.mean(
                [
                    len(s) > 2 and np.hypot(*(s[-1] - s[0])) <= CLOSED * length
                    for s, length in zip(strokes, lengths, strict=True)
                ]
            )
        ),
    }


def test_the_house_by_hand(house: Sketch) -> None:
    found = {name: float(values[0]) for name, values in measured(house).items()}
    slope = np.hypot(100, 100)
    down, up = 155 + 200 + 155 + 200 + 2 * slope + 75 + 40 + 75, 0 + np.hypot(120, 155)
    assert found == pytest.approx(
        {
            "strokes": 3,
            "points": 12 / 3,
            "drawn length": down,
            "pen-up travel": up,
            "pen-up share": up / (down + up),
            "pen-up jump": up / 2,
            "first stroke begins below the top": 100 / 255,
            "first stroke begins right of the left edge": 0,
            "first stroke is the longest": 1,
            "next stroke begins lower by": 155 / 2 / 255,
            "next stroke begins further right by": 80 / 2 / 255,
            "closed strokes": 1 / 3,
        },
        rel=1e-5,
    )


def test_many_at_once_are_measured_as_one_by_one(rng: np.random.Generator) -> None:
    sketches = [random_sketch(rng, strokes=int(rng.integers(1, 6))) for _ in range(60)]
    loops = tuple(np.concatenate([s, s[:1]]) for s in sketches[0].strokes)
    sketches = [*sketches, Sketch(loops), sketches[1].transform([[3, 0, -40], [0, 3, 500]])]
    together = measured(*sketches)
    one_by_one = [plain_measures(sketch) for sketch in sketches]
    for name, values in together.items():
        assert values == pytest.approx([single[name] for single in one_by_one], rel=1e-4, abs=1e-4, nan_ok=True), name
    assert together["closed strokes"][60] == 1
    assert together["drawn length"][61] == pytest.approx(together["drawn length"][1], rel=1e-4)


def test_dots_and_empty_sketches_do_no_harm(house: Sketch) -> None:
    dot = Sketch((np.array([[30, 40]]),))
    two_dots = Sketch((np.array([[10, 40]]), np.array([[10, 60]])))
    found = measured(Sketch(()), dot, Sketch(()), two_dots, house, Sketch(()))
    assert found["strokes"].tolist() == [1, 2, 3]
    assert found["drawn length"][:2].tolist() == [0, 0]
    assert found["pen-up travel"][:2].tolist() == [0, 255]
    assert found["pen-up share"][:2].tolist() == [0, 1]
    assert np.isnan(found["pen-up jump"][0])
    assert found["closed strokes"][:2].tolist() == [0, 0]
    assert stroke_measures([Sketch(())]) == ()


def test_statistics_compare_two_sides(rng: np.random.Generator) -> None:
    people = [random_sketch(rng, strokes=int(rng.integers(2, 4))) for _ in range(200)]
    drawn = [random_sketch(rng, strokes=int(rng.integers(5, 8))) for _ in range(150)]
    found = {statistic.name: statistic for statistic in stroke_statistics(people, drawn)}
    assert found["strokes"].distance.value == 1
    assert found["strokes"].people.value == pytest.approx(np.mean([len(s) for s in people]))
    assert found["strokes"].redrawn.low <= np.mean([len(s) for s in drawn]) <= found["strokes"].redrawn.high
    assert found["strokes"].people.n == 200
    assert found["strokes"].redrawn.n == 150
    assert found["points"].distance.value < 0.5
    assert stroke_statistics(people, drawn) == tuple(found.values())
    for statistic in stroke_statistics(people, people):
        assert statistic.distance.value == 0
        assert statistic.people == statistic.redrawn


def test_what_a_side_lacks_is_left_out_or_said() -> None:
    line = Sketch((np.array([[0, 0], [5, 5]]),))
    names = [statistic.name for statistic in stroke_statistics([line], [line, line])]
    assert "drawn length" in names
    assert "pen-up jump" not in names
    assert "first stroke is the longest" not in names
    with pytest.raises(DataError, match="among the drawings"):
        stroke_statistics([line], [Sketch(())])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_features_of_the_two_sample_test_by_hand(house: Sketch) -> None:
    dot = Sketch((np.array([[30, 40]]),))
    found = stroke_features([house, dot])
    assert found.shape == (2, 27)
    whole = stroke_measures([house])
    assert found[0, :12].tolist() == [float(measure.values[0]) for measure in whole]
    lengths = [float(np.hypot(*np.diff(s.astype(float), axis=0).T).sum()) for s in house.fit().strokes]
    points = [len(s) for s in house.strokes]
    assert found[0, 12:15] == pytest.approx([min(lengths), max(lengths), np.std(lengths)], rel=1e-5)
    assert found[0, 15:18] == pytest.approx([min(points), max(points), np.std(points)])
    assert found[0, 21:23] == pytest.approx([lengths[0] / sum(lengths), lengths[-1] / sum(lengths)], rel=1e-5)
    assert found[0, 23:25] == pytest.approx([0, np.hypot(120, 155)], abs=1e-3)
    assert found[0, 25:] == pytest.approx(house.fit().strokes[-1][-1])
    assert np.isnan(found[1, 23:25]).all()
    with pytest.raises(DataError, match="without"):
        stroke_features([Sketch(())])


def test_a_forest_tells_strokes_apart_and_copies_not(rng: np.random.Generator) -> None:
    people = [random_sketch(rng, strokes=int(rng.integers(2, 5))) for _ in range(30)]
    same = stroke_two_sample_test(people, people, trees=20)
    # A forest says the same of a sketch and of its copy: it is right exactly once.
    assert same.shape == (2, 30)
    assert (same.sum(axis=0) == 1).all()
    split = [Sketch(tuple(half for s in p.strokes for half in (s[:2], s[1:]))) for p in people]
    assert stroke_two_sample_test(people, split, trees=20).mean() > 0.85
    with pytest.raises(DataError, match="at least 10 sketches, not 9"):
        stroke_two_sample_test(people[:9], people[:9])
