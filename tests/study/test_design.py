"""The order of the trials, and settings that cannot be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.study.design import Renderer, StudySettings, seconds_to_draw, spread, trial_order
from tests.study.conftest import CATEGORIES, small_drawings

SETTINGS = StudySettings(trials=12, practice=2)
TOKENS = [f"{k:032x}" for k in range(20)]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("trials", [4, 6, 12])
def test_half_are_peoples_the_rest_is_split_evenly_and_categories_are_even(token: str, trials: int) -> None:
    drawings = small_drawings()
    order = trial_order(drawings, replace(SETTINGS, trials=trials), token)
    shown = [drawings[i] for i in order]
    assert len(set(order)) == trials
    assert not any(drawing.practice for drawing in shown)
    makers = Counter(drawing.model for drawing in shown)
    assert makers[None] == trials // 2
    assert abs(makers["one"] - makers["two"]) <= 1
    assert len({drawing.original for drawing in shown}) == trials, "an original is met once, in one form"
    for people in (True, False):
        by_category = Counter(drawing.category for drawing in shown if (drawing.model is None) == people)
        assert max(by_category.values()) - min(by_category.get(name, 0) for name in CATEGORIES) <= 1


def test_the_order_is_the_participants_own_and_always_the_same() -> None:
    drawings = small_drawings()
    orders = [trial_order(drawings, SETTINGS, token) for token in TOKENS]
    assert orders == [trial_order(drawings, SETTINGS, token) for token in TOKENS]
    assert len(set(map(tuple, orders))) == len(TOKENS)
    assert orders[0] != trial_order(drawings, replace(SETTINGS, seed=1), TOKENS[0])


def test_over_participants_every_drawing_of_a_kind_is_met_about_equally_often() -> None:
    drawings = small_drawings()
    counts = Counter(
        i for k in range(600) for i in trial_order(drawings, replace(SETTINGS, trials=6), f"{k + 1000:032x}")
    )
    people = [counts[i] for i, d in enumerate(drawings) if d.model is None and not d.practice]
    redrawn = [counts[i] for i, d in enumerate(drawings) if d.model is not None and not d.practice]
    assert np.allclose(people, 600 * 3 / 6, rtol=0.2)
    assert np.allclose(redrawn, 600 * 3 / 12, rtol=0.25)


def test_spread_takes_groups_in_turn() -> None:
    items = list(range(12))
    groups = [k % 3 for k in items]
    out = spread(items, groups, np.random.default_rng(0))
    assert sorted(out) == items
    for n in range(0, 12, 3):
        assert {groups[k] for k in out[n : n + 3]} == {0, 1, 2}


def test_seconds_to_draw() -> None:
    renderer = Renderer(units_per_second=100, pause_seconds=0.5)
    strokes = [[[0, 0], [30, 40]], [[5, 5]], [[0, 0], [0, 150]]]
    assert seconds_to_draw(strokes, renderer) == pytest.approx(0.5 + 0.5 + 0.5 + 1.5)
    assert seconds_to_draw(strokes, renderer, speed=2) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"per_category": 0}, "per_category must be at least 1"),
        ({"trials": 7}, "even"),
        ({"trials": 0}, "even"),
        ({"practice": -1}, "practice cannot be below 0"),
        ({"speed": 0.0}, "a speed of 0 is not possible"),
        ({"speed": float("nan")}, "a speed of nan is not possible"),
        ({"seed": -1}, "the seed must be"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        StudySettings(**settings)
