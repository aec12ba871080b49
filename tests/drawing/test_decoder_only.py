"""A decoder alone draws from nothing and goes on with what is begun; it sees nothing, and says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.drawing import create
from sketch_pix2seq.drawing.complete import complete
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.model.javascript import import_js
from sketch_pix2seq.model.settings import DecoderKind, ModelSettings
from sketch_pix2seq.sketch import Sketch
from tests.drawing.conftest import fixed_network

QUICK = DrawSettings(temperature=0.7, pen_temperature=1.0, max_points=30)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A decoder of each kind; the layer_norm one starts in the centre and knows two categories."""
    root = tmp_path_factory.mktemp("decoders")
    kinds: tuple[DecoderKind, ...] = ("lstm", "layer_norm", "hyper")
    for kind in kinds:
        two = kind == "layer_norm"
        settings = ModelSettings(
            encoder="none",
            z_size=0,
            decoder=kind,
            decoder_size=24,
            hyper_size=8,
            hyper_embedding=4,
            mixtures=3,
            canvas=False,
            unit_code=False,
            noise=0.0,
            category_size=0,
            attend=0.0,
            start="centre" if two else "first",
        )
        write_folder(root / kind, fixed_network(settings), ["pig", "cow"] if two else ["pig"], {})
    return {kind: root / kind for kind in kinds}


@pytest.mark.parametrize("kind", ["lstm", "layer_norm", "hyper"])
def test_both_runtimes_draw_the_same_from_nothing(models: dict[str, Path], kind: str) -> None:
    drawn = [load_model(models[kind], runtime=name).generate(None, 4, settings=QUICK) for name in ("onnx", "torch")]
    for a, b in zip(*drawn, strict=True):
        assert [len(stroke) for stroke in a.strokes] == [len(stroke) for stroke in b.strokes]
        np.testing.assert_allclose(a.points(), b.points(), atol=0.05)


def test_generate(models: dict[str, Path]) -> None:
    model = load_model(models["lstm"])
    assert repr(model) == "Model(1 categories, a decoder alone)"
    done: list[int] = []
    drawings = model.generate("pig", 5, seed=3, settings=QUICK, on_progress=done.append)
    assert [drawing.category for drawing in drawings] == ["pig"] * 5
    assert sum(done) == 5
    assert len({drawing.points().tobytes() for drawing in drawings}) == 5
    assert model.generate(["pig"], 2, seed=3, settings=QUICK) == drawings[:2]
    assert model.generate(None, 2, seed=3, settings=QUICK) == drawings[:2]
    assert model.generate("pig", 2, seed=4, settings=QUICK) != drawings[:2]
    with pytest.raises(SettingsError, match="no category 'pgi'; did you mean 'pig'"):
        model.generate("pgi")


def test_it_cannot_be_told_which_of_several_to_draw(models: dict[str, Path]) -> None:
    model = load_model(models["layer_norm"])
    with pytest.raises(SettingsError, match="cannot be told which of its 2 categories to draw"):
        model.generate("cow")


@pytest.mark.parametrize("kind", ["lstm", "layer_norm"])
def test_it_continues_what_is_started(models: dict[str, Path], house: Sketch, kind: str) -> None:
    model = load_model(models[kind])
    started = Sketch(house.strokes[:2]).transform([[3.7, 0, 11], [0, 3.7, -5]])
    drawings = complete(model, started, 3, seed=4, settings=QUICK)
    for drawing in drawings:
        assert (drawing.strokes[0] == started.strokes[0]).all()
        assert (drawing.strokes[1][: len(started.strokes[1])] == started.strokes[1]).all()
        assert drawing.metadata["started"] == 2
        assert drawing.metadata["ended"] or drawing.n_points == 30
    assert any(drawing.n_points > started.n_points for drawing in drawings)
    assert drawings == complete(model, started, 3, seed=4, settings=QUICK)
    assert drawings != complete(model, started, 3, seed=5, settings=QUICK)


@pytest.mark.parametrize("start", [Sketch((np.zeros((1, 2), np.float32),)), Sketch((np.zeros((3, 2), np.float32),))])
def test_a_dot_can_be_continued(models: dict[str, Path], start: Sketch) -> None:
    assert len(complete(load_model(models["lstm"]), start, 2, settings=QUICK)) == 2


CALLS: dict[str, Callable[[Model, Sketch], object]] = {
    "draw": lambda model, house: model.draw(house),
    "encode_ink": lambda model, house: model.encode_ink(np.zeros((1, 48, 48), np.uint8)),
    "code_of": lambda model, house: model.code_of("pig"),
    "draw_codes": lambda model, house: model.draw_codes(np.zeros((2, 0), np.float32)),
    "altered": lambda model, house: create.altered(model, house),
    "hybrid": lambda model, house: create.hybrid(model, "pig", house),
    "interpolation": lambda model, house: create.interpolation(model, house, "pig"),
    "healing": lambda model, house: create.healing(model, [house]),
    "completion": lambda model, house: create.completion(model, house, picture=house),
}


@pytest.mark.parametrize("what", list(CALLS))
def test_it_says_that_it_sees_nothing(models: dict[str, Path], house: Sketch, what: str) -> None:
    with pytest.raises(ModelError, match="has no encoder, so it sees no pictures"):
        CALLS[what](load_model(models["lstm"]), house)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["bird", "bicycle", "sheep"])
def test_googles_models_draw_whole_drawings_of_the_canvas_size(shared_data: Path, tmp_path: Path, name: str) -> None:
    model = load_model(import_js(shared_data / "sketch-rnn-js" / f"{name}.gen.json", tmp_path / name, name))
    drawings = model.generate(name, 24, settings=DrawSettings(temperature=0.3))
    assert all(drawing.metadata["ended"] for drawing in drawings)
    boxes = np.array([drawing.bounds() for drawing in drawings])
    assert 200 < np.median((boxes[:, 2:] - boxes[:, :2]).max(axis=1)) < 300
    assert 50 < np.median([drawing.n_points for drawing in drawings]) < 160
