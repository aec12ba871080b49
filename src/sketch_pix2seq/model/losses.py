"""What is minimised: L_R + w_KL eta max(L_KL, KL_min) (Ha & Eck 2017, section 3.3), and the pixels of the canvas."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

from sketch_pix2seq.model import mixture as mixtures
from sketch_pix2seq.model.network import Prediction, Tensors
from sketch_pix2seq.sequence import PEN_END


class Losses(NamedTuple):
    """Sums over a batch, in nats, and what to divide them by."""

    offset: Tensor
    """Negative log density of the offsets, end rows left out."""
    pen: Tensor
    """Negative log probability of the pen states, end rows included."""
    kl: Tensor
    """KL divergence of q(z) from N(0, 1), mean over the numbers of z, summed over sketches."""
    pixel: Tensor
    """Cross-entropy of the predicted pixels, mean over pixels, summed over sketches."""
    rows: int
    """Rows with an end row."""
    sketches: int


def losses_of(prediction: Prediction, batch: Tensors) -> Losses:
    """The losses of a batch's prediction."""
    none = prediction.mu.new_zeros(())
    density = mixtures.log_density(prediction.mixture, batch.offsets)
    offset = -(density * (batch.pen != PEN_END)).sum()
    pen = -mixtures.log_pen(prediction.mixture, batch.pen).sum()
    kl = none
    if prediction.log_variance is not None:
        mu, log_variance = prediction.mu, prediction.log_variance
        kl = -0.5 * (1 + log_variance - mu.square() - log_variance.exp()).mean(dim=1).sum()
    pixel = none
    if prediction.pixels is not None:
        entropy = F.binary_cross_entropy_with_logits(prediction.pixels.float(), batch.ink[:, 0], reduction="none")
        pixel = entropy.mean(dim=(1, 2)).sum()
    return Losses(offset, pen, kl, pixel, len(batch.pen), len(batch.ink))


def objective(
    losses: Losses, longest: int, *, kl_weight: float, eta: float, kl_minimum: float, pixel_weight: float
) -> Tensor:
    """The number that training minimises; L_R is the mean over sketches and ``longest`` rows, as published."""
    total = (losses.offset + losses.pen) / (losses.sketches * longest)
    if kl_weight > 0:
        total = total + kl_weight * eta * (losses.kl / losses.sketches).clamp(min=kl_minimum)
    if pixel_weight > 0:
        total = total + pixel_weight * losses.pixel / losses.sketches
    return total
