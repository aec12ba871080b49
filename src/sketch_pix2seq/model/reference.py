"""The models of the sketch-pix2seq paper, written to be read: encoders, decoder, mixture, loss, sampling, one step.

Chen, Tu, Yi & Xu (2017, arXiv 1709.04121) compare four models: an encoder that reads the strokes (sketch-rnn) or the
picture (sketch-pix2seq), each with and without a KL term. The decoder and the loss are those of Ha & Eck (2017, arXiv
1704.03477); numbers like (9) are their equations. First weights and constants are those of the published code:
sketch-rnn in Magenta, and for the picture encoder the re-implementation github.com/MarkMoHR/sketch-pix2seq.

Nothing here is fast: a loop over padded rows. `network.Network` is the fast version; the tests hold it to this one.
Symbols as in the papers: S_i = (dx, dy, p1, p2, p3) is row i in stroke-5, N_s the rows of a sketch without its end row,
N_max those of the longest sketch; n is the number of sketches, M that of Gaussians, N_z that of the numbers in z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Name = Literal["sketch-rnn", "sketch-pix2seq", "cnn-kl", "rnn-no-kl"]

ENCODER = {"sketch-rnn": "rnn", "rnn-no-kl": "rnn", "sketch-pix2seq": "cnn", "cnn-kl": "cnn"}
KL_WEIGHT = {"sketch-rnn": 0.5, "rnn-no-kl": 0.0, "sketch-pix2seq": 0.0, "cnn-kl": 0.5}
"""w_KL in (11)."""
KL_MIN, ETA_MIN, R = 0.2, 0.01, 0.99995
LEARNING_RATE, FINAL_LEARNING_RATE, LEARNING_RATE_DECAY, GRADIENT_MAX = 1e-3, 1e-5, 0.9999, 1.0
END = 2
"""Index of p3, the end of the sketch, among the pen states."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a model; the defaults are the published ones."""

    z: int = 128
    encoder: int = 256
    decoder: int = 512
    mixtures: int = 20
    picture: int = 48
    keep: float = 0.9


class LSTM(nn.Module):
    """One step of an LSTM with forget bias 1 and recurrent dropout of the candidate g (Semeniuta et al. 2016)."""

    def __init__(self, inputs: int, size: int, keep: float) -> None:
        super().__init__()
        self.size, self.keep = size, keep
        self.W_x = nn.Parameter(nn.init.xavier_uniform_(torch.empty(inputs, 4 * size)))
        self.W_h = nn.Parameter(torch.cat([nn.init.orthogonal_(torch.empty(size, size)) for _ in range(4)], dim=1))
        self.bias = nn.Parameter(torch.zeros(4 * size))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Input ``(n, inputs)``, state (h, c) of ``(n, size)`` each -> the next state."""
        h, c = state
        i, g, f, o = (x @ self.W_x + h @ self.W_h + self.bias).chunk(4, dim=1)
        g = torch.tanh(g)
        if self.training and self.keep < 1:
            g = g * (torch.rand_like(g) < self.keep) / self.keep  # another mask at each step
        c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * g
        return torch.sigmoid(o) * torch.tanh(c), c

    def zero_state(self, n: int) -> tuple[Tensor, Tensor]:
        """The state (h, c) before the first row."""
        return self.bias.new_zeros(n, self.size), self.bias.new_zeros(n, self.size)


class RNNEncoder(nn.Module):
    """Sketch-rnn's encoder: h = [encode(S); encode(S reversed)], the last states of two LSTMs  (1)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.out_features = 2 * sizes.encoder
        self.forwards, self.backwards = (LSTM(5, sizes.encoder, sizes.keep) for _ in range(2))

    def forward(self, S: Tensor, N_s: Tensor) -> Tensor:
        """Rows ``(n, N_max, 5)``, of which ``N_s`` ``(n,)`` are read -> h ``(n, 2 size)``. End rows are not read."""
        place = torch.arange(S.shape[1], device=S.device).expand(len(S), -1)
        turned = torch.where(place < N_s[:, None], N_s[:, None] - 1 - place, place)
        S_reverse = S.gather(1, turned[:, :, None].expand_as(S))
        return torch.cat([_last_state(self.forwards, S, N_s), _last_state(self.backwards, S_reverse, N_s)], dim=1)


def _last_state(lstm: LSTM, S: Tensor, N_s: Tensor) -> Tensor:
    h, c = lstm.zero_state(len(S))
    for i in range(S.shape[1]):
        inside = (i < N_s)[:, None]
        h_next, c_next = lstm(S[:, i], (h, c))
        h, c = torch.where(inside, h_next, h), torch.where(inside, c_next, c)
    return h


class CNNEncoder(nn.Module):
    """Sketch-pix2seq's encoder: a high-pass filter, then six 2x2 convolutions without biases."""

    CHANNELS = (4, 4, 8, 8, 8, 8)
    STRIDES = (2, 1, 2, 1, 2, 1)
    HIGH_PASS = ((-1.0, -1.0, -1.0), (-1.0, 8.0, -1.0), (-1.0, -1.0, -1.0))

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.out_features = self.CHANNELS[-1] * (sizes.picture // 8) ** 2
        self.weights = nn.ParameterList()
        for inputs, outputs in zip((1, *self.CHANNELS), self.CHANNELS, strict=False):
            std = math.sqrt(2 / (2 * 2 * outputs))  # He et al. 2015, fan-out
            self.weights.append(nn.init.normal_(torch.empty(outputs, inputs, 2, 2), std=std))

    def forward(self, picture: Tensor) -> Tensor:
        """Picture ``(n, size, size)``, line 0, paper 255 -> features ``(n, 8 (size / 8)^2)``."""
        x = F.conv2d(picture[:, None], picture.new_tensor(self.HIGH_PASS)[None, None], padding=1)
        for layer, (weight, stride) in enumerate(zip(self.weights, self.STRIDES, strict=True)):
            # TensorFlow's "same" padding of a 2x2 kernel: at stride 1 a zero on the right and below, at stride 2 none.
            x = F.conv2d(F.pad(x, (0, 2 - stride, 0, 2 - stride)), weight, stride=stride)
            x = torch.tanh(x) if layer == len(self.weights) - 1 else torch.relu(x)
        return x.flatten(1)


class Mixture(NamedTuple):
    """The distribution of the next row: of its offset ``(..., M)`` each, and of its pen state ``(..., 3)``."""

    log_Pi: Tensor
    mu_x: Tensor
    mu_y: Tensor
    sigma_x: Tensor
    sigma_y: Tensor
    rho: Tensor
    log_q: Tensor

    @classmethod
    def of(cls, y: Tensor, tau: float = 1.0) -> Mixture:
        """Decoder output ``(..., 6 M + 3)`` -> parameters at temperature tau  (5) to (8)."""
        q_hat, (Pi_hat, mu_x, mu_y, sigma_x_hat, sigma_y_hat, rho_hat) = y[..., :3], y[..., 3:].chunk(6, dim=-1)
        sigma_x, sigma_y = sigma_x_hat.exp() * math.sqrt(tau), sigma_y_hat.exp() * math.sqrt(tau)
        log_Pi, log_q = F.log_softmax(Pi_hat / tau, dim=-1), F.log_softmax(q_hat / tau, dim=-1)
        return cls(log_Pi, mu_x, mu_y, sigma_x, sigma_y, torch.tanh(rho_hat), log_q)

    def log_p(self, dx: Tensor, dy: Tensor) -> Tensor:
        """Log density of offsets ``(...)``: the log of the sum over j of Pi_j N(dx, dy | mu, sigma, rho)  (3)."""
        x, y = (dx[..., None] - self.mu_x) / self.sigma_x, (dy[..., None] - self.mu_y) / self.sigma_y
        one_minus_rho2 = 1 - self.rho**2
        exponent = -(x**2 + y**2 - 2 * self.rho * x * y) / (2 * one_minus_rho2)
        log_N = exponent - torch.log(2 * math.pi * self.sigma_x * self.sigma_y * one_minus_rho2.sqrt())
        return torch.logsumexp(self.log_Pi + log_N, dim=-1)

    def sample(self) -> Tensor:
        """A row ``(n, 5)`` from parameters ``(n, ...)``; an end row has no offset."""
        j = torch.multinomial(self.log_Pi.exp(), 1)
        mu_x, mu_y, sigma_x, sigma_y, rho = (part.gather(1, j)[:, 0] for part in self[1:6])
        e_x, e_y = torch.randn_like(mu_x), torch.randn_like(mu_y)
        dx = mu_x + sigma_x * e_x
        dy = mu_y + sigma_y * (rho * e_x + (1 - rho**2).sqrt() * e_y)
        pen = torch.multinomial(self.log_q.exp(), 1)[:, 0]
        offset = torch.stack([dx, dy], dim=1) * (pen != END)[:, None]
        return torch.cat([offset, F.one_hot(pen, 3).to(offset)], dim=1)


class Losses(NamedTuple):
    """The loss and its two terms, scalars; `KL` is the divergence itself, without floor and weight."""

    total: Tensor
    R: Tensor
    KL: Tensor


class PaperModel(nn.Module):
    """One of the paper's four models."""

    def __init__(self, name: Name, sizes: Sizes | None = None) -> None:
        super().__init__()
        sizes = sizes or Sizes()
        self.kl_weight = KL_WEIGHT[name]
        self.encoder = RNNEncoder(sizes) if ENCODER[name] == "rnn" else CNNEncoder(sizes)
        self.mu, self.sigma_hat = (nn.Linear(self.encoder.out_features, sizes.z) for _ in range(2))
        self.first_state = nn.Linear(sizes.z, 2 * sizes.decoder)
        self.decoder = LSTM(5 + sizes.z, sizes.decoder, sizes.keep)
        self.output = nn.Linear(sizes.decoder, 6 * sizes.mixtures + 3)
        for layer in (self.mu, self.sigma_hat, self.first_state):
            nn.init.normal_(layer.weight, std=0.001)
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.output.weight)
        bound = math.sqrt(3 / self.output.out_features)  # TensorFlow's default for a vector
        nn.init.uniform_(self.output.bias, -bound, bound)

    def encode(self, picture: Tensor, S: Tensor, N_s: Tensor) -> tuple[Tensor, Tensor]:
        """The picture or the strokes, whichever the encoder sees -> mu and sigma_hat = log sigma^2 of z  (1), (2)."""
        h = self.encoder(S, N_s) if isinstance(self.encoder, RNNEncoder) else self.encoder(picture)
        return self.mu(h), self.sigma_hat(h)

    def decode(self, S_before: Tensor, z: Tensor) -> Mixture:
        """Rows S_0 to S_(N_max - 1) and z -> the mixture of each next row, ``(n, N_max, ...)``  (3), (4)."""
        state, outputs = self.start(z), []
        for S_i in S_before.unbind(1):
            y, state = self.step(S_i, z, state)
            outputs.append(y)
        return Mixture.of(torch.stack(outputs, dim=1))

    def start(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """[h_0; c_0] = tanh(W_z z + b_z)."""
        h, c = torch.tanh(self.first_state(z)).chunk(2, dim=1)
        return h, c

    def step(self, S_i: Tensor, z: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x_i = [S_(i-1); z] -> y_i = W_y h_i + b_y and the next state  (4)."""
        state = self.decoder(torch.cat([S_i, z], dim=1), state)
        return self.output(state[0]), state

    def forward(self, picture: Tensor, S: Tensor, N_s: Tensor, step: int = 0, *, padding: bool = True) -> Losses:
        """The loss of n sketches in the optimiser step ``step``: L_R + w_KL eta max(L_KL, KL_min)  (11).

        picture: ``(n, size, size)``, line 0, paper 255. S: rows ``(n, N_max, 5)``, offsets over the training set's
        standard deviation, end rows after the ``N_s`` ``(n,)`` rows of each sketch. padding: as in `loss_R`.
        """
        mu, sigma_hat = self.encode(picture, S, N_s)
        z = draw_z(mu, sigma_hat)
        L_R = loss_R(self.decode(torch.cat([first_row(len(S)).to(S), S[:, :-1]], dim=1), z), S, N_s, padding=padding)
        L_KL = loss_KL(mu, sigma_hat)
        return Losses(L_R + self.kl_weight * eta(step) * L_KL.clamp(min=KL_MIN), L_R, L_KL)

    @torch.no_grad()
    def sample(self, z: Tensor, tau: float = 1.0, N_max: int = 250) -> Tensor:
        """One sketch for z ``(1, N_z)`` at temperature tau: rows ``(N_s + 1, 5)``, or N_max without an end row."""
        S_i, state = first_row(1)[:, 0].to(z), self.start(z)
        rows: list[Tensor] = []
        while len(rows) < N_max and not (rows and rows[-1][0, 2 + END]):
            y, state = self.step(S_i, z, state)
            S_i = Mixture.of(y, tau).sample()
            rows.append(S_i)
        return torch.cat(rows)


def first_row(n: int) -> Tensor:
    """S_0 = (0, 0, 1, 0, 0), ``(n, 1, 5)``."""
    return torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).expand(n, 1, 5)


def draw_z(mu: Tensor, sigma_hat: Tensor) -> Tensor:
    """z = mu + sigma * N(0, I), sigma = exp(sigma_hat / 2)  (2)."""
    return mu + torch.exp(sigma_hat / 2) * torch.randn_like(mu)


def loss_R(mixture: Mixture, S: Tensor, N_s: Tensor, *, padding: bool = True) -> Tensor:
    """L_R = L_S + L_P, averaged over the sketches  (9): ``S`` is ``(n, N_max, 5)``, and both sums are over N_max.

    L_S sums over the N_s rows of a sketch. L_P sums over all N_max rows, end rows included (padding), or only to the
    first end row.
    """
    n, N_max = S.shape[:2]
    place = torch.arange(N_max, device=S.device)
    log_p = mixture.log_p(S[..., 0], S[..., 1])
    log_q = (S[..., 2:] * mixture.log_q).sum(dim=-1)
    L_S = -(log_p * (place < N_s[:, None])).sum() / (n * N_max)
    L_P = -(log_q * (padding | (place <= N_s[:, None]))).sum() / (n * N_max)
    return L_S + L_P


def loss_KL(mu: Tensor, sigma_hat: Tensor) -> Tensor:
    """L_KL = -1 / (2 N_z) (1 + sigma_hat - mu^2 - exp(sigma_hat)), summed over z, averaged over the sketches  (10)."""
    return -0.5 * (1 + sigma_hat - mu**2 - torch.exp(sigma_hat)).mean()


def eta(step: int) -> float:
    """Annealing of the KL term: 1 - (1 - eta_min) R^step (Ha & Eck 2017, appendix)."""
    return 1 - (1 - ETA_MIN) * R**step


def learning_rate(step: int) -> float:
    """The learning rate of an optimiser step."""
    return (LEARNING_RATE - FINAL_LEARNING_RATE) * LEARNING_RATE_DECAY**step + FINAL_LEARNING_RATE


def train_step(model: PaperModel, adam: torch.optim.Adam, picture: Tensor, S: Tensor, N_s: Tensor, step: int) -> Losses:
    """One step of Adam, each number of the gradient cut to at most 1 in size; arguments as in `PaperModel.forward`."""
    for group in adam.param_groups:
        group["lr"] = learning_rate(step)
    losses: Losses = model(picture, S, N_s, step)
    adam.zero_grad()
    losses.total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_value_(model.parameters(), GRADIENT_MAX)
    adam.step()
    return losses
