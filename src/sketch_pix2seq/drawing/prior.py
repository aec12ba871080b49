"""The prior: for each category a Gaussian mixture over codes, so that a model can draw from nothing.

Without a KL term nothing holds the codes to a standard normal distribution; what they are distributed like has to be
fitted to them. `training.prior` does that; the result lies in the model folder as ``prior.npz``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.model.folder import PRIOR
from sketch_pix2seq.sketch import FloatArray

SPREAD = 0.6
"""By default samples have this share of the mixture's variance about the middle of each Gaussian."""
NEAR = 0.25
"""What a sample near an example has of the variance that others have. Codes from all about the middle of 50 bees were
scribbles when drawn; with 0.1 to 0.25 of the variance about one bee, drawings were new and bees."""


def unknown_category(category: str, known: Sequence[str]) -> SettingsError:
    """The error to raise for a category that a model does not know; it names the nearest one."""
    near = get_close_matches(category.lower(), known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return SettingsError(f"no category {category!r}; {hint}the model knows {', '.join(known)}")


@dataclass(frozen=True, eq=False)
class Prior:
    """p(z | category) = sum over k of weights[k] N(z; means[k], factors factors^T + diag(noise^2)), and p(category).

    The Gaussians of a category share one covariance: a factor analyser's (a mixture of them: Ghahramani & Hinton 1996).
    """

    categories: tuple[str, ...]
    shares: NDArray[np.float64]
    """p(category), ``(c,)``: the share of the training sketches."""
    weights: NDArray[np.float64]
    """``(c, k)``; a category with fewer Gaussians than others has zeros at the end."""
    means: FloatArray
    """``(c, k, z)``."""
    factors: FloatArray
    """``(c, z, r)``."""
    noise: FloatArray
    """Standard deviation of what the factors leave over, ``(c, z)``."""
    examples: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Codes ``(m, z)`` of drawings: all of a category that has few, some of others. The samples of a category that has
    any lie about them (a smoothed bootstrap: Silverman & Young 1987), as between two drawings there may be none."""
    example_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """The category of each example, ``(m,)``."""

    def sample(
        self, n: int, category: str | Sequence[str] | None = None, *, seed: int = 0, spread: float = SPREAD
    ) -> FloatArray:
        """Codes ``(n, z)`` of one category, of a category each, or (None) of any, as often as they were learned from.

        spread multiplies the variance of each Gaussian: 0 gives their middles, 1 what was fitted. Of a category with
        examples these are the middles, and the variance about them is `NEAR` times as much. The same seed gives the
        same codes, and the first ones are the same however many are asked for.
        Raises SettingsError for an unknown category or a spread below 0.
        """
        if spread < 0:
            raise SettingsError("the spread cannot be below 0")
        names = [category] * n if isinstance(category, str) else category
        given = None if names is None else [self.index(name) for name in names]
        codes = np.empty((n, self.means.shape[2]), np.float32)
        for i in range(n):
            rng = np.random.default_rng([seed, i])
            any_category = int(rng.choice(len(self.categories), p=self.shares))
            c = any_category if given is None else given[i]
            k = rng.choice(self.weights.shape[1], p=self.weights[c])
            middle, width = self.means[c, k], spread
            own = self.examples[self.example_of == c]
            if len(own):
                middle, width = own[rng.integers(len(own))], NEAR * spread
            off = self.factors[c] @ rng.normal(size=self.factors.shape[2]) + self.noise[c] * rng.normal(
                size=codes.shape[1]
            )
            codes[i] = middle + np.sqrt(width) * off
        return codes

    def log_density(self, codes: FloatArray, category: str | None = None) -> NDArray[np.float64]:
        """log p(z | category), or log p(z) for None, in nats: ``(n,)`` of codes ``(n, z)``."""
        each = self.log_densities(codes)
        if category is not None:
            return each[:, self.index(category)]
        return np.asarray(np.logaddexp.reduce(each + np.log(self.shares), axis=1))

    def posterior(self, codes: FloatArray) -> NDArray[np.float64]:
        """P(category | z): ``(n, c)`` of codes ``(n, z)``."""
        joint = self.log_densities(codes) + np.log(self.shares)
        return np.asarray(np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None]))

    def index(self, category: str) -> int:
        """The number of a category. Raises SettingsError that names the nearest one."""
        if category in self.categories:
            return self.categories.index(category)
        raise unknown_category(category, self.categories)

    def covariance(self, category: str) -> NDArray[np.float64]:
        """``(z, z)``, the same for all Gaussians of the category."""
        c = self.index(category)
        factors = self.factors[c].astype(np.float64)
        return np.asarray(factors @ factors.T + np.diag(self.noise[c].astype(np.float64) ** 2))

    def joined(self, other: Prior) -> Prior:
        """Both priors in one: the categories of ``other`` behind those of this one that it does not have itself."""
        own = [c for c, name in enumerate(self.categories) if name not in other.categories]
        gaussians = max(self.weights.shape[1], other.weights.shape[1])
        rank = max(self.factors.shape[2], other.factors.shape[2])

        def both(a: NDArray[Any], b: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
            parts = []
            for part in (a[own], b):
                widths = [(0, 0)] * part.ndim
                widths[axis] = (0, size - part.shape[axis])
                parts.append(np.pad(part, widths))
            return np.concatenate(parts)

        shares = np.concatenate([self.shares[own], other.shares * len(other.categories) / len(self.categories)])
        kept = np.isin(self.example_of, own)
        size = self.means.shape[2]
        return Prior(
            tuple(self.categories[c] for c in own) + other.categories,
            shares / shares.sum(),
            both(self.weights, other.weights, 1, gaussians),
            both(self.means, other.means, 1, gaussians),
            both(self.factors, other.factors, 2, rank),
            np.concatenate([self.noise[own], other.noise]),
            np.concatenate([self.examples.reshape(-1, size)[kept], other.examples.reshape(-1, size)]),
            np.concatenate([np.searchsorted(own, self.example_of[kept]), other.example_of + len(own)]),
        )

    @cached_property
    def _whitening(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For each category the matrix that makes its covariance the identity, and log of its determinant."""
        matrices = np.stack([np.linalg.inv(np.linalg.cholesky(self.covariance(name))) for name in self.categories])
        return matrices, np.log(np.diagonal(matrices, axis1=1, axis2=2)).sum(axis=1)

    def log_densities(self, codes: FloatArray) -> NDArray[np.float64]:
        """log p(z | category) in nats for every category: ``(n, c)`` of codes ``(n, z)``."""
        matrices, log_determinants = self._whitening
        codes = np.asarray(codes, np.float64)
        found = np.empty((len(codes), len(self.categories)))
        for c, (matrix, log_determinant) in enumerate(zip(matrices, log_determinants, strict=True)):
            used = self.weights[c] > 0
            centres = self.means[c, used] @ matrix.T
            white = codes @ matrix.T
            squares = np.square(white[:, None, :] - centres).sum(axis=2)
            constant = log_determinant - codes.shape[1] / 2 * np.log(2 * np.pi)
            found[:, c] = np.logaddexp.reduce(np.log(self.weights[c, used]) - squares / 2, axis=1) + constant
        return found

    # -- file ---------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write ``prior.npz`` into a model folder; means, factors and noise as float16, examples as int8.

        A number of an example is that of the file times ``example_scale`` ``(z,)``, plus ``example_offset`` ``(z,)``.
        """
        arrays: dict[str, Any] = {
            "categories": np.array(self.categories),
            "shares": self.shares,
            "weights": self.weights.astype(np.float32),
            "means": self.means.astype(np.float16),
            "factors": self.factors.astype(np.float16),
            "noise": self.noise.astype(np.float16),
        }
        if len(self.examples):
            whole, scale, offset = quantised(self.examples)
            arrays |= {"examples": whole, "example_scale": scale, "example_offset": offset}
            arrays["example_of"] = self.example_of.astype(np.int32)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return write_whole(Path(folder) / PRIOR, file.getvalue())

    @classmethod
    def load(cls, folder: str | Path) -> Prior:
        """The prior of a model folder. Raises ModelError where there is none, or something else in its place."""
        path = Path(folder) / PRIOR
        try:
            with np.load(path, allow_pickle=False) as arrays:
                weights = arrays["weights"].astype(np.float64)
                shares = arrays["shares"].astype(np.float64)
                prior = cls(
                    tuple(map(str, arrays["categories"])),
                    shares / shares.sum(),
                    weights / weights.sum(axis=1, keepdims=True),
                    arrays["means"].astype(np.float32),
                    arrays["factors"].astype(np.float32),
                    # float16 rounds the smallest to nothing, and a covariance has to be positive
                    np.maximum(arrays["noise"].astype(np.float32), 1e-4),
                    *_examples(arrays),
                )
        except FileNotFoundError as error:
            raise ModelError(
                f"{folder}: the model has no {PRIOR}, which drawing from nothing needs; `sketch-pix2seq train` and "
                "`export` write one"
            ) from error
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path}: not a prior ({error})") from error
        shapes = (len(prior.categories), prior.weights.shape[-1], prior.means.shape[-1])
        examples = (len(prior.example_of), shapes[2] if len(prior.example_of) else 0)
        if (
            prior.means.shape != shapes
            or prior.noise.shape != (shapes[0], shapes[2])
            or prior.examples.shape != examples
            or not np.isin(prior.example_of, range(shapes[0])).all()
        ):
            raise ModelError(f"{path}: not a prior (its arrays do not fit each other)")
        return prior


def quantised(codes: FloatArray) -> tuple[NDArray[np.int8], FloatArray, FloatArray]:
    """Codes ``(n, z)`` in int8, with scale and offset ``(z,)``: codes are the whole numbers * scale + offset."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    offset = ((low + high) / 2).astype(np.float32)
    scale = np.maximum((high - low) / 254, 1e-9).astype(np.float32)
    return np.clip(np.rint((codes - offset) / scale), -127, 127).astype(np.int8), scale, offset


def _examples(arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Examples and their categories, of a file that has any."""
    if "examples" not in arrays:
        return ()
    codes = arrays["examples"] * arrays["example_scale"] + arrays["example_offset"]
    return codes.astype(np.float32), arrays["example_of"].astype(np.int64)
