"""The assembled autoencoder: ink or strokes -> z -> mixture of the next row. Losses are in `model.losses`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.data.batches import Batch
from sketch_pix2seq.model import mixture as mixtures
from sketch_pix2seq.model.canvas import Attended, Canvas
from sketch_pix2seq.model.code import Condition, UnitCode, noised, random_levels
from sketch_pix2seq.model.decoders import CORES, CodeLinear, State, initial_state
from sketch_pix2seq.model.encoders import DeepEncoder, NoEncoder, PaperEncoder, SequenceEncoder
from sketch_pix2seq.model.sampling import sample_row
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import PEN_DOWN, PEN_UP, SequenceSpec


@dataclass(frozen=True)
class Tensors:
    """A `Batch` on a device; fields and shapes as there, ink and seen ``(n, 1, size, size)`` in 0..1."""

    ink: Tensor
    seen: Tensor
    offsets: Tensor
    drawn: Tensor
    pen: Tensor
    before: Tensor
    categories: Tensor
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
            torch.from_numpy(batch.categories).to(device, non_blocking=True),
            batch.counts.tolist(),
        )


class Prediction(NamedTuple):
    """What the network gives for a batch."""

    mixture: mixtures.Mixture
    """Of each packed row."""
    mu: Tensor
    """Codes without noise ``(n, z)``."""
    log_variance: Tensor | None
    """Of z ``(n, z)``, where it is sampled."""
    pixels: Tensor | None
    """Logits of the predicted ink ``(n, size, size)``, with a canvas."""


class Network(nn.Module):
    """Encoder, code, and one of three recurrent decoders, as `ModelSettings` says.

    categories: how many the decoder may be told. Without an encoder the code has no numbers: codes are ``(n, 0)``.
    """

    def __init__(self, settings: ModelSettings, sequence: SequenceSpec, categories: int = 0) -> None:
        super().__init__()
        self.settings, self.sequence = settings, sequence
        self.encoder: PaperEncoder | DeepEncoder | SequenceEncoder | NoEncoder
        if settings.encoder == "none":
            self.encoder = NoEncoder()
        elif settings.encoder == "rnn":
            self.encoder = SequenceEncoder(settings)
        else:
            self.encoder = (PaperEncoder if settings.encoder == "paper" else DeepEncoder)(settings)
        features, z = self.encoder.out_features, settings.z_size
        self.to_mu: nn.Linear | UnitCode | None = None
        if settings.unit_code:
            self.to_mu = UnitCode(features, z)
        elif z:
            self.to_mu = nn.Linear(features, z)
            nn.init.normal_(self.to_mu.weight, std=0.001)
            nn.init.zeros_(self.to_mu.bias)
        self.to_log_variance = nn.Linear(features, z) if settings.sample_z else None
        if self.to_log_variance is not None:
            nn.init.normal_(self.to_log_variance.weight, std=0.001)
            nn.init.zeros_(self.to_log_variance.bias)
        self.condition = Condition(z, categories, settings.category_size) if settings.category_size else None
        width = self.condition.out_features if self.condition else z
        self.canvas = Canvas(settings, width) if settings.canvas else None
        read = self.canvas.out_features + self.canvas.attended_features if self.canvas else 0
        self.core = CORES[settings.decoder](5 + read, width, settings)
        self.to_state = CodeLinear(width, sum(self.core.state_sizes), bias=width > 0)
        self.head = nn.Linear(settings.decoder_size, mixtures.output_size(settings.mixtures))
        if z and not settings.unit_code:
            # As published, and as `reference.PaperModel` has it.
            nn.init.normal_(self.to_state.weight, std=0.001)
            nn.init.zeros_(self.to_state.bias)
            nn.init.xavier_uniform_(self.head.weight)
            bound = math.sqrt(3 / self.head.out_features)
            nn.init.uniform_(self.head.bias, -bound, bound)

    # -- training -----------------------------------------------------------------------------------------

    def forward(self, batch: Tensors, attend: bool = False) -> Prediction:
        """The mixture of each row, given the rows before it. attend: the decoder attends to the batch's pictures."""
        mu, log_variance = self.posterior(self._features(batch))
        code = mu
        if log_variance is not None and self.training:
            code = mu + torch.exp(0.5 * log_variance) * torch.randn_like(mu)
        condition = self._training_condition(code, batch.categories)
        rows = previous = self._previous_rows(batch)
        pixels = None
        if self.canvas is not None:
            features, pixels = self.canvas.predict(condition)
            attended = None
            if attend:
                features, attended = self.canvas.attend(features, batch.seen[:, 0])
            rows = torch.cat([previous, self._read(features, pixels, attended, batch, previous)], dim=1)
        state = initial_state(self.to_state(condition), self.core.state_sizes)
        hidden = self.core.sequence(rows, self.core.constant(condition), state, batch.counts)
        return Prediction(mixtures.split(self.head(hidden)), mu, log_variance, pixels)

    def _training_condition(self, code: Tensor, categories: Tensor) -> Tensor:
        if self.condition is None:
            return code
        level = code.new_zeros(len(code))
        if self.training:
            if self.settings.noise > 0:
                level = random_levels(len(code), self.settings.noise, code.device)
                code = noised(code, level)
            told = torch.rand(len(code), device=code.device) < self.settings.category_keep
            categories = torch.where(told, categories, self.condition.unknown)
        out: Tensor = self.condition(code, level, categories)
        return out

    def _features(self, batch: Tensors) -> Tensor:
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

    def _read(
        self, features: Tensor, logits: Tensor, attended: Attended | None, batch: Tensors, previous: Tensor
    ) -> Tensor:
        """What the decoder reads of the canvas at each packed row ``(rows, features)``."""
        assert self.canvas is not None
        counts = batch.counts
        n, steps = counts[0], len(counts)
        with torch.no_grad():
            pixels = logits.float().sigmoid()
            at = _padded_places(counts, batch.before.device)
            start = torch.zeros(n, 2, device=batch.before.device)
            from_ = _shifted(batch.before, start, counts)
            down_before = _shifted(previous[:, 2:3], torch.zeros(n, 1, device=previous.device), counts)[:, 0]
            laid = self.canvas.ink(from_, batch.before, down_before)
            drawn = laid.new_zeros(steps * n, laid.shape[1]).index_copy(0, at, laid).view(steps, n, -1).cumsum(0)
            place = batch.before.new_zeros(steps * n, 2).index_copy(0, at, batch.before).view(steps, n, 2)
        read = self.canvas.read(features, pixels, attended, drawn, place)
        return read.flatten(0, 1).index_select(0, at)

    # -- drawing ------------------------------------------------------------------------------------------

    def encode(self, ink: Tensor) -> tuple[Tensor, Tensor | None]:
        """Ink ``(n, size, size)`` in 0..1 -> `posterior`. For models whose encoder sees pictures."""
        return self.posterior(self.encoder(ink[:, None]))

    def encode_rows(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Stroke-5 rows ``(n, time, 5)`` with lengths ``(n,)`` -> `posterior`. For the rnn encoder."""
        assert isinstance(self.encoder, SequenceEncoder)
        packed = nn.utils.rnn.pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.posterior(self.encoder(packed.data, packed.batch_sizes)[packed.unsorted_indices])

    def start(
        self, code: Tensor, level: Tensor | None = None, category: Tensor | None = None, picture: Tensor | None = None
    ) -> tuple[State, State]:
        """Codes ``(n, z)`` -> what stays the same while drawing, and the state that each row changes.

        level: the noise in each code ``(n,)``, none unless given; category: ``(n,)`` int64, not told unless given;
        picture: ink ``(n, size, size)`` in 0..1 to attend to; without ink, or None: drawn from the code alone.
        """
        n = len(code)
        condition = code
        if self.condition is not None:
            level = code.new_zeros(n) if level is None else level
            if category is None:
                category = torch.full((n,), self.condition.unknown, device=code.device)
            condition = self.condition(code, level, category)
        state = initial_state(self.to_state(condition), self.core.state_sizes)
        fixed: State = (self.core.constant(condition),)
        if self.canvas is not None:
            features, logits = self.canvas.predict(condition)
            attended: tuple[Tensor, ...] = ()
            if self.canvas.attends:
                shown = torch.zeros_like(logits) if picture is None else picture
                features, attended = self.canvas.attend(features, shown)
            fixed = (*fixed, features.flatten(2).transpose(1, 2), logits.sigmoid(), *attended)
            nodes = self.canvas.nodes**2
            blank = (condition[:, :1] * 0).expand(n, nodes), (condition[:, :1] * 0).expand(n, 2), condition[:, :1] * 0
            state = (*state, *blank)
        return fixed, state

    def step(self, row: Tensor, fixed: State, state: State) -> tuple[mixtures.Mixture, State]:
        """The last row ``(n, 5)`` (first: `start_row`) -> the mixture of the next one, and the state after it.

        With a canvas the state ends with the drawn ink, the pen's place in canvas units, and whether the pen was down.
        """
        cores = len(self.core.state_sizes)
        rows, extra = row, state[cores:]
        if self.canvas is not None:
            drawn, before, down = extra
            attended = Attended(*fixed[3:]) if self.canvas.attends else None
            place = before + row[:, :2] * self.sequence.scale
            drawn = drawn + self.canvas.ink(before, place, down[:, 0])
            rows = torch.cat([row, self.canvas.read_row(fixed[1], fixed[2], attended, drawn, place)], dim=1)
            extra = (drawn, place, row[:, 2:3])
        moved = self.core.step(rows, fixed[0], state[:cores])
        return mixtures.split(self.head(moved[0])), (*moved, *extra)

    def draw_row(
        self, row: Tensor, given: Tensor, chance: Tensor, control: Tensor, fixed: State, state: State
    ) -> tuple[Tensor, Tensor, State]:
        """The last row ``(n, 5)`` -> the next one, its log densities ``(n, 2)`` in nats, and the state after it.

        chance: see `sample_row`; control ``(n, 4)``: temperature, pen temperature, whether the drawing may end, and
        whether the next row is the given one ``(n, 5)``, as it is where strokes are there already. The log densities
        are those of the offset and of the pen state, at temperature 1.
        """
        mixture, state = self.step(row, fixed, state)
        temperature, pen_temperature, may_end, forced = (control[:, i : i + 1] for i in range(4))
        drawn = sample_row(mixture, chance, temperature, pen_temperature, may_end)
        drawn = torch.where(forced > 0, given, drawn)
        offset = mixtures.log_density(mixture, drawn[:, :2])
        pen = (mixture.log_pen * drawn[:, 2:]).sum(dim=1)
        return drawn, torch.stack([offset, pen], dim=1), state


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
