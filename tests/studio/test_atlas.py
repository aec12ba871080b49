"""The map's drawings: which they are, where they lie, and the file that holds them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.errors import DataError, FormatError, ModelError
from sketch_pix2seq.studio.atlas import MARGIN, MOST_POINTS, build_atlas, plain_map
from tests.drawing.conftest import folders  # noqa: F401
from tests.studio.conftest import FEW


@pytest.fixture(scope="module")
def made(few: Model) -> Atlas:
    return build_atlas(few, per_category=3, seed=1)


def test_the_model_draws_what_its_map_shows(few: Model, made: Atlas) -> None:
    assert made.drawn_by == "model"
    assert made.categories == FEW
    assert len(made) == 9
    assert [sketch.category for sketch in made.drawings] == [FEW[c] for c in made.category_ids]
    assert made.places.min() == pytest.approx(MARGIN)
    assert made.places.max() == pytest.approx(1 - MARGIN)
    for sketch in made.drawings:
        assert 1 < sketch.n_points <= MOST_POINTS
        assert (sketch.points() == np.rint(sketch.points())).all()
    np.testing.assert_array_equal(made.codes, few.encode_sketches(made.drawings))


def test_the_same_seed_gives_the_same_bytes(few: Model, made: Atlas, tmp_path: Path) -> None:
    first = made.save(tmp_path / "a").read_bytes()
    assert build_atlas(few, per_category=3, seed=1).save(tmp_path / "b").read_bytes() == first


def test_it_comes_back_from_its_file(made: Atlas, tmp_path: Path) -> None:
    again = Atlas.load(replace(made, made_from="abc def").save(tmp_path / "a"))
    assert again.drawings == made.drawings
    assert (again.categories, again.drawn_by, again.made_from) == (FEW, "model", "abc def")
    np.testing.assert_array_equal(again.category_ids, made.category_ids)
    np.testing.assert_allclose(again.places, made.places, atol=1e-3)
    np.testing.assert_allclose(again.codes, np.clip(made.codes, -127 / 32, 127 / 32), atol=1 / 64 + 1e-6)


def test_people_draw_the_map_of_a_set(few: Model, clear_set: Path) -> None:
    built = build_atlas(few, SketchSet.open(clear_set), per_category=3, seed=3)
    assert built.drawn_by == "people"
    assert set(built.categories) <= set(FEW[:2])


def test_what_has_no_map(few: Model, folders: dict[str, Path], tmp_path: Path) -> None:
    from sketch_pix2seq.drawing.pretrained import load_model

    with pytest.raises(ModelError, match="no flow"):
        build_atlas(load_model(folders["paper-hyper"]))
    with pytest.raises(DataError, match="at least one drawing"):
        build_atlas(few, per_category=0)
    (tmp_path / "broken").write_bytes(b"no map")
    with pytest.raises(FormatError, match="not a map"):
        Atlas.load(tmp_path / "broken")
    with pytest.raises(ModelError, match="no such file"):
        Atlas.load(tmp_path / "nowhere")


def test_a_plain_map_parts_categories() -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(4), 10)
    codes = (rng.normal(size=(4, 6))[ids] * 5 + rng.normal(size=(40, 6)) * 0.2).astype(np.float32)
    places = plain_map(codes, ids)
    middles = np.stack([places[ids == c].mean(axis=0) for c in range(4)])
    far = np.linalg.norm(places[:, None] - middles, axis=2)
    assert (far.argmin(axis=1) == ids).mean() > 0.9
