"""The int8 decoder: nearly the float32 one, and small, since its weights are those of the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from sketch_pix2seq.cli.main import main
from sketch_pix2seq.drawing.model import DrawSettings, read_source
from sketch_pix2seq.drawing.pretrained import bundled_folder, load_model
from sketch_pix2seq.drawing.runtime import OnnxRuntime, start_rows
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.model.folder import DECODER_INT8, WEIGHTS
from sketch_pix2seq.model.settings import DecoderKind
from tests.conftest import REPOSITORY
from tests.drawing.conftest import KINDS, fixed_network


@pytest.mark.parametrize(("decoder", "products"), [("lstm", 2), ("layer_norm", 2), ("hyper", 4)])
def test_it_gives_nearly_the_same_mixtures(tmp_path: Path, decoder: DecoderKind, products: int) -> None:
    settings = replace(KINDS["canvas"], decoder=decoder, decoder_size=160)
    write_folder(tmp_path, fixed_network(settings), ["a"], {})
    operators = [node.op_type for node in onnx.load(str(tmp_path / DECODER_INT8), load_external_data=False).graph.node]
    assert operators.count("MatMulIntegerToFloat") == products  # of the inputs, and of the hidden state
    plain, int8 = OnnxRuntime(tmp_path), OnnxRuntime(tmp_path, precision="int8")
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(5, 8)).astype(np.float32)
    states = [runtime.start(codes) for runtime in (plain, int8)]
    rows, far = start_rows(plain.info, 5), []
    for _ in range(8):
        (a, states[0]), (b, states[1]) = plain.step(rows, states[0]), int8.step(rows, states[1])
        far.append(np.abs(a.mu_x - b.mu_x).mean() / np.abs(a.mu_x).mean())
        rows = np.concatenate([rng.normal(0, 1, (5, 2)), np.eye(3)[rng.integers(0, 2, 5)]], axis=1).astype(np.float32)
    assert 0 < max(far) < 0.05


def test_a_drawing_does_not_depend_on_those_beside_it() -> None:
    runtime = load_model(precision="int8").runtime
    codes = np.random.default_rng(0).normal(0, 0.3, (3, runtime.info.model.z_size)).astype(np.float32)
    rows = start_rows(runtime.info, 3)
    rows[1:, :2] = [[1, 2], [50, -80]]  # a scale for all would be that of the farthest
    together, _ = runtime.step(rows, runtime.start(codes))
    for i in range(3):
        alone, _ = runtime.step(rows[i : i + 1], runtime.start(codes[i : i + 1]))
        np.testing.assert_allclose(alone.mu_x[0], together.mu_x[i], atol=1e-5)


def test_the_bundled_one_draws_as_well() -> None:
    """What it draws is as near to the pictures, in the encoder's eyes."""
    pictures = [read_source(REPOSITORY / "examples" / name) for name in ("pig.png", "sun.svg", "car.png", "fish.jpg")]
    plain, int8 = load_model(), load_model(precision="int8")
    codes = plain.encode(pictures)
    far = []
    for model in (plain, int8):
        drawn = [drawing for row in model.draw_codes(codes, 12, settings=DrawSettings(candidates=1)) for drawing in row]
        far.append(np.square(plain.encode_sketches(drawn) - np.repeat(codes, 12, axis=0)).mean())
    assert far[1] < 1.4 * far[0]
    assert (bundled_folder() / DECODER_INT8).stat().st_size < 50_000


def test_draw_takes_it(tmp_path: Path) -> None:
    command = ["draw", str(REPOSITORY / "examples" / "sun.svg"), "--samples", "2", "--precision", "int8"]
    main([*command, "--out", str(tmp_path)])
    assert (tmp_path / "sun-2.svg").exists()
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--out", str(tmp_path), "--runtime", "torch"])


def test_what_cannot_be_had_is_said(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ONNX Runtime alone"):
        load_model(runtime="torch", precision="int8")
    write_folder(tmp_path, fixed_network(KINDS["canvas"]), ["a"], {})
    (tmp_path / DECODER_INT8).unlink()
    with pytest.raises(ModelError, match=f"it has no {DECODER_INT8}"):
        load_model(tmp_path, precision="int8")
    write_folder(tmp_path, fixed_network(replace(KINDS["canvas"], decoder_size=160)), ["a"], {})
    (tmp_path / WEIGHTS).unlink()
    model = load_model(tmp_path, precision="int8")
    with pytest.raises(ModelError, match=f"{WEIGHTS}: no such file"):
        model.draw(read_source(REPOSITORY / "examples" / "sun.svg"))
