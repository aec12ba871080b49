from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.raster import RasterSpec, render, render_fitted
from sketch_pix2seq.sketch import Sketch


def test_ink_is_centred_and_keeps_its_margin(house: Sketch) -> None:
    ink = render(house, RasterSpec())
    rows, columns = np.flatnonzero(ink.max(axis=1) > 127), np.flatnonzero(ink.max(axis=0) > 127)
    assert ink.shape == (48, 48)
    assert ink.dtype == np.uint8
    assert abs(rows[0] - (47 - rows[-1])) <= 1
    assert abs(columns[0] - (47 - columns[-1])) <= 1
    assert 1 <= rows[0] <= 2
    assert (rows[-1] - rows[0]) / (columns[-1] - columns[0]) == pytest.approx(255 / 200, rel=0.06)


@pytest.mark.parametrize("factor", [0.01, 0.7, 40.0])
def test_ink_does_not_depend_on_size_and_place(house: Sketch, factor: float) -> None:
    moved = house.transform([[factor, 0, 3], [0, factor, -8]])
    difference = render(moved, RasterSpec()).astype(int) - render(house, RasterSpec())
    assert np.abs(difference).max() <= 40


def test_both_ways_of_rendering_agree(house: Sketch) -> None:
    left, top, right, bottom = house.bounds()
    centred = house.points() - np.array([(left + right) / 2, (top + bottom) / 2], np.float32)
    ends = np.cumsum([len(stroke) for stroke in house.strokes])
    np.testing.assert_array_equal(render_fitted(centred, ends, RasterSpec()), render(house, RasterSpec()))


def test_a_dot_leaves_ink_and_no_strokes_leave_none() -> None:
    assert render(Sketch((np.array([[5, 5]]),)), RasterSpec()).max() > 60
    assert render(Sketch(()), RasterSpec()).max() == 0


@pytest.mark.parametrize("size", [0.01, 0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("points", [2, 5])
def test_a_stroke_smaller_than_a_pixel_leaves_as_much_ink_as_a_dot(size: float, points: int) -> None:
    spec, ends = RasterSpec(), np.array([points])
    along = np.linspace(-0.5, 0.5, points) * size / spec.pixels_per_unit
    dot = render_fitted(np.full((points, 2), 20, np.float32), ends, spec).sum(dtype=int)
    for angle in np.linspace(0, np.pi, 7):
        stroke = 20 + np.stack([np.cos(angle) * along, np.sin(angle) * along], axis=1)
        ink = render_fitted(stroke.astype(np.float32), ends, spec)
        assert ink.sum(dtype=int) == pytest.approx(dot, rel=0.2)
        assert ink.max() > 90


def test_strokes_are_not_joined() -> None:
    apart = Sketch((np.array([[0, 0], [255, 0]]), np.array([[0, 255], [255, 255]])))
    ink = render(apart, RasterSpec())
    assert ink[10:38].max() == 0


GOLDEN_SUM = 67494
GOLDEN_ROW = [
    0,
    0,
    0,
    0,
    0,
    18,
    217,
    118,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    42,
    231,
    72,
    0,
    0,
    0,
    0,
    65,
    232,
    47,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    109,
    221,
    21,
    0,
    0,
    0,
    0,
    0,
]


def test_golden_ink(house: Sketch) -> None:
    """The renderer is part of every model: a change of it changes what models see."""
    ink = render(house, RasterSpec())
    assert int(ink.sum()) == GOLDEN_SUM
    assert ink[40].tolist() == GOLDEN_ROW
