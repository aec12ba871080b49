"""The flow over codes: what it learns from, resuming, and a whole run that ends with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.flow import Flow
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import FlowSettings
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.training import flow as module
from sketch_pix2seq.training.checkpoint import load_checkpoint
from sketch_pix2seq.training.flow import CHECKPOINT, Codes, encode_set, flow_loss, train_flow, validate_flow
from sketch_pix2seq.training.loop import average_weights as real_average
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


def test_it_resumes_bit_for_bit(
    network: Network, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, record = train_flow(network, tiny_set, tmp_path / "whole", TINY_FLOW)
    assert record["codes"] == 12 * 16
    encoded: list[str] = []
    real = module.encode_set

    def counted(*arguments: Any, **more: Any) -> Codes:
        encoded.append(arguments[2])
        return real(*arguments, **more)

    monkeypatch.setattr(module, "encode_set", counted)
    asked: list[int] = []

    def interrupting(average: Any, flow: Any, decay: float, step: int) -> None:
        real_average(average, flow, decay, step)
        if step == 4:
            asked.append(2)

    with monkeypatch.context() as patch:
        patch.setattr(module, "deferred_stop", lambda: (asked, lambda: None))
        patch.setattr(module, "average_weights", interrupting)
        with pytest.raises(KeyboardInterrupt):
            train_flow(network, tiny_set, tmp_path / "parts", TINY_FLOW)
    assert load_checkpoint(tmp_path / "parts" / CHECKPOINT)[1].step == 5
    parts, _ = train_flow(network, tiny_set, tmp_path / "parts", TINY_FLOW)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0, msg=name)
    assert encoded.count("train") == 1, "the codes were kept"


def test_it_learns(network: Network, tiny_set: Path, tmp_path: Path) -> None:
    settings = replace(TINY_FLOW, steps=150, learning_rate=5e-3, average=0.9)
    flow, _ = train_flow(network, tiny_set, tmp_path, settings)
    torch.manual_seed(settings.seed)
    first = Flow(8, 2, settings.network).eval()
    codes = encode_set(network, SketchSet.open(tiny_set), "valid", settings)
    losses = [validate_flow(first, each.state_dict(), codes) for each in (first, flow)]
    assert losses[1] < 0.8 * losses[0]


def test_what_is_of_another_network_begins_anew_and_other_settings_are_refused(
    network: Network, tiny_set: Path, tmp_path: Path
) -> None:
    train_flow(network, tiny_set, tmp_path, TINY_FLOW)
    with pytest.raises(SettingsError, match="other settings"):
        train_flow(network, tiny_set, tmp_path, replace(TINY_FLOW, learning_rate=0.5))
    torch.manual_seed(9)
    other = Network(TINY_MODEL, SequenceSpec("centre", 30.0), 2).eval()
    apart, record = train_flow(other, tiny_set, tmp_path, TINY_FLOW)
    fresh, _ = train_flow(other, tiny_set, tmp_path / "fresh", TINY_FLOW)
    assert record["steps"] == 12
    for name, value in fresh.state_dict().items():
        torch.testing.assert_close(apart.state_dict()[name], value, rtol=0, atol=0, msg=name)


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
