"""Fixtures that every room uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.sketch import Sketch

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real drawings for development, beside the repository; a test that asks for them skips without."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not (folder / "quickdraw").is_dir():
        pytest.skip("development data ../shared/data is not here")
    return folder


@pytest.fixture
def house() -> Sketch:
    """A house of three strokes on integer coordinates, longest side 255."""
    walls = [[0, 100], [0, 255], [200, 255], [200, 100], [0, 100]]
    roof = [[0, 100], [100, 0], [200, 100]]
    door = [[80, 255], [80, 180], [120, 180], [120, 255]]
    return Sketch(tuple(np.array(s, np.float32) for s in (walls, roof, door)), "house")


def random_sketch(rng: np.random.Generator, *, strokes: int = 3, points: int = 8, category: str = "thing") -> Sketch:
    """Random strokes on integer coordinates between 0 and 255."""
    return Sketch(
        tuple(rng.integers(0, 256, (int(rng.integers(2, points + 1)), 2)).astype(np.float32) for _ in range(strokes)),
        category,
    )
