"""Rows follow the mixture; drawings do not depend on those beside them; the search lays ink where the picture has
it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from sketch_pix2seq.drawing import sampler
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.runtime import DrawingState, Posterior, Rows, Runtime, Told
from sketch_pix2seq.drawing.sampler import SampleSettings, draw, ink_of_points, missing_ink, prefill
from sketch_pix2seq.errors import PictureError, SettingsError, SketchError
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.model.mixture import Mixture, log_density
from sketch_pix2seq.model.sampling import sample_row
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.raster import render
from sketch_pix2seq.sequence import SequenceSpec, rows_of
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray, Sketch
from tests.conftest import random_sketch
from tests.drawing.conftest import KINDS

GOLDEN = Path(__file__).with_name("golden.json")


# -- one row ----------------------------------------------------------------------------------------------


def mixture_of(n: int, pen: tuple[float, float, float] = (0.6, 0.3, 0.1)) -> Mixture:
    rows = (
        np.log([0.25, 0.75]),
        [1.0, -2.0],
        [0.5, 3.0],
        np.log([0.5, 2.0]),
        np.log([1.5, 0.3]),
        [0.6, -0.8],
        np.log(pen),
    )
    return Mixture(*(torch.tensor(np.tile(row, (n, 1)), dtype=torch.float32) for row in rows))


def drawn_rows(n: int, tau: float, pen_tau: float, may_end: float = 1.0) -> np.ndarray:
    chance = torch.from_numpy(np.random.default_rng(3).random((n, 4)).astype(np.float32))
    control = [torch.full((n, 1), value) for value in (tau, pen_tau, may_end)]
    return sample_row(mixture_of(n), chance, *control).numpy()


@pytest.mark.parametrize("tau", [1.0, 0.25])
def test_rows_follow_the_mixture_at_its_temperature(tau: float) -> None:
    """tau multiplies the variance and divides the logits of the Gaussians."""
    rows = drawn_rows(60_000, tau, 1.0)
    weights = np.array([0.25, 0.75]) ** (1 / tau)
    weights /= weights.sum()
    means, variances = np.array([[1.0, 0.5], [-2.0, 3.0]]), np.array([[0.25, 2.25], [4.0, 0.09]]) * tau
    expected = weights @ means
    np.testing.assert_allclose(rows[:, :2].mean(axis=0), expected, atol=0.04)
    spread = weights @ (variances + means**2) - expected**2
    np.testing.assert_allclose(rows[:, :2].var(axis=0), spread, rtol=0.04)
    covariances = np.array([0.6 * 0.5 * 1.5, -0.8 * 2.0 * 0.3]) * tau
    both = weights @ (covariances + means.prod(axis=1)) - expected.prod()
    assert np.cov(rows[:, :2].T)[0, 1] == pytest.approx(both, abs=0.05)


def test_the_pen_has_its_own_temperature_and_may_be_kept_from_ending() -> None:
    pens = np.array([0.6, 0.3, 0.1])
    for tau in (1.0, 0.5):
        expected = pens ** (1 / tau) / (pens ** (1 / tau)).sum()
        np.testing.assert_allclose(drawn_rows(60_000, 0.2, tau)[:, 2:].mean(axis=0), expected, atol=0.01)
    kept = drawn_rows(20_000, 0.2, 1.0, may_end=0.0)[:, 2:].mean(axis=0)
    np.testing.assert_allclose(kept, [2 / 3, 1 / 3, 0], atol=0.015)


def test_temperature_zero_takes_the_likeliest() -> None:
    np.testing.assert_allclose(drawn_rows(5, 0.0, 0.0), np.tile([-2, 3, 1, 0, 0], (5, 1)), atol=1e-5)


def test_densities_are_those_of_scipy() -> None:
    rows = drawn_rows(20, 1.0, 1.0)
    ours = log_density(mixture_of(20), torch.from_numpy(rows[:, :2])).numpy()
    total = np.zeros(20)
    for weight, mean, deviation, rho in (
        (0.25, (1.0, 0.5), (0.5, 1.5), 0.6),
        (0.75, (-2.0, 3.0), (2.0, 0.3), -0.8),
    ):
        x, y = deviation
        covariance = [[x * x, rho * x * y], [rho * x * y, y * y]]
        total += weight * stats.multivariate_normal(mean, covariance).pdf(rows[:, :2])
    np.testing.assert_allclose(ours, np.log(total), atol=1e-3)


# -- drawings ---------------------------------------------------------------------------------------------


class Scripted:
    """A runtime that draws the strokes of a script: the proposal k of a drawing's stroke s is ``script[s][k]``.

    Its state is how many rows are drawn; strokes are stroke-3 rows in canvas units from the pen's place.
    """

    info = ModelInfo(ModelSettings(), SequenceSpec("centre", 1.0), ("a",))

    def __init__(self, choose: object) -> None:
        self.choose = choose
        self.widths: list[int] = []

    def start(self, code: FloatArray, told: Told) -> DrawingState:
        return DrawingState((code,), (np.zeros((len(code), 1), np.float32),))

    def draw_row(
        self, rows: FloatArray, state: DrawingState, chance: FloatArray, control: FloatArray, given: FloatArray
    ) -> tuple[Rows, DrawingState]:
        self.widths.append(len(rows))
        out = np.zeros((len(rows), 5), np.float32)
        for i, number in enumerate(state.moving[0][:, 0]):
            out[i] = self.choose(int(number), float(chance[i, 0]), control[i])  # type: ignore[operator]
        forced = control[:, 3] > 0
        out[forced] = given[forced]
        return Rows(out, np.full((len(rows), 2), -1, np.float32)), DrawingState(state.fixed, (state.moving[0] + 1,))

    def workers(self, drawings: int) -> list[Runtime]:
        return [self]

    def encode(self, ink: FloatArray) -> Posterior:
        raise NotImplementedError

    def encode_rows(self, rows: FloatArray, lengths: np.ndarray) -> Posterior:
        raise NotImplementedError

    def velocity(self, *_: object) -> FloatArray:
        raise NotImplementedError

    def finished(self, *_: object) -> FloatArray:
        raise NotImplementedError


def scripted(runtime: Scripted, n: int, **more: object) -> list[Sketch]:
    settings = more.pop("settings", SampleSettings())

    def begin(runtime: Runtime, chosen: np.ndarray) -> DrawingState:
        return runtime.start(np.zeros((len(chosen), 1), np.float32), Told.nothing(Scripted.info, len(chosen)))

    return draw(runtime, begin, range(n), settings, **more)  # type: ignore[arg-type]


def down(x: float, y: float) -> list[float]:
    return [x, y, 1, 0, 0]


def up(x: float, y: float) -> list[float]:
    return [x, y, 0, 1, 0]


END = [0.0, 0.0, 0, 0, 1]


def test_drawings_end_or_are_cut_off() -> None:
    def choose(number: int, chance: float, control: np.ndarray) -> list[float]:
        return END if chance < 0.1 and control[2] else down(1, 1)

    runtime = Scripted(choose)
    drawings = scripted(runtime, 100, settings=SampleSettings(max_points=12))
    for drawing in drawings:
        assert 1 <= drawing.n_points <= 12
        assert drawing.metadata["ended"] or drawing.n_points == 12
    assert any(d.metadata["ended"] for d in drawings)
    assert not all(d.metadata["ended"] for d in drawings)
    assert runtime.widths == sorted(runtime.widths, reverse=True), "finished drawings take no more work"
    assert runtime.widths[-1] < 60


LINE = [up(-100, 0), down(0, -100), up(200, 0)]


def test_the_search_lays_its_strokes_where_the_picture_has_ink() -> None:
    """Of two strokes that are proposed equally often the one on the picture's line is drawn, and then it ends."""
    picture = render(
        Sketch((np.array([[0, 127], [255, 127]], np.float32), np.array([[127, 0], [127, 255]], np.float32))),
        Scripted.info.model.raster,
    )
    along = [down(-127, 0), up(254, 0)]

    def choose(number: int, chance: float, control: np.ndarray) -> list[float]:
        if number >= 4:
            return END if control[2] else up(5, 5)
        if number >= 2:  # the second stroke: from the right end to the top, to the bottom
            return [down(-127, -127), up(0, 254)][number - 2]
        return along[number] if chance < 0.5 else [down(-90, -127), up(0, 254)][number]

    shown = np.repeat(picture[None].astype(np.float32) / 255, 20, axis=0)
    searched = scripted(Scripted(choose), 20, pictures=shown, settings=SampleSettings(proposals=8))
    plain = scripted(Scripted(choose), 20)
    on_line = [np.ptp(d.strokes[0][:, 0]) > 200 and np.ptp(d.strokes[0][:, 1]) < 10 for d in searched]
    assert np.mean(on_line) == 1
    assert np.mean([np.ptp(d.strokes[0][:, 1]) < 10 for d in plain]) < 0.9
    assert all(d.metadata["ended"] for d in searched)


def test_ink_and_what_is_missing() -> None:
    points = np.array([[-100, 0, 0], [200, 0, 1], [-200, 50, 0], [200, 0, 1]], np.float32)
    info = Scripted.info
    whole, second = ink_of_points(points, info), ink_of_points(points, info, 2)
    assert second.sum() == pytest.approx(whole.sum() / 2, rel=0.1)
    assert ink_of_points(points, info, 4).sum() == 0
    assert missing_ink(whole, whole) == 0
    assert missing_ink(whole, whole - second) == pytest.approx(float(np.square(second).sum()), rel=0.05)
    shifted = np.roll(whole, 1, axis=0)
    assert missing_ink(whole, shifted) == 0, "a pixel beside counts as there"


def cross() -> FloatArray:
    """The ink of a picture ``(1, size, size)`` in 0..1."""
    lines = [[[0, 127], [255, 127]], [[127, 0], [127, 255]]]
    sketch = Sketch(tuple(np.array(line, np.float32) for line in lines))
    ink: FloatArray = render(sketch, Scripted.info.model.raster)[None].astype(np.float32) / np.float32(255)
    return ink


def weighed_by(weigh: Callable[[float], float]) -> Callable[..., np.ndarray]:
    """What takes the place of the search's weights: a function of where each proposal's first point lies."""

    def weights(search: sampler._Search, drawing: int, papers: FloatArray, picture: FloatArray) -> np.ndarray:
        first = drawing * search.each
        return np.array([weigh(float(x)) for x in search.slots.points[first : first + search.each, 0, 0]])

    return weights


def test_a_proposal_is_weighed_by_the_ink_that_it_wastes() -> None:
    state = Scripted(None).start(np.zeros((1, 1), np.float32), Told.nothing(Scripted.info, 1))
    picture = cross()
    search = sampler._Search(Scripted(None), state, np.zeros(1, np.uint64), SampleSettings(), picture, None)
    along, beside = np.array([[-127, 0, 0], [254, 0, 1]], np.float32), np.array([[-90, -90, 0], [0, 60, 1]], np.float32)
    for strokes in (along, beside, along[:1] + 1, np.concatenate([along, beside])):
        ink = ink_of_points(strokes, Scripted.info)
        before, after = np.square(picture[0]).sum(), np.square(ink - picture[0]).sum()
        covered, wasted = before - after, np.square(ink).sum() - (before - after)
        expected = sampler.BETA * (sampler.EXPECTED * covered - sampler.WASTE * wasted) - sampler.STROKE
        expected -= sampler.USELESS if covered < sampler.USEFUL else 0
        papers = np.repeat(ink[None], search.each, axis=0)
        assert search._log_weights(0, papers, picture[0]).tolist() == pytest.approx(
            [expected] * search.each, rel=1e-4, abs=1e-3
        )
    search.slots.ended[0] = True
    missing = missing_ink(picture[0], np.zeros_like(picture[0]))
    assert missing > sampler.USEFUL
    blank = np.zeros((search.each, *picture[0].shape), np.float32)
    assert search._log_weights(0, blank, picture[0])[0] == pytest.approx(-sampler.BETA * missing)


def test_proposals_are_resampled_in_proportion_to_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(number: int, chance: float, control: np.ndarray) -> list[float]:
        return END if number else up(100 if chance < 0.5 else -100, 0)

    monkeypatch.setattr(sampler._Search, "_log_weights", weighed_by(lambda x: math.log(3) if x > 0 else 0.0))
    settings = SampleSettings(proposals=16, max_points=2)
    drawings = scripted(Scripted(choose), 400, pictures=np.repeat(cross(), 400, axis=0), settings=settings)
    right = np.mean([drawing.strokes[0][0, 0] > CANVAS_SIZE / 2 for drawing in drawings])
    assert right == pytest.approx(0.75, abs=0.06)


def test_of_several_rounds_the_best_is_kept_each_warmer_than_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    proposed: list[float] = []
    controls: list[np.ndarray] = []

    def choose(number: int, chance: float, control: np.ndarray) -> list[float]:
        if number == 0:
            controls.append(control.copy())
            proposed.append(chance)
        return END if number else up(100 * chance, 0)

    monkeypatch.setattr(sampler, "ROUNDS", 3)
    monkeypatch.setattr(sampler._Search, "_log_weights", weighed_by(lambda x: -1e4 * (2 - x / 100)))
    settings = SampleSettings(temperature=0.3, pen_temperature=0.7, proposals=4, max_points=1)
    (drawing,) = scripted(Scripted(choose), 1, pictures=cross(), settings=settings)
    assert len(set(proposed)) == len(proposed) == 3 * 4
    assert drawing.strokes[0][0, 0] - CANVAS_SIZE / 2 == pytest.approx(100 * max(proposed), abs=0.01)
    told = np.array(controls)
    expected = np.repeat([0.3, 0.3 + sampler.WARMER, 0.3 + 2 * sampler.WARMER], 4)
    np.testing.assert_allclose(told[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(told[:, 1:], np.tile([0.7, 0, 0], (12, 1)), rtol=1e-5)


def test_a_drawing_may_not_end_in_a_further_round_while_ink_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end: list[tuple[float, bool]] = []

    def choose(number: int, chance: float, control: np.ndarray) -> list[float]:
        if number == 1:
            may_end.append((float(control[0]), bool(control[2])))
        return up(20, 20)

    monkeypatch.setattr(sampler, "ROUNDS", 2)
    monkeypatch.setattr(sampler._Search, "_log_weights", weighed_by(lambda _: -1e4))
    settings = SampleSettings(temperature=0.3, proposals=2, max_points=2)
    scripted(Scripted(choose), 1, pictures=cross(), settings=settings)
    assert [ends for _, ends in may_end] == [True, True, False, False]
    assert [tau for tau, _ in may_end] == pytest.approx([0.3, 0.3, 0.3 + sampler.WARMER, 0.3 + sampler.WARMER])


def test_a_proposal_that_does_not_lift_the_pen_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[int] = []
    weigh = sampler._Search._weigh

    def spied(search: sampler._Search, drawing: int, pictures: FloatArray) -> None:
        points.append(int(search.slots.at.max() - search.base.at[drawing]))
        weigh(search, drawing, pictures)

    monkeypatch.setattr(sampler, "LONG", 5)
    monkeypatch.setattr(sampler, "ROUNDS", 1)
    monkeypatch.setattr(sampler._Search, "_weigh", spied)
    settings = SampleSettings(proposals=2, max_points=12)
    scripted(Scripted(lambda *_: down(1, 1)), 1, pictures=cross(), settings=settings)
    assert points == [5, 5, 2]


def test_rows_beyond_a_drawings_length_have_no_density() -> None:
    runtime = Scripted(None)
    state = runtime.start(np.zeros((3, 1), np.float32), Told.nothing(Scripted.info, 3))
    runtime.choose = lambda *_: down(1, 1)
    density, _ = prefill(runtime, state, np.tile(np.array(up(1, 1), np.float32), (3, 4, 1)), np.array([4, 2, 1]))
    np.testing.assert_array_equal(density.sum(axis=1), [[-4, -4], [-2, -2], [-1, -1]])


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_drawing_does_not_depend_on_its_neighbours_or_threads(folders: dict[str, Path], kind: str) -> None:
    one, two = (load_model(folders[kind], threads=threads) for threads in (1, 2))
    rng = np.random.default_rng(0)
    sketches = [random_sketch(rng) for _ in range(20)]
    settings = DrawSettings(temperature=1.0, pen_temperature=1.0, max_points=20, freedom=0)
    together = one.draw_all(sketches, 2, seed=3, settings=settings)
    assert [len(x.runtime.workers(40)) for x in (one, two)] == [1, 2]
    for other in (
        two.draw_all(sketches, 2, seed=3, settings=settings),
        [one.draw(s, 2, seed=3, settings=settings) for s in sketches],
    ):
        for a, b in zip(together, other, strict=True):
            for x, y in zip(a, b, strict=True):
                assert [len(s) for s in x.strokes] == [len(s) for s in y.strokes]
                np.testing.assert_allclose(x.points(), y.points(), atol=0.05)
    assert one.draw_all([], 1) == []


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_drawing_continues_from_its_own_strokes(folders: dict[str, Path], house: Sketch, kind: str) -> None:
    """Strokes handed over leave the decoder as drawing them did."""
    runtime = load_model(folders[kind]).runtime
    rows = rows_of(house, runtime.info.sequence)[None, :-1]
    code = np.random.default_rng(5).normal(size=(1, 8)).astype(np.float32)
    told = Told.nothing(runtime.info, 1)
    density, state = prefill(runtime, runtime.start(code, told), rows)
    _, half = prefill(runtime, runtime.start(code, told), rows[:, :4])
    rest = np.zeros((1, 4), np.float32)
    control, previous = np.array([[1, 1, 1, 1]], np.float32), np.ascontiguousarray(rows[:, 3])
    for index in range(4, rows.shape[1]):
        given = np.ascontiguousarray(rows[:, index])
        drawn, half = runtime.draw_row(previous, half, rest, control, given)
        np.testing.assert_allclose(drawn.log_density[0], density[0, index], atol=1e-3)
        previous = given
    for a, b in zip(half.moving, state.moving, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-4)
    with pytest.raises(SettingsError, match="max_points"):
        draw(runtime, lambda r, c: state, [1], SampleSettings(max_points=2), given=rows)


@pytest.mark.parametrize("kind", list(KINDS))
def test_golden_drawing(folders: dict[str, Path], house: Sketch, kind: str) -> None:
    """Fixed weights, picture and seed give fixed strokes. SPX_GOLDEN=write in the environment renews them."""
    settings = DrawSettings(temperature=0.7, pen_temperature=1.0, max_points=12, freedom=0)
    drawing = load_model(folders[kind]).draw(house, seed=7, settings=settings)[0]
    found = [stroke.round(2).tolist() for stroke in drawing.strokes]
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("SPX_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps({**{k: v for k, v in golden.items() if k in KINDS}, kind: found}, indent=1))
    expected = found if os.environ.get("SPX_GOLDEN") == "write" else golden[kind]
    assert [len(s) for s in found] == [len(s) for s in expected]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=0.1)


def test_same_seed_same_strokes_other_seed_others(folders: dict[str, Path], house: Sketch) -> None:
    model = load_model(folders["default"])
    settings = DrawSettings(temperature=1.0, max_points=20)
    first, again, other = (model.draw(house, 3, seed=s, settings=settings) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[0] != first[1]


def test_pictures_arrays_and_sketches_are_taken(folders: dict[str, Path], house: Sketch, tmp_path: Path) -> None:
    from PIL import Image

    model = load_model(folders["default"])
    path = house.save(tmp_path / "house.png")
    settings = DrawSettings(max_points=5)
    array = np.asarray(Image.open(path).convert("L"))
    assert model.draw(path, settings=settings) == model.draw(array, settings=settings)
    assert len(model.draw(house, 4, settings=settings)) == 4


def test_what_cannot_be_drawn_is_refused(folders: dict[str, Path], house: Sketch) -> None:
    model = load_model(folders["default"])
    with pytest.raises(PictureError):
        model.draw(np.full((50, 50), 255, np.uint8))
    with pytest.raises(SketchError):
        model.draw(Sketch(()))
    with pytest.raises(SettingsError):
        model.draw(house, 0)
    for wrong in (
        {"temperature": -1},
        {"proposals": 0},
        {"max_points": 0},
        {"pen_temperature": -0.1},
        {"freedom": 1.5},
        {"guidance": -1},
    ):
        with pytest.raises(SettingsError):
            DrawSettings(**wrong)


def test_an_rnn_encoder_draws_pictures_too(folders: dict[str, Path], house: Sketch) -> None:
    a, b = (load_model(folders["rnn-layer-norm"], runtime=r) for r in ("onnx", "torch"))
    settings = DrawSettings(max_points=10)
    for x, y in zip(a.draw(house, 2, settings=settings), b.draw(house, 2, settings=settings), strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)


def test_the_rounds_of_a_stroke_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every proposal is poor, the best of a few rounds is taken."""

    def choose(number: int, chance: float, control: np.ndarray) -> list[float]:
        return END if number and control[2] else up(40 * chance, -60)

    monkeypatch.setattr(sampler, "ROUNDS", 3)
    picture = render(Sketch((np.array([[0, 0], [255, 0]], np.float32),)), Scripted.info.model.raster)
    runtime = Scripted(choose)
    (drawing,) = scripted(runtime, 1, pictures=picture[None] / np.float32(255), settings=SampleSettings(max_points=6))
    assert drawing.n_points <= 6
    assert len(runtime.widths) <= 6 * 3 + 3
    assert np.abs(drawing.points()).max() < 4 * CANVAS_SIZE
