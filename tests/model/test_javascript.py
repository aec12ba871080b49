"""Imported decoders draw with the published numbers; exported ones come back the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.runtime import RuntimeName, Told, start_rows
from sketch_pix2seq.errors import FileError, FormatError, ModelError, SettingsError
from sketch_pix2seq.formats.sketch_rnn_js import STEP, JsDecoder, read_js, write_js
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.model.folder import WEIGHTS, read_info
from sketch_pix2seq.model.javascript import PIXELS, export_js, import_js
from sketch_pix2seq.model.mixture import Mixture, log_density
from sketch_pix2seq.model.settings import ModelSettings
from tests.drawing.conftest import KINDS, fixed_network, folders  # noqa: F401
from tests.formats.test_sketch_rnn_js import made_up_decoder

DECODER_ONLY = ModelSettings(
    encoder="none",
    z_size=0,
    decoder_size=24,
    mixtures=3,
    canvas=False,
    unit_code=False,
    noise=0.0,
    category_size=0,
    attend=0.0,
    start="first",
)

Array = NDArray[np.float64]


class Published:
    """Sketch-rnn's decoder in float64, from the description of its files alone, with our bounds of sigma and rho."""

    def __init__(self, decoder: JsDecoder, n: int) -> None:
        self.head, self.head_bias, self.from_row, self.from_hidden, self.bias = (
            array.astype(np.float64) * 10 / 32767 for array in decoder.weights
        )
        self.hidden = self.cell = np.zeros((n, decoder.size))

    def step(self, rows: NDArray[np.floating]) -> Mixture:
        gates = rows @ self.from_row + self.hidden @ self.from_hidden + self.bias
        i, g, f, o = np.split(gates, 4, axis=1)
        self.cell = sigmoid(f + 1.0) * self.cell + sigmoid(i) * np.tanh(g)
        self.hidden = sigmoid(o) * np.tanh(self.cell)
        raw = self.hidden @ self.head + self.head_bias
        pen, (pi, mu_x, mu_y, sigma_x, sigma_y, rho) = raw[:, :3], np.split(raw[:, 3:], 6, axis=1)
        sigma_x, sigma_y = np.clip(sigma_x, -8, 12), np.clip(sigma_y, -8, 12)
        found = (log_softmax(pi), mu_x, mu_y, sigma_x, sigma_y, 0.999 * np.tanh(rho), log_softmax(pen))
        return Mixture(*(torch.from_numpy(part.astype(np.float32)) for part in found))


def sigmoid(x: Array) -> Array:
    return np.asarray((1 + np.tanh(x / 2)) / 2)


def log_softmax(x: Array) -> Array:
    return np.asarray(x - np.logaddexp.reduce(x, axis=1, keepdims=True))


def random_rows(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    return np.concatenate([rng.normal(0, 1, (n, 2)), np.eye(3)[rng.integers(0, 2, n)]], axis=1).astype(np.float32)


def assert_as_published(folder: Path, decoder: JsDecoder, runtime: RuntimeName, steps: int) -> None:
    n = 4
    rng = np.random.default_rng(0)
    drawing, published = load_model(folder, runtime=runtime).runtime, Published(decoder, n)
    state = drawing.start(np.zeros((n, 0), np.float32), Told.nothing(drawing.info, n))
    rows, forced = start_rows(drawing.info, n), np.ones((n, 4), np.float32)
    assert rows.tolist() == [[0, 0, 1, 0, 0]] * n
    for _ in range(steps):
        given = random_rows(rng, n)
        drawn, state = drawing.draw_row(rows, state, np.zeros((n, 4), np.float32), forced, given)
        theirs = published.step(rows)
        offset, pen = log_density(theirs, torch.from_numpy(given[:, :2])), theirs.log_pen.numpy()
        np.testing.assert_allclose(drawn.log_density[:, 0], offset.numpy(), atol=2e-3)
        np.testing.assert_allclose(drawn.log_density[:, 1], pen[np.arange(n), given[:, 2:].argmax(axis=1)], atol=2e-4)
        rows = given


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_js(made_up_decoder(24, 3), tmp_path / "bird.gen.json")


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_every_step_is_as_published(path: Path, tmp_path: Path, runtime: RuntimeName) -> None:
    folder = import_js(path, tmp_path / "bird", "bird")
    assert_as_published(folder, read_js(path), runtime, 20)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["bird", "bicycle", "sheep"])
def test_every_step_of_googles_models_is_as_published(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "sketch-rnn-js" / f"{name}.gen.json"
    folder = import_js(path, tmp_path / name, name)
    for runtime in ("onnx", "torch"):
        assert_as_published(folder, read_js(path), runtime, 60)
    again = export_js(folder, tmp_path / "again.gen.json")
    assert again.clipped == 0
    assert json.loads(again.path.read_text()) == json.loads(path.read_text())


def test_what_an_imported_model_says_of_itself(path: Path, tmp_path: Path) -> None:
    folder = import_js(path, tmp_path / "models" / "bird", "small bird")
    assert {file.name for file in folder.iterdir()} == {"config.json", WEIGHTS, "start.onnx", "decoder.onnx"}
    info = read_info(folder)
    assert info.model == DECODER_ONLY
    assert info.categories == ("small bird",)
    assert info.sequence.start == "first"
    assert info.sequence.scale == pytest.approx(71.3754 / PIXELS)
    assert info.training == {"imported_from": "bird.gen.json", "name": "bird", "max_points": 129}
    assert import_js(path, folder, "bird") == folder
    assert read_info(folder).categories == ("bird",)


def test_import_and_export_lose_nothing(path: Path, tmp_path: Path) -> None:
    export_js(import_js(path, tmp_path / "bird", "bird"), tmp_path / "again.gen.json")
    assert json.loads((tmp_path / "again.gen.json").read_text()) == json.loads(path.read_text())


def test_our_own_model_goes_out_and_comes_back(tmp_path: Path) -> None:
    ours = write_folder(
        tmp_path / "ours", fixed_network(DECODER_ONLY), ["pig"], {"settings": {"batch": {"max_points": 90}}}
    )
    written = export_js(ours, tmp_path / "pig.gen.json")
    assert written.clipped == 0
    header = json.loads(written.path.read_text())[0]
    assert header == {"mode": 2, "version": 6, "max_seq_len": 90, "name": "pig", "scale_factor": 30.0 * PIXELS}
    back = import_js(written.path, tmp_path / "back", "pig")
    assert read_info(back).sequence.scale == pytest.approx(30.0)
    before, after = load_file(ours / WEIGHTS), load_file(back / WEIGHTS)
    for name, value in before.items():
        assert np.abs(after[name] - value).max() <= STEP / 2 + 1e-6, name
    drawn = load_model(back).generate("pig", 3, seed=5)
    twice = export_js(back, tmp_path / "twice.gen.json")
    assert twice.path.read_bytes() == written.path.read_bytes()
    assert load_model(import_js(twice.path, tmp_path / "twice", "pig")).generate("pig", 3, seed=5) == drawn


def test_weights_beyond_the_formats_reach_are_counted(path: Path, tmp_path: Path) -> None:
    folder = import_js(path, tmp_path / "bird", "bird")
    weights = {name: value.copy() for name, value in load_file(folder / WEIGHTS).items()}
    weights["core.from_input.weight"][0, :2] = 11, -400
    save_file(weights, folder / WEIGHTS)
    written = export_js(folder, tmp_path / "clipped.gen.json")
    assert written.clipped == 2
    assert read_js(written.path).weights.from_row[:2, 0].tolist() == [32767, -32767]


@pytest.mark.parametrize("kind", list(KINDS))
def test_models_that_see_cannot_go_out(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelError, match="has no encoder; `train --recipe decoder-only`"):
        export_js(folders[kind], tmp_path / "out.gen.json")
    assert not list(tmp_path.iterdir())


def test_what_cannot_go_out_is_said_in_one_line(path: Path, tmp_path: Path) -> None:
    folder = import_js(path, tmp_path / "bird", "bird")
    config = json.loads((folder / "config.json").read_text())
    for change, message in (({"decoder": "layer_norm"}, "no decoder 'layer_norm'"), ({"start": "centre"}, "'centre'")):
        changed = {**config, "model": {**config["model"], **change}}
        (folder / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=message):
            export_js(folder, tmp_path / "out.gen.json")
    (folder / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / WEIGHTS)
    save_file({**weights, "head.bias": np.full_like(weights["head.bias"], np.nan)}, folder / WEIGHTS)
    with pytest.raises(ModelError, match="not finite"):
        export_js(folder, tmp_path / "out.gen.json")
    save_file({**weights, "head.bias": weights["head.bias"][:-1]}, folder / WEIGHTS)
    with pytest.raises(ModelError, match=r"head.bias is \(20,\), not \(21,\)"):
        export_js(folder, tmp_path / "out.gen.json")
    (folder / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match="not the weights of this model"):
        export_js(folder, tmp_path / "out.gen.json")
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="incomplete"):
        export_js(folder, tmp_path / "out.gen.json")
    assert not (tmp_path / "out.gen.json").exists()


def test_what_cannot_come_in_leaves_nothing_behind(path: Path, tmp_path: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(SettingsError, match="must have a name"):
        import_js(path, tmp_path / "bird", " ")
    with pytest.raises(FileError, match="holds another model, with an encoder"):
        import_js(path, folders["default"], "bird")
    with pytest.raises(FileError, match="cannot be written"):
        import_js(path, path, "bird")
    broken = tmp_path / "broken.gen.json"
    broken.write_bytes(path.read_bytes()[:900])
    with pytest.raises(FormatError):
        import_js(broken, tmp_path / "bird", "bird")
    assert {file.name for file in tmp_path.iterdir()} == {"bird.gen.json", "broken.gen.json"}
