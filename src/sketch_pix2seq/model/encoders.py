"""Encoders: a sketch -> a feature vector, from which two linear heads make mu and log variance of z."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.decoders import LSTMCore
from sketch_pix2seq.model.recurrence import backwards, last_rows
from sketch_pix2seq.model.settings import ModelSettings


class NoEncoder(nn.Module):
    """In an encoder's place where there is none: no features."""

    out_features = 0

    def forward(self, ink: Tensor) -> Tensor:
        """Anything of n sketches -> ``(n, 0)``."""
        return ink.new_zeros(ink.shape[0], 0)


class PaperEncoder(nn.Module):
    """The CNN of sketch-pix2seq (Chen et al. 2017): six 2x2 convolutions without biases, tanh after the last.

    The fast twin of `reference.CNNEncoder`, in which a reader finds the same on half a screen.
    """

    CHANNELS = (4, 4, 8, 8, 8, 8)
    STRIDES = (2, 1, 2, 1, 2, 1)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        widths = (1, *self.CHANNELS)
        steps = zip(pairwise(widths), self.STRIDES, strict=True)
        convolutions = [nn.Conv2d(a, b, 2, stride, bias=False) for (a, b), stride in steps]
        for convolution in convolutions:
            # As published. With PyTorch's own first weights training does not notice for long that there is a picture.
            nn.init.normal_(convolution.weight, std=math.sqrt(2 / (2 * 2 * convolution.out_channels)))
        self.convolutions = nn.ModuleList(convolutions)
        self.high_pass = settings.high_pass
        kernel = torch.full((1, 1, 3, 3), -1.0)
        kernel[0, 0, 1, 1] = 8.0
        self.register_buffer("kernel", kernel, persistent=False)
        self.out_features = self.CHANNELS[-1] * (settings.raster.size // 8) ** 2

    def forward(self, ink: Tensor) -> Tensor:
        """Ink ``(n, 1, size, size)`` in 0..1 -> features ``(n, out_features)``. The CNN sees 0..255, paper white."""
        x = 255 * (1 - ink)
        if self.high_pass:
            x = F.conv2d(x, self.get_buffer("kernel"), padding=1)
        last = len(self.convolutions) - 1
        for index, convolution in enumerate(self.convolutions):
            # TensorFlow's "same" padding of an even kernel: one more on the right and below.
            x = convolution(F.pad(x, (0, 1, 0, 1)) if self.STRIDES[index] == 1 else x)
            x = torch.tanh(x) if index == last else F.relu(x)
        return x.flatten(1)


class DeepEncoder(nn.Module):
    """3x3 convolutions with group normalisation, halving the side four times, one residual block at 1/8.

    The features are those at 1/16 and, fewer but finer, those at 1/8: small parts are lost in the last halving.
    """

    FINE = 32

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        top = settings.encoder_size
        widths = (1, top // 8, top // 4, top // 2, top)
        self.stages = nn.ModuleList(_Stage(a, b) for a, b in pairwise(widths))
        self.residual = nn.Sequential(_Stage(top // 2, top // 2, 1), nn.Conv2d(top // 2, top // 2, 3, 1, 1))
        self.fine = nn.Conv2d(top // 2, self.FINE, 1)
        self.out_features = (top + 4 * self.FINE) * (settings.raster.size // 16) ** 2

    def forward(self, ink: Tensor) -> Tensor:
        """Ink ``(n, 1, size, size)`` in 0..1 -> features ``(n, out_features)``."""
        x = ink
        for stage in self.stages[:3]:
            x = stage(x)
        x = x + self.residual(x)
        return torch.cat([self.stages[3](x).flatten(1), F.silu(self.fine(x)).flatten(1)], dim=1)


class _Stage(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.GroupNorm(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.silu(self.norm(self.convolution(x)))
        return out


class SequenceEncoder(nn.Module):
    """sketch-rnn's bidirectional LSTM over the stroke-5 rows; the features are its two last states.

    End rows are not read. Like the decoder, both directions have recurrent dropout in training.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        size = replace(settings, decoder_size=settings.encoder_size)
        self.directions = nn.ModuleList(LSTMCore(5, 0, size) for _ in range(2))  # along the rows, and back
        self.out_features = 2 * settings.encoder_size

    def forward(self, rows: Tensor, counts: Tensor) -> Tensor:
        """Packed stroke-5 rows ``(rows, 5)`` with ``counts`` ``(time,)`` -> features ``(n, out_features)``.

        Sketches are in the order of their lengths without end rows, the longest first. One of end rows alone has zeros.
        """
        n = int(counts[0])
        times = torch.repeat_interleave(torch.arange(len(counts)), counts)
        inside = rows[:, 4].cpu() == 0
        counts, rows = torch.bincount(times[inside]), rows[inside.to(rows.device)]
        if not len(rows):
            return rows.new_zeros(n, self.out_features)
        last, orders = last_rows(counts), (torch.arange(len(rows)), backwards(counts))
        constant, zeros = rows.new_zeros(len(last), 0), rows.new_zeros(len(last), self.out_features // 2)
        states = []
        for core, order in zip(self.directions, orders, strict=True):
            assert isinstance(core, LSTMCore)
            hidden = core.sequence(rows[order], core.constant(constant), (zeros, zeros), counts.tolist())
            states.append(hidden[last])
        return F.pad(torch.cat(states, dim=1), (0, 0, 0, n - len(last)))
