"""Latent maps: which codes are taken, where they come to lie, and the picture of them."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import silhouette_score

from sketch_pix2seq.errors import DataError, FormatError, ModelError
from sketch_pix2seq.evaluation.latent import (
    category_colours,
    latent_figures,
    latent_map,
    load_latent,
    save_latent,
    write_map,
)


def clusters(n: int, categories: int, apart: float, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % categories
    return rng.normal(size=(categories, 16))[labels] * apart + rng.normal(size=(n, 16)), labels


def test_figures_are_high_where_categories_lie_apart() -> None:
    codes, labels = clusters(120, 3, 8.0)
    apart = latent_figures(codes, labels)
    mixed = latent_figures(codes, np.random.default_rng(1).permutation(labels))
    assert apart.silhouette is not None and mixed.silhouette is not None  # noqa: PT018
    assert apart.silhouette.value == pytest.approx(silhouette_score(codes, labels))
    assert apart.silhouette.low > mixed.silhouette.high
    assert apart.purity is not None and apart.purity.value == 1.0  # noqa: PT018
    assert mixed.purity is not None and abs(mixed.purity.value - mixed.chance) < 0.05  # noqa: PT018
    assert mixed.chance == pytest.approx(39 / 119)


def test_one_category_has_no_figures() -> None:
    figures = latent_figures(np.eye(20), np.zeros(20, int))
    assert figures.silhouette is None
    assert figures.purity is None


def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    figures = latent_figures(*clusters(40, 2, 1.0))
    assert load_latent(save_latent(figures, tmp_path / "latent.json")) == figures
    (tmp_path / "latent.json").write_text("{}")
    with pytest.raises(FormatError, match=r"latent\.json: not the figures of a latent map"):
        load_latent(tmp_path / "latent.json")


def test_a_map_keeps_neighbours_together() -> None:
    codes, labels = clusters(90, 3, 10.0)
    places = latent_map(codes, seed=3)
    assert places.shape == (90, 2)
    assert silhouette_score(places, labels) > 0.5
    assert np.array_equal(places, latent_map(codes, seed=3))


@pytest.mark.parametrize("codes", [np.zeros((30, 8)), np.repeat(np.eye(2), 10, axis=0), np.eye(5) * 1e20])
def test_codes_that_say_little_have_a_map_too(codes: NDArray[np.float64]) -> None:
    places = latent_map(codes)
    assert places.shape == (len(codes), 2)
    assert np.isfinite(places).all()


def test_too_few_codes_are_refused() -> None:
    with pytest.raises(DataError, match="at least 5 codes; there are 4"):
        latent_map(np.eye(4))


@pytest.mark.parametrize("categories", [1, 3, 47])
def test_the_picture(categories: int, tmp_path: Path) -> None:
    places = np.random.default_rng(0).normal(size=(141, 2))
    labels = np.arange(141) % categories
    path = write_map(tmp_path / "map.png", places, labels, [f"thing {i}" for i in range(categories)], size=320)
    with Image.open(path) as picture:
        assert picture.size == (320, 320)
        assert len(picture.convert("RGB").getcolors(1 << 17) or []) > categories
    assert [p.name for p in tmp_path.iterdir()] == ["map.png"]


def test_colours_differ() -> None:
    colours = np.array(category_colours(47))
    far = np.abs(colours[:, None] - colours[None]).max(axis=2)
    assert far[~np.eye(47, dtype=bool)].min() > 0.03


@pytest.mark.parametrize("missing", ["openTSNE", "matplotlib"])
def test_a_missing_library_is_one_line(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == missing:
            raise ImportError(name=missing)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    calls: dict[str, Callable[[], object]] = {
        "openTSNE": lambda: latent_map(np.eye(9)),
        "matplotlib": lambda: write_map(tmp_path / "map.png", np.eye(2), np.zeros(2, int), ["a"]),
    }
    with pytest.raises(ModelError, match=r'pip install "sketch-pix2seq\[evaluate\]"'):
        calls[missing]()
