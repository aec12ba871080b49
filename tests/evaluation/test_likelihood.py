"""Row by row in NumPy, the likelihood is that of training in PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.batches import collate
from sketch_pix2seq.data.store import Points
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import OnnxRuntime
from sketch_pix2seq.evaluation.likelihood import likelihood
from sketch_pix2seq.model.export import load_network, write_folder
from sketch_pix2seq.model.losses import losses_of
from sketch_pix2seq.model.network import Tensors
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch
from tests.evaluation.conftest import TINY, fixed_network


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {kind: write_folder(root / kind, fixed_network(settings), ["a", "b"], {}) for kind, settings in TINY.items()}


def points_of(sketches: list[Sketch]) -> Points:
    ends = [np.isin(np.arange(s.n_points), np.cumsum([len(x) for x in s.strokes]) - 1) for s in sketches]
    starts = np.cumsum([0, *(s.n_points for s in sketches)])
    return Points(np.concatenate([s.points() for s in sketches]).astype(np.float32), np.concatenate(ends), starts)


@pytest.mark.parametrize(("kind", "follow"), [("attends", True), ("attends", False), ("sampled", True)])
def test_it_is_the_loss_of_training(folders: dict[str, Path], kind: str, follow: bool) -> None:
    rng = np.random.default_rng(3)
    sketches = [random_sketch(rng, strokes=k).fit() for k in (2, 5, 1, 3)]
    model = Model(OnnxRuntime(folders[kind]))
    told: list[int] = []
    found = likelihood(model, sketches, follow=follow, on_progress=told.append)
    assert sum(told) == 4
    network, info = load_network(folders[kind])
    batch, _ = collate(points_of(sketches), info.sequence, info.model.raster)
    tensors = replace(Tensors.of(batch), categories=torch.full((4,), 2))  # the category is not told
    with torch.no_grad():
        losses = losses_of(network(tensors, attend=follow and info.model.attend > 0), tensors)
    assert found.offset.sum() == pytest.approx(float(losses.offset), rel=1e-4)
    assert found.pen.sum() == pytest.approx(float(losses.pen), rel=1e-4)
    assert found.rows.sum() + len(sketches) == losses.rows
    assert (found.kl is None) == (not info.model.sample_z)
    if found.kl is not None:
        assert found.kl.sum() == pytest.approx(float(losses.kl), rel=1e-4)
    alone = likelihood(model, sketches[1:2], follow=follow)
    assert found.offset[1] == pytest.approx(alone.offset[0], rel=1e-4)
