"""Aiming: lines on ink, and jumps to ink that is not drawn yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.drawing.aim import Sight, _read, aim
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.sampler import SampleSettings, draw_codes
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.raster import RasterSpec, render, shades_of
from sketch_pix2seq.sketch import Sketch

SPEC = RasterSpec()
BAR = np.array([[0, 100], [255, 100]], np.float32)
DOT = np.array([[100, 0], [100, 255]], np.float32)


def sight(*, down: bool, laid: float = 0.0) -> Sight:
    """A cross, of which nothing or everything is drawn, with the pen on the left end of the bar."""
    ink = shades_of(render(Sketch((BAR, DOT)), SPEC))[None]
    tally = np.full((1, 625), laid, np.float32)
    place = np.array([[-127.5, -27.5]], np.float32)
    return Sight(ink, tally, place, np.array([[float(down)]], np.float32))


def test_a_grid_is_read_between_its_numbers_and_is_empty_outside() -> None:
    grid = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    at = np.array([[[1.0, 1.0], [0.5, 0.0], [2.0, 2.0], [1.25, 1.5], [-0.1, 1.0], [1.0, 2.1]]])
    np.testing.assert_allclose(_read(grid, at), [[4.0, 0.5, 8.0, 5.75, 0.0, 0.0]], atol=0.01)


def test_a_line_is_to_lie_on_ink() -> None:
    along, beside, over = aim(sight(down=True), np.array([[[60.0, 0], [60.0, 12.0], [-30.0, 0.0]]]), SPEC)[0]
    assert along > 5
    assert max(beside, over) < along - 3


def test_a_jump_is_to_ink_that_is_not_drawn() -> None:
    jumps = np.array([[[227.5, 40.0], [100.0, -50.0], [200.0, 0.0]]])
    away, down_the_other, along = aim(sight(down=False), jumps, SPEC)[0]
    assert away == 0
    assert min(down_the_other, along) > 4
    assert aim(sight(down=False, laid=3.0), jumps, SPEC)[0].max() < 0.5 * along


def test_without_a_canvas_nothing_is_tried_and_with_one_it_changes_the_drawing(folders: dict[str, Path]) -> None:
    for kind, same in (("paper-hyper", True), ("canvas", False)):
        runtime = load_model(folders[kind]).runtime
        codes = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
        seeds = np.arange(3)
        drawn = [draw_codes(runtime, codes, seeds, SampleSettings(max_points=12, tries=tries)) for tries in (1, 4, 4)]
        points = [np.concatenate([sketch.points() for sketch in each]) for each in drawn]
        np.testing.assert_array_equal(points[1], points[2])
        assert (points[0].shape == points[1].shape and np.array_equal(points[0], points[1])) == same
    with pytest.raises(SettingsError):
        SampleSettings(tries=0)
