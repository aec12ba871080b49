"""The mixture that a decoder gives for its next row (Ha & Eck 2017, section 3.2; Graves 2013).

Each offset has ``mixtures`` bivariate Gaussians; the pen has three states. Everything is in log space and float32:
extreme sigma and rho are where other implementations turn to NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sketch_pix2seq.model.settings import LOG_SIGMA_MAX, LOG_SIGMA_MIN, RHO_MAX

_FAR = 1e12
"""Distances, in standard deviations, beyond which the density no longer falls: its square is finite in float32."""
_LOGIT_MAX = 1e30


class Mixture(NamedTuple):
    """Parameters for n rows and m Gaussians, float32.

    log_pi, mu_x, mu_y, log_sigma_x, log_sigma_y, rho: ``(n, m)``; log_pen: ``(n, 3)`` log probabilities of the pen.
    """

    log_pi: Tensor
    mu_x: Tensor
    mu_y: Tensor
    log_sigma_x: Tensor
    log_sigma_y: Tensor
    rho: Tensor
    log_pen: Tensor


def output_size(mixtures: int) -> int:
    """Numbers that a decoder gives a row: three pen logits and six a Gaussian."""
    return 3 + 6 * mixtures


def split(raw: Tensor) -> Mixture:
    """The parameters from a decoder's raw output ``(n, 3 + 6 m)``: sigma = exp, rho = tanh, both bounded."""
    raw = raw.float()
    pen, gaussians = raw[:, :3], raw[:, 3:]
    pi, mu_x, mu_y, sigma_x, sigma_y, rho = gaussians.chunk(6, dim=1)
    return Mixture(
        _log_softmax(pi),
        mu_x,
        mu_y,
        sigma_x.clamp(LOG_SIGMA_MIN, LOG_SIGMA_MAX),
        sigma_y.clamp(LOG_SIGMA_MIN, LOG_SIGMA_MAX),
        torch.tanh(rho) * RHO_MAX,
        _log_softmax(pen),
    )


def log_density(mixture: Mixture, offsets: Tensor) -> Tensor:
    """Log density of ``offsets`` ``(n, 2)`` in model units, ``(n,)`` in nats. Finite for any finite float32 input."""
    dx = _distance(offsets[:, :1].float(), mixture.mu_x, mixture.log_sigma_x)
    dy = _distance(offsets[:, 1:].float(), mixture.mu_y, mixture.log_sigma_y)
    one_minus_rho2 = (1 - mixture.rho) * (1 + mixture.rho)
    # (dx - rho dy)^2 / (1 - rho^2) + dy^2 is the quadratic form without the cancellation of dx^2 - 2 rho dx dy + dy^2.
    quadratic = (dx - mixture.rho * dy).square() / one_minus_rho2 + dy.square()
    log_normal = (
        -0.5 * quadratic
        - mixture.log_sigma_x
        - mixture.log_sigma_y
        - 0.5 * torch.log(one_minus_rho2)
        - math.log(2 * math.pi)
    )
    return torch.logsumexp(mixture.log_pi + log_normal, dim=1)


def log_pen(mixture: Mixture, pen: Tensor) -> Tensor:
    """Log probability of the pen states ``(n,)`` int64, ``(n,)`` in nats."""
    return mixture.log_pen.gather(1, pen[:, None])[:, 0]


def _distance(value: Tensor, mu: Tensor, log_sigma: Tensor) -> Tensor:
    return ((value - mu) * torch.exp(-log_sigma)).clamp(-_FAR, _FAR)


def _log_softmax(logits: Tensor) -> Tensor:
    return F.log_softmax(logits.clamp(-_LOGIT_MAX, _LOGIT_MAX), dim=1)
