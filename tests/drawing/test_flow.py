"""Codes from the flow: the dial's ends, guidance, and what is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sketch_pix2seq.drawing.flow import Given, normal, sample_codes
from sketch_pix2seq.drawing.model import DrawSettings, Model, streams_of
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import FRAME, SequenceSpec, frame_of, whole_of
from sketch_pix2seq.sketch import FloatArray, Sketch


class GaussianFlow:
    """The exact flow of codes that are N(mean of the category, 0.5^2), 0 where the category is not told."""

    info = ModelInfo(ModelSettings(), SequenceSpec(), ("a", "b"))
    means = np.array([-2.0, 3.0, 0.0])

    def velocity(self, x: FloatArray, t: FloatArray, category: np.ndarray, *_: object) -> FloatArray:
        mean, variance = self.means[category][:, None], 0.25
        total = (1 - t) ** 2 * variance + t**2
        off = x - (1 - t) * mean
        code, noise = mean + (1 - t) * variance / total * off, t / total * off
        out: FloatArray = (noise - code).astype(np.float32)
        return out


def codes_of(n: int, category: int, guidance: float = 1.0, **more: object) -> FloatArray:
    given = Given.of(np.full(n, category), 6)
    return sample_codes(GaussianFlow(), given, streams_of(1, n), guidance=guidance, **more)[0]  # type: ignore[arg-type]


def test_noise_is_normal_and_a_function_of_its_streams() -> None:
    noise = normal(streams_of(3, 4000), 5)
    assert noise.shape == (4000, 5)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise.T) - np.eye(5)).max() < 0.06
    np.testing.assert_array_equal(noise[7:9], normal(streams_of(3, 4000)[7:9], 5))


def test_codes_from_noise_have_the_flows_distribution() -> None:
    for category, mean in enumerate(GaussianFlow.means):
        codes = codes_of(4000, category)
        assert codes.mean() == pytest.approx(mean, abs=0.05)
        assert codes.std() == pytest.approx(0.5, abs=0.03)
    assert codes_of(500, 1, 2.0).mean() > codes_of(500, 1).mean() + 0.5, "guidance goes beyond the category"


def test_the_level_says_how_much_of_a_code_is_kept() -> None:
    begin = np.repeat(np.linspace(2, 4, 500, dtype=np.float32)[:, None], 6, axis=1)
    kept = [np.corrcoef(begin[:, 0], codes_of(500, 1, codes=begin, level=level)[:, 0])[0, 1] for level in (0, 0.3, 0.9)]
    assert kept[0] == pytest.approx(1)
    assert 1 > kept[1] > kept[2] + 0.1
    levels = np.where(np.arange(500) % 2, 0.5, 0.0).astype(np.float32)
    mixed = codes_of(500, 1, codes=begin, level=levels)
    np.testing.assert_allclose(mixed[::2], begin[::2], atol=1e-5)
    assert np.abs(mixed[1::2] - begin[1::2]).mean() > 0.1


def test_frames_say_where_a_part_lies_in_a_whole() -> None:
    part = np.array([100.0, 50.0]), np.array([[10.0, 20.0], [0.0, 5.0]])
    whole = np.array([150.0, 50.0]), np.array([[40.0, 0.0], [0.0, 5.0]])
    frame = frame_of(part, whole)
    assert frame.shape == (2, FRAME)
    np.testing.assert_allclose(frame[1], 0, atol=1e-6)
    side, centre = whole_of(part, frame)
    np.testing.assert_allclose(side, whole[0], rtol=1e-5)
    np.testing.assert_allclose(centre, whole[1], atol=1e-3)


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Model:
    return load_model(folders["default"], threads=1)


SHORT = DrawSettings(max_points=10)


def test_the_dials_ends(model: Model, house: Sketch) -> None:
    """At 1 the picture does not matter, only the category; at 0 the flow has no part."""
    other = Sketch((np.array([[0, 0], [255, 30]], np.float32),))
    free = DrawSettings(max_points=10, freedom=1.0)
    a, b = (model.draw(sketch, 2, seed=3, settings=free, category="a") for sketch in (house, other))
    assert a == b
    assert a != model.draw(house, 2, seed=3, settings=free, category="b")
    generated = model.generate("a", 2, seed=3, settings=free)
    for x, y in zip(a, generated, strict=True):
        np.testing.assert_allclose(x.points(), y.points(), atol=0.05)
    follow = DrawSettings(max_points=10, freedom=0.0)
    pictures = model.ink_of([house.fit()])
    codes = model.encode_sketches([house.fit()])
    assert model.draw(house, 2, settings=follow) == model.draw_codes(codes, 2, pictures=pictures, settings=follow)[0]


def test_the_default_is_in_between_and_0_without_a_flow(folders: dict[str, Path], model: Model, house: Sketch) -> None:
    default = model.draw(house, 1, settings=SHORT)
    assert default == model.draw(house, 1, settings=DrawSettings(max_points=10, freedom=0.4))
    paper = load_model(folders["paper-hyper"])
    assert paper.draw(house, settings=SHORT) == paper.draw(house, settings=DrawSettings(max_points=10, freedom=0))
    with pytest.raises(ModelError, match="no flow over codes"):
        paper.draw(house, settings=DrawSettings(freedom=0.5))


def test_from_nothing(model: Model) -> None:
    done: list[int] = []
    drawings = model.generate(["b", "A"], 3, seed=5, settings=SHORT, on_progress=done.append)
    assert [d.category for d in drawings] == ["b"] * 3 + ["a"] * 3
    assert sum(done) == 6
    assert drawings == model.generate(["b", "a"], 3, seed=5, settings=SHORT)
    assert len({d.points().tobytes() for d in drawings}) == 6
    assert {d.category for d in model.generate(None, 40, settings=SHORT)} == {"a", "b"}
    with pytest.raises(SettingsError, match="no category 'zebra'"):
        model.generate("zebra")


def test_between_codes_the_flow_has_its_part(model: Model, house: Sketch) -> None:
    codes = model.encode_sketches([house.fit(), house.fit()])
    drawn = model.draw_between(codes, np.array([0, 0.5], np.float32), 2, settings=SHORT)
    assert drawn[0] != drawn[1]
    again = model.draw_between(codes, np.array([0, 0], np.float32), 2, settings=SHORT)
    assert again[0] == again[1] == drawn[0]
