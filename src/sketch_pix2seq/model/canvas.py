"""The canvas: what the decoder imagines of the picture, and what it has drawn of it.

The published decoder must find in z, by additive gates alone, what lies around the pen. Here z is unfolded once into a
coarse picture of features; at each row the decoder reads it at the pen's place, beside a tally of the ink that it has
laid so far. Everything still comes from z, so a code alone is enough to draw. The features also have to predict the
pixels (compare the pixel decoder of RPCL-pix2seq), which teaches the encoder early.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.settings import ModelSettings

CELL = 4
"""Pixels of the raster a side of a cell."""
_SAMPLES = 4
"""Places along a segment at which its ink is tallied."""


class Canvas(nn.Module):
    """Features on a grid of ``grid x grid`` cells, each 4 x 4 pixels of the raster."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        channels = settings.canvas_channels
        self.grid = settings.raster.size // CELL
        self.size, self.pixels_per_unit = settings.raster.size, settings.raster.pixels_per_unit
        self.channels = channels
        coarse = self.grid // 2
        self.unfold = nn.Linear(settings.z_size, channels * coarse * coarse)
        self.convolutions = nn.ModuleList([nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2)])
        self.to_pixels = nn.Conv2d(channels, CELL * CELL, 1)

    @property
    def out_features(self) -> int:
        """Numbers a row: features and tally at the pen, its place, and the whole tally."""
        return self.channels + 1 + 2 + self.grid * self.grid

    def imagine(self, code: Tensor) -> Tensor:
        """Codes ``(n, z)`` -> features ``(n, channels, grid, grid)``."""
        x = self.unfold(code).unflatten(1, (self.channels, self.grid // 2, self.grid // 2))
        x = F.interpolate(F.silu(x), scale_factor=2.0, mode="nearest")
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        return x

    def pixels(self, features: Tensor) -> Tensor:
        """Logits of the ink ``(n, size, size)``."""
        return F.pixel_shuffle(self.to_pixels(features), CELL)[:, 0]

    def weights(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Bilinear weights ``(..., grid)`` down and across, of places ``(..., 2)`` in canvas units from the centre."""
        cell = (place * self.pixels_per_unit + ((self.size - 1) / 2 - (CELL - 1) / 2)) / CELL
        distance = (cell.unsqueeze(-1) - torch.arange(self.grid, device=place.device, dtype=place.dtype)).abs()
        hat = F.relu(1 - distance)
        return hat[..., 1, :], hat[..., 0, :]

    def tally(self, before: Tensor, after: Tensor, drawn: Tensor) -> Tensor:
        """Ink ``(n, grid * grid)`` that segments lay, in cell sides; drawn ``(n,)`` is 1 where the pen was down."""
        fractions = (torch.arange(_SAMPLES, device=before.device, dtype=before.dtype) + 0.5) / _SAMPLES
        places = before[:, None] + (after - before)[:, None] * fractions[None, :, None]
        down, across = self.weights(places)
        length = (after - before).square().sum(1).sqrt() * (self.pixels_per_unit / CELL / _SAMPLES) * drawn
        return torch.bmm((down * length[:, None, None]).transpose(1, 2), across).flatten(1)

    def look(self, features: Tensor, tally: Tensor, place: Tensor) -> Tensor:
        """What the decoder is told at a row ``(rows, out_features)``.

        features: ``(n, grid * grid, channels)``, with rows = n times any number in a leading time dimension of
        ``place`` ``(..., n, 2)`` and ``tally`` ``(..., n, grid * grid)``.
        """
        down, across = self.weights(place)
        at_pen = (down.unsqueeze(-1) * across.unsqueeze(-2)).flatten(-2)
        if at_pen.dim() == 2:
            seen = torch.bmm(at_pen[:, None], features)[:, 0]
        else:
            seen = torch.bmm(at_pen.transpose(0, 1), features).transpose(0, 1)
        laid = torch.tanh(tally)
        laid_here = (at_pen * laid).sum(-1, keepdim=True)
        return torch.cat([seen, laid_here, place / 128.0, laid], dim=-1)
