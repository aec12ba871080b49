from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from sketch_pix2seq.sketch import FloatArray
from sketch_pix2seq.training.prior import EXAMPLES, TYPICAL, fit_prior, with_examples


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
    assert np.bincount(both.example_of).tolist() == [TYPICAL, TYPICAL, 6]
    single = fit_prior(["new"], [unseen[:1]], [np.zeros((0, 3), np.float32)], base=base)
    np.testing.assert_allclose(single.means[0, 0], unseen[0], rtol=1e-5)


def test_of_many_codes_a_few_are_kept_that_nothing_else_would_have() -> None:
    """Every third code lies among the other category's: none of those is kept by a prior that knows it."""
    middles = [[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0]]
    codes = [codes_of([own, own, other], 3 * EXAMPLES, 5) for own, other in (middles, middles[::-1])]
    prior = fit_prior(["right", "left"], codes, [own[:200] for own in codes])
    assert np.bincount(prior.example_of).tolist() == [TYPICAL, TYPICAL]
    known = [{tuple(code) for code in own} for own in codes]
    assert all(tuple(code) in known[c] for code, c in zip(prior.examples, prior.example_of, strict=True))
    clean = with_examples(
        fit_prior(["right", "left"], [codes_of([m], 400, 6) for m in middles], [codes_of([m], 90, 7) for m in middles]),
        codes,
    )
    side = np.sign(clean.examples[:, 0])
    assert (side == np.where(clean.example_of == 0, 1, -1)).all()


def test_where_none_is_sure_the_surest_are_kept() -> None:
    codes = codes_of(ONE, 2 * EXAMPLES, 8)
    prior = fit_prior(["one", "same"], [codes, codes], [codes[:100], codes[:100]])
    assert np.bincount(prior.example_of).tolist() == [TYPICAL, TYPICAL]
