"""How sure a figure is: bootstrap intervals over sketches, and the exact statistics of counted answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.results import Estimate

_BLOCK = 1 << 18
"""Numbers resampled at once."""


def mean(values: NDArray[Any]) -> float:
    """The mean in float64."""
    return float(np.mean(values, dtype=np.float64))


def spread(labels: NDArray[np.integer], limit: int, seed: int = 0) -> NDArray[np.int64]:
    """Indices of at most ``limit`` labels, in order, the categories as evenly as they can be had."""
    rng = np.random.default_rng(seed)
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        turn[rng.permutation(places)] = np.arange(len(places))
    order = np.lexsort((rng.permutation(len(labels)), turn))
    return np.sort(order[:limit])


# -- bootstrap --------------------------------------------------------------------------------------------


def bootstrap(
    values: NDArray[Any],
    *,
    statistic: Callable[[NDArray[Any]], float] = mean,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """A statistic of sketches with its percentile bootstrap interval (Efron & Tibshirani 1993, chapter 13).

    values: ``(n, ...)``, one row a sketch; rows are resampled whole, so that paired values of a sketch, kept in
    columns, stay together. samples: resamples; level: probability that the interval holds. The same values and seed
    give the same interval. One sketch gives an interval without width.
    Raises DataError without values, ValueError for a number that is not finite.
    """
    values = _checked(values)
    if statistic is mean and values.ndim == 1:
        if values.dtype == bool:
            return share(values, samples=samples, seed=seed, level=level)
        resampled = _resampled_means(values, samples, seed)
    else:
        rng = np.random.default_rng(seed)
        n = len(values)
        resampled = np.array([statistic(values[rng.integers(n, size=n)]) for _ in range(samples)])
    low, high = np.quantile(resampled, _tails(level))
    return Estimate(statistic(values), float(low), float(high), len(values))


def share(successes: NDArray[np.bool_], *, samples: int = 1000, seed: int = 0, level: float = 0.95) -> Estimate:
    """The share that succeeded, ``successes`` ``(n,)`` bool, with the interval that `bootstrap` describes.

    Resampling n answers of which k succeeded is drawing from a binomial distribution, which is done directly. Where
    all or none succeeded the interval has no width; `wilson_interval` has one.
    Raises DataError without values, ValueError for values that are not bool.
    """
    successes = _checked(successes)
    if successes.dtype != bool or successes.ndim != 1:
        raise ValueError(f"bool values (n,) are needed; got {successes.dtype} {successes.shape}")
    n, succeeded = len(successes), int(np.count_nonzero(successes))
    resampled = np.random.default_rng(seed).binomial(n, succeeded / n, samples) / n
    low, high = np.quantile(resampled, _tails(level))
    return Estimate(succeeded / n, float(low), float(high), n)


def by_group(
    values: NDArray[Any],
    groups: NDArray[np.integer],
    names: Sequence[str],
    *,
    statistic: Callable[[NDArray[Any]], float] = mean,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
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
        name: bootstrap(values[order[start:stop]], statistic=statistic, samples=samples, seed=seed, level=level)
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
    level: float = 0.95,
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
    rng = np.random.default_rng(seed)
    resampled = [
        statistic(a[rng.integers(len(a), size=len(a))], b[rng.integers(len(b), size=len(b))]) for _ in range(samples)
    ]
    value = statistic(a, b)
    half = NormalDist().inv_cdf(_tails(level)[1]) * float(np.std(resampled, ddof=1))
    return Estimate(value, max(lowest, value - half), min(highest, value + half), min(len(a), len(b)))


def kolmogorov_smirnov(a: NDArray[Any], b: NDArray[Any], *, samples: int = 200, seed: int = 0) -> Estimate:
    """Largest difference between the shares of two samples that lie below any value: 0 = alike, 1 = apart.

    a, b: ``(n,)`` and ``(m,)`` numbers. The interval is that of `bootstrap_two`. Two samples of one distribution are
    not 0 apart but, with n numbers each, about 1.2 / sqrt(n).
    """
    a, b = _checked(a), _checked(b)
    grid = np.unique(np.concatenate([a, b]))

    def distance(places_a: NDArray[Any], places_b: NDArray[Any]) -> float:
        below_a, below_b = (np.cumsum(np.bincount(x, minlength=len(grid))) / len(x) for x in (places_a, places_b))
        return float(np.abs(below_a - below_b).max())

    places_a, places_b = np.searchsorted(grid, a), np.searchsorted(grid, b)
    return bootstrap_two(places_a, places_b, distance, samples=samples, seed=seed, lowest=0.0, highest=1.0)


def _resampled_means(values: NDArray[Any], samples: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    n = len(values)
    kind = np.int32 if n <= np.iinfo(np.int32).max else np.int64
    means = np.empty(samples)
    rows = max(1, _BLOCK // n)
    for start in range(0, samples, rows):
        chosen = values[rng.integers(n, size=(min(rows, samples - start), n), dtype=kind)]
        means[start : start + len(chosen)] = chosen.mean(axis=1, dtype=np.float64)
    return means


def _checked(values: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(values)
    if values.ndim == 0 or len(values) == 0:
        raise DataError("there is nothing to estimate a figure from: no values; at least one sketch is needed")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("values hold a number that is not finite")
    return values


def _tails(level: float) -> tuple[float, float]:
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level of {level} is not between 0 and 1")
    return (1.0 - level) / 2, (1.0 + level) / 2


# -- counted answers --------------------------------------------------------------------------------------


def binomial_test(successes: int, n: int, p: float = 0.5) -> float:
    """Exact two-sided p-value of ``successes`` among ``n`` where each comes with probability ``p``.

    The sum of the probabilities of all outcomes that are at most as likely as this one, as in R's ``binom.test`` and
    SciPy's ``binomtest``; in log space, so that many answers do no harm.
    """
    _check_counts(successes, n)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability of {p} is not between 0 and 1")
    if p in (0.0, 1.0) or n == 0:
        return 1.0 if successes == n * p else 0.0
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    outcomes = np.arange(n + 1)
    log_chance = factorials[n] - factorials - factorials[::-1] + outcomes * math.log(p)
    log_chance += (n - outcomes) * math.log1p(-p)
    equal = 1e-7  # outcomes that are equally likely but for rounding
    unlikely = log_chance[log_chance <= log_chance[successes] + equal]
    top = unlikely.max()
    return min(1.0, float(math.exp(top) * np.exp(unlikely - top).sum()))


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Low and high end of Wilson's score interval for a share (Wilson 1927; Brown, Cai & DasGupta 2001).

    Raises DataError for n = 0.
    """
    _check_counts(successes, n)
    if n == 0:
        raise DataError("there is no interval for a share of no answers; at least one is needed")
    z = NormalDist().inv_cdf(_tails(level)[1])
    rate = successes / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == n else middle + half)


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
    z = NormalDist().inv_cdf
    return z((hits + 0.5) / (signals + 1)) - z((false_alarms + 0.5) / (noises + 1))


def _check_counts(successes: int, n: int) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not possible")
