"""A set of two things that a small network can tell apart, and a classifier of them."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.store import SketchSetWriter
from sketch_pix2seq.evaluation.settings import ClassifierSettings
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sketch import Sketch

SMALL = {"z_size": 8, "encoder_size": 64, "decoder_size": 24, "mixtures": 3, "canvas_channels": 8}
TINY = {
    "attends": ModelSettings(**SMALL, category_size=4),  # type: ignore[arg-type]
    "sampled": ModelSettings(
        encoder="paper", canvas=False, attend=0.0, noise=0.0, category_size=0, unit_code=False, sample_z=True,
        start="first", **SMALL,  # type: ignore[arg-type]
    ),
}  # fmt: skip
"""Networks that attend to the picture, and of the paper with a sampled z."""
QUICK = ClassifierSettings(steps=80, batch=32, width=8, warmup=5, average=0.8)


def fixed_network(settings: ModelSettings, categories: int = 2) -> Network:
    """A network whose weights depend on no library's random numbers."""
    network = Network(settings, SequenceSpec(settings.start, 30.0), categories)
    for name, parameter in network.named_parameters():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.normal(0, 1 / np.sqrt(max(1, parameter[0].numel())), tuple(parameter.shape))
        parameter.data = torch.from_numpy(values.astype(np.float32))
    return network


def ring(rng: np.random.Generator) -> Sketch:
    """A closed, wobbly ring."""
    angle = np.linspace(0, 2 * np.pi, 14)
    radius = 100 + rng.normal(0, 6, 14)
    return Sketch((np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1),), "ring").fit()


def cross(rng: np.random.Generator) -> Sketch:
    """Two crossing lines."""
    a, b, c, d = (np.array(p) + rng.normal(0, 10, 2) for p in ((0, 0), (200, 200), (0, 200), (200, 0)))
    return Sketch((np.stack([a, b]), np.stack([c, d])), "cross").fit()


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320 sketches: 240 for training, 20 for validation, 60 for testing."""
    path = tmp_path_factory.mktemp("shapes") / "shapes.arrow"
    rng = np.random.default_rng(0)
    with SketchSetWriter(path) as writer:
        for i in range(320):
            sketch = (ring, cross)[i % 2](rng)
            writer.add(sketch, "train" if i < 240 else "valid" if i < 260 else "test")
    return path


@pytest.fixture(scope="session")
def quick_classifier(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A classifier of the shapes, and its accuracy."""
    from sketch_pix2seq.evaluation.classifier import train_classifier

    return train_classifier(shapes, tmp_path_factory.mktemp("classifier") / "shapes.onnx", QUICK)
