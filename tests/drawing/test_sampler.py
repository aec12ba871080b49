from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.drawing import sampler
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.runtime import DrawingState, MixtureArrays, OnnxRuntime
from sketch_pix2seq.drawing.sampler import SampleSettings, begin, draw_codes, draw_on
from sketch_pix2seq.errors import PictureError, SettingsError, SketchError
from sketch_pix2seq.evaluation.likelihood import likelihood
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import PEN_END, SequenceSpec, rows_of
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray, Sketch
from tests.conftest import random_sketch
from tests.drawing.conftest import KINDS, BlindRuntime

GOLDEN = Path(__file__).with_name("golden.json")


class Constant(BlindRuntime):
    """A runtime whose mixture never changes: its samples must follow it."""

    info = ModelInfo(ModelSettings(), SequenceSpec("centre", 1.0))

    def __init__(self, pen: tuple[float, float, float]) -> None:
        self.mixture = MixtureArrays(
            *(
                np.array([row], np.float32)
                for row in (
                    np.log([0.25, 0.75]),
                    [1.0, -2.0],
                    [0.5, 3.0],
                    np.log([0.5, 2.0]),
                    np.log([1.5, 0.3]),
                    [0.6, -0.8],
                    np.log(pen),
                )
            )
        )
        self.widths: list[int] = []

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        return DrawingState((code,), (code,))

    def step(self, rows: FloatArray, state: DrawingState) -> tuple[MixtureArrays, DrawingState]:
        self.widths.append(len(rows))
        return MixtureArrays(*(np.repeat(x, len(rows), axis=0) for x in self.mixture)), state


@pytest.mark.parametrize("tau", [1.0, 0.25])
def test_samples_follow_the_mixture_at_its_temperature(tau: float) -> None:
    """tau multiplies the variance and divides the logits of the Gaussians."""
    runtime = Constant((0.6, 0.4 - 1e-9, 1e-9))
    settings = SampleSettings(temperature=tau, pen_temperature=1.0, max_points=50)
    drawings = draw_codes(runtime, np.zeros((800, 1), np.float32), range(800), settings)
    rows = np.concatenate([d.to_stroke3()[1:] for d in drawings])
    weights = np.array([0.25, 0.75]) ** (1 / tau)
    weights /= weights.sum()
    means, variances = np.array([[1.0, 0.5], [-2.0, 3.0]]), np.array([[0.25, 2.25], [4.0, 0.09]]) * tau
    expected = weights @ means
    np.testing.assert_allclose(rows[:, :2].mean(axis=0), expected, atol=0.05)
    spread = weights @ (variances + means**2) - expected**2
    np.testing.assert_allclose(rows[:, :2].var(axis=0), spread, rtol=0.05)
    covariances = np.array([0.6 * 0.5 * 1.5, -0.8 * 2.0 * 0.3]) * tau
    both = weights @ (covariances + means.prod(axis=1)) - expected.prod()
    assert np.cov(rows[:, :2].T)[0, 1] == pytest.approx(both, abs=0.05)
    assert rows[:, 2].mean() == pytest.approx(0.4, abs=0.02)


def test_pen_temperature_divides_the_pens_logits() -> None:
    runtime = Constant((0.5, 0.3, 0.2))
    settings = SampleSettings(temperature=0.2, pen_temperature=0.5, max_points=400)
    drawings = draw_codes(runtime, np.zeros((3000, 1), np.float32), range(3000), settings)
    sharp = np.array([0.5, 0.3, 0.2]) ** 2
    ending = sharp[2] / sharp.sum()
    assert np.mean([d.n_points for d in drawings]) == pytest.approx(1 / ending, rel=0.06)
    assert all(d.metadata["ended"] for d in drawings)


def test_finished_drawings_take_no_more_work_and_long_ones_are_cut() -> None:
    runtime = Constant((0.5, 0.3, 0.2))
    drawings = draw_codes(
        runtime, np.zeros((100, 1), np.float32), range(100), SampleSettings(pen_temperature=1, max_points=10)
    )
    assert runtime.widths[0] == 100
    assert runtime.widths == sorted(runtime.widths, reverse=True)
    assert runtime.widths[-1] < 40
    for drawing in drawings:
        assert drawing.n_points <= 10
        assert drawing.metadata["ended"] or drawing.n_points == 10
    assert not all(d.metadata["ended"] for d in drawings)


class Counting(Constant):
    """Remembers how many codes were begun at a time."""

    def __init__(self, pen: tuple[float, float, float]) -> None:
        super().__init__(pen)
        self.begun: list[int] = []

    def start(self, code: FloatArray, picture: FloatArray | None = None) -> DrawingState:
        self.begun.append(len(code))
        return super().start(code)


@pytest.mark.parametrize("each", [1, 3])
def test_the_next_drawings_take_the_place_of_those_that_have_ended(monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    settings = SampleSettings(pen_temperature=1, max_points=30)
    codes = np.arange(40, dtype=np.float32)[:, None]
    together = draw_codes(Constant((0.5, 0.3, 0.2)), codes, range(40 * each), settings)
    monkeypatch.setattr(sampler, "_IN_HAND", 12)
    runtime = Counting((0.5, 0.3, 0.2))
    drawings = draw_codes(runtime, codes, range(40 * each), settings)
    assert drawings == together
    steps = sum(drawing.n_points + bool(drawing.metadata["ended"]) for drawing in drawings)
    assert max(runtime.widths) == 12
    assert steps <= sum(runtime.widths) < 1.35 * steps + 12 * 30
    assert 40 <= sum(runtime.begun) <= 44  # each code once, or little more


def test_a_drawing_is_the_same_whatever_is_drawn_beside_it_and_by_how_many(folders: dict[str, Path]) -> None:
    codes = np.random.default_rng(2).normal(size=(40, 8)).astype(np.float32)
    settings = SampleSettings(0.5, 1.0, 20)
    one, two = (OnnxRuntime(folders["canvas"], threads=threads) for threads in (1, 2))
    assert (len(one.workers(40)), len(two.workers(40)), len(two.workers(8))) == (1, 2, 1)
    drawings = draw_codes(one, codes, range(80), settings)
    assert len(drawings) == 80
    for x, y in zip(drawings, draw_codes(two, codes, range(80), settings), strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)
    alone = draw_codes(one, codes[10:11], [20, 21], settings)
    for x, y in zip(alone, drawings[20:22], strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)


def test_no_codes_are_no_drawings() -> None:
    assert draw_codes(Constant((0.5, 0.3, 0.2)), np.zeros((0, 1), np.float32), []) == []


def rows_of_drawing(drawing: Sketch, info: ModelInfo) -> FloatArray:
    """The model's own rows of a drawing that it made."""
    middle = [[1, 0, -CANVAS_SIZE / 2], [0, 1, -CANVAS_SIZE / 2]]
    first = info.sequence.start == "first"
    rows = (drawing if first else drawing.transform(middle)).to_stroke5(implicit_origin=first)[:-1]
    rows[:, :2] /= info.sequence.scale
    return rows.astype(np.float32)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_drawing_goes_on_from_its_own_rows(folders: dict[str, Path], kind: str) -> None:
    """Given its first rows, the same code and seed finish the same drawing."""
    runtime = load_model(folders[kind]).runtime
    code = np.random.default_rng(1).normal(size=(1, 8)).astype(np.float32)
    settings = SampleSettings(0.5, 1.0, 20)
    (whole,) = draw_codes(runtime, code, [3], settings)
    rows = rows_of_drawing(whole, runtime.info)
    for given in (1, len(rows) // 2, len(rows)):
        begun = begin(runtime, code, rows[None, :given])
        (again,) = draw_on(runtime, begun, [3], settings)
        assert [len(s) for s in again.strokes] == [len(s) for s in whole.strokes]
        np.testing.assert_allclose(again.points(), whole.points(), atol=0.05)
        assert again.metadata == whole.metadata


def test_begun_drawings_do_not_depend_on_their_neighbours(folders: dict[str, Path]) -> None:
    runtime = load_model(folders["canvas"]).runtime
    rng = np.random.default_rng(0)
    codes, rows = rng.normal(size=(5, 8)).astype(np.float32), np.zeros((5, 4, 5), np.float32)
    rows[..., :2], rows[..., 2] = rng.normal(size=(5, 4, 2)), 1
    settings = SampleSettings(1.0, 1.0, 30)
    begun = begin(runtime, codes, rows)
    together = draw_on(runtime, begun, range(5), settings)
    for i in range(5):
        alone = begin(runtime, codes[i : i + 1], rows[i : i + 1])
        assert alone.log_likelihood[0] == pytest.approx(begun.log_likelihood[i], abs=1e-3)
        for other in (alone, begun.select(np.array([i]))):
            np.testing.assert_allclose(
                draw_on(runtime, other, [i], settings)[0].points(), together[i].points(), atol=0.05
            )


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_likelihood_of_given_rows_is_that_of_whole_sketches(
    folders: dict[str, Path], house: Sketch, kind: str
) -> None:
    model = load_model(folders[kind])
    rows = rows_of(house, model.info.sequence)
    code = model.encode_sketches([house])
    begun = begin(model.runtime, code, rows[None, :-1])
    mixture, _ = model.runtime.step(rows[-2:-1], begun.state)
    whole = likelihood(model, [house], glimpse=False)
    expected = -float(whole.offset[0] + whole.pen[0]) - float(mixture.log_pen[0, PEN_END])
    assert begun.log_likelihood[0] == pytest.approx(expected, rel=1e-4)


def test_a_pen_that_is_down_lifts_as_often_as_the_model_says() -> None:
    runtime = Constant((0.5, 0.3, 0.2))
    rows = np.zeros((4000, 2, 5), np.float32)
    rows[:, :, 2] = 1
    settings = SampleSettings(temperature=0.2, pen_temperature=0.5, max_points=10)
    begun = begin(runtime, np.zeros((4000, 1), np.float32), rows)
    drawings = draw_on(runtime, begun, range(4000), settings)
    lifted = np.mean([len(d.strokes[0]) == 2 and len(d) > 1 for d in drawings])
    down, up, end = np.array([0.5, 0.3, 0.2]) ** 2 / np.sum(np.array([0.5, 0.3, 0.2]) ** 2)
    assert lifted == pytest.approx(up / (up + down) * (1 - end), abs=0.03)
    with pytest.raises(SettingsError, match="max_points"):
        draw_on(runtime, begun, range(4000), SampleSettings(max_points=1))


def test_temperature_zero_takes_the_likeliest() -> None:
    runtime = Constant((0.6, 0.3, 0.1))
    (drawing,) = draw_codes(runtime, np.zeros((1, 1), np.float32), [5], SampleSettings(0.0, 0.0, 4))
    np.testing.assert_allclose(np.diff(drawing.points(), axis=0), [[-2, 3]] * 3, atol=1e-5)


def test_a_drawing_does_not_depend_on_its_neighbours(folders: dict[str, Path]) -> None:
    runtime = load_model(folders["canvas"]).runtime
    codes = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    settings = SampleSettings(1.0, 1.0, 40)
    together = draw_codes(runtime, codes, range(6), settings)
    alone = [draw_codes(runtime, codes[i : i + 1], [i], settings)[0] for i in range(6)]
    for a, b in zip(together, alone, strict=True):
        assert [len(s) for s in a.strokes] == [len(s) for s in b.strokes]
        np.testing.assert_allclose(a.points(), b.points(), atol=0.05)


@pytest.mark.parametrize("kind", list(KINDS))
def test_golden_drawing(folders: dict[str, Path], house: Sketch, kind: str) -> None:
    """Fixed weights, picture and seed give fixed strokes. SPX_GOLDEN=write in the environment renews them."""
    import os

    settings = DrawSettings(temperature=0.7, pen_temperature=1.0, max_points=12, candidates=2)
    drawing = load_model(folders[kind]).draw(house, seed=7, settings=settings)[0]
    found = [stroke.round(2).tolist() for stroke in drawing.strokes]
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("SPX_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps({**golden, kind: found}, indent=1))
    expected = found if os.environ.get("SPX_GOLDEN") == "write" else golden[kind]
    assert [len(s) for s in found] == [len(s) for s in expected]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=0.1)


def test_same_seed_same_strokes_other_seed_others(folders: dict[str, Path], house: Sketch) -> None:
    model = load_model(folders["canvas"])
    settings = DrawSettings(temperature=1.0, max_points=20)
    first, again, other = (model.draw(house, 3, seed=s, settings=settings) for s in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[0] != first[1]


def test_many_at_once_are_those_one_by_one(folders: dict[str, Path]) -> None:
    model = load_model(folders["canvas"])
    rng = np.random.default_rng(4)
    sketches = [random_sketch(rng) for _ in range(5)]
    settings = DrawSettings(temperature=0.5, max_points=15, candidates=2)
    done: list[int] = []
    together = model.draw_all(sketches, 2, seed=3, settings=settings, on_progress=done.append)
    assert sum(done) == 5
    for sketch, drawings in zip(sketches, together, strict=True):
        alone = model.draw(sketch, 2, seed=3, settings=settings)
        for a, b in zip(drawings, alone, strict=True):
            np.testing.assert_allclose(a.points(), b.points(), atol=0.05)


def test_candidates_keep_the_nearest_that_ended(folders: dict[str, Path], house: Sketch) -> None:
    model = load_model(folders["canvas"])
    settings = DrawSettings(temperature=1.0, pen_temperature=1.0, max_points=30, candidates=1)
    every = model.draw(house, 8, seed=3, settings=settings)
    (best,) = model.draw(house, 1, seed=3, settings=replace(settings, candidates=8))
    target = model.encode_sketches([house])
    ended = [d for d in every if d.metadata["ended"]] or every
    far = [float(np.square(model.encode_sketches([d]) - target).mean()) for d in ended]
    np.testing.assert_allclose(best.points(), ended[int(np.argmin(far))].points(), atol=0.05)


def test_pictures_arrays_and_sketches_are_taken(folders: dict[str, Path], house: Sketch, tmp_path: Path) -> None:
    model = load_model(folders["canvas"])
    path = house.save(tmp_path / "house.png")
    settings = DrawSettings(max_points=5, candidates=1)
    from PIL import Image

    array = np.asarray(Image.open(path).convert("L"))
    assert model.draw(path, settings=settings) == model.draw(array, settings=settings)
    assert len(model.draw(house, 4, settings=settings)) == 4
    np.testing.assert_allclose(model.encode([path]), model.encode([house]), atol=0.35)


def test_what_cannot_be_drawn_is_refused(folders: dict[str, Path], house: Sketch) -> None:
    model = load_model(folders["canvas"])
    with pytest.raises(PictureError):
        model.draw(np.full((50, 50), 255, np.uint8))
    with pytest.raises(SketchError):
        model.draw(Sketch(()))
    with pytest.raises(SettingsError):
        model.draw(house, 0)
    for wrong in ({"temperature": -1}, {"candidates": 0}, {"max_points": 0}, {"pen_temperature": -0.1}):
        with pytest.raises(SettingsError):
            DrawSettings(**wrong)


def test_an_rnn_encoder_draws_pictures_too(folders: dict[str, Path], house: Sketch) -> None:
    a, b = (load_model(folders["rnn-layer-norm"], runtime=r) for r in ("onnx", "torch"))
    settings = DrawSettings(max_points=10, candidates=1)
    for x, y in zip(a.draw(house, 2, settings=settings), b.draw(house, 2, settings=settings), strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)
