"""The two runtimes are one model; a model folder is whole or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.runtime import OnnxRuntime, RuntimeName, TorchRuntime, start_rows
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.model.export import load_network
from sketch_pix2seq.model.folder import CONFIG, DECODER, WEIGHTS, read_info
from sketch_pix2seq.raster import render
from sketch_pix2seq.sequence import rows_of
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch
from tests.drawing.conftest import KINDS, fixed_network


@pytest.mark.parametrize("kind", list(KINDS))
def test_onnx_and_torch_agree_row_by_row(folders: dict[str, Path], kind: str) -> None:
    onnx, torch_ = OnnxRuntime(folders[kind]), TorchRuntime.load(folders[kind])
    rng = np.random.default_rng(0)
    sketches = [random_sketch(rng, strokes=k).fit() for k in (1, 3, 5)]
    if kind.startswith("rnn"):
        each = [rows_of(sketch, onnx.info.sequence) for sketch in sketches]
        lengths = np.array([len(rows) for rows in each], np.int32)
        padded = np.stack([np.pad(rows, ((0, lengths.max() - len(rows)), (0, 0))) for rows in each])
        seen = [runtime.encode_rows(padded, lengths) for runtime in (onnx, torch_)]
    else:
        ink = np.stack([render(s, onnx.info.model.raster) for s in sketches]).astype(np.float32) / np.float32(255)
        seen = [runtime.encode(ink) for runtime in (onnx, torch_)]
    codes = [posterior.mean for posterior in seen]
    np.testing.assert_allclose(codes[0], codes[1], atol=1e-5)
    spreads = [posterior.log_variance for posterior in seen]
    assert all((spread is not None) == onnx.info.model.sample_z for spread in spreads)
    if spreads[0] is not None and spreads[1] is not None:
        np.testing.assert_allclose(spreads[0], spreads[1], atol=1e-5)
    shown = ink if kind == "glimpse" else None
    states = [onnx.start(codes[0], shown), torch_.start(codes[0], shown)]
    rows = start_rows(onnx.info, 3)
    for _ in range(6):
        (a, states[0]), (b, states[1]) = onnx.step(rows, states[0]), torch_.step(rows, states[1])
        for name, x, y in zip(a._fields, a, b, strict=True):
            np.testing.assert_allclose(x, y, atol=1e-4, err_msg=name)
        rows = np.concatenate([rng.normal(0, 1, (3, 2)), np.eye(3)[rng.integers(0, 2, 3)]], axis=1).astype(np.float32)


def test_a_glimpse_changes_what_is_drawn_where_there_is_ink(folders: dict[str, Path]) -> None:
    model = load_model(folders["glimpse"])
    sketches = [random_sketch(np.random.default_rng(k)).fit() for k in range(3)]
    ink, codes = model.ink_of(sketches), model.encode_sketches(sketches)
    settings = DrawSettings(candidates=1, max_points=20)

    def points(pictures: np.ndarray | None) -> np.ndarray:
        drawn = model.draw_codes(codes, pictures=pictures, settings=settings)
        return np.concatenate([drawing.points()[:5] for (drawing,) in drawn])

    redrawn = model.draw_all(sketches, settings=settings)
    np.testing.assert_array_equal(np.concatenate([d.points()[:5] for (d,) in redrawn]), points(ink))
    np.testing.assert_array_equal(points(ink * 0), points(None))
    assert not np.allclose(points(ink)[:2], points(None)[:2])
    with pytest.raises(SettingsError, match=r"\(3, 48, 48\)"):
        model.draw_codes(codes, pictures=ink[:2])


def test_state_follows_the_chosen_drawings(folders: dict[str, Path]) -> None:
    runtime = OnnxRuntime(folders["canvas"])
    codes = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    rows = start_rows(runtime.info, 4)
    _, state = runtime.step(rows, runtime.start(codes))
    whole, _ = runtime.step(rows, state)
    part, _ = runtime.step(rows[:2], state.select(np.array([3, 1])))
    np.testing.assert_allclose(part.mu_x, whole.mu_x[[3, 1]], atol=1e-6)


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_others_are_put_in_the_place_of_some(folders: dict[str, Path], name: RuntimeName) -> None:
    runtime = load_model(folders["canvas"], runtime=name).runtime
    codes = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    rows = start_rows(runtime.info, 4)
    expected, _ = runtime.step(rows[:2], runtime.start(codes[2:]))
    _, state = runtime.step(rows[:2], runtime.start(codes[:2]))
    state.put(np.array([1, 0]), runtime.start(codes[2:]))
    found, _ = runtime.step(rows[:2], state)
    np.testing.assert_allclose(found.mu_x, expected.mu_x[::-1], atol=1e-6)


def test_a_folder_gives_the_network_back(folders: dict[str, Path]) -> None:
    network, info = load_network(folders["canvas"])
    assert info.model == KINDS["canvas"]
    assert info.categories == ("a", "b")
    assert info.training == {"steps": 3}
    for name, value in fixed_network(KINDS["canvas"]).state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value.half().float(), msg=name)


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def test_broken_folders_are_refused_with_one_line(folders: dict[str, Path], tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no model folder"):
        load_model(tmp_path / "empty")
    for name in (DECODER, "start.onnx", "encoder.onnx"):
        broken = copied(folders["canvas"], tmp_path / f"cut-{name}")
        (broken / name).write_bytes((broken / name).read_bytes()[:500])
        with pytest.raises(ModelError, match="not a graph") as caught:
            load_model(broken).draw(house)
        assert "\n" not in str(caught.value)
        (broken / name).unlink()
        with pytest.raises(ModelError, match="incomplete"):
            load_model(broken).draw(house)
    weights = copied(folders["canvas"], tmp_path / "weights")
    (weights / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match="do not fit"):
        load_model(weights, runtime="torch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "not a model folder of version"),
        ({"model": {"encoder": "deep", "colour": 3}}, "has no colour"),
        ({"sequence": None}, "not a model folder"),
        (None, "cannot be read"),
    ],
)
def test_a_configuration_of_another_make_is_refused(
    folders: dict[str, Path], tmp_path: Path, change: dict[str, object] | None, message: str
) -> None:
    folder = copied(folders["canvas"], tmp_path / "model")
    content = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text("{" if change is None else json.dumps({**content, **change}))
    with pytest.raises(ModelError, match=message):
        read_info(folder)
