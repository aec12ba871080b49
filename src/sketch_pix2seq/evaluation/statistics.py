"""How sure a figure is: intervals over sketches and tests of counted answers, with SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.results import Estimate

_BATCH = 100
"""Resamples of a mean taken at once."""
_LEVEL = 0.95
"""Probability that an interval holds."""
_TAILS = ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2)


def mean(values: NDArray[Any]) -> float:
    """The mean in float64."""
    return float(np.mean(values, dtype=np.float64))


def ratio(pairs: NDArray[Any]) -> float:
    """Sum of the first column over that of the second, ``(n, 2)``."""
    total = pairs.sum(axis=0, dtype=np.float64)
    return float(total[0] / total[1])


def spread(labels: NDArray[np.integer], limit: int, seed: int = 0) -> NDArray[np.int64]:
    """Indices of at most ``limit`` labels, in order, the categories as evenly as they can be had."""
    rng = np.random.default_rng(seed)
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        turn[rng.permutation(places)] = np.arange(len(places))
    order = np.lexsort((rng.permutation(len(labels)), turn))
    return np.sort(order[:limit])


# -- intervals --------------------------------------------------------------------------------------------


def bootstrap(
    values: NDArray[Any],
    *,
    statistic: Callable[[NDArray[Any]], float] = mean,
    samples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """A statistic of sketches with its percentile bootstrap interval (`scipy.stats.bootstrap`).

    values: ``(n, ...)``, one row a sketch; rows are resampled whole, so that paired values of a sketch, kept in
    columns, stay together. The mean of bool values gets the interval of `share`. samples: resamples. The same
    values and seed give the same interval. Where all values are equal the interval has no width; of a share or an
    accuracy take `share` or `rate`, whose intervals always have one.
    Raises DataError without values, ValueError for a number that is not finite.
    """
    values = _checked(values)
    value = statistic(values)
    if statistic is mean and values.dtype == bool:
        return share(values)
    if len(values) == 1 or (statistic is mean and (values == values[0]).all()):
        return Estimate(value, value, value, len(values))
    if statistic is mean and values.ndim == 1:
        resampled = _resampled((values,), np.mean, samples, seed, vectorized=True)
    else:
        resampled = _resampled((np.arange(len(values)),), lambda chosen: statistic(values[chosen]), samples, seed)
    low, high = np.quantile(resampled, _TAILS)
    return Estimate(value, float(low), float(high), len(values))


def share(successes: NDArray[np.bool_]) -> Estimate:
    """The share that succeeded, ``successes`` ``(n,)`` bool, with Wilson's score interval.

    Unlike a bootstrap interval it has a width where all or none succeeded.
    Raises DataError without values, ValueError for values that are not bool.
    """
    successes = _checked(successes)
    if successes.dtype != bool or successes.ndim != 1:
        raise ValueError(f"bool values (n,) are needed; got {successes.dtype} {successes.shape}")
    n, succeeded = len(successes), int(np.count_nonzero(successes))
    return Estimate(succeeded / n, *wilson_interval(succeeded, n), n)


def rate(values: NDArray[np.floating], *, samples: int = 1000, seed: int = 0) -> Estimate:
    """The mean of numbers in 0..1, such as the share of right answers on each sketch, ``(n,)``, with an interval.

    It is that of `bootstrap`, except at the ends: where all values are 0 or all are 1, resampling cannot vary, and
    Wilson's interval of n answers is given. Raises ValueError for a number outside 0..1.
    """
    values = np.asarray(_checked(values), np.float64)
    if values.min() < 0 or values.max() > 1:
        raise ValueError("a rate is a mean of numbers in 0..1")
    if (values == 0).all() or (values == 1).all():
        return share(values == 1)
    return bootstrap(values, samples=samples, seed=seed)


def by_group(
    values: NDArray[Any],
    groups: NDArray[np.integer],
    names: Sequence[str],
    *,
    statistic: Callable[[NDArray[Any]], float] = mean,
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """`bootstrap` of each group alone, in the order of ``names``: name -> estimate.

    groups: ``(n,)``, the index into ``names`` of each row of ``values``. A group without values is left out.
    Raises ValueError where the two differ in length or a group has no name.
    """
    groups = np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values and {len(groups)} groups; each value needs its group")
    if len(groups) and not 0 <= groups.min() <= groups.max() < len(names):
        raise ValueError(f"groups from {groups.min()} to {groups.max()} need more than {len(names)} names")
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(len(names) + 1))
    return {
        name: bootstrap(values[order[start:stop]], statistic=statistic, samples=samples, seed=seed)
        for name, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True)
        if stop > start
    }


def bootstrap_two(
    a: NDArray[Any],
    b: NDArray[Any],
    statistic: Callable[[NDArray[Any], NDArray[Any]], float],
    *,
    samples: int = 200,
    seed: int = 0,
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> Estimate:
    """A statistic of two independent samples of sketches, such as a distance between them, with its interval.

    Each sample is resampled by itself. Resampling repeats rows, and that alone makes two samples look further apart, so
    that percentiles would often lie wholly above the value; the interval is therefore the value plus and minus the
    resamples' standard deviation times the normal quantile (1.96 at 95 %; Efron & Tibshirani 1993, chapter 12), cut
    at ``lowest`` and ``highest``. n of the estimate is the size of the smaller sample.
    Raises DataError where a sample is empty, ValueError for a number that is not finite or under two resamples.
    """
    if samples < 2:
        raise ValueError(f"a standard deviation needs at least 2 resamples; got {samples}")
    a, b = _checked(a), _checked(b)
    value, half = statistic(a, b), 0.0
    if min(len(a), len(b)) > 1:
        places = np.arange(len(a)), np.arange(len(b))
        resampled = _resampled(places, lambda i, j: statistic(a[i], b[j]), samples, seed)
        half = float(stats.norm.ppf(_TAILS[1]) * np.std(resampled, ddof=1))
    return Estimate(value, max(lowest, value - half), min(highest, value + half), min(len(a), len(b)))


def kolmogorov_smirnov(a: NDArray[Any], b: NDArray[Any], *, samples: int = 200, seed: int = 0) -> Estimate:
    """Largest difference between the shares of two samples that lie below any value: 0 = alike, 1 = apart.

    a, b: ``(n,)`` and ``(m,)`` numbers. The interval is that of `bootstrap_two`. Two samples of one distribution are
    not 0 apart but, with n numbers each, about 1.2 / sqrt(n).
    """
    a, b = _checked(a), _checked(b)
    grid = np.unique(np.concatenate([a, b]))

    def distance(places_a: NDArray[Any], places_b: NDArray[Any]) -> float:
        # `scipy.stats.ks_2samp` without its p-value, which takes a hundred times as long as the distance.
        below_a, below_b = (np.cumsum(np.bincount(x, minlength=len(grid))) / len(x) for x in (places_a, places_b))
        return float(np.abs(below_a - below_b).max())

    places_a, places_b = np.searchsorted(grid, a), np.searchsorted(grid, b)
    return bootstrap_two(places_a, places_b, distance, samples=samples, seed=seed, lowest=0.0, highest=1.0)


def _resampled(
    data: Sequence[NDArray[Any]], statistic: Callable[..., Any], samples: int, seed: int, *, vectorized: bool = False
) -> NDArray[np.float64]:
    """The statistic of each resample, ``(samples,)``."""
    found = stats.bootstrap(
        data, statistic, n_resamples=samples, batch=_BATCH, vectorized=vectorized, method="percentile",
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return np.asarray(found.bootstrap_distribution, np.float64)


def _checked(values: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(values)
    if values.ndim == 0 or len(values) == 0:
        raise DataError("there is nothing to estimate a figure from: no values; at least one sketch is needed")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("values hold a number that is not finite")
    return values


# -- counted answers --------------------------------------------------------------------------------------


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Low and high end of Wilson's score interval for a share (Wilson 1927; Brown, Cai & DasGupta 2001).

    Raises DataError for n = 0, ValueError for counts that are not possible.
    """
    _check_counts(successes, n)
    if n == 0:
        raise DataError("there is no interval for a share of no answers; at least one is needed")
    found = stats.binomtest(successes, n).proportion_ci(_LEVEL, "wilson")
    return float(found.low), float(found.high)


def d_prime(hits: int, misses: int, false_alarms: int, correct_rejections: int) -> float:
    """Sensitivity z(hit rate) - z(false alarm rate) of yes-no answers; 0 = cannot tell.

    Log-linear correction (Hautus 1995): one half is added to hits and to false alarms and one to the items of either
    kind, always, so that rates of 0 and 1 stay finite.
    Raises DataError where there are no items of a kind.
    """
    signals, noises = hits + misses, false_alarms + correct_rejections
    _check_counts(hits, signals)
    _check_counts(false_alarms, noises)
    if signals == 0 or noises == 0:
        raise DataError("d' compares answers on two kinds of items; at least one answer on each kind is needed")
    rates = [(hits + 0.5) / (signals + 1), (false_alarms + 0.5) / (noises + 1)]
    z = stats.norm.ppf(rates)
    return float(z[0] - z[1])


def _check_counts(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not possible")
