"""The training state on disk: one safetensors file, replaced as a whole, holding all it takes to go on."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.files import replacing


@dataclass
class Progress:
    """Where a run is, beside its tensors."""

    step: int = 0
    """Optimiser steps done."""
    seconds: float = 0.0
    """Time trained so far, over all sessions."""
    skipped: int = 0
    """Steps left out because their gradient was not finite."""
    best: float | None = None
    """Lowest validation loss, nats a point."""
    best_step: int = 0
    """Step of the lowest validation loss."""
    scale: float = 1.0
    """Canvas units a unit of the model."""
    data: str = ""
    """Fingerprint of the set (`SketchSet.fingerprint`)."""
    stopped: bool = False
    """Ended early."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry a validation."""
    started_from: dict[str, Any] = field(default_factory=dict)
    """The trained model that the run began with, and how it keeps what that one knew; empty where there was none."""


def save_checkpoint(path: Path, tensors: dict[str, Tensor], progress: Progress, settings: dict[str, object]) -> None:
    """Write beside, flush to the disk, then rename."""
    metadata = {"progress": json.dumps(asdict(progress)), "settings": json.dumps(settings)}
    with replacing(path) as part:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, part, metadata)
        with part.open("rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], Progress, dict[str, object]]:
    """Tensors, progress and settings. Raises FormatError for a file that is none of ours."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return tensors, Progress(**json.loads(metadata["progress"])), json.loads(metadata["settings"])
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise FormatError(path, f"not a checkpoint of this version ({error}); delete it to start again") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """Adam's state, named after the parameters."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    out = {}
    for name, parameter in zip(names, parameters, strict=True):
        for key, value in optimiser.state.get(parameter, {}).items():
            out[f"adam.{key}.{name}"] = torch.as_tensor(value)
    return out


def restore_optimiser(optimiser: torch.optim.Optimizer, names: list[str], tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`, in place."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for name, parameter in zip(names, parameters, strict=True):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"adam.{key}.{name}")
            if value is not None:
                # The fused optimisers go through memory in order: the state must lie there as its parameter does.
                optimiser.state[parameter][key] = (
                    value.clone() if key == "step" else torch.empty_like(parameter, requires_grad=False).copy_(value)
                )
