"""Encoders: a sketch -> a feature vector, from which two linear heads make mu and log variance of z."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.recurrence import backwards, last_rows, lstm_sequence
from sketch_pix2seq.model.settings import ModelSettings


class NoEncoder(nn.Module):
    """In an encoder's place where there is none: no features."""

    out_features = 0

    def forward(self, ink: Tensor) -> Tensor:
        """Anything of n sketches -> ``(n, 0)``."""
        return ink.new_zeros(ink.shape[0], 0)


class PaperEncoder(nn.Module):
    """The CNN of sketch-pix2seq (Chen et al. 2017): six 2x2 convolutions, "same" padding, tanh after the last."""

    CHANNELS = (4, 4, 8, 8, 8, 8)
    STRIDES = (2, 1, 2, 1, 2, 1)

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        widths = (1, *self.CHANNELS)
        steps = zip(pairwise(widths), self.STRIDES, strict=True)
        convolutions = [nn.Conv2d(a, b, 2, stride) for (a, b), stride in steps]
        for convolution in convolutions:
            # TensorFlow's default, in which the paper's models were trained. With PyTorch's, the picture is a hundredth
            # of what the biases give, and hundreds of steps later training has not noticed that there is one.
            nn.init.xavier_uniform_(convolution.weight)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        self.convolutions = nn.ModuleList(convolutions)
        self.high_pass = settings.high_pass
        kernel = torch.full((1, 1, 3, 3), -1.0)
        kernel[0, 0, 1, 1] = 8.0
        self.register_buffer("kernel", kernel, persistent=False)
        self.out_features = self.CHANNELS[-1] * (settings.raster.size // 8) ** 2

    def forward(self, ink: Tensor) -> Tensor:
        """Ink ``(n, 1, size, size)`` in 0..1 -> features ``(n, out_features)``."""
        x = ink
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
    """sketch-rnn's bidirectional LSTM over the stroke-5 rows; the features are its two last states."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, settings.encoder_size, bidirectional=True)
        self.out_features = 2 * settings.encoder_size

    def forward(self, rows: Tensor, counts: Tensor) -> Tensor:
        """Packed stroke-5 rows ``(rows, 5)`` with ``counts`` ``(time,)`` -> features ``(n, out_features)``."""
        if rows.is_cuda:
            _, (hidden, _) = self.lstm(nn.utils.rnn.PackedSequence(rows, counts.cpu()))
            return torch.cat([hidden[0], hidden[1]], dim=1)
        last, steps = last_rows(counts), counts.tolist()
        forward = self._last(rows, last, steps, "l0")
        return torch.cat([forward, self._last(rows[backwards(counts)], last, steps, "l0_reverse")], dim=1)

    def _last(self, rows: Tensor, last: Tensor, counts: Sequence[int], name: str) -> Tensor:
        """The last states ``(n, size)`` of one direction; on a CPU less than half of the time of PyTorch's own."""

        def gates(kind: str) -> Tensor:
            i, f, g, o = getattr(self.lstm, f"{kind}_{name}").chunk(4)
            return torch.cat([i, f, o, g])

        constant = (gates("bias_ih") + gates("bias_hh")).expand(len(last), -1)
        begin = rows.new_zeros(len(last), self.lstm.hidden_size)
        projected = F.linear(rows, gates("weight_ih"))
        return lstm_sequence(projected, constant, gates("weight_hh"), begin, begin, None, counts)[last]
