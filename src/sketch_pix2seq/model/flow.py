"""A flow over codes: the prior of the codes given a category and, for completion, the strokes that are there.

For completion it gives, behind the code, where the started strokes lie in the whole drawing: the started strokes are
encoded in their own bounds, since those of the whole are not known.

Beside the codes it knows how probable it is that nothing is missing in the strokes that are there.

Flow matching (Lipman et al. 2023) on the straight path x_t = (1 - t) x + t eps of rectified flow (Liu et al. 2023): the
network predicts v = eps - x, and codes are drawn by integrating from t = 1, noise, to t = 0. `drawing.flow` does so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.settings import FlowSettings
from sketch_pix2seq.sequence import FRAME

_FREQUENCIES = 32


class Flow(nn.Module):
    """v(x, t, category, partial): a residual MLP whose layers are modulated by what is told (compare adaLN, Peebles &
    Xie 2023). ``categories`` stands for "not told"."""

    TOLD = 192

    def __init__(self, z_size: int, categories: int, settings: FlowSettings) -> None:
        super().__init__()
        self.z_size, self.unknown, self.settings = z_size, categories, settings
        told, width = self.TOLD, settings.width
        self.inputs = nn.Linear(z_size + FRAME, width)
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, told), nn.SiLU(), nn.Linear(told, told))
        self.category = nn.Embedding(categories + 1, told)
        self.partial = nn.Sequential(nn.Linear(z_size + 1, told), nn.SiLU(), nn.Linear(told, told))
        self.blocks = nn.ModuleList(_Block(width, told, settings.dropout) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, z_size + FRAME)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.whole = nn.Sequential(nn.Linear(z_size + told, width), nn.SiLU(), nn.Dropout(0.3), nn.Linear(width, 1))
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, 6.9, _FREQUENCIES)), persistent=False)

    def forward(self, x: Tensor, t: Tensor, category: Tensor, partial: Tensor, started: Tensor) -> Tensor:
        """Velocities ``(n, z + FRAME)`` at x of the same shape, codes and frames, and times t ``(n, 1)`` in 0..1.

        category: ``(n,)`` int64. partial: code ``(n, z)`` of the strokes that are there; started ``(n, 1)``: 1 where
        there are any, 0 where a drawing begins from nothing.
        """
        angles = t * self.get_buffer("frequencies")
        told = self.time(torch.cat([angles.sin(), angles.cos()], dim=1)) + self.category(category)
        told = F.silu(told + self.partial(torch.cat([partial * started, started], dim=1)))
        h = self.inputs(x)
        for block in self.blocks:
            h = block(h, told)
        out: Tensor = self.out(self.norm(h))
        return out

    def finished(self, category: Tensor, partial: Tensor) -> Tensor:
        """Log odds ``(n,)`` that nothing is missing in drawings with the codes ``partial`` ``(n, z)``."""
        odds: Tensor = self.whole(torch.cat([partial, self.category(category)], dim=1))
        return odds[:, 0]


class _Block(nn.Module):
    def __init__(self, width: int, told: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(told, 3 * width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(told).chunk(3, dim=1)
        hidden = F.silu(self.up(self.norm(x) * (1 + scale) + shift))
        out: Tensor = x + gate * self.down(self.dropout(hidden))
        return out
