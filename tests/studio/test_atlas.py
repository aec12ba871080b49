"""The map's drawings: which they are, where they lie, and the file that holds them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.pretrained import bundled_folder
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
    known = few.prior.posterior(imagined.codes).argmax(axis=1)
    assert (known == imagined.category_ids).mean() > 0.8


def test_the_same_seed_gives_the_same_bytes(few: Model, imagined: Atlas, tmp_path: Path) -> None:
    first = imagined.save(tmp_path / "a.npz").read_bytes()
    assert build_atlas(few, per_category=3, seed=1).save(tmp_path / "b.npz").read_bytes() == first
    assert build_atlas(few, per_category=3, seed=2).save(tmp_path / "c.npz").read_bytes() != first


def test_it_comes_back_from_its_file(imagined: Atlas, tmp_path: Path) -> None:
    again = Atlas.load(replace(imagined, made_from="abc def").save(tmp_path / "a.npz"))
    assert again.drawings == imagined.drawings
    assert (again.categories, again.drawn_by, again.made_from) == (FEW, "model", "abc def")
    np.testing.assert_array_equal(again.places, imagined.places)
    np.testing.assert_array_equal(again.category_ids, imagined.category_ids)
    step = np.ptp(imagined.codes, axis=0) / 254
    assert (np.abs(again.codes - imagined.codes) <= step / 2 + 1e-6).all()


def test_the_file_is_what_the_page_reads(imagined: Atlas, tmp_path: Path) -> None:
    with np.load(imagined.save(tmp_path / "a.npz")) as arrays:
        found = {name: (arrays[name].dtype.name, arrays[name].ndim) for name in arrays}
        assert found == {
            "places": ("float32", 2),
            "category_ids": ("uint16", 1),
            "codes": ("int8", 2),
            "code_scale": ("float32", 1),
            "code_offset": ("float32", 1),
            "points": ("int16", 2),
            "stroke_starts": ("uint32", 1),
            "sketch_starts": ("uint32", 1),
            "categories": ("uint8", 1),
            "drawn_by": ("uint8", 1),
            "made_from": ("uint8", 1),
        }
        assert json.loads(arrays["categories"].tobytes()) == list(FEW)
        assert arrays["drawn_by"].tobytes() == b"model"
        assert arrays["stroke_starts"][-1] == len(arrays["points"])
        assert arrays["sketch_starts"][-1] == len(arrays["stroke_starts"]) - 1
        assert len(arrays["sketch_starts"]) == len(arrays["places"]) + 1
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_DEFLATED}


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


def test_a_model_that_knows_nothing_yet_shows_peoples_drawings(few: Model, clear_set: Path) -> None:
    """Nothing is what its prior takes it for: the names of two categories are exchanged."""
    mistaken = Model(few.runtime, replace(few.prior, categories=("candle", "apple", "fish")))
    assert len(build_atlas(mistaken, SketchSet.open(clear_set), per_category=4)) == 8
    with pytest.raises(DataError, match="has not learned to draw from nothing"):
        build_atlas(mistaken, per_category=1)


def test_what_has_no_map(few: Model, clear_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="has no prior"):
        build_atlas(Model(few.runtime))
    assert len(build_atlas(Model(few.runtime), SketchSet.open(clear_set), per_category=3)) == 6
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
    path = imagined.save(tmp_path / "a.npz")
    whole = path.read_bytes()
    with np.load(path) as arrays:
        content = dict(arrays)

    def changed(**arrays: np.ndarray) -> bytes:
        file = io.BytesIO()
        np.savez(file, **{name: value for name, value in {**content, **arrays}.items() if value.size})
        return file.getvalue()

    broken = [
        whole[: len(whole) // 2],
        b"",
        b"nonsense",
        changed(drawn_by=np.frombuffer(b"nobody", np.uint8)),
        changed(codes=content["codes"][:-1]),
        changed(places=np.zeros(0, np.float32)),
        changed(categories=np.frombuffer(b'["a"]', np.uint8)),
        changed(categories=np.frombuffer(b"{", np.uint8)),
        changed(sketch_starts=content["sketch_starts"] * 0),
    ]
    for data in broken:
        path.write_bytes(data)
        with pytest.raises(FormatError, match="not a map that `sketch-pix2seq export map` made"):
            Atlas.load(path)
    path.unlink()
    with pytest.raises(ModelError, match="`sketch-pix2seq export map MODEL` makes one"):
        Atlas.load(path)


def test_the_bundled_map_is_that_of_the_bundled_model(bundled_atlas: Atlas) -> None:
    assert (bundled_folder() / ATLAS).stat().st_size <= 600_000
    assert bundled_atlas.drawn_by == "model", "the repository holds no drawings by people"
    assert len(bundled_atlas.categories) == 47
    assert bundled_atlas.made_from == made_from(bundled_folder(), None), "run sketch-pix2seq export map bundled"
