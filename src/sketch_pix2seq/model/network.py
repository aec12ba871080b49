"""The assembled autoencoder: ink or strokes -> z -> mixture of the next row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.data.batches import Batch
from sketch_pix2seq.model import mixture as mixtures
from sketch_pix2seq.model.canvas import Canvas, Glimpsed
from sketch_pix2seq.model.decoders import CORES, CodeLinear, State, initial_state
from sketch_pix2seq.model.encoders import DeepEncoder, NoEncoder, PaperEncoder, SequenceEncoder
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, PEN_UP, SequenceSpec

WHOLE = 8.0
"""Weight of pictures without holes where the encoder learns codes: what it knew is not to change."""


@dataclass(frozen=True)
class Tensors:
    """A `Batch` on a device; fields and shapes as there, ink and seen ``(n, 1, size, size)`` in 0..1."""

    ink: Tensor
    seen: Tensor
    offsets: Tensor
    drawn: Tensor
    pen: Tensor
    before: Tensor
    counts: Sequence[int]

    @classmethod
    def of(cls, batch: Batch, device: torch.device | str = "cpu") -> Tensors:
        """The batch on ``device``."""
        ink = torch.from_numpy(batch.ink).to(device, non_blocking=True)[:, None].float() / 255
        whole = batch.seen is batch.ink
        offsets = torch.from_numpy(batch.offsets).to(device, non_blocking=True)
        steady = batch.drawn is batch.offsets
        return cls(
            ink,
            ink if whole else torch.from_numpy(batch.seen).to(device, non_blocking=True)[:, None].float() / 255,
            offsets,
            offsets if steady else torch.from_numpy(batch.drawn).to(device, non_blocking=True),
            torch.from_numpy(batch.pen).to(device, non_blocking=True),
            torch.from_numpy(batch.before).to(device, non_blocking=True),
            batch.counts.tolist(),
        )


class Losses(NamedTuple):
    """Sums over a batch, in nats, and what to divide them by."""

    offset: Tensor
    """Negative log density of the offsets, end rows left out."""
    pen: Tensor
    """Negative log probability of the pen states, end rows included."""
    kl: Tensor
    """KL divergence of q(z) from N(0, 1), mean over the numbers of z, summed over sketches."""
    pixel: Tensor
    """Cross-entropy of the imagined pixels, mean over pixels, summed over sketches."""
    code: Tensor
    """Mean square from the codes asked for, summed over sketches; only where codes are asked for."""
    rows: int
    """Rows with an end row."""
    sketches: int


class Network(nn.Module):
    """Encoder, code, and one of three recurrent decoders, as `ModelSettings` says.

    Without an encoder the code has no numbers: codes are ``(n, 0)``, and every drawing starts from the zero state.
    """

    def __init__(self, settings: ModelSettings, sequence: SequenceSpec) -> None:
        super().__init__()
        self.settings, self.sequence = settings, sequence
        self.encoder: PaperEncoder | DeepEncoder | SequenceEncoder | NoEncoder
        if settings.encoder == "none":
            self.encoder = NoEncoder()
        elif settings.encoder == "rnn":
            self.encoder = SequenceEncoder(settings)
        else:
            self.encoder = (PaperEncoder if settings.encoder == "paper" else DeepEncoder)(settings)
        self.to_mu = nn.Linear(self.encoder.out_features, settings.z_size) if settings.z_size else None
        self.to_log_variance = nn.Linear(self.encoder.out_features, settings.z_size) if settings.sample_z else None
        self.canvas = Canvas(settings) if settings.canvas else None
        inputs = 5 + (self.canvas.out_features if self.canvas else 0)
        self.core = CORES[settings.decoder](inputs, settings.z_size, settings)
        self.to_state = CodeLinear(settings.z_size, sum(self.core.state_sizes), bias=settings.z_size > 0)
        self.head = nn.Linear(settings.decoder_size, mixtures.output_size(settings.mixtures))
        if self.to_mu is not None:
            if settings.encoder == "deep":
                nn.init.xavier_uniform_(self.to_mu.weight)
            else:
                nn.init.normal_(self.to_mu.weight, std=0.001)
            nn.init.zeros_(self.to_mu.bias)
        if self.to_log_variance is not None:
            nn.init.normal_(self.to_log_variance.weight, std=0.001)
            nn.init.zeros_(self.to_log_variance.bias)

    # -- training -----------------------------------------------------------------------------------------

    def forward(self, batch: Tensors, codes: Tensor | None = None) -> Losses:
        """Teacher-forced losses of a batch; with ``codes`` ``(n, z)``, how far the encoder is from these, and no more.

        Pictures without holes count `WHOLE` times as much then.
        """
        mu, log_variance = self.posterior(self._encoded(batch))
        none = mu.new_zeros(())
        if codes is not None:
            whole = (batch.seen == batch.ink).flatten(1).all(dim=1)
            far = (mu - codes).square().mean(dim=1) * torch.where(whole, WHOLE, 1.0)
            return Losses(none, none, none, none, far.sum(), len(batch.pen), len(batch.ink))
        previous = self._previous_rows(batch)
        code = mu
        kl = none
        if log_variance is not None:
            if self.training:
                code = mu + torch.exp(0.5 * log_variance) * torch.randn_like(mu)
            kl = -0.5 * (1 + log_variance - mu.square() - log_variance.exp()).mean(dim=1).sum()
        rows = previous
        pixel = none
        if self.canvas is not None:
            features, logits = self.canvas.imagine(code)
            logits = logits.float()
            glimpsed = None
            if self.settings.glimpse:
                features, glimpsed = self.canvas.behold(features, self._glimpsed(batch))
            pixel = F.binary_cross_entropy_with_logits(logits, batch.ink[:, 0], reduction="none").mean(dim=(1, 2)).sum()
            looks = self._looks(features, logits.detach().sigmoid(), glimpsed, batch, previous)
            rows = torch.cat([previous, looks], dim=1)
        state = initial_state(self.to_state(code), self.core.state_sizes)
        hidden = self.core.sequence(rows, self.core.constant(code), state, batch.counts)
        mixture = mixtures.split(self.head(hidden))
        density = mixtures.log_density(mixture, batch.offsets)
        offset = -(density * (batch.pen != PEN_END)).sum()
        pen = -mixtures.log_pen(mixture, batch.pen).sum()
        return Losses(offset, pen, kl, pixel, none, len(batch.pen), len(batch.ink))

    def _glimpsed(self, batch: Tensors) -> Tensor:
        """The pictures that the decoder looks at ``(n, size, size)``; in training some are blank."""
        picture = batch.seen[:, 0]
        if self.training:
            kept = torch.rand(len(picture), device=picture.device) < self.settings.glimpse_keep
            picture = picture * kept[:, None, None]
        return picture

    def _encoded(self, batch: Tensors) -> Tensor:
        if isinstance(self.encoder, SequenceEncoder):
            rows = torch.cat([batch.drawn, F.one_hot(batch.pen, 3).float()], dim=1)
            features: Tensor = self.encoder(rows, torch.tensor(batch.counts))
        else:
            features = self.encoder(batch.seen)
        return features

    def posterior(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """The encoder's features ``(n, f)`` -> mean and log variance of z ``(n, z)``; None where z is not sampled."""
        mu = (features if self.to_mu is None else self.to_mu(features)).float()
        return mu, None if self.to_log_variance is None else self.to_log_variance(features).float()

    def start_row(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """The row before the first, ``(n, 5)``: no offset; pen down on the first point (sketch-rnn) or up elsewhere."""
        row = torch.zeros(n, 5, device=device)
        row[:, 2 + (PEN_DOWN if self.sequence.start == "first" else PEN_UP)] = 1
        return row

    def _previous_rows(self, batch: Tensors) -> Tensor:
        """For each packed row the stroke-5 row before it, ``(rows, 5)``."""
        rows = torch.cat([batch.drawn, F.one_hot(batch.pen, 3).float()], dim=1)
        return _shifted(rows, self.start_row(len(batch.ink), rows.device), batch.counts)

    def _looks(
        self, features: Tensor, pixels: Tensor, glimpsed: Glimpsed | None, batch: Tensors, previous: Tensor
    ) -> Tensor:
        """What the canvas tells at each packed row."""
        assert self.canvas is not None
        counts = batch.counts
        n, steps = counts[0], len(counts)
        with torch.no_grad():
            at = _padded_places(counts, batch.before.device)
            start = torch.zeros(n, 2, device=batch.before.device)
            from_ = _shifted(batch.before, start, counts)
            down_before = _shifted(previous[:, 2:3], torch.zeros(n, 1, device=previous.device), counts)[:, 0]
            laid = self.canvas.tally(from_, batch.before, down_before)
            tally = laid.new_zeros(steps * n, laid.shape[1]).index_copy(0, at, laid).view(steps, n, -1).cumsum(0)
            place = batch.before.new_zeros(steps * n, 2).index_copy(0, at, batch.before).view(steps, n, 2)
        looked = self.canvas.look(features.flatten(2).transpose(1, 2).float(), pixels, glimpsed, tally, place)
        return looked.flatten(0, 1).index_select(0, at)

    # -- drawing ------------------------------------------------------------------------------------------

    def encode(self, ink: Tensor) -> tuple[Tensor, Tensor | None]:
        """Ink ``(n, size, size)`` in 0..1 -> `posterior`. For models whose encoder sees pictures."""
        return self.posterior(self.encoder(ink[:, None]))

    def encode_rows(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Stroke-5 rows ``(n, time, 5)`` with lengths ``(n,)`` -> `posterior`. For the rnn encoder."""
        assert isinstance(self.encoder, SequenceEncoder)
        packed = nn.utils.rnn.pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.posterior(self.encoder(packed.data, packed.batch_sizes)[packed.unsorted_indices])

    def start(self, code: Tensor, picture: Tensor | None = None) -> tuple[State, State]:
        """Codes ``(n, z)`` -> what stays the same while drawing, and the state that each row changes.

        picture: ink ``(n, size, size)`` in 0..1 that a decoder with a glimpse looks at; without ink, or None: it draws
        from the code alone.
        """
        state = initial_state(self.to_state(code), self.core.state_sizes)
        fixed: State = (self.core.constant(code),)
        if self.canvas is not None:
            features, logits = self.canvas.imagine(code)
            n, glimpsed = len(code), None
            if self.settings.glimpse:
                shown = torch.zeros_like(logits) if picture is None else picture
                features, glimpsed = self.canvas.behold(features, shown)
            fixed = (*fixed, features.flatten(2).transpose(1, 2), logits.sigmoid())
            if glimpsed is not None:
                fixed = (*fixed, *glimpsed)
            nodes = self.canvas.nodes * self.canvas.nodes
            blank = (code[:, :1] * 0).expand(n, nodes), (code[:, :1] * 0).expand(n, 2), code[:, :1] * 0
            state = (*state, *blank)
        return fixed, state

    def step(self, row: Tensor, fixed: State, state: State) -> tuple[mixtures.Mixture, State]:
        """The last row ``(n, 5)`` (first: `start_row`) -> the mixture of the next one, and the state after it.

        With a canvas the state ends with the tally, the pen's place in canvas units, and whether the pen was down.
        """
        cores = len(self.core.state_sizes)
        rows, extra = row, state[cores:]
        if self.canvas is not None:
            tally, before, down = extra
            glimpsed = Glimpsed(*fixed[3:]) if self.settings.glimpse else None
            place = before + row[:, :2] * self.sequence.scale
            tally = tally + self.canvas.tally(before, place, down[:, 0])
            rows = torch.cat([row, self.canvas.see(fixed[1], fixed[2], glimpsed, tally, place)], dim=1)
            extra = (tally, place, row[:, 2:3])
        moved = self.core.step(rows, fixed[0], state[:cores])
        return mixtures.split(self.head(moved[0])), (*moved, *extra)


def _shifted(rows: Tensor, first: Tensor, counts: Sequence[int]) -> Tensor:
    """Packed rows, each replaced by the one before it in its sketch; ``first`` ``(n, ...)`` comes before the first."""
    return torch.cat([first, rows]).index_select(0, _previous_places(counts, rows.device))


def _previous_places(counts: Sequence[int], device: torch.device) -> Tensor:
    """Where, in [n first rows, then the packed rows], the row before each packed row stands."""
    n = counts[0]
    sizes = torch.tensor(counts, device=device)
    begins = torch.cumsum(sizes, 0) - sizes
    time = torch.repeat_interleave(torch.arange(len(counts), device=device), sizes)
    rank = torch.arange(len(time), device=device) - begins[time]
    before = torch.cat([begins.new_tensor([-n]), begins[:-1]])
    return n + before[time] + rank


def _padded_places(counts: Sequence[int], device: torch.device) -> Tensor:
    """Where each packed row stands in a padded (time, n) table, flattened."""
    sizes = torch.tensor(counts, device=device)
    begins = torch.cumsum(sizes, 0) - sizes
    time = torch.repeat_interleave(torch.arange(len(counts), device=device), sizes)
    return time * counts[0] + torch.arange(len(time), device=device) - begins[time]
