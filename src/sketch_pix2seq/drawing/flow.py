"""Codes from the flow: from noise, from a noised code, or given the strokes that are there.

Codes are integrated along the flow's path by Heun's method, with classifier-free guidance (Ho & Salimans 2022) on the
category. A code noised to a level and brought back is a variation of it (SDEdit, Meng et al. 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.constants import FLOW
from sketch_pix2seq.drawing.runtime import Runtime
from sketch_pix2seq.sequence import FRAME, mixed, uniform
from sketch_pix2seq.sketch import FloatArray

STEPS: int = FLOW["steps"]
FEWEST_STEPS: int = FLOW["fewest_steps"]
"""Steps of the integration from level 1, and at least; fewer from lower levels, in proportion."""
LEVEL: float = FLOW["level"]
"""Noise level that the decoder is told of codes that come from the flow: they are almost right."""
_NOISE = 1 << 40
"""Where the random numbers of the noise begin in a drawing's own."""


class Given(NamedTuple):
    """What n codes are drawn given."""

    category: NDArray[np.int64]
    """``(n,)``; the number of categories stands for "any"."""
    partial: FloatArray
    """Code ``(n, z)`` of the strokes that are there."""
    started: FloatArray
    """``(n, 1)``: 1 where there are any."""

    @classmethod
    def of(cls, category: NDArray[np.int64], z_size: int) -> Given:
        """A category and no strokes."""
        n = len(category)
        return cls(category, np.zeros((n, z_size), np.float32), np.zeros((n, 1), np.float32))


def normal(streams: NDArray[np.uint64], count: int) -> FloatArray:
    """Standard normal numbers ``(n, count)``, hashes of the streams ``(n,)`` (Box & Muller 1958)."""
    pairs = (count + 1) // 2
    counters = mixed(streams + np.uint64(_NOISE))[:, None] + np.arange(2 * pairs, dtype=np.uint64)
    chance = uniform(counters.astype(np.uint64))
    radius, angle = np.sqrt(-2 * np.log1p(-chance[:, :pairs])), 2 * np.pi * chance[:, pairs:]
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return both[:, :count].astype(np.float32)


def sample_codes(
    runtime: Runtime,
    given: Given,
    streams: NDArray[np.uint64],
    *,
    guidance: float,
    codes: FloatArray | None = None,
    level: float | FloatArray = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Codes ``(n, z)``, and frames ``(n, FRAME)`` of the started strokes, which mean nothing where there are none.

    codes: begin with these, noised to the level in 0..1, one for all or ``(n,)``; without, with noise. guidance: how
    far towards what the category alone brings; 1 = not beyond it. Raises ModelError for a model without a flow.
    """
    n, z = given.partial.shape
    x = normal(streams, z + FRAME)
    levels = np.broadcast_to(np.asarray(level, np.float32), (n,))[:, None]
    if codes is not None:
        x[:, :z] = (1 - levels) * codes + levels * x[:, :z]
        x[:, z:] *= levels
    steps = max(FEWEST_STEPS, round(STEPS * float(levels.max(initial=0))))
    for step in range(steps):
        now, after = ((levels * (1 - at / steps)).astype(np.float32) for at in (step, step + 1))
        slope = _guided(runtime, x, now, given, guidance)
        end: FloatArray = (x + (after - now) * slope).astype(np.float32)
        if step + 1 < steps:
            both = slope + _guided(runtime, end, after, given, guidance)
            end = (x + (after - now) / 2 * both).astype(np.float32)
        x = end
    return x[:, :z], x[:, z:]


def _guided(runtime: Runtime, x: FloatArray, t: FloatArray, given: Given, guidance: float) -> FloatArray:
    n = len(x)
    if guidance == 1:
        return runtime.velocity(x, t, *given)
    untold = np.full(n, len(runtime.info.categories), np.int64)
    both = runtime.velocity(
        np.concatenate([x, x]),
        np.concatenate([t, t]),
        np.concatenate([given.category, untold]),
        np.concatenate([given.partial, given.partial]),
        np.concatenate([given.started, given.started]),
    )
    return (1 - guidance) * both[n:] + np.float32(guidance) * both[:n]
