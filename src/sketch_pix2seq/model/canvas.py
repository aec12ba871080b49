"""The canvas: the picture that the decoder predicts from the code, and what it has drawn of it so far.

The published decoder must find in z, by additive gates alone, what lies around the pen. Here the condition is unfolded
once into features on a grid, which must also predict the pixels of the picture (compare the pixel decoder of
RPCL-pix2seq). At each row the decoder reads the features at the pen's place and a window of the predicted picture
around the pen, beside the ink that it has drawn. Everything comes from the condition, so a code alone is enough to
draw.

Where a picture is to be followed, the decoder attends to it, too: to its features beside the predicted ones, to a
window of it around the pen (compare the glimpses of Mnih et al. 2014, "Recurrent Models of Visual Attention"), and to
the residual, the ink of the picture that is not drawn yet.
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
NODE = 2
"""Pixels between two nodes of the drawn ink."""
WINDOW, WINDOW_STEP = 11, 1.25
"""Side, in places, of the window on the predicted picture, and pixels between two places."""
GLIMPSE = 13
"""Side, in pixels, of the window on the picture itself."""
OVERVIEW, OVERVIEW_STEP = 15, 3.0
"""Side, in places, of the window on the residual, and pixels between two places."""
_WINDOW_FEATURES, _GLIMPSE_FEATURES, _RESIDUAL_FEATURES, _OVERVIEW_FEATURES = 64, 96, 64, 64
"""Numbers that each of the windows, and the whole residual, are condensed to."""
_SAMPLES = 16
"""Places along a segment at which its ink is laid."""


class Attended(NamedTuple):
    """Pictures that the decoder attends to, as `Canvas.attend` gives them."""

    picture: Tensor
    """``(n, size, size)`` in -1..1; 0 everywhere where there is none."""
    ink: Tensor
    """Length of the lines around each node, in cell sides, ``(n, nodes * nodes)``."""
    there: Tensor
    """``(n, 1)``: 1 where there is a picture, 0 elsewhere."""


class Canvas(nn.Module):
    """Features on a grid of ``grid x grid`` cells, each 4 x 4 pixels, and drawn ink on ``nodes x nodes`` points."""

    def __init__(self, settings: ModelSettings, condition: int) -> None:
        """condition: numbers that features are unfolded from."""
        super().__init__()
        channels = settings.canvas_channels
        self.size, self.pixels_per_unit = settings.raster.size, settings.raster.pixels_per_unit
        self.grid, self.nodes = self.size // CELL, self.size // NODE + 1
        self.channels = channels
        self.unfold = nn.Linear(condition, channels * (self.grid // 2) ** 2)
        self.convolutions = nn.ModuleList([nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2)])
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1), nn.SiLU(), nn.Conv2d(channels, channels, 3, 1, 1)
        )
        self.to_pixels = nn.Conv2d(channels, CELL * CELL, 1)
        self.condense_window = nn.Linear(2 * WINDOW * WINDOW, _WINDOW_FEATURES)
        self.attends = settings.attend > 0
        self.out_features = channels + 1 + 2 + self.grid**2 + _WINDOW_FEATURES
        self.attended_features = 0
        if self.attends:
            self.attended_features = _GLIMPSE_FEATURES + _RESIDUAL_FEATURES + 1 + _OVERVIEW_FEATURES
            self.picture_features = PictureFeatures(channels)
            self.condense_glimpse = nn.Linear(2 * GLIMPSE * GLIMPSE, _GLIMPSE_FEATURES)
            self.condense_residual = nn.Linear(self.grid**2, _RESIDUAL_FEATURES)
            self.condense_overview = nn.Linear(OVERVIEW * OVERVIEW, _OVERVIEW_FEATURES)
            pool = 1 - (torch.arange(2 * CELL) - (CELL - 0.5)).abs() / CELL
            self.register_buffer("pool", (pool[:, None] * pool)[None, None], persistent=False)
            self.ink_per_cell = CELL * ink_of_a_line(settings.raster)
        for name, side, step in (
            ("window_places", WINDOW, WINDOW_STEP),
            ("glimpse_places", GLIMPSE, 1.0),
            ("overview_places", OVERVIEW, OVERVIEW_STEP),
        ):
            places = (torch.arange(side) - (side - 1) / 2) * step
            self.register_buffer(name, torch.cartesian_prod(places, places).flip(1), persistent=False)
        hat = torch.tensor([0.5, 1.0, 0.5])
        self.register_buffer("hat", (hat[:, None] * hat)[None, None], persistent=False)
        middles = torch.arange(self.nodes)
        self.register_buffer("around", F.relu(1 - (middles[:, None] - middles).abs() / NODE), persistent=False)

    def predict(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Conditions ``(n, c)`` -> features ``(n, channels, grid, grid)`` and logits of the ink ``(n, size, size)``."""
        x = self.unfold(condition).unflatten(1, (self.channels, self.grid // 2, self.grid // 2))
        x = F.interpolate(F.silu(x), scale_factor=2.0, mode="nearest")
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        x = x + self.refine(x)
        return x, F.pixel_shuffle(self.to_pixels(x), CELL)[:, 0]

    def attend(self, features: Tensor, picture: Tensor) -> tuple[Tensor, Attended]:
        """Predicted features with those of the pictures themselves added, and the pictures as `read` wants them.

        features: ``(n, channels, grid, grid)``; picture: ``(n, size, size)`` in 0..1, without ink where there is none.
        """
        there = (picture.flatten(1).amax(dim=1, keepdim=True) > 0).to(picture.dtype)
        ink = F.conv2d(picture[:, None], self.get_buffer("pool"), stride=NODE, padding=CELL) / self.ink_per_cell
        attended = Attended((2 * picture - 1) * there[..., None], ink.flatten(1), there)
        return features + self.picture_features(picture[:, None]) * there[..., None, None], attended

    def ink(self, before: Tensor, after: Tensor, drawn: Tensor) -> Tensor:
        """Ink ``(n, nodes * nodes)`` that segments lay, in cell sides; drawn ``(n,)`` is 1 where the pen was down.

        before, after: ``(n, 2)`` places in canvas units from the centre.
        """
        fractions = (torch.arange(_SAMPLES, device=before.device, dtype=before.dtype) + 0.5) / _SAMPLES
        places = before[:, None] + (after - before)[:, None] * fractions[None, :, None]
        # The nodes begin half a pixel outside, so that those of the cells are every second one.
        down, across = _hats((self._pixel(places) + 0.5) / NODE, self.nodes)
        length = (after - before).square().sum(1).sqrt() * self.pixels_per_unit
        length = length.clamp(min=1.0) * (drawn / CELL / _SAMPLES)  # the renderer's dots are a pixel long
        return torch.bmm((down * length[:, None, None]).transpose(1, 2), across).flatten(1)

    def read(self, features: Tensor, pixels: Tensor, attended: Attended | None, drawn: Tensor, place: Tensor) -> Tensor:
        """What the decoder reads at each of ``time`` rows of n drawings.

        Gives ``(time, n, out_features)``, with ``attended_features`` more where it attends to pictures.

        features: ``(n, channels, grid, grid)``; pixels: ``(n, size, size)`` in 0..1; attended: from `attend`, or None;
        drawn: ink ``(time, n, nodes * nodes)``; place: ``(time, n, 2)`` in canvas units from the centre.
        """
        cells = features.flatten(2).transpose(1, 2).float()
        down, across = _hats((self._pixel(place) - (CELL - 1) / 2) / CELL, self.grid)
        at_pen = (down.unsqueeze(-1) * across.unsqueeze(-2)).flatten(-2)
        seen = torch.bmm(at_pen.transpose(0, 1), cells).transpose(0, 1)
        nodes = drawn.flatten(0, 1).view(-1, 1, self.nodes, self.nodes)
        around = F.conv2d(nodes, self.get_buffer("hat"), padding=1)
        laid = torch.tanh(around[:, 0, 1::2, 1::2].flatten(1)).view(*drawn.shape[:2], -1)
        window = self._window(pixels, nodes, place, self.get_buffer("window_places"))
        own = [seen, (at_pen * laid).sum(-1, keepdim=True), place / 128.0, laid]
        own.append(F.silu(self.condense_window(window)))
        if attended is not None:
            window = self._window(attended.picture, nodes, place, self.get_buffer("glimpse_places"))
            residual = F.relu(attended.ink - around.view(*drawn.shape[:2], -1))
            at = (self._pixel(place).unsqueeze(2) + self.get_buffer("overview_places")).flatten(0, 1)[:, None]
            grids = residual.view(-1, 1, self.nodes, self.nodes)
            overview = _sampled(grids, (at + 0.5) * (2 / NODE / (self.nodes - 1)) - 1).view(*drawn.shape[:2], -1)
            own += [part * attended.there for part in self._read_attended(window, residual, overview)]
        return torch.cat(own, dim=-1)

    def read_row(
        self, cells: Tensor, pixels: Tensor, attended: Attended | None, drawn: Tensor, place: Tensor
    ) -> Tensor:
        """`read` at one row, as it is fastest in drawing, and in ONNX Runtime, which samples slowly.

        cells: features ``(n, grid * grid, channels)``; drawn: ``(n, nodes * nodes)``; place: ``(n, 2)``.
        """
        at = ((self._pixel(place) - (CELL - 1) / 2) / CELL).unsqueeze(-1)
        near = at.floor() + torch.arange(2, device=at.device, dtype=at.dtype)
        inside = near.clamp(0, self.grid - 1)
        across, down = ((1 - (at - near).abs()) * (near == inside)).unbind(1)
        column, row = inside.to(torch.int64).unbind(1)
        first = torch.arange(len(place), device=at.device)[:, None, None] * (self.grid * self.grid)
        four = (first + row[:, :, None] * self.grid + column[:, None]).flatten(1)
        weights = (down[:, :, None] * across[:, None]).flatten(1)[:, None]
        nodes = drawn.view(-1, self.nodes, self.nodes)
        to_around = self.get_buffer("around")
        around = to_around @ (nodes @ to_around)
        laid = torch.tanh(around[:, 1::2, 1::2].flatten(1))
        seen = torch.bmm(weights, cells.flatten(0, 1)[four])[:, 0]
        window = self._window_of_one(pixels, nodes, place, self.get_buffer("window_places")[:WINDOW, :1])
        own = [seen, (weights[:, 0] * laid.flatten()[four]).sum(-1, keepdim=True), place / 128.0, laid]
        own.append(F.silu(self.condense_window(window)))
        if attended is not None:
            ticks = self.get_buffer("glimpse_places")[:GLIMPSE, :1]
            window = self._window_of_one(attended.picture, nodes, place, ticks)
            residual = F.relu(attended.ink - around.flatten(1))
            at = self._pixel(place).unsqueeze(1) + self.get_buffer("overview_places")[:OVERVIEW, :1]
            down, across = _hats((at + 0.5) / NODE, self.nodes)
            overview = down @ residual.view(-1, self.nodes, self.nodes) @ across.transpose(1, 2)
            own += [part * attended.there for part in self._read_attended(window, residual, overview.flatten(1))]
        return torch.cat(own, dim=-1)

    def _read_attended(self, window: Tensor, residual: Tensor, overview: Tensor) -> list[Tensor]:
        in_cells = residual.view(*residual.shape[:-1], self.nodes, self.nodes)[..., 1::2, 1::2].flatten(-2)
        return [
            F.silu(self.condense_glimpse(window)),
            F.silu(self.condense_residual(in_cells)),
            in_cells.sum(dim=-1, keepdim=True) / self.grid,
            F.silu(self.condense_overview(overview)),
        ]

    def _window(self, pixels: Tensor, nodes: Tensor, place: Tensor, places: Tensor) -> Tensor:
        """Pixels and drawn ink at places around the pen ``(time, n, 2 side^2)``."""
        time, n = place.shape[:2]
        around = self._pixel(place).unsqueeze(2) + places
        picture = _sampled(pixels[:, None], around.transpose(0, 1) * (2 / (self.size - 1)) - 1)
        laid = _sampled(nodes, (around + 0.5).view(time * n, 1, -1, 2) * (2 / NODE / (self.nodes - 1)) - 1)
        return torch.cat([picture[:, 0].transpose(0, 1), torch.tanh(laid).view(time, n, -1)], dim=-1)

    def _window_of_one(self, pixels: Tensor, nodes: Tensor, place: Tensor, ticks: Tensor) -> Tensor:
        """`_window` at one row ``(n, 2 side^2)``, nodes ``(n, nodes, nodes)``."""
        around = self._pixel(place).unsqueeze(1) + ticks
        down, across = _hats(around, self.size)
        picture = down @ pixels @ across.transpose(1, 2)
        down, across = _hats((around + 0.5) / NODE, self.nodes)
        laid = down @ nodes @ across.transpose(1, 2)
        return torch.cat([picture.flatten(1), torch.tanh(laid).flatten(1)], dim=1)

    def _pixel(self, place: Tensor) -> Tensor:
        """Places in canvas units from the centre, as pixels of the raster."""
        return place * self.pixels_per_unit + (self.size - 1) / 2


class PictureFeatures(nn.Module):
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
        features: Tensor = self.out(x + self.around(x))
        return features


def _hats(at: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Bilinear weights ``(..., count)`` down and across of places ``(..., 2)`` given in nodes of a grid."""
    distance = (at.unsqueeze(-1) - torch.arange(count, device=at.device, dtype=at.dtype)).abs()
    hat = F.relu(1 - distance)
    return hat[..., 1, :], hat[..., 0, :]


def _sampled(picture: Tensor, at: Tensor) -> Tensor:
    return F.grid_sample(picture, at, "bilinear", "zeros", align_corners=True)
