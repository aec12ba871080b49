"""Settling: a finished drawing is laid on the picture's ink, and keeps all else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from sketch_pix2seq.drawing import settle
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.settle import settled
from sketch_pix2seq.raster import RasterSpec, render_fitted, shades_of
from sketch_pix2seq.sketch import DoubleArray, FloatArray, Sketch

RASTER = RasterSpec()
TURN = np.linspace(0, 2 * np.pi, 17)
FACE = Sketch(
    (
        (np.stack([np.cos(TURN), np.sin(TURN)], axis=1) * 127 + 127.5).astype(np.float32),
        np.array([[70, 90], [90, 80], [105, 92]], np.float32),
        np.array([[160, 90]], np.float32),
        np.array([[80, 170], [125, 195], [175, 168]], np.float32),
    ),
    "face",
    {"ended": True},
)


def points_of(sketch: Sketch) -> FloatArray:
    return np.concatenate(sketch.strokes)


def ink_in_frame(sketch: Sketch, raster: RasterSpec = RASTER) -> FloatArray:
    ends = np.cumsum([len(stroke) for stroke in sketch.strokes])
    return shades_of(render_fitted(points_of(sketch) - np.float32(127.5), ends, raster))


def shaken(sketch: Sketch, spread: float, seed: int = 0) -> Sketch:
    """Each stroke as a whole, and its points besides, off by some units."""
    rng = np.random.default_rng(seed)
    strokes = [s + rng.normal(size=2) * spread + rng.normal(size=s.shape) * spread / 2 for s in sketch.strokes]
    return Sketch(tuple(s.astype(np.float32) for s in strokes), sketch.category, sketch.metadata)


def apart(one: FloatArray, other: FloatArray) -> float:
    return float(np.square(one - other).sum())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("raster", [RASTER, RasterSpec(64, 3)], ids=["48", "64, wide lines"])
def test_a_drawing_comes_to_lie_on_the_ink(raster: RasterSpec, seed: int) -> None:
    picture, drawn = ink_in_frame(FACE, raster), shaken(FACE, 3, seed)
    after = settled(drawn, picture, raster)
    assert apart(ink_in_frame(after, raster), picture) < 0.6 * apart(ink_in_frame(drawn, raster), picture)


def test_what_lies_there_stays() -> None:
    moved = points_of(settled(FACE, ink_in_frame(FACE), RASTER)) - points_of(FACE)
    assert np.abs(moved).max() * RASTER.pixels_per_unit < 0.35


def test_strokes_and_what_else_it_holds_stay() -> None:
    drawn = shaken(FACE, 4)
    after = settled(drawn, ink_in_frame(FACE), RASTER)
    assert [len(stroke) for stroke in after.strokes] == [len(stroke) for stroke in drawn.strokes]
    assert (after.category, dict(after.metadata)) == ("face", {"ended": True})


def test_no_point_moves_far() -> None:
    drawn = shaken(FACE, 20)
    moved = points_of(settled(drawn, ink_in_frame(FACE), RASTER)) - points_of(drawn)
    reach = 1.5 / RASTER.pixels_per_unit
    assert 0.5 * reach < np.abs(moved).max() < reach + 1e-3


def test_given_points_stay() -> None:
    drawn = shaken(FACE, 4)
    moved = points_of(settled(drawn, ink_in_frame(FACE), RASTER, given=18)) - points_of(drawn)
    assert np.abs(moved[:18]).max() < 1e-4 < np.abs(moved[18:]).max()


def test_on_blank_paper_and_of_nothing_nothing_moves() -> None:
    assert settled(FACE, np.zeros((48, 48), np.float32), RASTER) is FACE
    empty = Sketch(())
    assert settled(empty, ink_in_frame(FACE), RASTER) is empty


def test_a_line_where_the_picture_shows_nothing_stays() -> None:
    eye = Sketch((FACE.strokes[1],))
    with_nose = Sketch((shaken(eye, 4).strokes[0], np.array([[30, 200], [60, 230]], np.float32)))
    moved = points_of(settled(with_nose, ink_in_frame(eye), RASTER)) - points_of(with_nose)
    assert np.abs(moved[3:]).max() < 1e-6 < np.abs(moved[:3]).max()


def test_the_gradient_is_that_of_the_squares() -> None:
    rng = np.random.default_rng(3)
    points = np.array([[4.13, 4.27], [10.31, 6.09], [12.41, 12.23], [5.57, 11.19]])
    lines = np.array([[0, 1], [1, 2], [3, 3]])
    places = np.stack(np.meshgrid(np.arange(16.0), np.arange(16.0)), axis=-1).reshape(-1, 2)
    ink = rng.uniform(size=len(places))

    def half_squares(flat: DoubleArray) -> float:
        begin, end = flat.reshape(-1, 2)[lines[:, 0]], flat.reshape(-1, 2)[lines[:, 1]]
        far = []
        for a, b in zip(begin, end, strict=True):
            length = float(np.square(b - a).sum())
            share = np.clip((places - a) @ (b - a) / length, 0, 1)[:, None] if length else 0.0
            far.append(np.linalg.norm(places - a - share * (b - a), axis=1))
        laid = settle._PEAK * np.exp(-((np.min(far, axis=0) / settle._WIDTH) ** settle._SHAPE))
        return float(np.square(laid - ink).sum() / 2)

    gradient, curvature = settle._pull(points, lines, places, ink, 0.0)
    np.testing.assert_allclose(gradient, approx_fprime(points.ravel(), half_squares, 1e-7), atol=1e-4)
    np.testing.assert_allclose(curvature, curvature.T)
    assert np.linalg.eigvalsh(curvature).min() > -1e-9


def test_the_bundled_model_lies_nearer_to_its_picture() -> None:
    model = load_model(threads=1)
    picture = ink_in_frame(FACE)

    def off(settle: bool) -> float:
        settings = DrawSettings(candidates=1, settle=settle)
        return float(np.mean([apart(ink_in_frame(d), picture) for d in model.draw(FACE, 8, seed=1, settings=settings)]))

    assert off(True) < 0.8 * off(False)
