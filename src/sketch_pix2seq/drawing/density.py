"""The density of a mixture, in NumPy."""

from __future__ import annotations

import numpy as np

from sketch_pix2seq.drawing.runtime import MixtureArrays
from sketch_pix2seq.sketch import DoubleArray, FloatArray


def log_density(mixture: MixtureArrays, offsets: FloatArray) -> DoubleArray:
    """Log density of ``offsets`` ``(n, 2)`` in model units, ``(n,)`` in nats, in float64 (Graves 2013, eqs. 24-25)."""
    log_pi, mu_x, mu_y, log_x, log_y, rho = (x.astype(np.float64) for x in mixture[:6])
    dx = (offsets[:, :1].astype(np.float64) - mu_x) * np.exp(-log_x)
    dy = (offsets[:, 1:].astype(np.float64) - mu_y) * np.exp(-log_y)
    rest = (1 - rho) * (1 + rho)
    each = log_pi - 0.5 * (np.square(dx - rho * dy) / rest + np.square(dy)) - log_x - log_y - 0.5 * np.log(rest)
    highest = each.max(axis=1)
    total: DoubleArray = highest + np.log(np.exp(each - highest[:, None]).sum(axis=1)) - np.log(2 * np.pi)
    return total
