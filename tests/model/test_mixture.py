"""The mixture loss against SciPy, and finite for whatever a float32 can hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, logsumexp
from scipy.stats import multivariate_normal

from sketch_pix2seq.model.mixture import log_density, log_pen, output_size, split
from sketch_pix2seq.model.settings import RHO_MAX

FLOAT32 = st.floats(allow_nan=False, allow_infinity=False, width=32)


def reference(raw: np.ndarray, offset: np.ndarray, gaussians: int) -> float:
    pi, mu_x, mu_y, s_x, s_y, rho = raw[3:].astype(np.float64).reshape(6, gaussians)
    log_pi = log_softmax(pi)
    terms = []
    for k in range(gaussians):
        sx, sy, r = np.exp(s_x[k]), np.exp(s_y[k]), np.tanh(rho[k]) * RHO_MAX
        covariance = [[sx * sx, r * sx * sy], [r * sx * sy, sy * sy]]
        terms.append(log_pi[k] + multivariate_normal([mu_x[k], mu_y[k]], covariance).logpdf(offset))
    return float(logsumexp(terms))


@pytest.mark.parametrize("gaussians", [1, 5, 20])
def test_log_density_is_scipys(gaussians: int) -> None:
    rng = np.random.default_rng(gaussians)
    raw = rng.normal(0, 1.2, (40, output_size(gaussians))).astype(np.float32)
    offsets = rng.normal(0, 2, (40, 2)).astype(np.float32)
    ours = log_density(split(torch.from_numpy(raw)), torch.from_numpy(offsets)).numpy()
    theirs = [reference(r, o, gaussians) for r, o in zip(raw, offsets, strict=True)]
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-4)


def test_pen_is_scipys_log_softmax() -> None:
    rng = np.random.default_rng(3)
    raw = rng.normal(0, 3, (30, output_size(2))).astype(np.float32)
    pen = rng.integers(0, 3, 30)
    ours = log_pen(split(torch.from_numpy(raw)), torch.from_numpy(pen)).numpy()
    np.testing.assert_allclose(
        ours, log_softmax(raw[:, :3].astype(float), axis=1)[np.arange(30), pen], rtol=1e-5, atol=1e-6
    )


def test_density_integrates_to_one() -> None:
    raw = torch.from_numpy(np.random.default_rng(5).normal(0, 0.5, (1, output_size(3))).astype(np.float32))
    axis = torch.linspace(-12, 12, 401)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1).reshape(-1, 2)
    mixture = split(raw.expand(len(grid), -1))
    total = torch.exp(log_density(mixture, grid)).sum() * (axis[1] - axis[0]) ** 2
    assert total.item() == pytest.approx(1.0, abs=1e-3)


@given(arrays(np.float32, (2, output_size(2)), elements=FLOAT32), arrays(np.float32, (2, 2), elements=FLOAT32))
@settings(max_examples=300, deadline=None)
def test_loss_and_gradient_are_finite_for_any_float32(raw: np.ndarray, offsets: np.ndarray) -> None:
    parameters = torch.from_numpy(raw).requires_grad_()
    mixture = split(parameters)
    density = log_density(mixture, torch.from_numpy(offsets))
    pen = log_pen(mixture, torch.tensor([0, 2]))
    assert torch.isfinite(density).all()
    assert torch.isfinite(pen).all()
    torch.autograd.backward(density.sum() + pen.sum())
    assert parameters.grad is not None
    assert torch.isfinite(parameters.grad).all()


@pytest.mark.parametrize("value", [3.4e38, -3.4e38, 1e-45, 0.0])
def test_extremes_are_finite(value: float) -> None:
    raw = torch.full((1, output_size(20)), value)
    for offset in (3.4e38, -3.4e38, 0.0):
        assert torch.isfinite(log_density(split(raw), torch.full((1, 2), offset))).all()


def test_half_precision_input_is_computed_in_float32() -> None:
    raw = torch.randn(4, output_size(20), generator=torch.Generator().manual_seed(0))
    assert log_density(split(raw.bfloat16()), torch.zeros(4, 2)).dtype == torch.float32
