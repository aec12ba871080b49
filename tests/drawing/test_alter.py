"""Changed inputs against what plane geometry says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sketch_pix2seq.drawing.alter import alter, overlaid, spliced, with_part, without_region, without_strokes
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.raster import RasterSpec, damaged, render
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


def sketch_of(*strokes: list[list[float]]) -> Sketch:
    return Sketch(tuple(np.array(stroke, np.float32) for stroke in strokes))


SQUARE = sketch_of([[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]])


def length(sketch: Sketch) -> float:
    return float(sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in sketch.strokes))


def test_a_part_goes_where_it_should(house: Sketch) -> None:
    part = sketch_of([[5, 5], [9, 7]], [[5, 6], [7, 6]])
    changed = with_part(house, part, at=(0.25, -0.1), size=0.2)
    assert all(np.array_equal(a, b) for a, b in zip(changed.strokes, house.strokes, strict=False))
    assert changed.category == "house"
    left, top, right, bottom = Sketch(changed.strokes[len(house) :]).bounds()
    assert (right - left, bottom - top) == pytest.approx((0.2 * 255, 0.1 * 255))
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((0.25 * 200, -0.1 * 255))


def test_a_dot_can_be_a_part() -> None:
    changed = with_part(SQUARE, sketch_of([[7, 7]]), at=(0.5, 0.25))
    assert changed.strokes[-1].tolist() == [[50, 25]]


def test_strokes_are_taken_by_number(house: Sketch) -> None:
    left = without_strokes(house, [1, 3, 3])
    assert len(left) == 1
    assert np.array_equal(left.strokes[0], house.strokes[1])
    assert without_strokes(house, []) == house
    timed = Sketch(house.strokes, times=tuple(np.arange(len(s), dtype=np.float32) for s in house.strokes))
    times = without_strokes(timed, [1]).times
    assert times is not None
    assert [len(t) for t in times] == [3, 4]


def test_a_region_is_clipped_away() -> None:
    corner = without_region(SQUARE, 0.5, 0.5, 1, 1)
    assert [stroke.tolist() for stroke in corner.strokes] == [
        [[0, 0], [100, 0], [100, 50]],
        [[50, 100], [0, 100], [0, 0]],
    ]
    assert without_region(SQUARE, 0.2, 0.2, 0.8, 0.8) == SQUARE
    through = without_region(sketch_of([[0, 0], [100, 0]], [[50, 20]], [[0, 40]]), 0.25, -1, 0.75, 0.9)
    assert [stroke.tolist() for stroke in through.strokes] == [[[0, 0], [25, 0]], [[75, 0], [100, 0]], [[0, 40]]]


def test_clipping_loses_and_makes_no_line() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        sketch = random_sketch(rng, points=30)
        left, top, right, bottom = sketch.bounds()
        outside = without_region(sketch, 0.3, 0.2, 0.7, 0.9)
        # What the region held is what is left when all around it is taken.
        held = sketch
        for region in ((-1, -1, 0.3, 2), (0.7, -1, 2, 2), (-1, -1, 2, 0.2), (-1, 0.9, 2, 2)):
            held = without_region(held, *region, box=(left, top, right, bottom))
        assert length(outside) + length(held) == pytest.approx(length(sketch), rel=1e-4)


def test_changes_together_mean_the_given_drawing(house: Sketch) -> None:
    changed = alter(house, add=sketch_of([[0, 0], [1, 0]]), at=(0.5, 0.0), size=0.5, remove=[2], cut=(0, 0.9, 1, 1))
    assert changed.strokes[-1].tolist() == [[36.25, 0], [163.75, 0]]
    assert Sketch(changed.strokes[:-1]).bounds() == pytest.approx((0, 100, 200, 0.9 * 255))
    assert alter(house) == house


def test_two_in_one(house: Sketch) -> None:
    wide = sketch_of([[0, 0], [10, 0], [10, 5]])
    both = overlaid(wide, house)
    assert len(both) == 1 + len(house)
    assert Sketch(both.strokes[:1]).bounds() == (0, 63.75, 255, 191.25)
    assert Sketch(both.strokes[1:]).bounds() == (27.5, 0, 227.5, 255)
    left_right = spliced(wide, house, at=0.4)
    assert left_right.strokes[0].tolist() == [[0, 63.75], [102, 63.75]]
    assert Sketch(left_right.strokes[1:]).bounds() == (102, 0, 227.5, 255)
    top_bottom = spliced(house, SQUARE, "top-bottom")
    assert top_bottom.bounds() == (0, 0, 255, 255)
    assert Sketch(top_bottom.strokes[-1:]).bounds() == (0, 127.5, 255, 255)
    assert Sketch(top_bottom.strokes[:-1]).bounds() == (27.5, 0, 227.5, 127.5)


def test_damage_blanks_the_right_number_of_patches_with_ink() -> None:
    rng = np.random.default_rng(2)
    ink = np.stack([render(random_sketch(rng), RasterSpec()) for _ in range(6)])
    before = ink.copy()
    for share in (0.0, 0.1, 0.3, 0.5, 1.0):
        out = damaged(ink, share, seed=3)
        for one, other in zip(ink, out, strict=True):
            patches = [
                (one[y : y + 6, x : x + 6], other[y : y + 6, x : x + 6])
                for y in range(0, 48, 6)
                for x in range(0, 48, 6)
            ]
            held = [pair for pair in patches if pair[0].any()]
            gone = [pair for pair in held if not pair[1].any()]
            assert len(gone) == round(share * len(held))
            assert all((a == b).all() for a, b in patches if b.any())
    assert (ink == before).all()


def test_damage_follows_from_seed_and_index() -> None:
    ink = np.full((3, 48, 48), 255, np.uint8)
    once = damaged(ink, 0.3, seed=1)
    assert (once == damaged(ink, 0.3, seed=1)).all()
    assert (once[:2] == damaged(ink[:2], 0.3, seed=1)).all()
    assert (once[0] != once[1]).any()
    assert (once != damaged(ink, 0.3, seed=2)).any()
    assert not (damaged(ink, 0.5, seed=1) & ~once).any(), "more damage leaves nothing that less damage took"


def test_small_and_odd_pictures_are_damaged_too() -> None:
    dot = np.zeros((1, 50, 50), np.uint8)
    dot[0, 49, 49] = 255
    assert damaged(dot, 0.01).max() == 0, "at least one patch"
    assert damaged(np.zeros_like(dot), 0.5).max() == 0
    assert damaged(np.zeros((0, 48, 48), np.uint8), 0.5).shape == (0, 48, 48)


def test_what_cannot_be(house: Sketch) -> None:
    dot = sketch_of([[0, 0]])
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: with_part(house, dot, at=(3, 0)), "x and y from -1 to 2"),
        (lambda: with_part(house, dot, size=0), "above 0 and at most 4; got 0"),
        (lambda: with_part(house, Sketch(())), "holds no drawing"),
        (lambda: without_strokes(house, [2, 7]), "no stroke 7; the drawing has strokes 1 to 3"),
        (lambda: without_strokes(house, [0]), "no stroke 0"),
        (lambda: without_strokes(dot, [1]), "nothing would be left of the drawing, which has 1 stroke$"),
        (lambda: without_region(house, 0.6, 0, 0.4, 1), "left below right and top below bottom; got 0.6 0 0.4 1"),
        (lambda: without_region(house, 0, 0, 1, 1), "choose a smaller region"),
        (lambda: alter(house, cut=(0, 1)), "four sides"),  # type: ignore[arg-type]
        (lambda: spliced(house, house, at=1), "above 0 and below 1; got 1"),
        (lambda: spliced(house, house, "inside-out"), "no cut 'inside-out'"),  # type: ignore[arg-type]
        (lambda: spliced(house, house, at=0.05), "nothing of the first drawing lies to the left of a cut at 0.05"),
        (lambda: spliced(house, house, at=0.95), "nothing of the second drawing lies to the right"),
        (lambda: damaged(np.zeros((1, 8, 8), np.uint8), 1.5), "0 to 1; got 1.5"),
        (lambda: damaged(np.zeros((1, 8, 8), np.uint8), 0.5, patch=0), "at least 1 pixel"),
    ]
    for call, words in cases:
        with pytest.raises(SettingsError, match=words):
            call()
