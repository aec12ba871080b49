"""A tiny set and settings with which a step takes milliseconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.data.batches import BatchSettings
from sketch_pix2seq.data.store import SketchSetWriter
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.training.settings import FlowTrainSettings, OptimiserSettings, TrainSettings
from tests.conftest import random_sketch

TINY_MODEL = ModelSettings(
    z_size=8,
    encoder_size=64,
    decoder_size=16,
    mixtures=2,
    canvas_channels=8,
    hyper_size=8,
    hyper_embedding=4,
    category_size=4,
)


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.arrow"
    rng = np.random.default_rng(0)
    with SketchSetWriter(path) as writer:
        for i in range(60):
            sketch = random_sketch(rng, category=("a", "b")[i % 2]).fit()
            writer.add(sketch, "train" if i < 48 else "valid")
    return path


def tiny_settings(**changes: object) -> TrainSettings:
    settings = TrainSettings(
        model=TINY_MODEL,
        batch=BatchSettings(size=8, bucket=2),
        optimiser=OptimiserSettings(warmup=3),
        flow=FlowTrainSettings(steps=0),
        steps=12,
        precision="float32",
        validate_every=5,
        validate_sketches=8,
        log_every=3,
    )
    return replace(settings, **changes)  # type: ignore[arg-type]
