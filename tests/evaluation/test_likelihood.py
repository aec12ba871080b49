"""Row by row in NumPy, the likelihood is that of training in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from sketch_pix2seq.data.batches import collate
from sketch_pix2seq.data.store import Points
from sketch_pix2seq.drawing.density import log_density
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import MixtureArrays, OnnxRuntime
from sketch_pix2seq.evaluation.likelihood import likelihood
from sketch_pix2seq.model.export import load_network
from sketch_pix2seq.model.network import Tensors
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch
from tests.drawing.conftest import KINDS, folders

__all__ = ["folders"]


def points_of(sketches: list[Sketch]) -> Points:
    ends = [np.isin(np.arange(s.n_points), np.cumsum([len(x) for x in s.strokes]) - 1) for s in sketches]
    starts = np.cumsum([0, *(s.n_points for s in sketches)])
    return Points(np.concatenate([s.points() for s in sketches]).astype(np.float32), np.concatenate(ends), starts)


@pytest.mark.parametrize("kind", list(KINDS))
def test_it_is_the_loss_of_training(folders: dict[str, Path], kind: str) -> None:
    rng = np.random.default_rng(3)
    sketches = [random_sketch(rng, strokes=k).fit() for k in (2, 5, 1, 3)]
    found = likelihood(Model(OnnxRuntime(folders[kind])), sketches)
    network, info = load_network(folders[kind])
    batch, _ = collate(points_of(sketches), info.sequence, info.model.raster)
    with torch.no_grad():
        losses = network(Tensors.of(batch))
    assert found.offset.sum() == pytest.approx(float(losses.offset), rel=1e-4)
    assert found.pen.sum() == pytest.approx(float(losses.pen), rel=1e-4)
    assert found.rows.sum() + len(sketches) == losses.rows
    assert (found.kl is None) == (not info.model.sample_z)
    if found.kl is not None:
        assert found.kl.sum() == pytest.approx(float(losses.kl), rel=1e-4)
    alone = likelihood(Model(OnnxRuntime(folders[kind])), sketches[1:2])
    assert found.offset[1] == pytest.approx(alone.offset[0], rel=1e-4)


def test_the_density_is_scipys() -> None:
    rng = np.random.default_rng(0)
    n, m = 4, 3
    weights = rng.dirichlet(np.ones(m), n)
    mu, log_sigma, rho = rng.normal(size=(2, n, m)), rng.normal(size=(2, n, m)) * 0.5, np.tanh(rng.normal(size=(n, m)))
    parts = [np.log(weights), *mu, *log_sigma, rho, np.zeros((n, 3))]
    mixture = MixtureArrays(*(x.astype(np.float32) for x in parts))
    at = rng.normal(size=(n, 2)).astype(np.float32)
    for i in range(n):
        total = 0.0
        for j in range(m):
            sx, sy = np.exp(log_sigma[:, i, j])
            covariance = [[sx * sx, rho[i, j] * sx * sy], [rho[i, j] * sx * sy, sy * sy]]
            total += weights[i, j] * multivariate_normal(mu[:, i, j], covariance).pdf(at[i])
        assert log_density(mixture, at)[i] == pytest.approx(np.log(total), rel=1e-4)
