"""Fixtures that every room uses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sketch_pix2seq.sketch import Sketch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real drawings for development, beside the repository; a test that asks for them skips without."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not (folder / "quickdraw").is_dir():
        pytest.skip("development data ../shared/data is not here")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a GPU."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium here")
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
    arguments = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


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
