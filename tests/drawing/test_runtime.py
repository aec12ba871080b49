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
from sketch_pix2seq.drawing.runtime import (
    DrawingState,
    OnnxRuntime,
    Runtime,
    RuntimeName,
    Told,
    TorchRuntime,
    start_rows,
)
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
    told = Told.nothing(onnx.info, 3)._replace(level=np.array([0, 0.1, 0.4], np.float32), category=np.array([0, 1, 2]))
    if kind == "default":
        told = told._replace(picture=ink)
    states = [onnx.start(codes[0], told), torch_.start(codes[0], told)]
    rows = start_rows(onnx.info, 3)
    for index in range(6):
        chance, given = rng.random((3, 4)).astype(np.float32), rng.normal(size=(3, 5)).astype(np.float32)
        control = np.array([[0.3, 0.7, 1, 0], [1, 1, 0, 0], [0.5, 1, 1, index % 2]], np.float32)
        found = []
        runtimes: tuple[Runtime, Runtime] = (onnx, torch_)
        for i, runtime in enumerate(runtimes):
            drawn, states[i] = runtime.draw_row(rows, states[i], chance, control, given)
            found.append(drawn)
        np.testing.assert_allclose(found[0].row, found[1].row, atol=1e-4)
        np.testing.assert_allclose(found[0].log_density, found[1].log_density, atol=1e-3)
        if index % 2:
            np.testing.assert_array_equal(found[0].row[2], given[2])
        assert found[0].row[1, 4] == 0, "it may not end"
        rows = found[0].row


def test_both_runtimes_have_the_same_flow(folders: dict[str, Path]) -> None:
    onnx, torch_ = OnnxRuntime(folders["default"]), TorchRuntime.load(folders["default"])
    rng = np.random.default_rng(0)
    x, partial = (rng.normal(size=(4, size)).astype(np.float32) for size in (11, 8))
    t, started = rng.random((4, 1)).astype(np.float32), np.array([[0], [1], [0], [1]], np.float32)
    category = np.array([0, 1, 2, 2])
    a, b = (runtime.velocity(x, t, category, partial, started) for runtime in (onnx, torch_))
    np.testing.assert_allclose(a, b, atol=1e-5)
    other = onnx.velocity(x, t, category, partial + 1, started)
    assert np.allclose(a[[0, 2]], other[[0, 2]]), "nothing is started there"
    assert not np.allclose(a[[1, 3]], other[[1, 3]])
    shares = [runtime.finished(category, partial) for runtime in (onnx, torch_)]
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-5)
    assert shares[0].shape == (4,)
    assert ((shares[0] > 0) & (shares[0] < 1)).all()
    assert len(set(shares[0].tolist())) == 4
    with pytest.raises(ModelError, match="no flow"):
        OnnxRuntime(folders["paper-hyper"]).velocity(x, t, category, partial, started)


def test_a_picture_changes_what_is_drawn_where_there_is_ink(folders: dict[str, Path]) -> None:
    model = load_model(folders["default"])
    sketches = [random_sketch(np.random.default_rng(k)).fit() for k in range(3)]
    ink, codes = model.ink_of(sketches), model.encode_sketches(sketches)
    settings = DrawSettings(max_points=20, proposals=1)

    def points(pictures: np.ndarray | None) -> np.ndarray:
        drawn = model.draw_codes(codes, pictures=pictures, settings=settings)
        return np.concatenate([drawing.points()[:5] for (drawing,) in drawn])

    followed = model.draw_all(sketches, settings=DrawSettings(max_points=20, proposals=1, freedom=0))
    np.testing.assert_array_equal(np.concatenate([d.points()[:5] for (d,) in followed]), points(ink))
    np.testing.assert_array_equal(points(ink * 0), points(None))
    assert not np.allclose(points(ink)[:2], points(None)[:2])
    with pytest.raises(SettingsError, match=r"\(3, 48, 48\)"):
        model.draw_codes(codes, pictures=ink[:2])


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_states_are_selected_and_put_in_the_place_of_others(folders: dict[str, Path], name: RuntimeName) -> None:
    runtime = load_model(folders["code"], runtime=name).runtime
    codes = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    rows, none = start_rows(runtime.info, 4), np.zeros((4, 4), np.float32)
    control = np.ones((4, 4), np.float32) * [0, 0, 1, 0]

    def row(state: DrawingState, n: int) -> tuple[np.ndarray, DrawingState]:
        drawn, after = runtime.draw_row(rows[:n], state, none[:n], control[:n].astype(np.float32), rows[:n])
        return drawn.row, after

    _, state = row(runtime.start(codes, Told.nothing(runtime.info, 4)), 4)
    whole, _ = row(state, 4)
    part, _ = row(state.select(np.array([3, 1])), 2)
    np.testing.assert_allclose(part, whole[[3, 1]], atol=1e-5)
    kept = state.select(np.array([0, 1]))
    kept.put(np.array([1, 0]), state, np.array([1, 0]))
    np.testing.assert_allclose(row(kept, 2)[0], whole[:2], atol=1e-5)


def test_a_folder_gives_the_network_back(folders: dict[str, Path]) -> None:
    network, info = load_network(folders["default"])
    assert info.model == KINDS["default"]
    assert info.categories == ("a", "b")
    assert info.training == {"steps": 3}
    for name, value in fixed_network(KINDS["default"]).state_dict().items():
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
        broken = copied(folders["default"], tmp_path / f"cut-{name}")
        (broken / name).write_bytes((broken / name).read_bytes()[:500])
        with pytest.raises(ModelError, match="not a graph") as caught:
            load_model(broken).draw(house)
        assert "\n" not in str(caught.value)
        (broken / name).unlink()
        with pytest.raises(ModelError, match="incomplete"):
            load_model(broken).draw(house)
    weights = copied(folders["default"], tmp_path / "weights")
    (weights / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match="not the weights of this model"):
        load_model(weights, runtime="torch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "not a model folder of version"),
        ({"model": {"encoder": "deep", "colour": 3}}, "no setting 'colour'"),
        ({"sequence": None}, "not a model folder"),
        (None, "not a model folder"),
    ],
)
def test_a_configuration_of_another_make_is_refused(
    folders: dict[str, Path], tmp_path: Path, change: dict[str, object] | None, message: str
) -> None:
    folder = copied(folders["default"], tmp_path / "model")
    content = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text("{" if change is None else json.dumps({**content, **change}))
    with pytest.raises(ModelError, match=message):
        read_info(folder)
