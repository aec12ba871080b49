"""The pixel-level two-sample test: half right where there is nothing to tell, all where there is."""

from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.evaluation.two_sample import pixel_two_sample_test
from sketch_pix2seq.raster import RasterSpec, ink_of
from tests.evaluation.conftest import cross, ring


def test_copies_cannot_be_told_from_originals() -> None:
    rng = np.random.default_rng(0)
    ink = ink_of([(ring, cross)[i % 2](rng) for i in range(60)], RasterSpec())
    right = pixel_two_sample_test(ink, ink, folds=2, passes=3, width=8)
    # A CNN says the same of a sketch and of its copy: it is right exactly once.
    assert right.shape == (2, 60)
    assert (right.sum(axis=0) == 1).all()


def test_what_differs_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    people = ink_of([ring(rng) for _ in range(60)], RasterSpec())
    drawn = ink_of([cross(rng) for _ in range(60)], RasterSpec())
    told: list[tuple[int, int]] = []
    right = pixel_two_sample_test(people, drawn, width=8, on_progress=lambda done, total: told.append((done, total)))
    assert right.mean() > 0.95
    assert told[-1][0] == told[-1][1]


def test_too_few_sketches_are_refused() -> None:
    ink = np.zeros((5, 48, 48), np.uint8)
    with pytest.raises(SettingsError, match="at least 6 sketches, not 5"):
        pixel_two_sample_test(ink, ink, folds=3)
