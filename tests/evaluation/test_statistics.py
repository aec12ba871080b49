from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation.results import Estimate
from sketch_pix2seq.evaluation.statistics import (
    bootstrap,
    bootstrap_two,
    by_group,
    d_prime,
    kolmogorov_smirnov,
    mean,
    rate,
    share,
    spread,
    wilson_interval,
)


def correlation(pairs: np.ndarray) -> float:
    return float(np.asarray(np.corrcoef(pairs.T))[0, 1])


def test_interval_of_a_mean_is_what_scipy_finds() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=700)
    ours = bootstrap(values, samples=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert ours.n == 700
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_same_seed_same_interval_other_seed_another() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert bootstrap(values, seed=4) == bootstrap(values, seed=4)
    assert bootstrap(values, seed=4) != bootstrap(values, seed=5)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    found = [bootstrap(rng.normal(3.0, 1.0, 60), samples=200, seed=i) for i in range(200)]
    assert 0.88 < np.mean([e.low <= 3.0 <= e.high for e in found]) < 0.98


def test_other_statistics_resample_rows_whole() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    pairs = np.stack([x, x + rng.normal(size=400)], axis=1)
    found = bootstrap(pairs, statistic=correlation, samples=400)
    assert found.value == pytest.approx(correlation(pairs))
    assert 0.6 < found.low < found.value < found.high < 0.8


def test_a_share_has_wilsons_interval_also_where_all_succeeded() -> None:
    answers = np.arange(500) < 150
    theirs = stats.binomtest(150, 500).proportion_ci(0.95, "wilson")
    assert share(answers) == bootstrap(answers) == Estimate(0.3, theirs.low, theirs.high, 500)
    whole = share(np.ones(40, bool))
    assert (whole.value, whole.low, whole.high) == pytest.approx((1, 1 / (1 + 1.959964**2 / 40), 1))
    assert share(np.zeros(40, bool)).high == pytest.approx(1.959964**2 / (40 + 1.959964**2))


def test_a_rate_is_bootstrapped_and_has_a_width_at_the_ends() -> None:
    values = np.random.default_rng(0).choice([0.0, 0.5, 1.0], 300)
    assert rate(values) == bootstrap(values)
    assert rate(np.ones(40)) == share(np.ones(40, bool))
    assert rate(np.zeros(7)) == share(np.zeros(7, bool))
    assert rate(np.full(9, 0.5)) == Estimate(0.5, 0.5, 0.5, 9)  # each pair right once: nothing varies
    with pytest.raises(ValueError, match="numbers in 0"):
        rate(np.array([0.5, 1.2]))


@pytest.mark.parametrize("values", [np.array([0.3]), np.array([7]), np.full(40, 0.25)])
def test_nothing_to_vary_gives_an_interval_without_width(values: np.ndarray) -> None:
    assert bootstrap(values) == Estimate(float(values[0]), float(values[0]), float(values[0]), len(values))


def test_what_cannot_be_estimated_is_said() -> None:
    with pytest.raises(DataError, match="no values"):
        bootstrap(np.empty(0))
    with pytest.raises(DataError, match="no values"):
        share(np.empty(0, bool))
    with pytest.raises(ValueError, match="not finite"):
        bootstrap(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match="bool"):
        share(np.array([0.5, 1.0]))


def test_groups_are_estimated_alone_and_empty_ones_left_out() -> None:
    values = np.array([1.0, 10.0, 3.0, 30.0, 5.0])
    found = by_group(values, np.array([0, 2, 0, 2, 0]), ("cat", "dog", "pig"))
    assert list(found) == ["cat", "pig"]
    assert found["cat"] == bootstrap(values[[0, 2, 4]])
    assert found["pig"].value == 20.0
    assert found["pig"].n == 2
    with pytest.raises(ValueError, match="names"):
        by_group(values, np.array([0, 2, 0, 3, 0]), ("cat", "dog", "pig"))
    with pytest.raises(ValueError, match="5 values and 2 groups"):
        by_group(values, np.array([0, 1]), ("cat", "dog"))


def test_two_samples_interval_is_that_of_the_standard_error() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 400), rng.normal(1, 2, 300)
    found = bootstrap_two(a, b, lambda x, y: mean(y) - mean(x), samples=1000)
    half = 1.96 * np.sqrt(a.var() / 400 + b.var() / 300)
    assert found.value == pytest.approx(b.mean() - a.mean())
    assert found.n == 300
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.03)


def test_a_distance_lies_inside_its_own_interval_even_near_zero() -> None:
    rng = np.random.default_rng(4)
    found = kolmogorov_smirnov(rng.normal(size=500), rng.normal(size=500))
    assert 0 <= found.low < found.value < found.high <= 1


@pytest.mark.parametrize("whole", [False, True])
def test_kolmogorov_smirnov_is_scipys(whole: bool) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 2, 130), rng.normal(0.7, 2, 90)
    if whole:  # many ties
        a, b = a.round(), b.round()
    assert kolmogorov_smirnov(a, b).value == pytest.approx(stats.ks_2samp(a, b).statistic)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 30), (30, 30), (7, 20), (500, 1000)])
def test_wilson_interval_is_scipys(successes: int, n: int) -> None:
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    assert wilson_interval(successes, n) == pytest.approx((theirs.low, theirs.high))
    with pytest.raises(DataError):
        wilson_interval(0, 0)


def test_d_prime_by_hand_and_at_the_ends() -> None:
    rate = stats.norm.ppf
    assert d_prime(40, 10, 15, 35) == pytest.approx(rate(40.5 / 51) - rate(15.5 / 51))
    assert d_prime(12, 8, 12, 8) == 0
    assert d_prime(20, 0, 0, 20) == pytest.approx(2 * rate(20.5 / 21))
    assert d_prime(5, 15, 15, 5) == pytest.approx(-d_prime(15, 5, 5, 15))
    with pytest.raises(DataError, match="each kind"):
        d_prime(3, 4, 0, 0)
    with pytest.raises(ValueError, match="not possible"):
        d_prime(-1, 4, 2, 2)


def test_categories_are_taken_evenly_and_alike_each_time() -> None:
    labels = np.array([0] * 100 + [1] * 10 + [2] * 3)
    chosen = spread(labels, 23, seed=4)
    assert np.bincount(labels[chosen]).tolist() == [10, 10, 3]
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(chosen, spread(labels, 23, seed=4))
    assert not np.array_equal(chosen, spread(labels, 23, seed=5))
    assert len(spread(labels, 1000)) == len(labels)
