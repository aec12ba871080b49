"""The canvas: ink is tallied where it was laid, and the window shows what lies around the pen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sketch_pix2seq.model.canvas import CELL, STEP, Canvas, Glimpsed
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.raster import RasterSpec, render, shades_of
from sketch_pix2seq.sketch import Sketch

SETTINGS = ModelSettings(z_size=8, canvas_channels=8)


def canvas() -> Canvas:
    torch.manual_seed(0)
    return Canvas(SETTINGS).eval()


def unit(pixels: float) -> float:
    """Pixels as canvas units."""
    return pixels / RasterSpec().pixels_per_unit


def test_the_tally_is_the_length_of_the_line_in_cells() -> None:
    before, after = torch.tensor([[-60.0, 20.0], [10.0, 0.0]]), torch.tensor([[40.0, -30.0], [10.0, 50.0]])
    laid = canvas().tally(before, after, torch.tensor([1.0, 0.0]))
    assert laid.shape == (2, 25 * 25)
    length = float((after - before)[0].norm()) * RasterSpec().pixels_per_unit / CELL
    torch.testing.assert_close(laid.sum(1), torch.tensor([length, 0.0]))


def test_the_cells_tally_has_bilinear_weights() -> None:
    """The sum over the nodes with weights 1/2, 1, 1/2 is the tally of a grid twice as coarse."""
    c = canvas()
    place = torch.tensor([[[13.0, -41.0]]])
    tally = torch.zeros(1, 1, 625)
    laid_at = torch.tensor([[-33.0, 57.0]])
    tally[0] = c.tally(laid_at, laid_at + torch.tensor([[1e-3, 0.0]]), torch.ones(1)) * 1e3
    looked = c.look(torch.zeros(1, 144, 8), torch.zeros(1, 48, 48), None, tally, place)
    cells = torch.atanh(looked[0, 0, 11 : 11 + 144]).view(12, 12) / (RasterSpec().pixels_per_unit / CELL)
    centre = (torch.arange(12) * CELL + 1.5).double()
    at = laid_at.double()[0] * RasterSpec().pixels_per_unit + 23.5
    expected = (1 - (at[1] - centre).abs() / CELL).clamp(0)[:, None] * (1 - (at[0] - centre).abs() / CELL).clamp(0)
    torch.testing.assert_close(cells.double(), expected, atol=2e-3, rtol=0)


def test_the_window_shows_the_picture_around_the_pen() -> None:
    c = canvas()
    ink = render(
        Sketch((np.array([[0, 0], [255, 0], [255, 255], [0, 255], [0, 0]]), np.array([[60, 60], [90, 80]]))),
        RasterSpec(),
    )
    pixels = torch.from_numpy(ink.astype(np.float32) / 255)[None]
    pen = torch.tensor([[[unit(-9.0), unit(-12.0)]]])
    nodes = c.tally(torch.tensor([[unit(-9.0), unit(-12.0)]]), torch.tensor([[unit(-9.0), unit(-6.0)]]), torch.ones(1))
    window = c._window(pixels, nodes.view(1, 1, 25, 25), pen, c.get_buffer("places"))[0, 0].view(2, 11, 11)
    for row, down in enumerate((np.arange(11) - 5) * STEP):
        for column, across in enumerate((np.arange(11) - 5) * STEP):
            y, x = 23.5 - 12 + down, 23.5 - 9 + across
            y0, x0 = int(np.floor(y)), int(np.floor(x))
            corners = pixels[0, y0 : y0 + 2, x0 : x0 + 2]
            fy, fx = y - y0, x - x0
            weights = torch.tensor([[(1 - fy) * (1 - fx), (1 - fy) * fx], [fy * (1 - fx), fy * fx]])
            assert abs(float(window[0, row, column]) - float((corners * weights).sum())) < 1e-4
    laid = window[1]
    assert float(laid[5:10, 4:7].mean()) > 5 * float(laid[:4].mean())  # below the pen, not above


@pytest.mark.parametrize(("window", "glimpse", "overview"), [(11, 0, 0), (0, 0, 0), (11, 13, 0), (11, 5, 15)])
def test_drawing_sees_what_training_looks_at(window: int, glimpse: int, overview: int) -> None:
    """`see` and `look` tell the same, on the picture, at its edge and far outside."""
    torch.manual_seed(0)
    c = Canvas(replace(SETTINGS, canvas_window=window, glimpse=glimpse, overview=overview)).eval()
    n = 200
    features, pixels = torch.randn(n, 144, 8), torch.rand(n, 48, 48)
    glimpsed = Glimpsed(torch.rand(n, 48, 48) * 2 - 1, torch.rand(n, 625) * 3) if glimpse else None
    tally, place = torch.rand(n, 625) * 3, torch.randn(n, 2) * 100
    place[:4] = torch.tensor([[0.0, 0.0], [unit(22.0), unit(22.0)], [unit(-23.5), unit(-22.0)], [-9000.0, 9000.0]])
    looked = c.look(features, pixels, glimpsed, tally[None], place[None])[0]
    assert looked.shape[1] == c.out_features
    torch.testing.assert_close(c.see(features, pixels, glimpsed, tally, place), looked, atol=1e-5, rtol=1e-5)


def test_what_is_left_is_the_picture_less_what_is_laid() -> None:
    """A line that is drawn where the picture has it leaves nothing; one elsewhere takes nothing away."""
    torch.manual_seed(0)
    c = Canvas(replace(SETTINGS, glimpse=5)).eval()
    lines = (np.array([[0, 20], [255, 60]]), np.array([[30, 255], [200, 230]]))
    ink = torch.from_numpy(shades_of(render(Sketch(tuple(line.astype(np.float32) for line in lines)), RasterSpec())))
    _, glimpsed = c.behold(torch.zeros(1, 8, 12, 12), ink[None])
    tallies = [torch.zeros(625)]
    for line in lines:
        ends = torch.from_numpy(line - np.array([127.5, 137.5]))[:, None].float()
        tallies.append(tallies[-1] + c.tally(ends[0], ends[1], torch.ones(1))[0])
    lengths = [F.conv2d(t.view(1, 1, 25, 25), c.get_buffer("hat"), padding=1).flatten() for t in tallies]
    left = [float(c._left(F.relu(glimpsed.ink - length))[1]) * c.grid for length in lengths]
    one, other = (float(np.hypot(*np.diff(line, axis=0).T).sum()) * unit(1) ** -1 / CELL for line in lines)
    assert left[0] == pytest.approx(one + other, rel=0.1)
    assert left[1] == pytest.approx(other, rel=0.2)
    assert left[2] < 0.15 * left[0]


def test_the_overview_shows_where_ink_is_left() -> None:
    """A dot stands in the overview where it stands from the pen, until it is drawn."""
    torch.manual_seed(0)
    c = Canvas(replace(SETTINGS, glimpse=5, overview=15)).eval()
    c.condense_overview = torch.nn.Identity()  # type: ignore[assignment]
    pen, dot = np.array([-6.0, 9.0]), np.array([3.0, -6.0])  # three places to the right, five up
    ink = torch.zeros(1, 48, 48)
    ink[0, 17:19, 26:28] = 0.5  # around 23.5 + dot
    _, glimpsed = c.behold(torch.zeros(1, 8, 12, 12), ink)
    place = torch.from_numpy(unit(1.0) * pen)[None].float()
    there = torch.from_numpy(unit(1.0) * dot)[None].float()

    def overview(tally: Tensor) -> Tensor:
        told = c.see(torch.zeros(1, 144, 8), torch.zeros(1, 48, 48), glimpsed, tally, place)
        return told[0, -225:].view(15, 15)

    seen = overview(torch.zeros(1, 625)).detach()
    assert divmod(int(seen.argmax()), 15) == (7 - 5, 7 + 3)
    drawn = overview(c.tally(there, there, torch.ones(1))).detach()
    assert float(drawn.sum()) < 0.5 * float(seen.sum())
    assert c.tally(there, there, torch.zeros(1)).sum() == 0


def test_without_a_window_the_canvas_tells_less() -> None:
    plain = Canvas(ModelSettings(z_size=8, canvas_channels=8, canvas_window=0))
    tally, place = torch.zeros(2, 1, 625), torch.zeros(2, 1, 2)
    looked = plain.look(torch.zeros(1, 144, 8), torch.zeros(1, 48, 48), None, tally, place)
    assert looked.shape == (2, 1, plain.out_features) == (2, 1, 8 + 1 + 2 + 144)


def test_the_window_does_not_teach_the_pixels() -> None:
    """The imagined pixels learn from the picture alone; what looks at them learns to read them."""
    from sketch_pix2seq.model.network import Network
    from sketch_pix2seq.sequence import SequenceSpec
    from tests.model.test_network import batch_of

    network = Network(ModelSettings(z_size=8, encoder_size=64, decoder_size=16, mixtures=2), SequenceSpec("centre", 30))
    sketch = Sketch((np.array([[0, 0], [100, 50], [255, 255]], np.float32),))
    losses = network(batch_of([sketch], network.sequence))
    (losses.offset + losses.pen).backward()
    assert network.canvas is not None
    assert network.canvas.to_pixels.weight.grad is None
    assert network.canvas.condense is not None
    assert network.canvas.condense.weight.grad is not None
