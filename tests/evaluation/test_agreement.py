"""Stroke agreement, against strokes of which the match, the order and the direction are known."""

from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.agreement import Agreement, match_all, match_strokes, order_pairs, stroke_agreement
from sketch_pix2seq.sketch import Sketch

FRAME = np.array([[0, 0], [0, 255]])
TOP = np.array([[20, 10], [120, 10], [240, 10]])
MIDDLE = np.array([[20, 120], [240, 130]])
LOW = np.array([[30, 200], [60, 240], [230, 250]])
PERSON = Sketch((FRAME, TOP, MIDDLE, LOW))


def ring(start: float, turn: int, centre: float = 130.0) -> np.ndarray:
    angle = np.deg2rad(start) + turn * np.linspace(0, 2 * np.pi, 40)
    return centre + 80 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def agreement(people: list[Sketch], drawn: list[Sketch]) -> Agreement:
    return stroke_agreement(people, match_all(people, drawn))


def test_strokes_in_another_order_and_direction() -> None:
    drawing = Sketch((FRAME + 1, LOW[::-1], TOP + np.array([0, 3]), MIDDLE[::-1]))
    found = match_strokes(PERSON, drawing)
    assert found.person.tolist() == [0, 1, 2, 3]
    assert found.drawing.tolist() == [0, 2, 3, 1]
    assert found.same_direction.tolist() == [True, True, False, False]
    told = agreement([PERSON], [drawing])
    assert told.matched.tolist() == [1.0]
    assert told.first.tolist() == [1.0]
    assert told.direction.tolist() == [0.5]
    # Of the six pairs of strokes, (1, 3) and (2, 3) change places: (4 - 2) / 6.
    assert told.tau.tolist() == pytest.approx([1 / 3])


def test_what_lies_elsewhere_has_no_match() -> None:
    far = Sketch((FRAME, TOP + np.array([0, 60]), LOW, MIDDLE))
    found = match_strokes(PERSON, far)
    assert found.person.tolist() == [0, 2, 3]
    assert found.drawing.tolist() == [0, 3, 2]
    told = agreement([PERSON], [far])
    assert told.matched.tolist() == [0.75]
    assert told.tau.tolist() == pytest.approx([1 / 3])
    assert len(match_strokes(PERSON, far, reach=100).person) == 4
    # A long stroke along a short one is near it everywhere and not the same stroke.
    half = Sketch((FRAME, TOP[:2], MIDDLE, LOW))
    assert match_strokes(PERSON, half).person.tolist() == [0, 2, 3]


def test_the_first_stroke_counts_where_it_is_matched() -> None:
    late = Sketch((TOP, FRAME, MIDDLE))
    without = Sketch((TOP, MIDDLE, LOW, np.array([[0, 0], [255, 255]])))
    found = agreement([PERSON] * 3, [PERSON, late, without])
    assert found.first[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found.first[2])


@pytest.mark.parametrize(("start", "turn", "same"), [(0, 1, True), (140, 1, True), (0, -1, False), (140, -1, False)])
def test_closed_strokes_run_the_same_way_wherever_they_begin(start: float, turn: int, same: bool) -> None:
    person = Sketch((FRAME, ring(0, 1)))
    drawing = Sketch((FRAME, ring(start, turn)))
    assert match_strokes(person, drawing).same_direction.tolist() == [True, same]


def test_nothing_to_compare() -> None:
    line, dot = Sketch((FRAME,)), Sketch((np.array([[0, 0]]), np.array([[200, 200]])))
    alone = agreement([line, line], [line, Sketch(())])
    assert np.isnan(alone.tau).all()
    assert alone.matched.tolist() == [1.0, 0.0]
    assert alone.direction[0] == 1.0
    assert np.isnan(alone.direction[1])
    assert agreement([dot], [dot]).tau.tolist() == pytest.approx([1.0])
    with pytest.raises(DataError, match="2 sketches and 1 redrawings"):
        agreement([line, line], [line])
    with pytest.raises(ValueError, match="without strokes"):
        agreement([Sketch(())], [line])


def test_the_same_strokes_in_both_orders() -> None:
    drawing = Sketch((LOW[::-1] + 1, TOP + 1, FRAME + 1, np.array([[250, 0], [200, 90]])))
    few = Sketch((FRAME, TOP[:2]))
    own, reordered, kept = order_pairs([PERSON, PERSON, few], match_all([PERSON, PERSON, few], [few, drawing, drawing]))
    assert kept.tolist() == [1]
    assert own == [Sketch((FRAME, TOP, LOW))]
    assert reordered == [Sketch((LOW[::-1], TOP, FRAME))]
