"""Arithmetic on codes against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import geometric_slerp

from sketch_pix2seq.drawing.latent import How, analogy, interpolate, mix
from sketch_pix2seq.errors import SettingsError


@pytest.fixture
def codes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(size=16).astype(np.float32), (3 * rng.normal(size=16)).astype(np.float32)


def test_spherical_is_the_arc_of_another_implementation(codes: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = codes
    way = interpolate(a, b, 7)
    lengths = np.linalg.norm(way, axis=1)
    assert np.allclose(lengths, np.linspace(np.linalg.norm(a), np.linalg.norm(b), 7), rtol=1e-5)
    directions = [code.astype(np.float64) / np.linalg.norm(code.astype(np.float64)) for code in codes]
    assert np.allclose(way / lengths[:, None], geometric_slerp(*directions, np.linspace(0, 1, 7)), atol=1e-5)


@pytest.mark.parametrize("how", ["spherical", "linear"])
@pytest.mark.parametrize("steps", [2, 3, 10])
def test_ends_are_exact(codes: tuple[np.ndarray, np.ndarray], how: How, steps: int) -> None:
    way = interpolate(*codes, steps, how)
    assert way.shape == (steps, 16)
    assert way.dtype == np.float32
    assert (way[0] == codes[0]).all()
    assert (way[-1] == codes[1]).all()


@pytest.mark.parametrize("times", [2.0, 1.0, 0.0, -1.0])
def test_where_there_is_no_arc_the_way_is_linear(codes: tuple[np.ndarray, np.ndarray], times: float) -> None:
    a = codes[0]
    expected = (1 + np.linspace(0, 1, 5)[:, None] * (times - 1)) * a
    assert np.allclose(interpolate(a, times * a, 5), expected, atol=1e-5)


def test_linear(codes: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.allclose(interpolate(*codes, 3, "linear")[1], (codes[0] + codes[1]) / 2, atol=1e-6)


def test_analogy() -> None:
    assert analogy([3, 1], [1, 1], [0, 5]).tolist() == [2, 5]


def test_mix() -> None:
    assert mix([[0, 4], [8, 0]], (0.75, 0.25)).tolist() == [2, 3]
    assert mix([[0, 4], [8, 0]], (3, 1)).tolist() == [2, 3]
    corners = np.eye(4)
    assert mix(corners, (1, 1, 1, 1)).tolist() == [0.25] * 4
    assert mix(corners, (0, 0, 1, 0)).tolist() == [0, 0, 1, 0]


def test_what_cannot_be() -> None:
    with pytest.raises(SettingsError, match="1 steps make no way"):
        interpolate([1.0], [2.0], 1)
    with pytest.raises(SettingsError, match="no interpolation 'round'"):
        interpolate([1.0], [2.0], 3, "round")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shapes"):
        analogy([1.0, 2.0], [1.0], [1.0])
    with pytest.raises(ValueError, match="at least two"):
        mix([[1.0]], (1,))
    for weights in ((1, 1, 1), (-1, 2), (0, 0), (float("nan"), 1)):
        with pytest.raises(SettingsError, match="2 codes need 2 weights"):
            mix([[1.0], [2.0]], weights)
