"""A checkpoint is untrusted: what is not of its type, shape or range is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.training.checkpoint import (
    Progress,
    check_tensors,
    load_checkpoint,
    optimiser_tensors,
    save_checkpoint,
)

Tensors = dict[str, Tensor]


@pytest.fixture
def network() -> nn.Linear:
    return nn.Linear(3, 2)


@pytest.fixture
def path(network: nn.Linear, tmp_path: Path) -> Path:
    """The checkpoint of a network after one step."""
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    kept = {f"{prefix}.{k}": v.clone() for prefix in ("network", "average") for k, v in network.state_dict().items()}
    kept |= optimiser_tensors(optimiser, [name for name, _ in network.named_parameters()])
    progress = Progress(step=1, seconds=2.5, scale=30.0, history=[{"step": 1, "nats": 0.5}])
    save_checkpoint(tmp_path / "c.safetensors", kept, progress, {"steps": 3})
    return tmp_path / "c.safetensors"


def read(path: Path, network: nn.Module) -> Progress:
    tensors, progress, _ = load_checkpoint(path)
    check_tensors(path, tensors, network)
    return progress


def test_what_is_saved_is_read(path: Path, network: nn.Linear) -> None:
    assert read(path, network) == Progress(step=1, seconds=2.5, scale=30.0, history=[{"step": 1, "nats": 0.5}])


@pytest.mark.parametrize(
    "change",
    [
        {"step": "1"},
        {"step": -1},
        {"step": 1.5},
        {"step": 10**30},
        {"seconds": None},
        {"scale": float("nan")},
        {"scale": 0},
        {"history": {"step": 1}},
        {"history": [{"nats": "low"}]},
        {"started_from": []},
        {"data": 3},
        {"colour": "red"},
    ],
)
def test_hostile_progress_is_refused(change: dict[str, Any], path: Path, network: nn.Linear) -> None:
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["progress"]) | change
    tensors, _, settings = load_checkpoint(path)
    save_file(tensors, path, {"progress": json.dumps(about), "settings": json.dumps(settings)})
    with pytest.raises(FormatError, match="not a checkpoint of this version"):
        read(path, network)


HOSTILE: dict[str, Callable[[Tensors], object]] = {
    "a weight is missing": lambda t: t.pop("network.weight"),
    "an average is missing": lambda t: t.pop("average.bias"),
    "a weight of another shape": lambda t: t.update({"network.weight": torch.zeros(3, 2)}),
    "a weight is NaN": lambda t: t.update({"average.weight": torch.full((2, 3), torch.nan)}),
    "Adam's state of another shape": lambda t: t.update({"adam.exp_avg.weight": torch.zeros(1000)}),
    "Adam's state of nothing": lambda t: t.update({"adam.exp_avg.other": torch.zeros(2)}),
    "many steps": lambda t: t.update({"adam.step.weight": torch.zeros(7)}),
    "something else": lambda t: t.update({"more": torch.zeros(7)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tensors_are_refused(name: str, path: Path, network: nn.Linear) -> None:
    tensors, progress, settings = load_checkpoint(path)
    HOSTILE[name](tensors)
    save_checkpoint(path, tensors, progress, settings)
    with pytest.raises(FormatError, match="not a checkpoint of this version"):
        read(path, network)
