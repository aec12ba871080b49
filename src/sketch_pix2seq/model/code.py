"""The code between encoder and decoder: scaled to unit variance, noised in training, joined with what else is told."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

_SHARE_CLEAN = 0.3
"""Share of the training sketches whose code is not noised."""
_MOMENTUM = 0.01
"""Weight of a batch in the running statistics of the codes."""


class UnitCode(nn.Module):
    """Features -> codes whose every number has mean 0 and variance 1 over the training drawings.

    The statistics are running ones in training too: those of a batch would hide its length, since batches hold drawings
    of one length. The weights are normalised (Salimans & Kingma 2016): otherwise the encoder outruns the statistics by
    growing, to be heard above the noise.
    """

    def __init__(self, features: int, z_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(z_size, features))
        self.register_buffer("mean", torch.zeros(z_size))
        self.register_buffer("variance", torch.ones(z_size))
        self.register_buffer("batches", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(n, f)`` -> codes ``(n, z)``, float32."""
        projected = F.linear(features, F.normalize(self.weight, dim=1)).float()
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        if self.training and self.weight.requires_grad:  # a frozen encoder keeps its codes
            with torch.no_grad():
                batches = self.get_buffer("batches")
                batches += 1
                weight = (1 / batches).clamp(min=_MOMENTUM)
                mean.lerp_(_batch_mean(projected), weight)
                variance.lerp_(_batch_mean((projected - mean).square()), weight)
        return (projected - mean) * torch.rsqrt(variance + 1e-6)


def _batch_mean(values: Tensor) -> Tensor:
    """Mean over the first axis, of all processes together."""
    mean = values.mean(dim=0)
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(mean)
        mean /= distributed.get_world_size()
    return mean


class Condition(nn.Module):
    """What the decoder draws from: the code, the noise level in it, and the category.

    A small residual network joins them once a sketch, since what a noised code means depends on level and category.
    """

    HIDDEN = 512

    def __init__(self, z_size: int, categories: int, embedding: int) -> None:
        super().__init__()
        self.unknown = categories
        self.category = nn.Embedding(categories + 1, embedding)
        nn.init.normal_(self.category.weight, std=0.3)
        self.out_features = z_size + self.HIDDEN // 2
        self.join = nn.Sequential(
            nn.Linear(z_size + 1 + embedding, self.HIDDEN), nn.SiLU(), nn.Linear(self.HIDDEN, self.HIDDEN // 2)
        )

    def forward(self, code: Tensor, level: Tensor, category: Tensor) -> Tensor:
        """Codes ``(n, z)``, levels ``(n,)`` and categories ``(n,)`` int64 (`unknown` where not told) -> ``(n, c)``."""
        told = torch.cat([code, 4 * level[:, None], self.category(category)], dim=1)
        return torch.cat([code, F.silu(self.join(told))], dim=1)


def noised(code: Tensor, level: Tensor, noise: Tensor | None = None) -> Tensor:
    """``(1 - s) z + s eps`` at levels ``(n,)``: the path of rectified flow (Liu et al. 2023), told to the decoder
    (noise conditioning augmentation, Ho et al. 2022)."""
    noise = torch.randn_like(code) if noise is None else noise
    return (1 - level[:, None]) * code + level[:, None] * noise


def random_levels(n: int, highest: float, device: torch.device | str) -> Tensor:
    """Levels ``(n,)`` as they are in training: 0 for some sketches, else uniform up to the highest."""
    levels = torch.rand(n, device=device) * highest
    return levels * (torch.rand(n, device=device) >= _SHARE_CLEAN)
