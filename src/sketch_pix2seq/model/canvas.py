"""The canvas: what the decoder imagines of the picture, and what it has drawn of it.

The published decoder must find in z, by additive gates alone, what lies around the pen. Here z is unfolded once into a
coarse picture of features, which must also predict the pixels (compare the pixel decoder of RPCL-pix2seq). At each row
the decoder reads the features at the pen's place, beside a tally of the ink that it has laid so far, and looks at the
imagined pixels and the laid ink through a window around the pen. Everything comes from z, so a code alone is enough to
draw.

Where there is a picture, a decoder with a glimpse looks at it, too, while it draws: at the picture itself through a
window around the pen (compare the glimpses of Mnih et al. 2014, "Recurrent Models of Visual Attention"), at features
of it beside the imagined ones, and at how much ink is left to draw in each cell; with an overview, also at how much is
left around the pen, from which it knows how far away the next stroke begins. z says what is drawn, the glimpse where
the lines are, and whether all of them are there.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.raster import ink_of_a_line

CELL = 4
"""Pixels of the raster a side of a cell of features."""
FINE = 2
"""Pixels between two nodes of the tally."""
STEP = 1.25
"""Pixels between two places of the window."""
WINDOW_FEATURES = 64
"""Numbers that the window is condensed to."""
GLIMPSE_FEATURES = 96
"""Numbers that the window on the picture itself is condensed to."""
LEFT_FEATURES = 64
"""Numbers that the ink which is left to draw is condensed to."""
OVERVIEW_STEP = 3.0
"""Pixels between two places of the overview."""
OVERVIEW_FEATURES = 64
"""Numbers that the overview is condensed to."""
_SAMPLES, _SAMPLES_LEFT = 4, 16
"""Places along a segment at which its ink is tallied; more where it is held against the ink of the picture, in which a
long line is not to leave gaps."""


class Glimpsed(NamedTuple):
    """Pictures that the decoder looks at, as `Canvas.behold` gives them."""

    picture: Tensor
    """``(n, size, size)`` in -1..1; 0 everywhere where there is none."""
    ink: Tensor
    """The lines around each node of the tally, as far as in a cell, in cell sides, ``(n, nodes * nodes)``."""


class Canvas(nn.Module):
    """Features on a grid of ``grid x grid`` cells, each 4 x 4 pixels, and a tally on ``nodes x nodes`` points."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        channels = settings.canvas_channels
        self.grid = settings.raster.size // CELL
        self.nodes = settings.raster.size // FINE + 1
        self.size, self.pixels_per_unit = settings.raster.size, settings.raster.pixels_per_unit
        self.channels, self.side = channels, settings.canvas_window
        coarse = self.grid // 2
        self.unfold = nn.Linear(settings.z_size, channels * coarse * coarse)
        self.convolutions = nn.ModuleList([nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2)])
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.SiLU(), nn.Conv2d(channels, channels, 3, 1, 1)
        )
        self.to_pixels = nn.Conv2d(channels, CELL * CELL, 1)
        self.condense = nn.Linear(2 * self.side * self.side, WINDOW_FEATURES) if self.side else None
        self.glimpse_side = settings.glimpse
        if self.glimpse_side:
            self.eye = Eye(channels)
            self.condense_glimpse = nn.Linear(2 * self.glimpse_side**2, GLIMPSE_FEATURES)
            self.condense_left = nn.Linear(self.grid * self.grid, LEFT_FEATURES)
            pool = 1 - (torch.arange(2 * CELL) - (CELL - 0.5)).abs() / CELL
            self.register_buffer("pool", (pool[:, None] * pool)[None, None], persistent=False)
            self.ink_per_cell = CELL * ink_of_a_line(settings.raster)
        self.overview_side = settings.overview
        if self.overview_side:
            self.condense_overview = nn.Linear(self.overview_side**2, OVERVIEW_FEATURES)
        for name, side, step in (
            ("places", self.side, STEP),
            ("glimpse_places", self.glimpse_side, 1.0),
            ("overview_places", self.overview_side, OVERVIEW_STEP),
        ):
            places = (torch.arange(side) - (side - 1) / 2) * step
            self.register_buffer(name, torch.cartesian_prod(places, places).flip(1), persistent=False)
        hat = torch.tensor([0.5, 1.0, 0.5])
        self.register_buffer("hat", (hat[:, None] * hat)[None, None], persistent=False)
        middles = torch.arange(self.nodes)
        self.register_buffer("around", F.relu(1 - (middles[:, None] - middles).abs() / FINE), persistent=False)

    @property
    def out_features(self) -> int:
        """Numbers a row: features and tally at the pen, its place, the whole tally, and the windows."""
        windows = WINDOW_FEATURES if self.side else 0
        if self.glimpse_side:
            windows += GLIMPSE_FEATURES + LEFT_FEATURES + 1
        if self.overview_side:
            windows += OVERVIEW_FEATURES
        return self.channels + 1 + 2 + self.grid * self.grid + windows

    def imagine(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Codes ``(n, z)`` -> features ``(n, channels, grid, grid)`` and logits of the ink ``(n, size, size)``."""
        x = self.unfold(code).unflatten(1, (self.channels, self.grid // 2, self.grid // 2))
        x = F.interpolate(F.silu(x), scale_factor=2.0, mode="nearest")
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        x = x + self.refine(x)
        return x, F.pixel_shuffle(self.to_pixels(x), CELL)[:, 0]

    def tally(self, before: Tensor, after: Tensor, drawn: Tensor) -> Tensor:
        """Ink ``(n, nodes * nodes)`` that segments lay, in cell sides; drawn ``(n,)`` is 1 where the pen was down.

        before, after: ``(n, 2)`` places in canvas units from the centre.
        """
        samples = _SAMPLES_LEFT if self.glimpse_side else _SAMPLES
        fractions = (torch.arange(samples, device=before.device, dtype=before.dtype) + 0.5) / samples
        places = before[:, None] + (after - before)[:, None] * fractions[None, :, None]
        # The nodes begin half a pixel outside, so that those of the cells are every second one.
        down, across = _hats((self._pixel(places) + 0.5) / FINE, self.nodes)
        length = (after - before).square().sum(1).sqrt() * self.pixels_per_unit
        if self.glimpse_side:
            length = length.clamp(min=1.0)  # the renderer's dots are a pixel long
        length = length * (drawn / CELL / samples)
        return torch.bmm((down * length[:, None, None]).transpose(1, 2), across).flatten(1)

    def behold(self, features: Tensor, picture: Tensor) -> tuple[Tensor, Glimpsed]:
        """Imagined features with those of the pictures themselves added, and the pictures as `look` wants them.

        features: ``(n, channels, grid, grid)``; picture: ``(n, size, size)`` in 0..1, without ink where there is none.
        """
        there = (picture.flatten(1).amax(dim=1) > 0).to(picture.dtype)[:, None, None]
        ink = F.conv2d(picture[:, None], self.get_buffer("pool"), stride=FINE, padding=CELL) / self.ink_per_cell
        glimpsed = Glimpsed((2 * picture - 1) * there, ink.flatten(1))
        return features + self.eye(picture[:, None]) * there[..., None], glimpsed

    def look(self, features: Tensor, pixels: Tensor, glimpsed: Glimpsed | None, tally: Tensor, place: Tensor) -> Tensor:
        """What the decoder is told at each of ``time`` rows of n drawings ``(time, n, out_features)``.

        features: ``(n, grid * grid, channels)``; pixels: ``(n, size, size)`` in 0..1; glimpsed: from `behold`, None
        without a glimpse; tally: ``(time, n, nodes * nodes)``; place: ``(time, n, 2)`` in canvas units from the centre.
        """
        down, across = _hats((self._pixel(place) - (CELL - 1) / 2) / CELL, self.grid)
        at_pen = (down.unsqueeze(-1) * across.unsqueeze(-2)).flatten(-2)
        seen = torch.bmm(at_pen.transpose(0, 1), features).transpose(0, 1)
        nodes = tally.flatten(0, 1).view(-1, 1, self.nodes, self.nodes)
        around = F.conv2d(nodes, self.get_buffer("hat"), padding=1)
        laid = torch.tanh(around[:, 0, 1::2, 1::2].flatten(1)).view(*tally.shape[:2], -1)
        told = [seen, (at_pen * laid).sum(-1, keepdim=True), place / 128.0, laid]
        if self.condense is not None:
            window = self._window(pixels, nodes, place, self.get_buffer("places"))
            told.append(F.silu(self.condense(window)))
        if glimpsed is not None:
            window = self._window(glimpsed.picture, nodes, place, self.get_buffer("glimpse_places"))
            left = F.relu(glimpsed.ink - around.view(*tally.shape[:2], -1))
            told += [F.silu(self.condense_glimpse(window)), *self._left(left)]
            if self.overview_side:
                at = (self._pixel(place).unsqueeze(2) + self.get_buffer("overview_places")).flatten(0, 1)[:, None]
                grids = left.view(-1, 1, self.nodes, self.nodes)
                seen = _sampled(grids, (at + 0.5) * (2 / FINE / (self.nodes - 1)) - 1)
                told.append(F.silu(self.condense_overview(seen.view(*tally.shape[:2], -1))))
        return torch.cat(told, dim=-1)

    def see(self, features: Tensor, pixels: Tensor, glimpsed: Glimpsed | None, tally: Tensor, place: Tensor) -> Tensor:
        """`look` at one row ``(n, out_features)``, as it is fastest in drawing; tally ``(n, nodes * nodes)``, place
        ``(n, 2)``.

        Where all rows of a drawing are known they share one product with its features; here the four cells at the pen
        are read.
        """
        at = ((self._pixel(place) - (CELL - 1) / 2) / CELL).unsqueeze(-1)
        near = at.floor() + torch.arange(2, device=at.device, dtype=at.dtype)
        inside = near.clamp(0, self.grid - 1)
        across, down = ((1 - (at - near).abs()) * (near == inside)).unbind(1)
        column, row = inside.to(torch.int64).unbind(1)
        cells = torch.arange(len(place), device=at.device)[:, None, None] * (self.grid * self.grid)
        cells = (cells + row[:, :, None] * self.grid + column[:, None]).flatten(1)
        weights = (down[:, :, None] * across[:, None]).flatten(1)[:, None]
        nodes = tally.view(-1, self.nodes, self.nodes)
        to_around = self.get_buffer("around")
        around = to_around @ (nodes @ to_around)
        laid = torch.tanh(around[:, 1::2, 1::2].flatten(1))
        seen = torch.bmm(weights, features.flatten(0, 1)[cells])[:, 0]
        told = [seen, (weights[:, 0] * laid.flatten()[cells]).sum(-1, keepdim=True), place / 128.0, laid]
        if self.condense is not None:
            window = self._window_of_one(pixels, nodes, place, self.get_buffer("places")[: self.side, :1])
            told.append(F.silu(self.condense(window)))
        if glimpsed is not None:
            ticks = self.get_buffer("glimpse_places")[: self.glimpse_side, :1]
            window = self._window_of_one(glimpsed.picture, nodes, place, ticks)
            left = F.relu(glimpsed.ink - around.flatten(1))
            told += [F.silu(self.condense_glimpse(window)), *self._left(left)]
            if self.overview_side:
                at = self._pixel(place).unsqueeze(1) + self.get_buffer("overview_places")[: self.overview_side, :1]
                down, across = _hats((at + 0.5) / FINE, self.nodes)
                seen = down @ left.view(-1, self.nodes, self.nodes) @ across.transpose(1, 2)
                told.append(F.silu(self.condense_overview(seen.flatten(1))))
        return torch.cat(told, dim=-1)

    def _left(self, left: Tensor) -> tuple[Tensor, Tensor]:
        """Lines that are left to draw ``(..., nodes * nodes)``, condensed, and how long they are in all."""
        in_cells = left.view(*left.shape[:-1], self.nodes, self.nodes)[..., 1::2, 1::2].flatten(-2)
        return F.silu(self.condense_left(in_cells)), in_cells.sum(dim=-1, keepdim=True) / self.grid

    def _window(self, pixels: Tensor, nodes: Tensor, place: Tensor, places: Tensor) -> Tensor:
        """Pixels and laid ink at places around the pen ``(time, n, 2 side^2)``."""
        time, n = place.shape[:2]
        around = self._pixel(place).unsqueeze(2) + places
        imagined = _sampled(pixels[:, None], around.transpose(0, 1) * (2 / (self.size - 1)) - 1)
        laid = _sampled(nodes, (around + 0.5).view(time * n, 1, -1, 2) * (2 / FINE / (self.nodes - 1)) - 1)
        return torch.cat([imagined[:, 0].transpose(0, 1), torch.tanh(laid).view(time, n, -1)], dim=-1)

    def _window_of_one(self, pixels: Tensor, nodes: Tensor, place: Tensor, ticks: Tensor) -> Tensor:
        """`_window` at one row ``(n, 2 side^2)``, nodes ``(n, nodes, nodes)``; ONNX Runtime is slow at sampling."""
        around = self._pixel(place).unsqueeze(1) + ticks
        down, across = _hats(around, self.size)
        imagined = down @ pixels @ across.transpose(1, 2)
        down, across = _hats((around + 0.5) / FINE, self.nodes)
        laid = down @ nodes @ across.transpose(1, 2)
        return torch.cat([imagined.flatten(1), torch.tanh(laid).flatten(1)], dim=1)

    def _pixel(self, place: Tensor) -> Tensor:
        """Places in canvas units from the centre, as pixels of the raster."""
        return place * self.pixels_per_unit + (self.size - 1) / 2


class Eye(nn.Module):
    """Pictures ``(n, 1, size, size)`` in 0..1 -> features ``(n, channels, size / 4, size / 4)``, at first all zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 32, 3, 2, 1), nn.SiLU(), nn.Conv2d(32, channels, 3, 2, 1), nn.SiLU())
        self.around = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.SiLU(), nn.Conv2d(channels, channels, 3, 1, 1), nn.SiLU()
        )
        self.out = nn.Conv2d(channels, channels, 3, 1, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, picture: Tensor) -> Tensor:
        x = self.down(picture)
        seen: Tensor = self.out(x + self.around(x))
        return seen


def _hats(at: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Bilinear weights ``(..., count)`` down and across of places ``(..., 2)`` given in nodes of a grid."""
    distance = (at.unsqueeze(-1) - torch.arange(count, device=at.device, dtype=at.dtype)).abs()
    hat = F.relu(1 - distance)
    return hat[..., 1, :], hat[..., 0, :]


def _sampled(picture: Tensor, at: Tensor) -> Tensor:
    return F.grid_sample(picture, at, "bilinear", "zeros", align_corners=True)
