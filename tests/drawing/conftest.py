"""Tiny model folders with weights that are a fixed function of their names."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import nn

from sketch_pix2seq.model.export import write_flow, write_folder
from sketch_pix2seq.model.flow import Flow
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import FlowSettings, ModelSettings
from sketch_pix2seq.sequence import SequenceSpec

TINY = {"z_size": 8, "encoder_size": 64, "decoder_size": 24, "mixtures": 3, "canvas_channels": 8, "category_size": 4}
PLAIN = {"unit_code": False, "noise": 0.0, "category_size": 0, "canvas": False, "attend": 0.0, "start": "first"}
KINDS = {
    "default": ModelSettings(**TINY),  # type: ignore[arg-type]
    "code": ModelSettings(**{**TINY, "attend": 0.0}),  # type: ignore[arg-type]
    "paper-hyper": ModelSettings(
        encoder="paper",
        decoder="hyper",
        sample_z=True,
        hyper_size=8,
        hyper_embedding=4,
        **{**TINY, **PLAIN},  # type: ignore[arg-type]
    ),
    "rnn-layer-norm": ModelSettings(
        encoder="rnn",
        decoder="layer_norm",
        sample_z=True,
        **{**TINY, **PLAIN},  # type: ignore[arg-type]
    ),
}
CATEGORIES = ("a", "b")


def fixed_weights(module: nn.Module) -> None:
    """Weights that depend on no library's random numbers."""
    for name, parameter in module.named_parameters():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.normal(0, 1 / np.sqrt(max(1, parameter[0].numel())), tuple(parameter.shape))
        parameter.data = torch.from_numpy(values.astype(np.float32))


def fixed_network(settings: ModelSettings) -> Network:
    """A network with fixed weights, of two categories."""
    network = Network(settings, SequenceSpec(settings.start, 30.0), len(CATEGORIES))
    fixed_weights(network)
    return network


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model folder of each kind; those with codes of unit variance have a flow. Not to be changed: all of pytest's
    processes share them, since exporting graphs takes long."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "models"
    with FileLock(f"{root}.lock"):
        for kind, settings in KINDS.items():
            if (root / kind).exists():
                continue
            made = base / f"model-{kind}"
            write_folder(made, fixed_network(settings), CATEGORIES, {"steps": 3})
            if settings.unit_code:
                flow = Flow(settings.z_size, len(CATEGORIES), FlowSettings(width=16, blocks=2))
                fixed_weights(flow)
                write_flow(made, flow, {"steps": 5})
            root.mkdir(exist_ok=True)
            made.rename(root / kind)
    return {kind: root / kind for kind in KINDS}
