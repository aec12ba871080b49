"""Strokes that are taken back: which, from where on, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.drawing.retake import (
    LONG,
    Takes,
    begins_of,
    choose_begin,
    ink_of_points,
    missing_ink,
    missing_of,
)
from sketch_pix2seq.drawing.runtime import DrawingState, MixtureArrays, OnnxRuntime
from sketch_pix2seq.drawing.sampler import SampleSettings, draw_codes
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.raster import RasterSpec, render, shades_of
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sketch import DoubleArray, FloatArray, Sketch
from tests.conftest import random_sketch
from tests.drawing.conftest import BlindRuntime

INFO = ModelInfo(ModelSettings(glimpse=5), SequenceSpec("centre", 10.0))
SIZE = RasterSpec().size
BAR = np.array([[[-12.75, 0, 0], [25.5, 0, 1]]], np.float32)
"""A line across the canvas: a jump to its left, and the line."""


def takes_of(picture: FloatArray, left: int = 8) -> Takes:
    one = np.zeros((1, SIZE, SIZE), np.float32)
    zero = np.zeros(1, np.int64)
    numbers = (zero, zero + 8, zero + left, zero)
    return Takes(picture[None], one, DrawingState((), ()), one[:, 0, :5], *numbers, np.zeros(1))


def test_ink_of_points_is_the_renderers() -> None:
    sketch = random_sketch(np.random.default_rng(3)).fit()
    left, top, right, bottom = sketch.bounds()
    rows = sketch.transform([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2]]).to_stroke3().astype(np.float32)
    rows[:, :2] /= INFO.sequence.scale
    ink = ink_of_points(rows, INFO)
    apart = np.abs(ink - shades_of(render(sketch, INFO.model.raster)))
    assert (apart > 0.1).mean() < 0.002, "a point on the edge of a sixteenth of a pixel may fall to either side"
    last = np.flatnonzero(rows[:-1, 2])[-1] + 1
    alone = ink_of_points(rows, INFO, last)
    assert 0 < alone.sum() < ink.sum()
    assert (alone <= ink + 0.01).all()


def test_a_stroke_is_worth_it_where_it_lies_on_ink_that_is_not_drawn_yet() -> None:
    (bar,) = BAR
    takes = takes_of(ink_of_points(bar, INFO))
    on = takes.after(0, bar, INFO)
    assert takes.is_worth_it(0, on)
    beside = bar + np.array([[0, 1.5, 0], [0, 0, 0]], np.float32)
    off = takes.after(0, beside, INFO)
    assert not takes.is_worth_it(0, off)
    takes.paper[0] = on
    assert not takes.is_worth_it(0, takes.after(0, bar, INFO)), "it is there already"


def test_less_is_asked_of_a_stroke_after_each_attempt() -> None:
    (bar,) = BAR
    takes = takes_of(ink_of_points(bar, INFO))
    slanted = bar + np.array([[0, 0, 0], [0, 0.6, 0]], np.float32)
    after = takes.after(0, slanted, INFO)
    worth = []
    for left in range(8, 0, -1):
        takes.left[0] = left
        worth.append(takes.is_worth_it(0, after))
    assert worth == sorted(worth)
    assert not worth[0]
    assert worth[-1]


def test_the_begin_of_a_stroke_is_drawn_the_warmer_the_more_have_failed() -> None:
    takes = takes_of(np.ones((SIZE, SIZE), np.float32))
    here = takes.at.copy()
    assert takes.warmth(here) == 0
    takes.left[0] = 6
    two = takes.warmth(here)
    takes.left[0] = 2
    assert 0 < 3 * two == pytest.approx(takes.warmth(here))
    assert takes.warmth(here + 1) == 0, "the pen is down"


def test_missing_ink_is_what_is_more_than_a_pixel_away() -> None:
    (bar,) = BAR
    picture, nothing = ink_of_points(bar, INFO), np.zeros((SIZE, SIZE), np.float32)
    assert missing_ink(picture, nothing) == pytest.approx(float(np.square(picture).sum()))
    assert missing_ink(picture, picture) == 0
    near = bar + np.array([[0, 0.4, 0], [0, 0, 0]], np.float32)
    assert missing_ink(picture, ink_of_points(near, INFO)) < 0.05 * missing_ink(picture, nothing)
    half = bar * np.array([[1, 1, 1], [0.5, 1, 1]], np.float32)
    share = missing_ink(picture, ink_of_points(half, INFO)) / missing_ink(picture, nothing)
    assert share == pytest.approx(0.5, abs=0.05)


class OneLine(BlindRuntime):
    """Draws one line from the left of the canvas: straight on or askew, each half of the time.

    wanders: whether it finds no end where it went askew. lines: how many it draws, one below the other, of which it
    likes to leave out all but the first.
    """

    info = INFO

    def __init__(self, *, wanders: bool = False, lines: int = 1) -> None:
        self.wanders, self.lines = wanders, lines
        self.steps = 0

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        ink = np.zeros((len(code), SIZE, SIZE), np.float32) if picture is None else picture
        there = ink.any(axis=(1, 2), keepdims=True)
        nothing = np.zeros((len(code), 1), np.float32)
        fixed = (code, code, np.zeros_like(ink), np.where(there, 2 * ink - 1, 0).astype(np.float32))
        # Rows so far, whether it went askew, and what every model with a canvas has.
        return DrawingState(fixed, (nothing, nothing.copy(), np.zeros((len(code), 4), np.float32), nothing, nothing))

    def step(self, rows: FloatArray, state: DrawingState) -> tuple[MixtureArrays, DrawingState]:
        self.steps += len(rows)
        count, askew, *rest = state.moving
        askew = askew + (np.abs(rows[:, 1:2]) > 5)
        n = len(rows)
        line, lost = count % 2 == 1, (askew > 0) & self.wanders
        more = (count == 2) & (self.lines == 2)
        mu_x = np.where(count == 0, -12.75, np.where(line, 25.5, np.where(more, -25.5, 0.01))) + np.zeros((n, 2))
        mu_y = np.where(line, [[0.0, 10.0]], np.where(more, 6.0, 0.0))
        pen = np.where(line, 1, 2 * (count > 0)) * ~lost
        log_pen = np.full((n, 3), -100.0)
        log_pen[np.arange(n), pen[:, 0]] = 0
        log_pen[more[:, 0], 0] = -9
        mixture = (
            np.full((n, 2), np.log(0.5)),
            mu_x,
            mu_y,
            np.full((n, 2), -9),
            np.full((n, 2), -9),
            0 * mu_x,
            log_pen,
        )
        moving = (count + 1, askew.astype(np.float32), *rest)
        return MixtureArrays(*(np.asarray(x, np.float32) for x in mixture)), DrawingState(state.fixed, moving)


def drawn(runtime: OneLine, retakes: int, *, shown: bool = True) -> tuple[list[Sketch], float]:
    """Drawings, and the share of them in which the first line is straight."""
    codes = np.zeros((300, 1), np.float32)
    bars = BAR[0] if runtime.lines == 1 else np.concatenate([BAR[0], [[-25.5, 6, 0], [25.5, 0, 1]]]).astype(np.float32)
    picture = np.repeat(ink_of_points(bars, INFO)[None], len(codes), axis=0) * np.float32(shown)
    settings = SampleSettings(tries=1, retakes=retakes, max_points=100, specks=True)
    drawings = draw_codes(runtime, codes, range(300), settings, picture)
    return drawings, float(np.mean([np.ptp(drawing.strokes[0][:, 1]) < 10 for drawing in drawings]))


def test_what_misses_the_picture_is_drawn_again() -> None:
    drawings, straight = drawn(OneLine(), 0)
    assert 0.4 < straight < 0.6
    drawings, straight = drawn(OneLine(), 1)
    assert 0.68 < straight < 0.82
    runtime = OneLine()
    drawings, straight = drawn(runtime, 8)
    assert straight > 0.98, "one in 512 misses nine times"
    assert all(drawing.n_points == 2 and drawing.metadata["ended"] for drawing in drawings)
    assert 300 * 4 < runtime.steps < 300 * 5.5, "what was drawn before a stroke is not drawn again with it"


def test_a_drawing_does_not_end_while_ink_is_missing() -> None:
    drawings, _ = drawn(OneLine(lines=2), 0)
    assert {len(drawing) for drawing in drawings} == {1}
    drawings, _ = drawn(OneLine(lines=2), 8)
    assert np.mean([len(drawing) == 2 for drawing in drawings]) == pytest.approx(1 - 1 / 16, abs=0.04), (
        "after four strokes that went askew it may end as it likes to"
    )
    assert all(drawing.metadata["ended"] for drawing in drawings)


class Lost(BlindRuntime):
    """Sets dots down in a corner, whatever it is shown."""

    info = INFO

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        assert picture is not None
        n = len(code)
        moving = (np.zeros((n, 4), np.float32), np.zeros((n, 2), np.float32), np.zeros((n, 1), np.float32))
        return DrawingState((code, code, np.zeros_like(picture), 2 * picture - 1), moving)

    def step(self, rows: FloatArray, state: DrawingState) -> tuple[MixtureArrays, DrawingState]:
        tally, before, down = state.moving
        place = before + rows[:, :2] * INFO.sequence.scale
        to = (-100 - place) / INFO.sequence.scale
        one = np.zeros((len(rows), 1))
        log_pen = np.log([[0.001, 0.019, 0.98]]) + np.zeros((len(rows), 3))
        mixture = (one, to[:, :1], to[:, 1:], one - 4, one - 4, one, log_pen)
        return MixtureArrays(*(np.asarray(x, np.float32) for x in mixture)), DrawingState(
            state.fixed, (tally, place, down)
        )


def test_where_strokes_for_missing_ink_failed_the_next_one_begins_there() -> None:
    dot = np.array([[6.0, 4.0, 1]], np.float32)
    picture = np.repeat(ink_of_points(dot, INFO)[None], 50, axis=0)
    codes = np.zeros((50, 1), np.float32)

    def nearest(retakes: int) -> DoubleArray:
        settings = SampleSettings(pen_temperature=0, retakes=retakes, max_points=20, specks=True)
        drawings = draw_codes(Lost(), codes, range(50), settings, picture)
        assert all(drawing.metadata["ended"] for drawing in drawings) or retakes < 8
        away = [np.hypot(*(drawing.points() - 127.5 - [60, 40]).T).min() for drawing in drawings]
        return np.array(away)

    assert (nearest(8) < 3).all()
    assert (nearest(3) > 100).all(), "the fourth stroke stays, wherever it lies"


def test_a_stroke_begins_where_most_is_missing_and_the_decoder_likes_it() -> None:
    (bar,) = BAR
    picture = ink_of_points(bar, INFO)
    paper = ink_of_points(bar * np.array([[1, 1, 1], [0.5, 1, 1]], np.float32), INFO)
    places, ink = begins_of(picture, paper, INFO.model.raster)
    assert len(places) > 20
    assert (places[:, 0] > 0).all(), "the left half is there"
    assert np.abs(places[:, 1]).max() < 3
    missing = missing_of(picture, paper)
    np.testing.assert_allclose(np.exp(ink), missing[missing > 0.2])
    even = [choose_begin(np.zeros(4), np.log([1.0, 1.0, 2.0, 4.0]), chance) for chance in np.linspace(0, 0.999, 800)]
    assert np.bincount(even).tolist() == pytest.approx([100, 100, 200, 400], abs=2)
    liked = [choose_begin(np.array([4 * np.log(2), 0.0]), np.zeros(2), chance) for chance in np.linspace(0, 0.999, 900)]
    assert np.bincount(liked).tolist() == pytest.approx([600, 300], abs=2)


def test_without_a_picture_nothing_is_taken_back() -> None:
    some, straight = drawn(OneLine(), 8, shown=False)
    assert 0.4 < straight < 0.6
    assert some == drawn(OneLine(), 0, shown=False)[0]


def test_a_stroke_that_finds_no_end_is_taken_back() -> None:
    drawings, straight = drawn(OneLine(wanders=True), 0)
    assert np.mean([drawing.n_points == 100 for drawing in drawings]) == pytest.approx(1 - straight)
    runtime = OneLine(wanders=True)
    drawings, straight = drawn(runtime, 8)
    assert straight > 0.98
    assert runtime.steps < 300 * (4 + 1.2 * LONG)


def test_retakes_cannot_be_below_none() -> None:
    with pytest.raises(SettingsError, match="retakes"):
        SampleSettings(retakes=-1)


def test_a_drawing_is_the_same_whatever_is_drawn_beside_it(folders: dict[str, Path]) -> None:
    rng = np.random.default_rng(2)
    codes = rng.normal(size=(40, 8)).astype(np.float32)
    pictures = np.stack([shades_of(render(random_sketch(rng), RasterSpec())) for _ in codes])
    settings = SampleSettings(0.5, 1.0, 20)
    one, two = (OnnxRuntime(folders["glimpse"], threads=threads) for threads in (1, 2))
    drawings = draw_codes(one, codes, range(80), settings, pictures)
    assert drawings != draw_codes(one, codes, range(80), SampleSettings(0.5, 1.0, 20, retakes=0), pictures)
    for x, y in zip(drawings, draw_codes(two, codes, range(80), settings, pictures), strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)
    alone = draw_codes(one, codes[10:11], [20, 21], settings, pictures[10:11])
    for x, y in zip(alone, drawings[20:22], strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)
