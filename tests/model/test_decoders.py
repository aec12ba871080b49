"""Recurrent cores: the hand-written gradient, packed rows, and one row at a time against whole sequences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sketch_pix2seq.model.decoders import CORES, LSTMCore, initial_state
from sketch_pix2seq.model.encoders import SequenceEncoder
from sketch_pix2seq.model.recurrence import lstm_sequence
from sketch_pix2seq.model.settings import ModelSettings

COUNTS = [5, 5, 3, 2, 1]
SETTINGS = ModelSettings(decoder_size=7, hyper_size=5, hyper_embedding=3, canvas=False, z_size=6)


def plain_lstm(
    projected: Tensor, constant: Tensor, weight: Tensor, h: Tensor, c: Tensor, mask: Tensor | None, counts: list[int]
) -> Tensor:
    outputs, begin = [], 0
    for count in counts:
        gates = projected[begin : begin + count] + constant[:count] + h[:count] @ weight.t()
        i, f, o, g = gates.chunk(4, 1)
        candidate = torch.tanh(g) if mask is None else torch.tanh(g) * mask[:count]
        c = torch.sigmoid(f) * c[:count] + torch.sigmoid(i) * candidate
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
        begin += count
    return torch.cat(outputs)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("counts", [COUNTS, [4], [1, 1, 1]])
def test_hand_written_gradient_is_autograds(counts: list[int], dropout: bool) -> None:
    torch.manual_seed(0)
    n, size = counts[0], 7
    shapes = ((sum(counts), 4 * size), (n, 4 * size), (4 * size, size), (n, size), (n, size))
    inputs = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    mask = torch.bernoulli(torch.full((n, size), 0.8)) / 0.8 if dropout else None
    projected, constant, weight, h, c = inputs
    ours = lstm_sequence(projected, constant, weight, h, c, mask, counts)
    theirs = plain_lstm(projected, constant, weight, h, c, mask, counts)
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_lstm_is_torchs() -> None:
    torch.manual_seed(1)
    core = LSTMCore(4, 6, SETTINGS).eval()
    theirs = torch.nn.LSTM(4, 7)
    i, f, o, g = range(4)
    order = [i, f, g, o]  # torch's order of gates

    def reordered(weight: Tensor) -> Tensor:
        return torch.cat([weight.chunk(4)[k] for k in order])

    code = torch.randn(3, 6)
    with torch.no_grad():
        theirs.get_parameter("weight_ih_l0").copy_(reordered(core.from_input.weight))
        theirs.get_parameter("weight_hh_l0").copy_(reordered(core.weight))
        theirs.get_parameter("bias_hh_l0").zero_()
        theirs.get_parameter("bias_ih_l0").copy_(reordered(core.from_code.bias))
        core.from_code.weight.zero_()
        rows = torch.randn(6, 3, 4)
        state = (torch.randn(3, 7), torch.randn(3, 7))
        ours = core.sequence(rows.flatten(0, 1), core.constant(code), state, [3] * 6)
        expected, _ = theirs(rows, (state[0][None], state[1][None]))
    torch.testing.assert_close(ours.view(6, 3, 7), expected)


@pytest.mark.parametrize("counts", [COUNTS, [4], [1, 1, 1], [3, 3]])
def test_the_rnn_encoder_is_torchs_bidirectional_lstm(counts: list[int]) -> None:
    torch.manual_seed(2)
    encoder = SequenceEncoder(ModelSettings(encoder="rnn", encoder_size=6))
    weights = list(encoder.parameters())
    rows = torch.randn(sum(counts), 5)
    ours = encoder(rows, torch.tensor(counts))
    _, (hidden, _) = encoder.lstm(torch.nn.utils.rnn.PackedSequence(rows, torch.tensor(counts)))
    theirs = torch.cat([hidden[0], hidden[1]], dim=1)
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, weights, upstream), torch.autograd.grad(theirs, weights, upstream), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", list(CORES))
def test_row_by_row_equals_whole_sequences(kind: str) -> None:
    torch.manual_seed(2)
    core = CORES[kind](4, 6, SETTINGS).eval()
    code = torch.randn(5, 6)
    state = initial_state(torch.randn(5, sum(core.state_sizes)), core.state_sizes)
    rows = torch.randn(sum(COUNTS), 4)
    with torch.no_grad():
        whole = core.sequence(rows, core.constant(code), state, COUNTS)
        outputs, begin = [], 0
        for count in COUNTS:
            state = core.step(rows[begin : begin + count], core.constant(code)[:count], tuple(s[:count] for s in state))
            outputs.append(state[0])
            begin += count
    torch.testing.assert_close(whole, torch.cat(outputs))


@pytest.mark.parametrize("kind", list(CORES))
def test_dropout_acts_in_training_only_and_every_weight_learns(kind: str) -> None:
    torch.manual_seed(3)
    core = CORES[kind](4, 6, SETTINGS)
    code, rows = torch.randn(5, 6), torch.randn(sum(COUNTS), 4)

    def output() -> Tensor:
        state = initial_state(torch.zeros(5, sum(core.state_sizes)), core.state_sizes)
        return core.sequence(rows, core.constant(code), state, COUNTS)

    assert not torch.equal(output(), output())
    core.eval()
    assert torch.equal(output(), output())
    core.train()
    torch.autograd.backward(output().square().sum())
    for name, parameter in core.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
