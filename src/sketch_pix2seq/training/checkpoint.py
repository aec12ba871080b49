"""The training state on disk: one safetensors file, replaced as a whole, holding all it takes to go on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.files import open_to_read, replacing
from sketch_pix2seq.plain import check_ranges, from_plain, typed


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
    history: list[dict[str, int | float]] = field(default_factory=list)
    """One entry a validation."""
    started_from: dict[str, Any] = field(default_factory=dict)
    """The trained model that the run began with, and how it keeps what that one knew; empty where there was none."""

    def __post_init__(self) -> None:
        check_ranges(self, step=(0, 1e12), seconds=(0, 1e12), skipped=(0, 1e12), best_step=(0, 1e12), scale=(1e-6, 1e6))


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
        open_to_read(path).close()
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        progress = from_plain(Progress, json.loads(metadata["progress"]))
        return tensors, progress, typed(json.loads(metadata["settings"]), dict[str, Any])
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise _not_ours(path, str(error)) from error


def check_tensors(path: Path, tensors: Mapping[str, Tensor], network: nn.Module) -> None:
    """Raise FormatError where a checkpoint's tensors are not those of a network, its average and Adam's state."""
    state = network.state_dict()
    for name, value in state.items():
        for prefix in ("network.", "average."):
            stored = tensors.get(prefix + name)
            if stored is None or stored.shape != value.shape or not torch.isfinite(stored).all():
                raise _not_ours(path, f"{prefix}{name} is missing, of another shape or not finite")
    for name, stored in tensors.items():
        kind, _, rest = name.partition(".")
        key, _, rest = rest.partition(".") if kind == "adam" else ("", "", rest)
        if rest not in state or (key in ("exp_avg", "exp_avg_sq") and stored.shape != state[rest].shape):
            raise _not_ours(path, f"{name:.80} is unknown or of another shape")
        if key == "step" and stored.numel() != 1:
            raise _not_ours(path, f"{name:.80} is of another shape")


def _not_ours(path: Path, why: str) -> FormatError:
    return FormatError(path, f"not a checkpoint of this version ({why}); delete it to start again")


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
