"""The order test: right where an order can be told, at chance where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.order import ORDERS, order_features, order_scale, order_test, reordered
from sketch_pix2seq.sketch import Sketch

A, B, C = (np.array(p, float) for p in ([[0, 0], [0, 255]], [[10, 10], [60, 10]], [[100, 200], [200, 200]]))


def people(n: int) -> list[Sketch]:
    """Four strokes, the larger before the smaller and always to the right, with some chance in it."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        strokes = []
        for rank in range(4):
            start = np.array([60.0 * rank, 100.0]) + rng.normal(0, 12, 2)
            end = start + np.array([10.0, 120.0 - 25 * rank]) + rng.normal(0, 8, 2)
            strokes.append(np.stack([start, end]))
        found.append(Sketch(tuple(strokes)))
    return found


def test_features_by_hand() -> None:
    found = order_features(Sketch((A, B, C)))
    assert found.shape == (4 * 12 + 12 + 12 + 12,)
    ranks = found[:48].reshape(4, 12)
    lengths = np.array([255, 50, 100]) / 405
    assert ranks[:3, :2] == pytest.approx(np.array([[0, 0], [10, 10], [100, 200]]) / 255)
    assert ranks[:3, 2:4] == pytest.approx(np.array([[0, 127.5], [35, 10], [150, 200]]) / 255)
    assert ranks[:3, 4:6] == pytest.approx(np.array([[0, 0], [10, -245], [40, 190]]) / 255)
    assert ranks[:3, 6] == pytest.approx(np.hypot([0, 10, 40], [0, -245, 190]) / 255)
    assert ranks[:3, 7] == pytest.approx(lengths)
    assert ranks[:3, 8] == pytest.approx(np.array([255, 50, 100]) / 255)
    assert ranks[:3, 9].tolist() == pytest.approx([0, 1, 1])
    assert ranks[:3, 11].tolist() == pytest.approx([1, 0, 0.5])
    assert not ranks[3].any()
    assert found[48:60] == pytest.approx(ranks[2])
    assert found[60:72] == pytest.approx((ranks[2] - ranks[0]) / 3)
    up = np.hypot([10, 40], [-245, 190]) / 255
    assert found[72:76] == pytest.approx([up.mean(), (up**2).mean(), np.sqrt(up).mean(), up.max()])
    assert found[80:84] == pytest.approx(np.array([25, 95, 0, 122.5]) / 255)


def test_a_consistent_order_is_told_from_a_random_one() -> None:
    own = people(60)
    right = order_test(own, [reordered(sketch, "random", seed=i) for i, sketch in enumerate(own)])
    assert right.shape == (60,)
    assert right.mean() > 0.9
    scale = order_scale(own)
    assert list(scale) == list(ORDERS)
    assert scale["one swap"].mean() > 0.85


def test_equal_orders_cannot_be_told_and_two_random_ones_are_at_chance() -> None:
    own = people(200)
    assert order_test(own, own).tolist() == [0.5] * 200
    first, second = ([reordered(s, "random", seed=i + k) for i, s in enumerate(own)] for k in (0, 1000))
    assert 0.35 < order_test(first, second).mean() < 0.65


def test_a_direction_is_part_of_an_order() -> None:
    own = people(40)
    turned = [Sketch((sketch.strokes[0][::-1], *sketch.strokes[1:])) for sketch in own]
    assert order_test(own, turned).mean() > 0.9


def test_too_little_is_refused() -> None:
    own = people(9)
    with pytest.raises(DataError, match="at least 10 pairs of orders, not 9"):
        order_test(own, own)
    with pytest.raises(ValueError, match="at least two strokes"):
        order_features(Sketch((A,)))
    with pytest.raises(DataError, match="one stroke"):
        reordered(Sketch((A,)), "random")


def order_of(sketch: Sketch, *strokes: np.ndarray) -> list[int]:
    """The place of each stroke of a sketch among some, negative where it is reversed."""
    return [
        next(sign * n for n, s in enumerate(strokes, 1) for sign in (1, -1) if np.array_equal(stroke, s[::sign]))
        for stroke in sketch.strokes
    ]


def test_the_orders_by_hand() -> None:
    sketch = Sketch((C, A, B))
    assert order_of(reordered(sketch, "longest first"), A, B, C) == [1, 3, 2]
    assert order_of(reordered(sketch, "top to bottom"), A, B, C) == [1, 2, 3]
    # From the top left corner along A to its lower end; from there C is nearest, at its left end; then B, at its right.
    assert order_of(reordered(sketch, "nearest end"), A, B, C) == [1, 3, -2]
    swaps = {tuple(order_of(reordered(sketch, "one swap", seed=i), C, A, B)) for i in range(20)}
    assert swaps == {(2, 1, 3), (1, 3, 2)}
    chances = {tuple(order_of(reordered(sketch, "random", seed=i), C, A, B)) for i in range(60)}
    assert len(chances) == 6
