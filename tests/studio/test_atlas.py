"""The map's drawings: which they are, where they lie, and the file that holds them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.errors import DataError, FormatError, ModelError
from sketch_pix2seq.model.folder import ATLAS
from sketch_pix2seq.studio import atlas as module
from sketch_pix2seq.studio.atlas import MARGIN, MOST_POINTS, build_atlas, plain_map
from sketch_pix2seq.studio.folder import made_from
from tests.studio.conftest import FEW


@pytest.fixture(scope="module")
def imagined(few: Model) -> Atlas:
    return build_atlas(few, per_category=3, seed=1)


def test_the_model_draws_what_its_map_shows(few: Model, imagined: Atlas) -> None:
    assert imagined.drawn_by == "model"
    assert imagined.categories == FEW
    assert np.bincount(imagined.category_ids).tolist() == [3, 3, 3]
    assert [sketch.category for sketch in imagined.drawings] == [FEW[c] for c in imagined.category_ids]
    assert imagined.places.shape == (9, 2)
    assert (imagined.places.min(axis=0), imagined.places.max(axis=0)) == (
        pytest.approx([MARGIN] * 2),
        pytest.approx([1 - MARGIN] * 2),
    )
    for sketch in imagined.drawings:
        assert 1 < sketch.n_points <= MOST_POINTS
        left, top, right, bottom = sketch.bounds()
        assert (left, top, max(right, bottom)) == (0, 0, 255)
        assert (sketch.points() == np.rint(sketch.points())).all()
    np.testing.assert_array_equal(imagined.codes, few.encode_sketches(imagined.drawings))
    logits, _ = load_classifier().look(imagined.drawings)
    known = [load_classifier().categories[best] for best in logits.argmax(axis=1)]
    assert np.mean([name == sketch.category for name, sketch in zip(known, imagined.drawings, strict=True)]) > 0.8


def test_the_same_seed_gives_the_same_bytes(few: Model, imagined: Atlas, tmp_path: Path) -> None:
    first = imagined.save(tmp_path / "a.safetensors").read_bytes()
    assert build_atlas(few, per_category=3, seed=1).save(tmp_path / "b.safetensors").read_bytes() == first
    assert build_atlas(few, per_category=3, seed=2).save(tmp_path / "c.safetensors").read_bytes() != first


def test_it_comes_back_from_its_file(imagined: Atlas, tmp_path: Path) -> None:
    again = Atlas.load(replace(imagined, made_from="abc def").save(tmp_path / "a.safetensors"))
    assert again.drawings == imagined.drawings
    assert (again.categories, again.drawn_by, again.made_from) == (FEW, "model", "abc def")
    np.testing.assert_allclose(again.places, imagined.places, atol=1e-3)
    np.testing.assert_array_equal(again.category_ids, imagined.category_ids)
    within = np.clip(imagined.codes, -127 / 32, 127 / 32)
    assert (np.abs(again.codes - within) <= 1 / 64 + 1e-6).all()


def test_the_file_is_what_the_page_reads(imagined: Atlas, tmp_path: Path) -> None:
    with safe_open(imagined.save(tmp_path / "a.safetensors"), "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()
    assert {name: (array.dtype.name, array.ndim) for name, array in arrays.items()} == {
        "places": ("float16", 2),
        "category_ids": ("uint16", 1),
        "codes": ("int8", 2),
        "points": ("int16", 2),
        "stroke_starts": ("uint32", 1),
        "sketch_starts": ("uint32", 1),
    }
    assert json.loads(about["categories"]) == list(FEW)
    assert about["drawn_by"] == "model"
    assert arrays["stroke_starts"][-1] == len(arrays["points"])
    assert arrays["sketch_starts"][-1] == len(arrays["stroke_starts"]) - 1
    assert len(arrays["sketch_starts"]) == len(arrays["places"]) + 1


def test_people_draw_the_map_of_a_set(few: Model, clear_set: Path) -> None:
    sketches = SketchSet.open(clear_set)
    parts: list[str] = []
    built = build_atlas(few, sketches, per_category=5, seed=3, on_progress=lambda part, done, total: parts.append(part))
    assert built.drawn_by == "people"
    assert built.categories == FEW[:2]
    assert np.bincount(built.category_ids).tolist() == [5, 5]
    trained_on = [sketches[int(i)] for i in sketches.indices("train")]
    assert all(sketch in trained_on for sketch in built.drawings)
    assert parts[0] == "choosing drawings for the map"


def test_a_model_that_knows_nothing_yet_shows_peoples_drawings(
    few: Model, clear_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is what the classifier takes it for."""
    monkeypatch.setattr(module, "_DOUBTFUL", 1.1)
    monkeypatch.setattr(module, "_DOUBTFUL_SHOWN", 3)
    assert len(build_atlas(few, SketchSet.open(clear_set), per_category=4)) == 6
    with pytest.raises(DataError, match="has not learned to draw from nothing"):
        build_atlas(few, per_category=1)


def test_what_has_no_map(few: Model, clear_set: Path) -> None:
    with pytest.raises(DataError, match=r"too few clear drawings for a map: .*clear\.arrow has no more"):
        build_atlas(few, SketchSet.open(clear_set), per_category=2)
    with pytest.raises(DataError, match="at least one drawing"):
        build_atlas(few, per_category=0)


def test_without_tsne_categories_lie_apart(bundled_atlas: Atlas, few: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = bundled_atlas.category_ids.astype(np.int64)
    places = plain_map(bundled_atlas.codes, ids)
    assert places.shape == (len(ids), 2)
    assert np.isfinite(places).all()
    middles = np.stack([places[ids == c].mean(axis=0) for c in range(len(bundled_atlas.categories))])
    nearest = np.square(places[:, None] - middles).sum(axis=2).argmin(axis=1)
    assert (nearest == ids).mean() > 0.9
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    built = build_atlas(few, per_category=2)
    assert ((built.places >= 0) & (built.places <= 1)).all()
    one = plain_map(np.ones((6, 4), np.float32), np.zeros(6, np.int64))
    assert np.isfinite(one).all()


def test_a_file_that_is_no_atlas_is_one_line(imagined: Atlas, tmp_path: Path) -> None:
    path = imagined.save(tmp_path / "a.safetensors")
    whole = path.read_bytes()
    with safe_open(path, "np") as file:
        content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()

    def changed(text: dict[str, str] | None = None, **arrays: np.ndarray) -> bytes:
        return save({**content, **arrays}, {**about, **(text or {})})

    broken = [
        whole[: len(whole) // 2],
        b"",
        b"nonsense",
        changed({"drawn_by": "nobody"}),
        changed({"categories": '["a"]'}),
        changed({"categories": "{"}),
        changed(codes=content["codes"][:-1]),
        changed(places=content["places"][:-1]),
        changed(sketch_starts=content["sketch_starts"][:-1]),
    ]
    for data in broken:
        path.write_bytes(data)
        with pytest.raises(FormatError, match="not a map that `sketch-pix2seq export map` made"):
            Atlas.load(path)
    path.unlink()
    with pytest.raises(ModelError, match="`sketch-pix2seq export map MODEL` makes one"):
        Atlas.load(path)


def test_the_bundled_map_is_that_of_the_bundled_model(bundled_atlas: Atlas) -> None:
    assert (bundled_folder() / ATLAS).stat().st_size <= 2_000_000
    assert bundled_atlas.drawn_by == "model", "the repository holds no drawings by people"
    assert len(bundled_atlas.categories) > 300
    assert bundled_atlas.made_from == made_from(bundled_folder(), None), "run sketch-pix2seq export map bundled"
