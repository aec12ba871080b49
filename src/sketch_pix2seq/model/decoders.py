"""Recurrent cores of the decoder: packed rows in, hidden states out, or one row at a time.

All three take the inputs that change from row to row apart from the code, which stays: its projection is computed
once a sequence. Rows are time-major packed (`data.batches.Batch`): at time t the first ``counts[t]`` sketches have one.
Recurrent dropout masks the candidate values (Semeniuta et al. 2016), as sketch-rnn does: with another mask at each row,
or with one for the whole sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.model.recurrence import lstm_sequence, masks_by_step
from sketch_pix2seq.model.settings import ModelSettings

State = tuple[Tensor, ...]


class Core(nn.Module):
    """What the three cores share.

    state_sizes: widths of the state's tensors; the first is the hidden state h that the output layer reads.
    """

    state_sizes: tuple[int, ...]
    constant_size: int

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.size, self.keep = settings.decoder_size, settings.recurrent_keep
        self.mask_each_row = settings.mask_each_row

    def constant(self, code: Tensor) -> Tensor:
        """The part of every step's input that depends on z alone, ``(n, constant_size)``."""
        raise NotImplementedError

    def step(self, inputs: Tensor, constant: Tensor, state: State) -> State:
        """One row: inputs ``(n, features)`` -> the next state. No dropout."""
        raise NotImplementedError

    def sequence(self, inputs: Tensor, constant: Tensor, state: State, counts: Sequence[int]) -> Tensor:
        """All rows ``(rows, features)`` -> hidden states ``(rows, size)``, with recurrent dropout in training."""
        masks = masks_by_step(self.dropout_mask(counts, constant.device), counts)
        outputs = []
        # Split at once: the gradient of a slice of all rows is as large as all rows, and there is one for every step.
        for step, rows in enumerate(torch.split(inputs, list(counts))):
            count = len(rows)
            if count < len(constant):
                constant, state = constant[:count], tuple(part[:count] for part in state)
            state = self._advance(rows, constant, state, None if masks is None else masks[step])
            outputs.append(state[0])
        return torch.cat(outputs)

    def dropout_mask(self, counts: Sequence[int], device: torch.device | str = "cpu") -> Tensor | None:
        """A mask, scaled so that means stay; None where nothing is dropped.

        ``(rows, size)`` with another mask for each row, ``(n, size)`` with one for each sequence.
        """
        if not self.training or self.keep >= 1:
            return None
        kept = torch.rand(sum(counts) if self.mask_each_row else counts[0], self.size, device=device) < self.keep
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


def _partly(linear: nn.Linear, inputs: Tensor) -> Tensor:
    """The layer on its first inputs: where the decoder attends to no picture, what it would read of one is left out."""
    return F.linear(inputs, linear.weight[:, : inputs.shape[1]])


class LSTMCore(Core):
    """A plain LSTM with forget bias 1; gates in the order i, f, o, g."""

    def __init__(self, inputs: int, code: int, settings: ModelSettings) -> None:
        super().__init__(settings)
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
        projected = _partly(self.from_input, inputs)
        h, c = state
        return lstm_sequence(projected, constant, self.weight, h, c, self.dropout_mask(counts, constant.device), counts)


class LayerNormLSTMCore(Core):
    """An LSTM with layer normalisation of each gate and of the cell (Ba et al. 2016), as sketch-rnn has it."""

    def __init__(self, inputs: int, code: int, settings: ModelSettings) -> None:
        super().__init__(settings)
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
        return _partly(self.from_input, inputs)

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
        return torch.cat([_partly(self.from_input, inputs), _partly(self.small_from_input, inputs)], dim=1)

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


def initial_state(values: Tensor, sizes: Sequence[int]) -> State:
    """tanh of the projected code, cut into the state's tensors."""
    return torch.split(torch.tanh(values), list(sizes), dim=1)
