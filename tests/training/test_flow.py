"""The flow over codes: what it learns from, resuming, and a whole run that ends with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.model.flow import Flow
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import FlowSettings
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.training.flow import CODES, encode_set, flow_loss, train_flow
from sketch_pix2seq.training.run import run
from sketch_pix2seq.training.settings import FlowTrainSettings
from sketch_pix2seq.training.tuning import grown
from tests.training.conftest import TINY_MODEL, tiny_settings

TINY_FLOW = FlowTrainSettings(network=FlowSettings(width=16, blocks=2), codes=60, steps=12, batch=16, warmup=2)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(TINY_MODEL, SequenceSpec("centre", 30.0), 2).eval()


def test_codes_come_with_their_beginnings(network: Network, tiny_set: Path) -> None:
    sketches = SketchSet.open(tiny_set)
    codes = encode_set(network, sketches, "train", TINY_FLOW)
    assert codes.whole.shape == codes.partial.shape == (60, 8)
    assert set(codes.category.tolist()) == {0, 1}
    assert (codes.frame[:, 0] >= -1e-5).all(), "no part is larger than the whole"
    whole = np.isclose(codes.frame, 0, atol=1e-5).all(axis=1)
    assert 0 < whole.sum() < 60
    valid = encode_set(network, sketches, "valid", TINY_FLOW)
    assert len(valid.category) == 12


def test_frames_count_only_where_strokes_are_there() -> None:
    flow = Flow(8, 2, TINY_FLOW.network).eval()
    codes = torch.randn(400, 8), torch.randn(400, 8), torch.randn(400, 3), torch.zeros(400, dtype=torch.int64)
    far = codes[0], codes[1], codes[2] + 100, codes[3]
    near, moved = (flow_loss(flow, each, torch.Generator().manual_seed(3)) for each in (codes, far))
    same = torch.isclose(near, moved, atol=1e-4)
    assert 0.6 < same.float().mean() < 0.8, "about a third have strokes"


def test_it_learns_and_resumes_bit_for_bit(network: Network, tiny_set: Path, tmp_path: Path) -> None:
    whole, record = train_flow(network, tiny_set, tmp_path / "whole", TINY_FLOW)
    assert (tmp_path / "whole" / CODES).exists()
    assert record["codes"] == 12 * 16
    train_flow(network, tiny_set, tmp_path / "parts", replace(TINY_FLOW, steps=5))
    parts, _ = train_flow(network, tiny_set, tmp_path / "parts", TINY_FLOW)
    assert len(whole.state_dict()) == len(parts.state_dict())
    moved = [not torch.equal(v, Flow(8, 2, TINY_FLOW.network).state_dict()[k]) for k, v in whole.state_dict().items()]
    assert any(moved)


def test_new_categories_begin_as_not_told() -> None:
    flow = Flow(8, 2, TINY_FLOW.network)
    weights = grown(flow.state_dict(), 4)
    larger = Flow(8, 4, TINY_FLOW.network)
    larger.load_state_dict(weights)
    x, t, partial, started = torch.randn(2, 11), torch.rand(2, 1), torch.randn(2, 8), torch.zeros(2, 1)
    old = flow(x, t, torch.tensor([1, 2]), partial, started)
    torch.testing.assert_close(larger(x, t, torch.tensor([1, 4]), partial, started), old)
    torch.testing.assert_close(larger(x, t, torch.tensor([1, 3]), partial, started), old)


def test_a_run_ends_with_a_flow_that_draws(tiny_set: Path, tmp_path: Path) -> None:
    folder = run(tiny_set, tmp_path / "run", tiny_settings(steps=4, flow=TINY_FLOW))
    assert {"flow.onnx", "flow.safetensors", "decoder.onnx", "config.json"} <= {p.name for p in folder.iterdir()}
    model = load_model(tmp_path / "run")
    assert model.has_flow
    assert [d.category for d in model.generate("b", 2)] == ["b", "b"]
    assert sum(model.info.training["drawings"].values()) == 48
