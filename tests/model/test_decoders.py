"""Recurrent cores: the hand-written gradient, packed rows, and one row at a time against whole sequences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sketch_pix2seq.model.decoders import CORES, LSTMCore, initial_state
from sketch_pix2seq.model.encoders import SequenceEncoder
from sketch_pix2seq.model.recurrence import lstm_sequence
from sketch_pix2seq.model.settings import ModelSettings

COUNTS = [5, 5, 3, 2, 1]
PLAIN = {"canvas": False, "attend": 0.0, "unit_code": False, "noise": 0.0, "category_size": 0}
SETTINGS = ModelSettings(decoder_size=7, hyper_size=5, hyper_embedding=3, z_size=6, **PLAIN)  # type: ignore[arg-type]


def plain_lstm(
    projected: Tensor, constant: Tensor, weight: Tensor, h: Tensor, c: Tensor, mask: Tensor | None, counts: list[int]
) -> Tensor:
    outputs, begin = [], 0
    for count in counts:
        gates = projected[begin : begin + count] + constant[:count] + h[:count] @ weight.t()
        i, f, o, g = gates.chunk(4, 1)
        kept = None if mask is None else mask[begin : begin + count] if len(mask) == sum(counts) else mask[:count]
        candidate = torch.tanh(g) if kept is None else torch.tanh(g) * kept
        c = torch.sigmoid(f) * c[:count] + torch.sigmoid(i) * candidate
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
        begin += count
    return torch.cat(outputs)


def torchs_order(weight: Tensor) -> Tensor:
    """Gates i, f, o, g in PyTorch's order i, f, g, o."""
    i, f, o, g = weight.chunk(4)
    return torch.cat([i, f, g, o])


@pytest.mark.parametrize("dropout", ["", "sequence", "row"])
@pytest.mark.parametrize("counts", [COUNTS, [4], [1, 1, 1]])
def test_hand_written_gradient_is_autograds(counts: list[int], dropout: str) -> None:
    torch.manual_seed(0)
    n, size = counts[0], 7
    shapes = ((sum(counts), 4 * size), (n, 4 * size), (4 * size, size), (n, size), (n, size))
    inputs = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    mask = torch.bernoulli(torch.full((sum(counts) if dropout == "row" else n, size), 0.8)) / 0.8 if dropout else None
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
    code = torch.randn(3, 6)
    with torch.no_grad():
        theirs.get_parameter("weight_ih_l0").copy_(torchs_order(core.from_input.weight))
        theirs.get_parameter("weight_hh_l0").copy_(torchs_order(core.weight))
        theirs.get_parameter("bias_hh_l0").zero_()
        theirs.get_parameter("bias_ih_l0").copy_(torchs_order(core.from_code.bias))
        core.from_code.weight.zero_()
        rows = torch.randn(6, 3, 4)
        state = (torch.randn(3, 7), torch.randn(3, 7))
        ours = core.sequence(rows.flatten(0, 1), core.constant(code), state, [3] * 6)
        expected, _ = theirs(rows, (state[0][None], state[1][None]))
    torch.testing.assert_close(ours.view(6, 3, 7), expected)


@pytest.mark.parametrize("end_rows", [0, 1, 3])
@pytest.mark.parametrize("counts", [COUNTS, [4], [1, 1, 1], [3, 3]])
def test_the_rnn_encoder_is_torchs_bidirectional_lstm_and_reads_no_end_row(counts: list[int], end_rows: int) -> None:
    torch.manual_seed(2)
    encoder = SequenceEncoder(ModelSettings(encoder="rnn", encoder_size=6, **PLAIN)).eval()  # type: ignore[arg-type]
    theirs = torch.nn.LSTM(5, 6, bidirectional=True)
    with torch.no_grad():
        for core, name in zip(encoder.directions, ("l0", "l0_reverse"), strict=True):
            assert isinstance(core, LSTMCore)
            torch.nn.init.normal_(core.from_code.bias)
            for kind, value in (("ih", core.from_input.weight), ("hh", core.weight)):
                theirs.get_parameter(f"weight_{kind}_{name}").copy_(torchs_order(value))
            theirs.get_parameter(f"bias_ih_{name}").copy_(torchs_order(core.from_code.bias))
            theirs.get_parameter(f"bias_hh_{name}").zero_()
    lengths = [sum(count > k for count in counts) for k in range(counts[0])]
    sketches = [torch.cat([torch.randn(length, 4), torch.zeros(length, 1)], dim=1) for length in lengths]
    end = torch.tensor([[0.0, 0, 0, 0, 1]]).expand(end_rows, 5)
    packed = torch.nn.utils.rnn.pack_sequence([torch.cat([sketch, end]) for sketch in sketches])
    ours = encoder(packed.data, packed.batch_sizes)
    _, (hidden, _) = theirs(torch.nn.utils.rnn.pack_sequence(sketches))
    expected = torch.cat([hidden[0], hidden[1]], dim=1)
    torch.testing.assert_close(ours, expected)
    upstream = torch.randn_like(ours)
    cores = [core for core in encoder.directions if isinstance(core, LSTMCore)]
    mine = [p for core in cores for p in (core.from_input.weight, core.weight, core.from_code.bias)]
    torchs = [
        theirs.get_parameter(f"{kind}_{name}")
        for name in ("l0", "l0_reverse")
        for kind in ("weight_ih", "weight_hh", "bias_ih")
    ]
    gradients = torch.autograd.grad(ours, mine, upstream), torch.autograd.grad(expected, torchs, upstream)
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(torchs_order(a), b, rtol=1e-4, atol=1e-5)


def test_the_rnn_encoder_gives_zeros_for_a_sketch_of_end_rows() -> None:
    encoder = SequenceEncoder(ModelSettings(encoder="rnn", encoder_size=6, **PLAIN)).eval()  # type: ignore[arg-type]
    end = torch.tensor([[0.0, 0, 0, 0, 1]])
    packed = torch.nn.utils.rnn.pack_sequence([torch.cat([torch.tensor([[1.0, 2, 0, 1, 0]]), end]), end])
    features = encoder(packed.data, packed.batch_sizes)
    assert features[0].any()
    assert not features[1].any()
    assert not encoder(end, torch.tensor([1])).any()


def test_the_rnn_encoder_begins_as_published() -> None:
    encoder = SequenceEncoder(ModelSettings(encoder="rnn", encoder_size=6, **PLAIN))  # type: ignore[arg-type]
    for core in encoder.directions:
        assert isinstance(core, LSTMCore)
        assert core.keep == 0.9
        for gate in core.weight.chunk(4):
            torch.testing.assert_close(gate @ gate.t(), torch.eye(6))
        assert core.from_code.bias.view(4, 6).tolist() == [[0.0] * 6, [1.0] * 6, [0.0] * 6, [0.0] * 6]


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


@pytest.mark.parametrize("each_row", [False, True])
def test_recurrent_dropout_keeps_means(each_row: bool) -> None:
    core = LSTMCore(4, 6, replace(SETTINGS, decoder_size=500, mask_each_row=each_row))
    mask = core.dropout_mask(COUNTS)
    assert mask is not None
    assert mask.shape == (sum(COUNTS) if each_row else COUNTS[0], 500)
    assert torch.unique(mask).tolist() == pytest.approx([0, 1 / 0.9])
    assert float(mask.mean()) == pytest.approx(1, abs=0.03)
    assert not torch.equal(mask[0], mask[1])
    assert core.eval().dropout_mask(COUNTS) is None


@pytest.mark.parametrize("kind", list(CORES))
def test_a_row_has_its_own_mask_or_that_of_its_sequence(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    core = CORES[kind](4, 6, replace(SETTINGS, decoder_size=40))
    rows, code = torch.randn(sum(COUNTS), 4), torch.randn(COUNTS[0], 6)

    def hidden(mask: Tensor) -> Tensor:
        monkeypatch.setattr(core, "dropout_mask", lambda *_: mask)
        state = tuple(torch.zeros(COUNTS[0], size) for size in core.state_sizes)
        return core.sequence(rows, core.constant(code), state, COUNTS)

    one = torch.bernoulli(torch.full((COUNTS[0], 40), 0.5)) / 0.5
    repeated = torch.cat([one[:count] for count in COUNTS])
    torch.testing.assert_close(hidden(one), hidden(repeated))
    another = repeated.clone()
    another[7] = torch.bernoulli(torch.full((40,), 0.5)) / 0.5  # of the third sketch's second row, its last
    changed = (hidden(another) != hidden(repeated)).any(dim=1)
    assert changed.nonzero()[:, 0].tolist() == [7, 12]
