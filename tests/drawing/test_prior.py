from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from sketch_pix2seq.drawing.prior import NEAR, Prior
from sketch_pix2seq.errors import ModelError, SettingsError


@pytest.fixture
def prior() -> Prior:
    rng = np.random.default_rng(0)
    weights = np.array([[0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
    return Prior(
        ("cat", "pig"),
        np.array([0.3, 0.7]),
        weights,
        rng.normal(size=(2, 3, 5)).astype(np.float32) * 3,
        rng.normal(size=(2, 5, 2)).astype(np.float32),
        rng.uniform(0.3, 1, (2, 5)).astype(np.float32),
    )


def reference(prior: Prior, codes: np.ndarray, c: int) -> np.ndarray:
    """log p(z | category) by SciPy."""
    covariance = prior.factors[c].astype(float) @ prior.factors[c].T + np.diag(prior.noise[c].astype(float) ** 2)
    terms = [
        np.log(weight) + multivariate_normal(mean, covariance).logpdf(codes)
        for weight, mean in zip(prior.weights[c], prior.means[c], strict=True)
        if weight > 0
    ]
    return np.asarray(logsumexp(terms, axis=0))


def test_densities_are_those_of_scipy(prior: Prior) -> None:
    codes = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32) * 3
    each = np.stack([reference(prior, codes, c) for c in range(2)], axis=1)
    np.testing.assert_allclose(prior.log_densities(codes), each, rtol=1e-5)
    np.testing.assert_allclose(prior.log_density(codes, "pig"), each[:, 1], rtol=1e-5)
    joint = each + np.log([0.3, 0.7])
    np.testing.assert_allclose(prior.log_density(codes), logsumexp(joint, axis=1), rtol=1e-5)
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    np.testing.assert_allclose(prior.posterior(codes), posterior, atol=1e-6)


def test_samples_have_the_moments_of_the_mixture(prior: Prior) -> None:
    codes = prior.sample(6000, "cat", seed=3, spread=1.0).astype(float)
    weights, means = prior.weights[0], prior.means[0].astype(float)
    mean = weights @ means
    covariance = prior.covariance("cat") + (means - mean).T @ np.diag(weights) @ (means - mean)
    np.testing.assert_allclose(codes.mean(axis=0), mean, atol=0.15)
    np.testing.assert_allclose(np.cov(codes.T), covariance, atol=0.35)


def test_no_spread_gives_the_middles(prior: Prior) -> None:
    codes = prior.sample(50, "pig", spread=0)
    near = np.abs(codes[:, None] - prior.means[1]).max(axis=2).min(axis=1)
    assert near.max() == 0


def few_of(prior: Prior) -> Prior:
    """The same with three examples of the second category."""
    examples = np.array([[40.0] * 5, [-40.0] * 5, [80.0] * 5], np.float32)
    return replace(prior, examples=examples, example_of=np.array([1, 1, 1]))


def test_few_codes_are_sampled_about(prior: Prior) -> None:
    few = few_of(prior)
    codes = few.sample(3000, "pig", spread=1.0).astype(float)
    far = codes[:, None] - few.examples
    nearest = np.square(far).sum(axis=2).argmin(axis=1)
    assert np.bincount(nearest, minlength=3).min() > 800
    covariance = np.cov(far[np.arange(len(codes)), nearest].T)
    np.testing.assert_allclose(covariance, NEAR * prior.covariance("pig"), atol=0.15)
    np.testing.assert_array_equal(few.sample(20, "cat"), prior.sample(20, "cat"))
    np.testing.assert_array_equal(few.log_densities(codes[:5]), prior.log_densities(codes[:5]))


def test_examples_stay_with_their_category(prior: Prior, tmp_path: Path) -> None:
    few = few_of(prior)
    few.save(tmp_path)
    again = Prior.load(tmp_path)
    np.testing.assert_allclose(again.examples, few.examples, atol=120 / 254)
    np.testing.assert_array_equal(again.example_of, few.example_of)
    cow = replace(few, categories=("cow", "hen"), example_of=np.array([0, 0, 1]))
    np.testing.assert_array_equal(few.joined(cow).example_of, [1, 1, 1, 2, 2, 3])
    pigs = replace(cow, categories=("hen", "pig"))
    both = few.joined(pigs)
    assert both.categories == ("cat", "hen", "pig")
    np.testing.assert_array_equal(both.example_of, [1, 1, 2])
    np.testing.assert_array_equal(prior.joined(few).example_of, [1, 1, 1])
    replace(few, example_of=np.array([1, 1, 2])).save(tmp_path)
    with pytest.raises(ModelError, match="do not fit"):
        Prior.load(tmp_path)


def test_samples_depend_on_the_seed_alone(prior: Prior) -> None:
    np.testing.assert_array_equal(prior.sample(9, "cat", seed=4)[:5], prior.sample(5, "cat", seed=4))
    assert (prior.sample(5, "cat", seed=4) != prior.sample(5, "cat", seed=5)).any()


def test_any_category_comes_as_often_as_its_share(prior: Prior) -> None:
    codes = prior.sample(3000, spread=0)
    of_cat = (np.abs(codes[:, None] - prior.means[0]).max(axis=2).min(axis=1) == 0).mean()
    assert of_cat == pytest.approx(0.3, abs=0.03)


def test_a_file_and_back(prior: Prior, tmp_path: Path) -> None:
    prior.save(tmp_path)
    again = Prior.load(tmp_path)
    assert again.categories == prior.categories
    for name in ("shares", "weights", "means", "factors", "noise"):
        np.testing.assert_allclose(getattr(again, name), getattr(prior, name), rtol=1e-3)


def test_what_is_no_prior_is_told_in_one_line(prior: Prior, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no prior\.npz"):
        Prior.load(tmp_path)
    path = prior.save(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match="not a prior"):
        Prior.load(tmp_path)
    np.savez(path, weights=np.ones((2, 1)))
    with pytest.raises(ModelError, match="not a prior"):
        Prior.load(tmp_path)


def test_an_unknown_category_names_the_nearest(prior: Prior) -> None:
    with pytest.raises(SettingsError, match="did you mean 'pig'"):
        prior.sample(1, "pigg")
    with pytest.raises(SettingsError, match="spread"):
        prior.sample(1, "pig", spread=-1)


def test_priors_join(prior: Prior) -> None:
    other = Prior(
        ("bee",),
        np.ones(1),
        np.ones((1, 1)),
        np.full((1, 1, 5), 9, np.float32),
        np.zeros((1, 5, 3), np.float32),
        np.ones((1, 5), np.float32),
    )
    both = prior.joined(other)
    assert both.categories == ("cat", "pig", "bee")
    assert both.shares.sum() == pytest.approx(1)
    codes = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32) * 3
    np.testing.assert_allclose(both.log_densities(codes)[:, :2], prior.log_densities(codes), rtol=1e-6)
    np.testing.assert_allclose(both.log_density(codes, "bee"), other.log_density(codes, "bee"), rtol=1e-6)
