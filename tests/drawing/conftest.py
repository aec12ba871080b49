"""Tiny model folders with weights that are a fixed function of their names."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.drawing.runtime import Posterior, Runtime
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sketch import FloatArray

TINY = {"z_size": 8, "encoder_size": 64, "decoder_size": 24, "mixtures": 3, "canvas_channels": 8}
KINDS = {
    "canvas": ModelSettings(**TINY),  # type: ignore[arg-type]
    "glimpse": ModelSettings(glimpse=5, overview=7, **TINY),  # type: ignore[arg-type]
    "paper-hyper": ModelSettings(
        encoder="paper",
        decoder="hyper",
        canvas=False,
        start="first",
        sample_z=True,
        hyper_size=8,
        hyper_embedding=4,
        **TINY,  # type: ignore[arg-type]
    ),
    "rnn-layer-norm": ModelSettings(
        encoder="rnn",
        decoder="layer_norm",
        canvas=False,
        start="first",
        sample_z=True,
        **TINY,  # type: ignore[arg-type]
    ),
}


class BlindRuntime:
    """What scripted runtimes share: one thread, and nothing to see with."""

    def workers(self: Runtime, drawings: int) -> list[Runtime]:
        return [self]

    def encode(self, ink: FloatArray) -> Posterior:
        raise NotImplementedError

    def encode_rows(self, rows: FloatArray, lengths: np.ndarray) -> Posterior:
        raise NotImplementedError


def fixed_network(settings: ModelSettings) -> Network:
    """A network whose weights depend on no library's random numbers."""
    network = Network(settings, SequenceSpec(settings.start, 30.0))
    for name, parameter in network.named_parameters():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.normal(0, 1 / np.sqrt(max(1, parameter[0].numel())), tuple(parameter.shape))
        parameter.data = torch.from_numpy(values.astype(np.float32))
    return network


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        kind: write_folder(root / kind, fixed_network(settings), ["a", "b"], {"steps": 3})
        for kind, settings in KINDS.items()
    }
