"""The readable models of the paper against NumPy, SciPy and torch.distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import correlate2d
from scipy.special import expit, logsumexp, softmax
from scipy.stats import binomtest, multivariate_normal
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from sketch_pix2seq.model import reference
from sketch_pix2seq.model.reference import LSTM, CNNEncoder, Mixture, PaperModel, RNNEncoder, Sizes

Array = NDArray[np.float64]
SIZES = Sizes(z=6, encoder=5, decoder=7, mixtures=3, picture=48, keep=1.0)
NAMES: tuple[reference.Name, ...] = ("sketch-rnn", "sketch-pix2seq", "cnn-kl", "rnn-no-kl")
LENGTHS = torch.tensor([4, 7, 1])
N_MAX = 7


@pytest.fixture(autouse=True)
def _double() -> object:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def sketches(seed: int = 0) -> Tensor:
    """Rows ``(3, N_MAX, 5)`` of three sketches of `LENGTHS`; the longest has no end row, as in the published code."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((3, N_MAX, 5))
    for row, length in zip(rows, LENGTHS.tolist(), strict=True):
        row[:length, :2] = rng.normal(size=(length, 2))
        row[np.arange(length), 2 + rng.integers(0, 2, length)] = 1
        row[length:, 4] = 1
    return torch.from_numpy(rows)


def pictures(seed: int = 0) -> Tensor:
    """White pictures with black lines ``(3, 48, 48)``."""
    rng = np.random.default_rng(seed)
    picture = np.full((3, 48, 48), 255.0)
    for one in picture:
        for _ in range(4):
            one[rng.integers(48), rng.integers(20) : 30 + rng.integers(18)] = 0
            one[rng.integers(20) : 30 + rng.integers(18), rng.integers(48)] = 0
    return torch.from_numpy(picture)


def numbers(value: Tensor) -> Array:
    return np.asarray(value.detach().numpy(), np.float64)


def lstm_step(lstm: LSTM, x: Array, h: Array, c: Array, mask: Array | float = 1.0) -> tuple[Array, Array]:
    size = lstm.size
    gates = x @ numbers(lstm.W_x) + h @ numbers(lstm.W_h) + numbers(lstm.bias)
    i, g, f, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
    c = c * expit(f + 1.0) + expit(i) * np.tanh(g) * mask
    return np.tanh(c) * expit(o), c


# -- parts --------------------------------------------------------------------------------------------------------


def test_an_lstm_step_is_numpys() -> None:
    lstm = LSTM(5, 4, keep=1.0)
    torch.nn.init.normal_(lstm.bias)
    x, h, c = torch.randn(3, 5), torch.randn(3, 4), torch.randn(3, 4)
    ours = lstm(x, (h, c))
    for a, b in zip(ours, lstm_step(lstm, numbers(x), numbers(h), numbers(c)), strict=True):
        np.testing.assert_allclose(numbers(a), b, rtol=1e-12)


def test_recurrent_weights_are_orthogonal_gate_by_gate() -> None:
    for gate in LSTM(5, 6, keep=1.0).W_h.chunk(4, dim=1):
        torch.testing.assert_close(gate @ gate.t(), torch.eye(6))


def test_recurrent_dropout_is_a_rescaled_mask_of_the_candidate_another_at_each_step() -> None:
    lstm = LSTM(5, 4000, keep=0.9)
    x, (h, c) = torch.randn(1, 5), lstm.zero_state(1)
    candidate = lstm_step(lstm, numbers(x), numbers(h), numbers(c))[1]
    masks = [numbers(lstm(x, (h, c))[1]) / candidate for _ in range(2)]
    for mask in masks:
        kept = mask > 0.5
        np.testing.assert_allclose(mask[kept], 1 / 0.9, rtol=1e-9)
        np.testing.assert_array_equal(mask[~kept], 0)
        assert binomtest(int(kept.sum()), kept.size, 0.9).pvalue > 1e-4
    assert 0.1 < (masks[0] != masks[1]).mean() < 0.3  # 2 x 0.9 x 0.1
    lstm.eval()
    np.testing.assert_allclose(numbers(lstm(x, (h, c))[1]), candidate, rtol=1e-12)


def test_the_rnn_encoder_reads_each_sketch_both_ways_without_its_end_rows() -> None:
    encoder = RNNEncoder(SIZES)
    S = sketches()
    ours = numbers(encoder(S, LENGTHS))
    for rows, length, found in zip(numbers(S), LENGTHS.tolist(), ours, strict=True):
        expected = []
        for lstm, order in ((encoder.forwards, range(length)), (encoder.backwards, reversed(range(length)))):
            h, c = np.zeros((1, 5)), np.zeros((1, 5))
            for i in order:
                h, c = lstm_step(lstm, rows[None, i], h, c)
            expected.append(h[0])
        np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-12)


def cnn_features(encoder: CNNEncoder, picture: Array) -> Array:
    """The published encoder with SciPy's correlation: "same" padding of an even kernel is on the right and below."""
    kernel = np.full((3, 3), -1.0)
    kernel[1, 1] = 8
    maps = [correlate2d(picture, kernel, "same")]
    for layer, (weight, stride) in enumerate(zip(encoder.weights, (2, 1, 2, 1, 2, 1), strict=True)):
        kernels = numbers(weight)
        padded = [np.pad(x, ((0, 1), (0, 1))) for x in maps]
        summed = [sum(correlate2d(x, k, "valid") for x, k in zip(padded, row, strict=True)) for row in kernels]
        activation = np.tanh if layer == 5 else lambda x: np.maximum(x, 0)
        maps = [activation(np.asarray(x)[::stride, ::stride]) for x in summed]
    return np.stack(maps).ravel()


def test_the_cnn_encoder_is_scipys() -> None:
    encoder = CNNEncoder(SIZES)
    picture = pictures()
    ours = numbers(encoder(picture))
    assert ours.shape == (3, 288)
    for found, one in zip(ours, numbers(picture), strict=True):
        np.testing.assert_allclose(found, cnn_features(encoder, one), rtol=1e-9, atol=1e-12)


def test_first_weights_are_the_published_ones() -> None:
    model = PaperModel("cnn-kl")
    assert isinstance(model.encoder, CNNEncoder)
    assert sum(weight.numel() for weight in model.encoder.parameters()) == 976
    for weight in model.encoder.weights:
        assert float(weight.detach().std()) == pytest.approx(math.sqrt(2 / (4 * len(weight))), rel=0.35)
    for layer in (model.mu, model.sigma_hat, model.first_state):
        assert float(layer.weight.detach().std()) == pytest.approx(0.001, rel=0.02)
        assert not layer.bias.any()
    assert not model.decoder.bias.any()


def test_the_code_of_a_new_model_depends_on_the_picture() -> None:
    """About 0.01 in the published code. With ink 0..1, no filter and small weights it is a hundredth of that."""
    spread = []
    for seed in range(8):
        torch.manual_seed(seed)
        mu, _ = PaperModel("sketch-pix2seq").encode(torch.cat([pictures(k) for k in range(10)]), *[torch.empty(0)] * 2)
        spread.append(float(mu.detach().std(dim=0).mean()))
    assert 0.006 < np.mean(spread) < 0.02


# -- the distribution of the next row ------------------------------------------------------------------------------


def mixture_parts(y: Array) -> tuple[Array, Array, list[Array]]:
    """Weights, means ``(M, 2)`` and covariances of one output row, written out once more."""
    Pi, mu_x, mu_y, s_x, s_y, rho = y[3:].reshape(6, -1)
    s_x, s_y, rho = np.exp(s_x), np.exp(s_y), np.tanh(rho)
    covariances = [np.array([[a * a, r * a * b], [r * a * b, b * b]]) for a, b, r in zip(s_x, s_y, rho, strict=True)]
    return softmax(Pi), np.stack([mu_x, mu_y], axis=1), covariances


def test_the_density_is_scipys() -> None:
    y, offsets = torch.randn(20, 6 * 4 + 3), torch.randn(20, 2)
    mixture = Mixture.of(y)
    ours = numbers(mixture.log_p(offsets[:, 0], offsets[:, 1]))
    for row, offset, found in zip(numbers(y), numbers(offsets), ours, strict=True):
        Pi, means, covariances = mixture_parts(row)
        terms = [multivariate_normal(m, c).logpdf(offset) for m, c in zip(means, covariances, strict=True)]
        assert found == pytest.approx(logsumexp(terms, b=Pi), rel=1e-9)
    np.testing.assert_allclose(np.exp(numbers(mixture.log_q)), softmax(numbers(y)[:, :3], axis=1), rtol=1e-12)


def test_temperature_scales_the_variance_and_divides_the_logits() -> None:
    tau = 0.3
    y = torch.randn(1, 6 + 3)
    y[:, :2] = torch.tensor([1.0, 0.4])
    y[:, 2] = -50.0  # hardly ever an end row
    mean, covariance = mixture_parts(numbers(y)[0])[1][0], mixture_parts(numbers(y)[0])[2][0]
    rows = numbers(Mixture.of(y.expand(40_000, -1), tau).sample())
    np.testing.assert_allclose(rows[:, :2].mean(0), mean, atol=4 * np.sqrt(covariance.max() * tau / 40_000))
    np.testing.assert_allclose(np.cov(rows[:, :2].T), covariance * tau, rtol=0.05, atol=0.02 * covariance.max() * tau)
    down = softmax(np.array([1.0, 0.4]) / tau)[0]
    assert binomtest(int(rows[:, 2].sum()), 40_000, down).pvalue > 1e-4
    two = torch.zeros(1, 2 * 6 + 3)
    two[:, 3:5] = torch.tensor([0.0, 0.7])
    two[:, 5:7] = torch.tensor([-100.0, 100.0])
    second = numbers(Mixture.of(two.expand(40_000, -1), tau).sample())
    drawn = second[second[:, 4] == 0]
    share = softmax(np.array([0.0, 0.7]) / tau)[1]
    assert binomtest(int((drawn[:, 0] > 0).sum()), len(drawn), share).pvalue > 1e-4


def test_noise_of_z_has_the_standard_deviation() -> None:
    mu, sigma_hat = torch.tensor([[0.5, -1.0]]), torch.tensor([[2 * math.log(0.3), 2 * math.log(2.0)]])
    z = numbers(reference.draw_z(mu.expand(40_000, -1), sigma_hat.expand(40_000, -1)))
    np.testing.assert_allclose(z.std(0), [0.3, 2.0], rtol=0.02)
    np.testing.assert_allclose(z.mean(0), [0.5, -1.0], atol=0.05)


# -- losses ----------------------------------------------------------------------------------------------------------


def test_kl_is_that_of_normal_distributions_averaged_over_z() -> None:
    mu, sigma_hat = torch.randn(3, 6), torch.randn(3, 6)
    expected = kl_divergence(Normal(mu, (sigma_hat / 2).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(reference.loss_KL(mu, sigma_hat), expected)


def test_eta_rises_from_its_start_to_one() -> None:
    assert reference.eta(0) == pytest.approx(0.01)
    assert reference.eta(20_000) == pytest.approx(1 - 0.99 * math.exp(20_000 * math.log(0.99995)))
    assert reference.eta(10**7) == pytest.approx(1)


def numpy_loss_R(model: PaperModel, S: Array, z: Array, lengths: list[int], padding: bool) -> float:
    """L_R, a row at a time."""
    first = np.tanh(z @ numbers(model.first_state.weight).T + numbers(model.first_state.bias))
    total = 0.0
    for k, length in enumerate(lengths):
        h, c = np.split(first[k : k + 1], 2, axis=1)
        before = np.array([0.0, 0, 1, 0, 0])
        for i in range(S.shape[1]):
            h, c = lstm_step(model.decoder, np.concatenate([before, z[k]])[None], h, c)
            y = (h @ numbers(model.output.weight).T + numbers(model.output.bias))[0]
            Pi, means, covariances = mixture_parts(y)
            if i < length:
                terms = [multivariate_normal(m, v).pdf(S[k, i, :2]) for m, v in zip(means, covariances, strict=True)]
                total -= np.log(Pi @ np.array(terms))
            if padding or i <= length:
                total -= np.log(softmax(y[:3])[S[k, i, 2:].argmax()])
            before = S[k, i]
    return float(total / (len(lengths) * S.shape[1]))


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_each_model_is_numpys(name: reference.Name, padding: bool) -> None:
    model = PaperModel(name, SIZES)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    S, picture = sketches(), pictures()
    if isinstance(model.encoder, CNNEncoder):
        h = np.stack([cnn_features(model.encoder, one) for one in numbers(picture)])
    else:
        h = numbers(model.encoder(S, LENGTHS))
    mu = h @ numbers(model.mu.weight).T + numbers(model.mu.bias)
    sigma_hat = h @ numbers(model.sigma_hat.weight).T + numbers(model.sigma_hat.bias)
    torch.manual_seed(5)
    losses = model(picture, S, LENGTHS, 1234, padding=padding)
    torch.manual_seed(5)
    z = mu + np.sqrt(np.exp(sigma_hat)) * numbers(torch.randn(3, 6))
    expected = numpy_loss_R(model, numbers(S), z, LENGTHS.tolist(), padding)
    kl = np.mean(np.exp(sigma_hat) + mu**2 - 1 - sigma_hat) / 2
    weight = {"sketch-rnn": 0.5, "cnn-kl": 0.5}.get(name, 0.0) * (1 - 0.99 * 0.99995**1234)
    assert kl > 0.2
    assert float(losses.R.detach()) == pytest.approx(expected, rel=1e-9)
    assert float(losses.KL.detach()) == pytest.approx(kl, rel=1e-9)
    assert float(losses.total.detach()) == pytest.approx(expected + weight * kl, rel=1e-9)


def test_kl_below_its_floor_is_left_alone() -> None:
    model = PaperModel("cnn-kl", SIZES)
    losses = model(pictures(), sketches(), LENGTHS, 50_000)
    assert float(losses.KL.detach()) < 0.01
    assert float((losses.total - losses.R).detach()) == pytest.approx(0.5 * reference.eta(50_000) * 0.2)
    gradient = torch.autograd.grad(losses.total - losses.R, model.sigma_hat.weight)[0]
    assert not gradient.any()


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_learns(name: reference.Name) -> None:
    model = PaperModel(name, SIZES)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.autograd.backward(model(pictures() / 255, sketches(), LENGTHS).total)
    for weight, parameter in model.named_parameters():
        assert parameter.grad is not None, weight
        assert parameter.grad.abs().max() > 0, weight


def test_one_step_is_that_of_adam_on_cut_gradients() -> None:
    model = PaperModel("sketch-rnn", SIZES)
    S, picture = sketches() * torch.tensor([30.0, 30, 1, 1, 1]), pictures()
    torch.manual_seed(1)
    gradients = torch.autograd.grad(model(picture, S, LENGTHS, 500).total, list(model.parameters()))
    assert max(float(g.abs().max()) for g in gradients) > 1
    before = [numbers(p).copy() for p in model.parameters()]
    torch.manual_seed(1)
    adam = torch.optim.Adam(model.parameters())
    reference.train_step(model, adam, picture, S, LENGTHS, 500)
    rate = (1e-3 - 1e-5) * 0.9999**500 + 1e-5
    for parameter, old, gradient in zip(model.parameters(), before, gradients, strict=True):
        cut = np.clip(numbers(gradient), -1, 1)
        np.testing.assert_allclose(numbers(parameter), old - rate * cut / (np.abs(cut) + 1e-8), rtol=1e-7, atol=1e-12)
        # Adam divides the size of a first gradient out; its memory of it shows that it was cut.
        np.testing.assert_allclose(numbers(adam.state[parameter]["exp_avg"]), 0.1 * cut, rtol=1e-9, atol=1e-15)


# -- sampling --------------------------------------------------------------------------------------------------------


def test_a_sketch_ends_with_its_first_end_row_and_repeats_with_its_seed() -> None:
    model = PaperModel("sketch-pix2seq", SIZES)
    z = torch.randn(1, 6)
    lengths = []
    for seed in range(20):
        torch.manual_seed(seed)
        rows = model.sample(z, 0.5, 40)
        torch.manual_seed(seed)
        assert torch.equal(rows, model.sample(z, 0.5, 40))
        assert (rows[:, 2:].sum(1) == 1).all()
        assert not rows[:-1, 4].any()
        lengths.append(len(rows))
        if len(rows) < 40:
            assert rows[-1].tolist() == [0, 0, 0, 0, 1]
    assert min(lengths) < max(lengths) <= 40


def test_sampling_feeds_back_what_it_drew() -> None:
    """The log probability of a sampled sketch, step by step, is that of the same rows under teacher forcing."""
    model = PaperModel("sketch-pix2seq", SIZES)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        model.output.weight.mul_(0).add_(torch.randn_like(model.output.weight))
        model.output.bias[3 + 3 * SIZES.mixtures :] = -30.0  # offsets are the means
        model.output.weight[3 + 3 * SIZES.mixtures :] = 0.0
        model.output.bias[2] = -30.0
        z = torch.randn(1, 6)
        rows = model.sample(z, 1e-4, 12)
        S_before = torch.cat([reference.first_row(1)[0].to(rows), rows[:-1]])
        mixture = model.decode(S_before[None], z)
        best = mixture.log_Pi[0].argmax(1, keepdim=True)
        means = torch.cat([mixture.mu_x[0].gather(1, best), mixture.mu_y[0].gather(1, best)], dim=1)
        torch.testing.assert_close(rows[:, :2], means, rtol=1e-5, atol=1e-6)
        assert torch.equal(rows[:, 2:].argmax(1), mixture.log_q[0].argmax(1))
