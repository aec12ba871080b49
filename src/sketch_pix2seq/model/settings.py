"""The settings that make a network. They travel with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.plain import check_ranges
from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sequence import Start

EncoderKind = Literal["paper", "deep", "rnn", "none"]
DecoderKind = Literal["lstm", "layer_norm", "hyper"]

LOG_SIGMA_MIN, LOG_SIGMA_MAX = -8.0, 12.0
"""Bounds of log sigma, in model units; far outside of what real drawings need."""
RHO_MAX = 0.999
"""Bound of the correlation's size."""


@dataclass(frozen=True)
class ModelSettings:
    """Encoder -> z -> decoder -> mixture."""

    encoder: EncoderKind = "deep"
    """"paper": six 2x2 convolutions; "deep": residual 3x3 convolutions; "rnn": sketch-rnn's bidirectional LSTM; "none":
    a decoder alone, without a code, which draws from nothing and continues started drawings."""
    high_pass: bool = False
    """A fixed 3x3 high-pass filter in front of the paper encoder, as one re-implementation has it."""
    encoder_size: int = 256
    """Units a direction of the rnn encoder; channels of the deep encoder's last stage."""
    z_size: int = 128
    """Numbers in the code z; 0 without an encoder."""
    sample_z: bool = False
    """Draw z from N(mu, sigma) in training (needed for the KL term); otherwise z is mu."""
    unit_code: bool = True
    """Scale z to unit variance, by running statistics; needed for a flow over codes."""
    noise: float = 0.5
    """Highest level s of the noise in training, where the decoder gets (1 - s) z + s eps and is told s; 0 = no
    noise."""
    category_size: int = 64
    """Numbers of the category's embedding, which the decoder is told; 0 = it is not told the category."""
    category_keep: float = 0.7
    """Share of the training sketches whose category the decoder is told."""
    decoder: DecoderKind = "lstm"
    """"lstm"; "layer_norm": an LSTM with layer normalisation; "hyper": HyperLSTM (Ha, Dai & Le 2016)."""
    decoder_size: int = 512
    """Units of the decoder."""
    hyper_size: int = 256
    """Units of the HyperLSTM's small LSTM."""
    hyper_embedding: int = 32
    """Size of the HyperLSTM's embeddings."""
    mixtures: int = 20
    """Gaussians in the mixture of each pen offset."""
    recurrent_keep: float = 0.9
    """Share of the cell's candidate values kept by recurrent dropout in training; 1 = no dropout."""
    mask_each_row: bool = False
    """Draw another mask of recurrent dropout at each row, as sketch-rnn does; otherwise one for the whole sequence."""
    canvas: bool = True
    """The decoder predicts the picture from z, and reads it around the pen beside what it has drawn so far."""
    canvas_channels: int = 64
    """Channels of the predicted features."""
    attend: float = 0.4
    """Share of the training batches in which the decoder attends to the picture itself; in the others it draws from the
    code alone. 0 = it never does. Needs a canvas."""
    start: Start = "centre"
    """Where the pen is before the first row: the "centre" of the bounds, or on the "first" point, as in sketch-rnn."""
    raster: RasterSpec = RasterSpec()
    """How ink is drawn for the encoder."""

    def __post_init__(self) -> None:
        check_ranges(self, z_size=(0, 4096), category_size=(0, 4096), mixtures=(1, 1024))
        sizes = ("encoder_size", "decoder_size", "hyper_size", "hyper_embedding", "canvas_channels")
        check_ranges(self, **dict.fromkeys(sizes, (1, 8192)))
        if self.encoder == "none" and (self.z_size or self.canvas or self.sample_z or self.unit_code or self.noise):
            raise SettingsError(
                'encoder "none" has no code: it needs z_size 0, noise 0, and no sample_z, unit_code, canvas'
            )
        if self.encoder != "none" and self.z_size < 1:
            raise SettingsError(f'z_size must be at least 1, not {self.z_size}; only encoder "none" has no code')
        if self.unit_code and self.sample_z:
            raise SettingsError("unit_code and sample_z exclude each other: a sampled z is held by the KL term")
        if self.unit_code and self.encoder not in ("deep", "paper"):
            raise SettingsError(f"unit_code needs an encoder that sees pictures, not {self.encoder!r}")
        if not 0 <= self.noise < 1:
            raise SettingsError(f"noise is a level, 0 or more and below 1, not {self.noise}")
        if self.noise > 0 and not (self.unit_code and self.category_size > 0):
            raise SettingsError("noise needs unit_code and a category_size above 0")
        if self.canvas and self.raster.size % 8:
            raise SettingsError(f"a canvas needs a raster size that is a multiple of 8, not {self.raster.size}")
        if self.canvas and self.start != "centre":
            raise SettingsError('a canvas needs start: "centre", since it must know where on the picture the pen is')
        if self.encoder in ("paper", "deep") and self.raster.size % 16:
            raise SettingsError(
                f"the {self.encoder} encoder needs a raster size that is a multiple of 16, not {self.raster.size}"
            )
        if self.attend > 0 and not (self.canvas and self.encoder in ("paper", "deep")):
            raise SettingsError("attend above 0 needs a canvas, and an encoder that sees pictures")
        for name in ("attend", "category_keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is a share, from 0 to 1, not {getattr(self, name)}")
        if not 0 < self.recurrent_keep <= 1:
            raise SettingsError(f"recurrent_keep must be above 0 and at most 1, not {self.recurrent_keep}")


@dataclass(frozen=True)
class FlowSettings:
    """The network of a flow."""

    width: int = 384
    """Numbers in the residual stream."""
    blocks: int = 6
    """Residual blocks."""
    dropout: float = 0.05
    """Share of the hidden values that is left out in training."""

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 8192), blocks=(1, 256))
        if not 0 <= self.dropout < 1:
            raise SettingsError("dropout must be from 0 to below 1")
