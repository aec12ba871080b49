"""Recurrent cores of the decoder: packed rows in, hidden states out, or one row at a time.

All three take the inputs that change from row to row apart from the code, which stays: its projection is computed
once a sequence. Rows are time-major packed (`data.batches.Batch`): at time t the first ``counts[t]`` sketches have one.
Recurrent dropout masks the candidate values (Semeniuta et al. 2016), as sketch-rnn does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.settings import ModelSettings

State = tuple[Tensor, ...]


class Core(nn.Module):
    """What the three cores share.

    state_sizes: widths of the state's tensors; the first is the hidden state h that the output layer reads.
    """

    state_sizes: tuple[int, ...]
    constant_size: int

    def __init__(self, size: int, keep: float) -> None:
        super().__init__()
        self.size, self.keep = size, keep

    def constant(self, code: Tensor) -> Tensor:
        """The part of every step's input that depends on z alone, ``(n, constant_size)``."""
        raise NotImplementedError

    def step(self, inputs: Tensor, constant: Tensor, state: State) -> State:
        """One row: inputs ``(n, features)`` -> the next state. No dropout."""
        raise NotImplementedError

    def sequence(self, inputs: Tensor, constant: Tensor, state: State, counts: Sequence[int]) -> Tensor:
        """All rows ``(rows, features)`` -> hidden states ``(rows, size)``, with recurrent dropout in training."""
        mask = self.dropout_mask(constant)
        outputs = []
        # Split at once: the gradient of a slice of all rows is as large as all rows, and there is one for every step.
        for rows in torch.split(inputs, list(counts)):
            count = len(rows)
            if count < len(constant):
                constant, state = constant[:count], tuple(part[:count] for part in state)
            state = self._advance(rows, constant, state, None if mask is None else mask[:count])
            outputs.append(state[0])
        return torch.cat(outputs)

    def dropout_mask(self, like: Tensor) -> Tensor | None:
        """A mask ``(n, size)`` for the whole sequence, scaled so that means stay; None where nothing is dropped."""
        if not self.training or self.keep >= 1:
            return None
        kept = torch.rand(len(like), self.size, device=like.device) < self.keep
        return kept.float() / self.keep

    def _advance(self, inputs: Tensor, constant: Tensor, state: State, mask: Tensor | None) -> State:
        raise NotImplementedError


class CodeLinear(nn.Linear):
    """A linear layer on the code. Of a code without numbers it gives its bias alone, the same for every drawing."""

    def reset_parameters(self) -> None:
        """As in `nn.Linear`; without numbers in the code there are no weights."""
        if self.in_features:
            super().reset_parameters()
            return
        del self.weight
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Codes ``(n, z)`` -> ``(n, out_features)``."""
        if self.in_features:
            return super().forward(input)
        same = input.new_zeros(input.shape[0], self.out_features)
        return same if self.bias is None else same + self.bias


class LSTMCore(Core):
    """A plain LSTM with forget bias 1; gates in the order i, f, o, g."""

    def __init__(self, inputs: int, code: int, settings: ModelSettings) -> None:
        super().__init__(settings.decoder_size, settings.recurrent_keep)
        self.state_sizes = (self.size, self.size)
        self.constant_size = 4 * self.size
        self.from_input = nn.Linear(inputs, 4 * self.size, bias=False)
        self.from_code = CodeLinear(code, 4 * self.size)
        self.weight = nn.Parameter(torch.empty(4 * self.size, self.size))
        for part in self.weight.data.chunk(4):
            nn.init.orthogonal_(part)
        nn.init.xavier_uniform_(self.from_input.weight)
        if code:
            nn.init.xavier_uniform_(self.from_code.weight)
        nn.init.zeros_(self.from_code.bias)
        self.from_code.bias.data[self.size : 2 * self.size] = 1.0

    def constant(self, code: Tensor) -> Tensor:
        out: Tensor = self.from_code(code)
        return out

    def step(self, inputs: Tensor, constant: Tensor, state: State) -> State:
        h, c = state
        gates = torch.addmm(torch.addmm(constant, inputs, self.from_input.weight.t()), h, self.weight.t())
        i, f, o, g = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def sequence(self, inputs: Tensor, constant: Tensor, state: State, counts: Sequence[int]) -> Tensor:
        projected = self.from_input(inputs)
        h, c = state
        return lstm_sequence(projected, constant, self.weight, h, c, self.dropout_mask(constant), counts)


class LayerNormLSTMCore(Core):
    """An LSTM with layer normalisation of each gate and of the cell (Ba et al. 2016), as sketch-rnn has it."""

    def __init__(self, inputs: int, code: int, settings: ModelSettings) -> None:
        super().__init__(settings.decoder_size, settings.recurrent_keep)
        self.state_sizes = (self.size, self.size)
        self.constant_size = 4 * self.size
        self.from_input = nn.Linear(inputs, 4 * self.size, bias=False)
        self.from_code = CodeLinear(code, 4 * self.size, bias=False)
        self.from_hidden = nn.Linear(self.size, 4 * self.size, bias=False)
        for part in self.from_hidden.weight.data.chunk(4):
            nn.init.orthogonal_(part)
        self.gate_norm = GateNorm(4, self.size)
        self.gate_norm.bias.data[1] = 1.0
        self.cell_norm = nn.LayerNorm(self.size)

    def constant(self, code: Tensor) -> Tensor:
        out: Tensor = self.from_code(code)
        return out

    def step(self, inputs: Tensor, constant: Tensor, state: State) -> State:
        return self._advance(self._projected(inputs), constant, state, None)

    def sequence(self, inputs: Tensor, constant: Tensor, state: State, counts: Sequence[int]) -> Tensor:
        return super().sequence(self._projected(inputs), constant, state, counts)

    def _projected(self, inputs: Tensor) -> Tensor:
        """The part of the gates that depends on the inputs alone, for any number of rows at once."""
        out: Tensor = self.from_input(inputs)
        return out

    def _advance(self, inputs: Tensor, constant: Tensor, state: State, mask: Tensor | None) -> State:
        h, c = state
        return self._gated(inputs + constant + self.from_hidden(h), c, mask)

    def _gated(self, gates: Tensor, c: Tensor, mask: Tensor | None) -> State:
        i, f, o, g = self.gate_norm(gates).unbind(1)
        candidate = torch.tanh(g) if mask is None else torch.tanh(g) * mask
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * candidate
        return torch.sigmoid(o) * torch.tanh(self.cell_norm(c)), c


class HyperLSTMCore(LayerNormLSTMCore):
    """HyperLSTM (Ha, Dai & Le 2016): a small LSTM sets, at each row, the scale of each gate's weights and its bias."""

    def __init__(self, inputs: int, code: int, settings: ModelSettings) -> None:
        super().__init__(inputs, code, settings)
        small, embedding = settings.hyper_size, settings.hyper_embedding
        self.small = small
        self.state_sizes = (self.size, self.size, small, small)
        self.constant_size = 4 * self.size + 4 * small
        self.small_from_input = nn.Linear(inputs, 4 * small, bias=False)
        self.small_from_code = CodeLinear(code, 4 * small, bias=False)
        self.small_from_hidden = nn.Linear(self.size + small, 4 * small, bias=False)
        self.small_norm = GateNorm(4, small)
        self.small_norm.bias.data[1] = 1.0
        self.small_cell_norm = nn.LayerNorm(small)
        self.embed_input = nn.Linear(small, 4 * embedding)
        self.embed_hidden = nn.Linear(small, 4 * embedding)
        self.embed_bias = nn.Linear(small, 4 * embedding, bias=False)
        for layer in (self.embed_input, self.embed_hidden):
            nn.init.zeros_(layer.weight)
            nn.init.ones_(layer.bias)
        nn.init.normal_(self.embed_bias.weight, std=0.01)
        self.scale_input = nn.Parameter(torch.full((4, embedding, self.size), 0.1 / embedding))
        self.scale_hidden = nn.Parameter(torch.full((4, embedding, self.size), 0.1 / embedding))
        self.shift = nn.Parameter(torch.zeros(4, embedding, self.size))

    def constant(self, code: Tensor) -> Tensor:
        return torch.cat([self.from_code(code), self.small_from_code(code)], dim=1)

    def _projected(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.from_input(inputs), self.small_from_input(inputs)], dim=1)

    def _advance(self, inputs: Tensor, constant: Tensor, state: State, mask: Tensor | None) -> State:
        h, c, small_h, small_c = state
        x, small_x = torch.split(inputs + constant, [4 * self.size, 4 * self.small], dim=1)
        i, f, o, g = self.small_norm(small_x + self.small_from_hidden(torch.cat([h, small_h], dim=1))).unbind(1)
        small_c = torch.sigmoid(f) * small_c + torch.sigmoid(i) * torch.tanh(g)
        small_h = torch.sigmoid(o) * torch.tanh(self.small_cell_norm(small_c))
        gates = (
            _scaled(self.embed_input(small_h), self.scale_input) * x.view(-1, 4, self.size)
            + _scaled(self.embed_hidden(small_h), self.scale_hidden) * self.from_hidden(h).view(-1, 4, self.size)
            + _scaled(self.embed_bias(small_h), self.shift)
        )
        return (*self._gated(gates.flatten(1), c, mask), small_h, small_c)


class GateNorm(nn.Module):
    """Layer normalisation of each gate apart, ``(n, gates * size)`` -> ``(n, gates, size)``."""

    def __init__(self, gates: int, size: int) -> None:
        super().__init__()
        self.gates, self.size = gates, size
        self.gain = nn.Parameter(torch.ones(gates, size))
        self.bias = nn.Parameter(torch.zeros(gates, size))

    def forward(self, x: Tensor) -> Tensor:
        normal = F.layer_norm(x.view(-1, self.gates, self.size), (self.size,))
        return normal * self.gain + self.bias


def _scaled(embedding: Tensor, weight: Tensor) -> Tensor:
    """Embeddings ``(n, gates * e)`` times ``(gates, e, size)`` -> ``(n, gates, size)``."""
    return torch.einsum("nge,ges->ngs", embedding.view(len(embedding), len(weight), -1), weight)


CORES: dict[str, type[LSTMCore] | type[LayerNormLSTMCore] | type[HyperLSTMCore]] = {
    "lstm": LSTMCore,
    "layer_norm": LayerNormLSTMCore,
    "hyper": HyperLSTMCore,
}


def lstm_sequence(
    projected: Tensor,
    constant: Tensor,
    weight: Tensor,
    h: Tensor,
    c: Tensor,
    mask: Tensor | None,
    counts: Sequence[int],
) -> Tensor:
    """Hidden states ``(rows, size)`` of an LSTM over packed rows; the pointwise part in float32.

    projected: ``(rows, 4 size)`` inputs times weights, in the precision that the matrix products are to run in;
    constant: ``(n, 4 size)`` added at every row; weight: ``(4 size, size)``; gates in the order i, f, o, g;
    mask: ``(n, size)`` on the candidate values. The gradient is written out by hand, so that the weights' gradient is
    one large matrix product instead of one a time step.
    """
    out = cast("Any", _LSTMSequence).apply(projected, constant, weight, h, c, mask, tuple(counts))
    return cast("Tensor", out)


class _LSTMSequence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        constant: Tensor,
        weight: Tensor,
        h0: Tensor,
        c0: Tensor,
        mask: Tensor | None,
        counts: tuple[int, ...],
    ) -> Tensor:
        size = weight.shape[1]
        precision = projected.dtype
        rows = projected.shape[0]
        wide = weight.to(precision).t()
        gates = torch.empty(rows, 4 * size, device=weight.device)
        cells = torch.empty(rows, size, device=weight.device)
        tanh_cells = torch.empty_like(cells)
        hidden = torch.empty(rows, size, dtype=precision, device=weight.device)
        constant32 = constant.float()
        h, c = h0.to(precision), c0.float()
        begin = 0
        for count in counts:
            now = slice(begin, begin + count)
            gate = gates[now]
            torch.add(constant32[:count], torch.addmm(projected[now], h[:count], wide), out=gate)
            candidate = gate[:, 3 * size :]
            candidate.mul_(2)
            gate.sigmoid_()
            candidate.mul_(2).sub_(1)  # tanh(x) = 2 sigmoid(2 x) - 1, and sigmoid is several times as fast
            i, f, o, g = gate.chunk(4, dim=1)
            cell = torch.mul(i, g, out=cells[now])
            if mask is not None:
                cell.mul_(mask[:count])
            cell.addcmul_(f, c[:count])
            tanh_cell = torch.mul(cell, 2, out=tanh_cells[now]).sigmoid_().mul_(2).sub_(1)
            hidden[now] = o * tanh_cell
            h, c = hidden[now], cell
            begin += count
        ctx.save_for_backward(weight, h0, c0, mask, gates, cells, tanh_cells, hidden)
        ctx.counts, ctx.precision, ctx.dtypes = counts, precision, (constant.dtype, h0.dtype, c0.dtype)
        return hidden

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, h0, c0, mask, gates, cells, tanh_cells, hidden = ctx.saved_tensors
        counts, precision = ctx.counts, ctx.precision
        size, n = weight.shape[1], len(h0)
        narrow = weight.to(precision)
        out = gradients[0]
        d_gates = torch.empty(gates.shape, dtype=precision, device=weight.device)
        d_constant = torch.zeros(n, 4 * size, device=weight.device)
        d_h = torch.zeros(n, size, device=weight.device)
        d_c = torch.zeros(n, size, device=weight.device)
        end = len(gates)
        for step in range(len(counts) - 1, -1, -1):
            count = counts[step]
            now = slice(end - count, end)
            if step:
                begin = end - count - counts[step - 1]
                c_before = cells[begin : begin + count]
            else:
                c_before = c0.float()
            i, f, o, g = gates[now].chunk(4, dim=1)
            dh = d_h[:count] + out[now]
            dc = d_c[:count]
            tanh_c = tanh_cells[now]
            dc.addcmul_(dh * o, 1 - tanh_c * tanh_c)
            part = torch.empty(count, 4 * size, device=weight.device)
            di, df, do, dg = part.chunk(4, dim=1)
            masked = dc if mask is None else dc * mask[:count]
            torch.mul(masked * g, i * (1 - i), out=di)
            torch.mul(dc * c_before, f * (1 - f), out=df)
            torch.mul(dh * tanh_c, o * (1 - o), out=do)
            torch.mul(masked * i, 1 - g * g, out=dg)
            d_constant[:count] += part
            d_gates[now] = part
            d_h[:count] = d_gates[now] @ narrow
            dc.mul_(f)
            end -= count
        previous = _previous_hidden(hidden, h0.to(precision), counts)
        d_weight = (d_gates.t() @ previous).to(weight.dtype)
        constant_type, h_type, c_type = ctx.dtypes
        return d_gates, d_constant.to(constant_type), d_weight, d_h.to(h_type), d_c.to(c_type), None, None


def _previous_hidden(hidden: Tensor, h0: Tensor, counts: Sequence[int]) -> Tensor:
    """For each row the hidden state before it."""
    parts = [h0[: counts[0]]]
    begin = 0
    for now, following in pairwise(counts):
        parts.append(hidden[begin : begin + following])
        begin += now
    return torch.cat(parts)


def initial_state(values: Tensor, sizes: Sequence[int]) -> State:
    """tanh of the projected code, cut into the state's tensors."""
    return torch.split(torch.tanh(values), list(sizes), dim=1)
