"""One row drawn from the mixture, by uniform numbers: part of the exported graph, so that all runtimes share it.

The temperature tau multiplies the mixture's variance and divides the logits of its Gaussians (Ha & Eck 2017, section
3.4); the pen has a temperature of its own, since far below 0.5 the end of a drawing is all but forbidden.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sketch_pix2seq.model.mixture import Mixture
from sketch_pix2seq.sequence import PEN_END

CHANCES = 4
"""Uniform numbers a row: which Gaussian, which pen state, two for the offset."""
_COLDEST = 1e-9
"""What a temperature of 0 divides by: the likeliest is chosen."""
_FORBIDDEN = 1e4
"""Nats against an end where a drawing may not end."""


def sample_row(
    mixture: Mixture, chance: Tensor, temperature: Tensor, pen_temperature: Tensor, may_end: Tensor
) -> Tensor:
    """A stroke-5 row for each of n mixtures ``(n, 5)``.

    chance: uniform numbers in [0, 1) ``(n, CHANCES)``; temperature, pen_temperature: ``(n, 1)``; may_end: ``(n, 1)``,
    0 where the pen state "end" is excluded.
    """
    chosen = _choose(mixture.log_pi, chance[:, 0:1], temperature)
    mu_x, mu_y, log_x, log_y, rho = (x.gather(1, chosen) for x in mixture[1:6])
    radius = torch.sqrt(-2 * torch.log1p(-chance[:, 2:3]))
    angle = 2 * math.pi * chance[:, 3:4]
    first, second = radius * torch.cos(angle), radius * torch.sin(angle)
    across = rho * first + torch.sqrt(1 - rho.square()) * second
    spread = torch.sqrt(temperature)
    end = torch.arange(3, device=chance.device)[None] == PEN_END
    log_pen = mixture.log_pen - end * (1 - may_end) * _FORBIDDEN
    pen = _choose(log_pen, chance[:, 1:2], pen_temperature)
    pens = (torch.arange(3, device=chance.device)[None] == pen).to(chance.dtype)
    return torch.cat([mu_x + torch.exp(log_x) * spread * first, mu_y + torch.exp(log_y) * spread * across, pens], dim=1)


def _choose(log_probability: Tensor, chance: Tensor, temperature: Tensor) -> Tensor:
    """One of the columns for each row ``(n, 1)``, by its chance in [0, 1)."""
    logits = log_probability - log_probability.amax(dim=1, keepdim=True)
    cumulative = torch.cumsum(torch.exp(logits / temperature.clamp(min=_COLDEST)), dim=1)
    below = (cumulative <= chance * cumulative[:, -1:]).to(torch.int64).sum(dim=1, keepdim=True)
    return below.clamp(max=log_probability.shape[1] - 1)
