from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.sequence import SequenceSpec, mixed, permuted, rows_of, uniform
from sketch_pix2seq.sketch import Sketch


def test_splitmix64_gives_the_published_first_numbers() -> None:
    """First outputs of splitmix64 for the seed 1234567, from Vigna's reference code."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    counters = np.uint64(1234567) + np.arange(5, dtype=np.uint64) * golden
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert mixed(counters).tolist() == expected


def test_uniform_numbers_are_uniform() -> None:
    numbers = uniform(np.arange(200_000, dtype=np.uint64))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, 20, (0, 1))
    assert np.abs(counts - 10_000).max() < 500


@pytest.mark.parametrize("start", ["first", "centre"])
def test_rows_lead_back_to_the_fitted_sketch(house: Sketch, start: str) -> None:
    spec = SequenceSpec(start, 32.0)  # type: ignore[arg-type]
    rows = rows_of(house.transform([[2, 0, 9], [0, 2, -5]]), spec)
    assert rows[-1].tolist() == [0, 0, 0, 0, 1]
    back = Sketch.from_stroke5(rows * np.array([32, 32, 1, 1, 1]), implicit_origin=start == "first")
    for a, b in zip(back.fit().strokes, house.fit().strokes, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_rows_from_the_centre_begin_there(house: Sketch) -> None:
    rows = rows_of(house, SequenceSpec("centre", 1.0))
    assert rows[0, :2].tolist() == pytest.approx([-100, 100 - 127.5], abs=1e-3)


@pytest.mark.parametrize("size", [*range(1, 20), 63, 64, 65, 1000])
def test_permutations_are_permutations(size: int) -> None:
    keys = np.arange(40, dtype=np.uint64) << np.uint64(30)
    found = np.array([permuted(np.arange(size), np.array([size]), key[None]) for key in keys])
    assert (np.sort(found, axis=1) == np.arange(size)).all()
    if size > 12:
        assert len({tuple(row) for row in found.tolist()}) == len(keys)


def test_permutations_of_several_sizes_at_once() -> None:
    sizes = np.repeat([1, 2, 7, 30], [1, 2, 7, 30])
    places = np.concatenate([np.arange(size) for size in (1, 2, 7, 30)])
    keys = np.repeat(np.arange(4, dtype=np.uint64), [1, 2, 7, 30])
    found = permuted(places, sizes, keys)
    begin = 0
    for size, key in zip((1, 2, 7, 30), range(4), strict=True):
        part = found[begin : begin + size]
        begin += size
        np.testing.assert_array_equal(part, permuted(np.arange(size), np.array(size), np.array(key, np.uint64)))


def test_permutations_are_even() -> None:
    """Each place goes everywhere about equally often, and neighbours do not stay together."""
    keys = mixed(np.arange(6000, dtype=np.uint64))
    found = np.array([permuted(np.arange(12), np.array([12]), key[None]) for key in keys])
    counts = np.array([np.bincount(column, minlength=12) for column in found.T])
    assert np.square(counts - 500).sum() / 500 == pytest.approx(121, abs=70)
    follows = (np.diff(found, axis=1) == 1).mean()
    assert follows == pytest.approx(1 / 12, abs=0.01)
