from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from sketch_pix2seq.sketch import FloatArray
from sketch_pix2seq.training.prior import fit_prior


def codes_of(middles: list[list[float]], n: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return (np.array(middles)[rng.integers(len(middles), size=n)] + rng.normal(size=(n, 3)) * 0.2).astype(np.float32)


ONE: list[list[float]] = [[5.0, 0.0, 0.0]]
FOUR: list[list[float]] = [[0.0, 0.0, 9.0], [0.0, 9.0, 0.0], [0.0, 9.0, 9.0], [0.0, 0.0, 0.0]]


def test_held_out_codes_choose_how_many_gaussians() -> None:
    train, held = [codes_of(m, 600, 1) for m in (ONE, FOUR)], [codes_of(m, 200, 2) for m in (ONE, FOUR)]
    prior = fit_prior(["one", "four"], train, held)
    used = (prior.weights > 0).sum(axis=1)
    assert used[0] <= 2
    assert used[1] >= 4
    for centre in FOUR:
        assert np.abs(prior.means[1] - centre).max(axis=1).min() < 0.2
    np.testing.assert_allclose(prior.shares, [0.5, 0.5])
    # Nearly as likely as under the Gaussian that made them; a fifth of the covariance is that of both categories.
    truth = multivariate_normal(ONE[0], 0.04 * np.eye(3)).logpdf(held[0]).mean()
    assert prior.log_density(held[0], "one").mean() > truth - 3.5


def test_a_handful_of_codes_is_enough() -> None:
    base = fit_prior(
        ["one", "four"], [codes_of(m, 600, 1) for m in (ONE, FOUR)], [codes_of(m, 200, 2) for m in (ONE, FOUR)]
    )
    few = fit_prior(["new"], [codes_of([[20.0, 0.0, 0.0]], 6, 3)], [np.zeros((0, 3), np.float32)], base=base)
    unseen = codes_of([[20.0, 0.0, 0.0]], 100, 4)
    both = base.joined(few)
    assert np.isfinite(both.log_densities(unseen)).all()
    assert (both.posterior(unseen).argmax(axis=1) == 2).all()
    assert len(few.examples) == 6
    assert (both.example_of == 2).all()
    single = fit_prior(["new"], [unseen[:1]], [np.zeros((0, 3), np.float32)], base=base)
    np.testing.assert_allclose(single.means[0, 0], unseen[0], rtol=1e-5)
