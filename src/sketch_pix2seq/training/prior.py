"""Fitting the prior over codes; see `drawing.prior`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.prior import Prior
from sketch_pix2seq.sketch import FloatArray

GAUSSIANS = (1, 2, 4, 8, 16)
"""How many Gaussians a category may have; held-out codes choose."""
RANK = 32
"""Columns of the covariance's factor."""
MOST = 1500
"""Codes of a category used at most."""
_POOLED = 150.0
"""The covariance of all categories counts as much as this many codes of the category's own."""
_FEW = 10
"""Codes a Gaussian has to have at least, on average."""
EXAMPLES = 300
"""A category of at most so many codes keeps them all, and is sampled about them."""
TYPICAL = 24
"""Of more codes so many are kept."""
_SURE = 0.9
"""What they are of, the prior says with at least this probability; else the surest are kept."""
_TRIED = 8
"""Codes that are looked at for each one that is kept."""


def prior_of(model: Model, sketches: SketchSet, *, on_progress: Callable[[int, int], None] | None = None) -> Prior:
    """The prior of a model's codes of a set's training sketches; its validation sketches choose how many Gaussians.

    on_progress: called with categories encoded and in all.
    """
    names = [name for name in sketches.categories if len(sketches.indices("train", name))]
    train: list[FloatArray] = []
    valid: list[FloatArray] = []
    for number, name in enumerate(names):
        train.append(_codes(model, sketches, "train", name))
        valid.append(_codes(model, sketches, "valid", name))
        if on_progress is not None:
            on_progress(number + 1, len(names))
    counts = [len(sketches.indices("train", name)) for name in names]
    return fit_prior(names, train, valid, counts)


def fit_prior(
    categories: Sequence[str],
    codes: Sequence[FloatArray],
    held_out: Sequence[FloatArray],
    counts: Sequence[int] | None = None,
    *,
    base: Prior | None = None,
) -> Prior:
    """A prior of each category's codes ``(n, z)``; the likelihood of held-out ones chooses how many Gaussians.

    Where a category has under 5 held-out codes, every fifth of its codes is held out while choosing. The covariance is
    drawn towards that of all categories within themselves (of ``base``'s, where that is given), so that a handful of
    codes is enough. For sampling, a category of at most `EXAMPLES` codes keeps them all, any other `TYPICAL` of them.
    counts: training sketches of each category, for p(category); the number of codes unless given.
    """
    pooled = _within(codes) if base is None else _within_of(base)
    values, vectors = np.linalg.eigh(pooled)
    values = np.maximum(values, values.max() * 1e-7)
    whiten, colour = vectors / np.sqrt(values), (vectors * np.sqrt(values)).T
    fitted = [_category(own @ whiten, held @ whiten) for own, held in zip(codes, held_out, strict=True)]
    most = max(len(weights) for weights, _, _ in fitted)
    size = pooled.shape[0]
    rank = min(RANK, size)
    number = len(categories)
    prior_weights = np.zeros((number, most))
    means = np.zeros((number, most, size), np.float32)
    factors, noise = np.zeros((number, size, rank), np.float32), np.zeros((number, size), np.float32)
    for c, (weights, centres, covariance) in enumerate(fitted):
        prior_weights[c, : len(weights)] = weights
        means[c, : len(weights)] = centres @ colour
        factors[c], noise[c] = _factored(colour.T @ covariance @ colour, rank)
    shares = np.array([len(own) for own in codes] if counts is None else counts, np.float64)
    prior = Prior(tuple(categories), shares / shares.sum(), prior_weights, means, factors, noise)
    return with_examples(prior, codes)


def with_examples(prior: Prior, codes: Sequence[FloatArray]) -> Prior:
    """The prior with examples chosen from each category's codes ``(n, z)``."""
    kept = [own if len(own) <= EXAMPLES else _typical(prior, c, own) for c, own in enumerate(codes)]
    of = np.repeat(np.arange(len(kept)), [len(own) for own in kept])
    return replace(prior, examples=np.concatenate(kept).astype(np.float32), example_of=of)


def _typical(prior: Prior, category: int, codes: FloatArray) -> FloatArray:
    """Some codes of a category, at random, that nothing else would have."""
    order = np.random.default_rng([category, len(codes)]).permutation(len(codes))[: _TRIED * TYPICAL]
    sure = prior.posterior(codes[order])[:, category]
    # Those that are sure stay in their random order, behind them the others by how sure they are.
    return codes[order[np.argsort(-np.minimum(sure, _SURE), kind="stable")[:TYPICAL]]]


def _codes(model: Model, sketches: SketchSet, split: Split, category: str) -> FloatArray:
    chosen = sketches.indices(split, category)
    if len(chosen) > MOST:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, MOST, replace=False))
    return model.encode_sketches([sketches[int(i)] for i in chosen])


def _within(codes: Sequence[FloatArray]) -> NDArray[np.float64]:
    """Covariance about each category's own mean, all categories together."""
    centred = np.concatenate([own - own.mean(axis=0) for own in codes]).astype(np.float64)
    return np.asarray(centred.T @ centred / max(1, len(centred) - len(codes)))


def _within_of(prior: Prior) -> NDArray[np.float64]:
    """What `_within` would give of a prior's own samples, its categories counting alike."""
    total = np.zeros((prior.means.shape[2],) * 2)
    for c, name in enumerate(prior.categories):
        weights, means = prior.weights[c], prior.means[c].astype(np.float64)
        off = means - weights @ means
        total += prior.covariance(name) + (off * weights[:, None]).T @ off
    return total / len(prior.categories)


def _category(
    codes: NDArray[np.floating], held_out: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weights, means and covariance of one category's whitened codes, with the number of Gaussians that does best."""
    enough = len(held_out) >= 5
    used, unseen = (codes, held_out) if enough else (np.delete(codes, np.s_[::5], axis=0), codes[::5])
    allowed = [k for k in GAUSSIANS if k == 1 or k * _FEW <= len(used)]
    if len(allowed) == 1:
        return _fit(codes, 1)
    fits = [_fit(used, k) for k in allowed]
    best = int(np.argmax([_score(unseen, *fit) for fit in fits]))
    return fits[best] if enough else _fit(codes, allowed[best])


def _fit(
    codes: NDArray[np.floating], gaussians: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    size = codes.shape[1]
    if len(codes) < 2:
        return np.ones(1), codes.reshape(-1, size).mean(axis=0, keepdims=True).astype(np.float64), np.eye(size)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(gaussians, covariance_type="tied", reg_covar=0.03, max_iter=30, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # thirty rounds are near enough
        mixture.fit(codes.astype(np.float64))
    share = len(codes) / (len(codes) + _POOLED)
    covariance = share * mixture.covariances_ + (1 - share) * np.eye(size)
    return mixture.weights_, mixture.means_, covariance


def _score(
    codes: NDArray[np.floating],
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    covariance: NDArray[np.float64],
) -> float:
    """Mean log likelihood, but for a constant."""
    matrix = np.linalg.inv(np.linalg.cholesky(covariance))
    squares = np.square((codes @ matrix.T)[:, None, :] - means @ matrix.T).sum(axis=2)
    joint = np.log(weights) - squares / 2
    return float(np.logaddexp.reduce(joint, axis=1).mean() + np.log(np.diag(matrix)).sum())


def _factored(covariance: NDArray[np.float64], rank: int) -> tuple[FloatArray, FloatArray]:
    """The covariance as a factor ``(z, rank)`` and the standard deviations ``(z,)`` of the rest."""
    values, vectors = np.linalg.eigh(covariance)
    factor = vectors[:, ::-1][:, :rank] * np.sqrt(np.maximum(values[::-1][:rank], 0))
    rest = np.diag(covariance) - np.square(factor).sum(axis=1)
    return factor.astype(np.float32), np.sqrt(np.maximum(rest, np.diag(covariance) * 1e-3)).astype(np.float32)
