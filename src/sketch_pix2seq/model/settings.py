"""The settings that make a network. They travel with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sketch_pix2seq.errors import SettingsError
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
    a decoder alone, without a code, which draws from nothing and goes on with what is begun."""
    high_pass: bool = False
    """A fixed 3x3 high-pass filter in front of the paper encoder, as one re-implementation has it."""
    encoder_size: int = 256
    """Units a direction of the rnn encoder; channels of the deep encoder's last stage."""
    z_size: int = 256
    """Numbers in the code z; 0 without an encoder. More than the model has that a run begins with: its code grows."""
    sample_z: bool = False
    """Draw z from N(mu, sigma) in training (needed for the KL term); otherwise z is mu."""
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
    canvas: bool = True
    """The decoder imagines the picture from z, and sees it around the pen beside what it has drawn so far."""
    canvas_channels: int = 64
    """Channels of the imagined picture."""
    canvas_window: int = 11
    """Side of the window around the pen, in places 1.25 pixels apart; 0 = the decoder has none."""
    glimpse: int = 0
    """Side, in pixels, of a second window around the pen through which the decoder looks at the picture itself, where
    there is one; 0 = it has none, and draws from z alone. Only with a canvas."""
    glimpse_keep: float = 0.7
    """Share of the sketches whose picture the decoder looks at in training; the others it draws from z alone."""
    overview: int = 0
    """Side of a third window around the pen, in places 3 pixels apart, through which a decoder with a glimpse sees how
    much ink is left to draw, and where; 0 = it has none."""
    start: Start = "centre"
    """Where the pen is before the first row: the "centre" of the bounds, or on the "first" point, as in sketch-rnn."""
    raster: RasterSpec = RasterSpec()
    """How ink is drawn for the encoder."""

    def __post_init__(self) -> None:
        if self.encoder == "none" and (self.z_size or self.canvas or self.sample_z):
            raise SettingsError('encoder "none" has no code: it needs z_size 0, sample_z false and canvas false')
        if self.encoder != "none" and self.z_size < 1:
            raise SettingsError(f'z_size must be at least 1, not {self.z_size}; only encoder "none" has no code')
        if self.canvas and self.raster.size % 4:
            raise SettingsError(f"a canvas needs a raster size that is a multiple of 4, not {self.raster.size}")
        if self.canvas and self.start != "centre":
            raise SettingsError('a canvas needs start: "centre", since it must know where on the picture the pen is')
        if self.encoder in ("paper", "deep") and self.raster.size % 16:
            raise SettingsError(
                f"the {self.encoder} encoder needs a raster size that is a multiple of 16, not {self.raster.size}"
            )
        if self.glimpse < 0 or (self.glimpse and not self.canvas):
            raise SettingsError("glimpse is the side of a window, 0 or more, and needs a canvas")
        if self.overview < 0 or (self.overview and not self.glimpse):
            raise SettingsError("overview is the side of a window, 0 or more, and needs a glimpse")
        if self.glimpse and self.encoder == "rnn":
            raise SettingsError("a glimpse needs an encoder that sees pictures, not one that reads strokes")
        if not 0 <= self.glimpse_keep <= 1:
            raise SettingsError(f"glimpse_keep is a share, from 0 to 1, not {self.glimpse_keep}")
        if not 0 < self.recurrent_keep <= 1:
            raise SettingsError(f"recurrent_keep must be above 0 and at most 1, not {self.recurrent_keep}")
