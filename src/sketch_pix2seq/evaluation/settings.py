"""What an evaluation and its classifier are told."""

from __future__ import annotations

from dataclasses import dataclass

from sketch_pix2seq.data.batches import AugmentSettings
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.raster import RasterSpec


@dataclass(frozen=True)
class ClassifierSettings:
    """The sketch classifier and its training."""

    steps: int = 5500
    """Optimiser steps in all."""
    batch: int = 256
    """Sketches a step."""
    width: int = 32
    """Channels of the first stage; each of the three others has twice as many as the one before."""
    blocks: int = 1
    """Residual blocks of each stage but the first."""
    learning_rate: float = 2e-3
    """Highest learning rate; a cosine leads down from it."""
    warmup: int = 300
    """Steps in which the learning rate rises from nothing."""
    weight_decay: float = 0.05
    """Weight decay of AdamW."""
    smoothing: float = 0.1
    """Share of each label that is spread over all categories."""
    dropout: float = 0.2
    """Share of the features left out in training."""
    balance: float = 0.5
    """Categories are drawn in proportion to their size to this power."""
    augment: AugmentSettings = AugmentSettings(scale=0.2, drop=0.1, rotation=12.0, shear=0.15)
    """What is varied each time; sketches are mirrored half of the time, too."""
    average: float = 0.998
    """Decay of the running average of the weights, which is what is kept."""
    seed: int = 1
    """Seed of weights, order and augmentation."""
    checkpoint_minutes: float = 3.0
    """Minutes between checkpoints."""
    raster: RasterSpec = RasterSpec()
    """How ink is drawn."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.width, self.blocks) < 1:
            raise SettingsError("steps, batch, width and blocks must be at least 1")
        if self.raster.size % 8:
            raise SettingsError(f"the classifier's pictures need a size that 8 divides, not {self.raster.size}")


@dataclass(frozen=True)
class EvaluateSettings:
    """What is measured, and on how much."""

    temperature: float = 0.2
    """tau of the redrawings."""
    candidates: int = 4
    """Drawings made for each redrawing that is kept (see draw); 1 = whatever comes. Ret@k is always measured with 1."""
    tries: int = 8
    """Offsets tried for each row, of models with a canvas (see draw)."""
    retakes: int = 8
    """How often a stroke that misses the picture is taken back, of models with a glimpse (see draw)."""
    settle: bool = True
    """Move the points of a finished drawing onto the picture's ink, of models with a glimpse (see draw)."""
    retrieval_temperature: float = 0.24
    """tau of the redrawings of Ret@k."""
    temperatures: tuple[float, ...] = (0.01, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    """At which endings, variety and Rec are measured side by side, with one candidate."""
    samples: int = 4
    """Redrawings of each input at each of these temperatures."""
    damages: tuple[float, ...] = (0.1, 0.3, 0.5)
    """Shares of an input's patches that are removed before it is redrawn, for healing."""
    inputs: int = 470
    """Inputs at each of these temperatures and damages, at most."""
    limit: int = 0
    """Sketches of the split used at most, spread evenly over its categories; 0 = all."""
    turing: bool = True
    """Train CNNs to tell redrawings from people's sketches; needs PyTorch, and takes minutes."""
    folds: int = 3
    """Folds of that test."""
    seed: int = 0
    """Seed of choices, drawings and intervals."""

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise SettingsError("variety needs at least 2 samples of each input")
        if min(self.temperature, self.retrieval_temperature, *self.temperatures, 0.0) < 0:
            raise SettingsError("temperatures cannot be below 0")
        if self.candidates < 1 or self.inputs < 1 or self.limit < 0:
            raise SettingsError("candidates and inputs must be at least 1, limit 0 or more")
        if not all(0 <= damage < 1 for damage in self.damages):
            raise SettingsError("damages are shares, 0 or more and below 1")
        if self.folds < 2:
            raise SettingsError("a cross-validated test needs at least 2 folds")
