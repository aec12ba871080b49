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
    augment: AugmentSettings = AugmentSettings(scale=0.2, drop=0.1, rotation=12.0, shear=0.15, damage=0.0, slip=0.0)
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
    """tau of all drawings. Published figures of Ret@k are at 0.24."""
    freedoms: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """Freedoms of the table that compares drawings with people's. A model without a flow has only 0."""
    inputs: int = 940
    """At most this many inputs for that table and for healing, spread evenly over the categories; 0 = neither."""
    samples: int = 4
    """Drawings of an input for variety; 1 = leave variety out."""
    varied: int = 235
    """At most this many inputs are drawn several times."""
    twins: int = 200
    """At most this many training sketches of each category are searched for the nearest twin of a drawing."""
    scale: bool = True
    """Add the rows of the package's own tracer and of another person's sketches to the table."""
    pixel_test: bool = True
    """Train CNNs to tell redrawings from people's sketches; needs PyTorch, and takes minutes."""
    folds: int = 5
    """Folds of the order test and the two-sample tests."""
    damages: tuple[float, ...] = (0.1, 0.3, 0.5)
    """Fractions of an input's patches that are removed before it is redrawn, for healing."""
    limit: int = 0
    """At most this many sketches of the split are used, spread evenly over the categories; 0 = all."""
    seed: int = 0
    """Seed of choices, drawings and intervals."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise SettingsError("the temperature cannot be below 0")
        if not all(0 <= freedom <= 1 for freedom in self.freedoms):
            raise SettingsError("a freedom is between 0 and 1")
        if min(self.samples, self.varied) < 1 or min(self.inputs, self.twins, self.limit) < 0:
            raise SettingsError("samples and varied must be at least 1, inputs, twins and limit 0 or more")
        if not all(0 <= damage < 1 for damage in self.damages):
            raise SettingsError("damages are shares, 0 or more and below 1")
        if self.folds < 2:
            raise SettingsError("a cross-validated test needs at least 2 folds")
