"""Everything that a training run is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sketch_pix2seq.data.batches import AugmentSettings, BatchSettings
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.settings import FlowSettings, ModelSettings

Precision = Literal["auto", "float32", "bfloat16"]
Schedule = Literal["exponential", "cosine", "trapezoid"]


@dataclass(frozen=True)
class LossSettings:
    """What is minimised: L_R + w_KL * eta * max(L_KL, KL_min) + w_pixel * L_pixel."""

    kl_weight: float = 0.0
    """w_KL; above 0 needs a sampled z (sketch-rnn: 0.5)."""
    kl_minimum: float = 0.2
    """KL_min: below this, L_KL is left alone."""
    kl_start: float = 0.01
    """eta at the first step; it rises to 1."""
    kl_rate: float = 0.99995
    """R: eta = 1 - (1 - kl_start) R^step."""
    pixel_weight: float = 2.0
    """w_pixel: weight of the predicted picture's cross-entropy; only with a canvas."""

    def eta(self, step: int) -> float:
        """The KL term's annealing factor (Ha & Eck 2017, section 3.3)."""
        return 1.0 - (1.0 - self.kl_start) * float(self.kl_rate**step)


@dataclass(frozen=True)
class OptimiserSettings:
    """Adam and its learning rate."""

    learning_rate: float = 1.5e-3
    """Learning rate after the warm-up."""
    final_learning_rate: float = 1e-5
    """Learning rate at the end (exponential: the floor)."""
    schedule: Schedule = "trapezoid"
    """"exponential": times `decay` a step; "cosine"; "trapezoid": constant, then straight down in the `tail`."""
    decay: float = 0.9999
    """Factor a step of the exponential schedule."""
    tail: float = 0.25
    """Share of the steps in which the trapezoid goes down."""
    warmup: int = 300
    """Steps in which the learning rate rises from nothing."""
    clip_value: float = 0.0
    """Each number of the gradient is cut to this size; 0 = not (sketch-rnn: 1)."""
    clip_norm: float = 1.0
    """The gradient's norm is cut to this; 0 = not."""
    average: float = 0.999
    """Decay of the running average of the weights, which is what is validated and saved; 0 = the last weights."""

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step of ``steps``."""
        peak, low = self.learning_rate, self.final_learning_rate
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup > 0 else 1.0
        if self.schedule == "exponential":
            return warm * ((peak - low) * float(self.decay**step) + low)
        done = step / max(1, steps)
        if self.schedule == "cosine":
            return warm * (low + (peak - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        left = min(1.0, max(0.0, (1 - done) / self.tail)) if self.tail > 0 else 1.0
        return warm * (low + (peak - low) * left)


@dataclass(frozen=True)
class FlowTrainSettings:
    """The flow over codes and its training."""

    network: FlowSettings = FlowSettings()
    """The network."""
    codes: int = 400_000
    """Training sketches that are encoded, drawn by `balance`, each augmented in its own way."""
    steps: int = 12_000
    """Optimiser steps in all; 0 = no flow."""
    batch: int = 512
    """Codes a step."""
    learning_rate: float = 1e-3
    """Learning rate after the warm-up; it goes straight down to nothing over the second half."""
    warmup: int = 200
    """Steps in which the learning rate rises from nothing."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    average: float = 0.999
    """Decay of the running average of the weights, which is what is kept."""
    balance: float = 0.5
    """Categories are drawn in proportion to their size to this power."""
    augment: AugmentSettings = AugmentSettings(scale=0.1, drop=0.05, rotation=4.0, shear=0.06, damage=0.0, slip=0.0)
    """What is varied each time that a drawing is encoded."""
    seed: int = 1
    """Seed of weights, order and noise."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints."""

    def __post_init__(self) -> None:
        if min(self.codes, self.batch) < 1 or self.steps < 0:
            raise SettingsError("codes and batch must be at least 1, steps 0 or more")


@dataclass(frozen=True)
class TuneSettings:
    """What a run that begins with a trained model does to keep what that model knows; only with `--from`."""

    freeze_encoder: bool = False
    """Leave the encoder as it is, so that pictures keep their codes."""
    rehearsal: float = 0.0
    """Share of the batches that are sketches which the model drew of its own categories before it began to learn
    (generative replay, Shin et al. 2017); 0 = none."""
    rehearsed: int = 2000
    """Sketches that are drawn for it, the same number of each category."""
    temperature: float = 0.2
    """tau with which they are drawn."""

    def __post_init__(self) -> None:
        if not 0 <= self.rehearsal < 1:
            raise SettingsError("tune.rehearsal is a share: 0 or more, and below 1")
        if self.rehearsed < 1 or self.temperature < 0:
            raise SettingsError("tune.rehearsed must be at least 1, and tune.temperature 0 or more")


@dataclass(frozen=True)
class TrainSettings:
    """A training run."""

    model: ModelSettings = ModelSettings()
    """The network."""
    batch: BatchSettings = BatchSettings()
    """How sketches become batches."""
    loss: LossSettings = LossSettings()
    """What is minimised."""
    optimiser: OptimiserSettings = OptimiserSettings()
    """How it is minimised."""
    flow: FlowTrainSettings = FlowTrainSettings()
    """The flow over codes, which is trained after the network."""
    tune: TuneSettings = TuneSettings()
    """How a run that begins with a trained model keeps what that model knows."""
    steps: int = 20_000
    """Optimiser steps in all."""
    seed: int = 1
    """Seed of weights, order, augmentation and dropout."""
    precision: Precision = "auto"
    """Of the matrix products; "auto" takes bfloat16 where the processor multiplies it in hardware."""
    validate_every: int = 1000
    """Steps between validations; each writes a sheet of redrawn sketches of people."""
    validate_sketches: int = 2000
    """Validation sketches used at most."""
    patience: int = 0
    """Validations without a better loss after which training stops early; 0 = never."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints."""
    log_every: int = 20
    """Steps between lines in the log."""

    def __post_init__(self) -> None:
        if self.loss.kl_weight > 0 and not self.model.sample_z:
            raise SettingsError("a KL term (loss.kl_weight above 0) needs a sampled z (model.sample_z)")
        if self.model.canvas and not self.batch.augment.refit:
            raise SettingsError("a canvas shows where the pen is on the picture: it needs batch.augment.refit")
        if self.steps < 1 or self.batch.size < 1:
            raise SettingsError("steps and batch.size must be at least 1")
        if self.validate_every < 1 or self.log_every < 1:
            raise SettingsError("validate_every and log_every must be at least 1")
