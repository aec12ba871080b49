"""Arithmetic on codes: ways between two, analogies, mixtures. `drawing/create.py` makes drawings of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.sketch import DoubleArray, FloatArray

How: TypeAlias = Literal["spherical", "linear"]

_PARALLEL = 1e-6
"""Sine of the angle below which two directions leave no arc between them."""


def interpolate(a: ArrayLike, b: ArrayLike, steps: int, how: How = "spherical") -> FloatArray:
    """Codes ``(steps, z)`` at equal shares of the way from ``a`` to ``b``, both ``(z,)``; the ends are exact.

    spherical: the direction turns at a constant rate along the great circle (Shoemake 1985), and the
    length, which is not the same for all codes, grows evenly from that of ``a`` to that of ``b``. Codes between which
    there is no one arc (parallel, opposite or zero) go the linear way.
    Raises SettingsError for fewer than 2 steps or another ``how``, ValueError for codes that are not of one shape.
    """
    if steps < 2:
        raise SettingsError(f"{steps} steps make no way from one to the other; give at least 2")
    if how not in ("spherical", "linear"):
        raise SettingsError(f"no interpolation {how!r}; there are spherical and linear")
    first, last = _codes(a, b)
    shares = np.linspace(0.0, 1.0, steps)[:, None]
    between = (1 - shares) * first + shares * last
    lengths = float(np.linalg.norm(first)), float(np.linalg.norm(last))
    if how == "spherical" and min(lengths) > 0:
        directions = first / lengths[0], last / lengths[1]
        angle = float(np.arccos(np.clip(directions[0] @ directions[1], -1.0, 1.0)))
        if np.sin(angle) > _PARALLEL:
            arc = np.sin((1 - shares) * angle) * directions[0] + np.sin(shares * angle) * directions[1]
            between = ((1 - shares) * lengths[0] + shares * lengths[1]) * arc / np.sin(angle)
    between[0], between[-1] = first, last
    return between.astype(np.float32)


def analogy(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> FloatArray:
    """The code ``a - b + c``, ``(z,)``: what has that of ``a`` which ``b`` lacks, on ``c`` (Ha & Eck 2017).

    Raises ValueError for codes that are not of one shape.
    """
    plus, minus, base = _codes(a, b, c)
    return (plus - minus + base).astype(np.float32)


def mix(codes: ArrayLike, weights: Sequence[float]) -> FloatArray:
    """The weighted mean ``(z,)`` of two or more codes ``(n, z)``; only the proportions of the ``n`` weights count.

    Raises SettingsError for weights that are not one a code, are below 0, or are all 0, ValueError for codes of
    another shape.
    """
    table = np.asarray(codes, np.float64)
    if table.ndim != 2 or len(table) < 2:
        raise ValueError(f"codes of shape {table.shape}; (n, z) with at least two is needed")
    shares = np.asarray(weights, np.float64)
    if shares.shape != (len(table),) or not np.isfinite(shares).all() or (shares < 0).any() or not shares.sum():
        raise SettingsError(f"{len(table)} codes need {len(table)} weights that are not below 0, one of them above")
    return np.asarray(shares / shares.sum() @ table, np.float32)


def _codes(*codes: ArrayLike) -> list[DoubleArray]:
    arrays = [np.asarray(code, np.float64) for code in codes]
    if arrays[0].ndim != 1 or any(array.shape != arrays[0].shape for array in arrays):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"codes of shapes {shapes}; each must be (z,), of the same length")
    return arrays
