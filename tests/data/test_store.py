from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.errors import DataError, FileError, FormatError
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


def written(path: Path, sketches: list[tuple[Sketch, str]]) -> SketchSet:
    with SketchSetWriter(path) as writer:
        for sketch, split in sketches:
            writer.add(sketch, split)  # type: ignore[arg-type]
    return SketchSet.open(path)


def test_sketches_come_back_as_they_went_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["zebra", "ant", "moon"]
    # More than one record batch, so that categories that appear late are in later dictionaries.
    sketches = [
        (random_sketch(rng, category="late" if i > 4200 else names[i % 3]).with_(metadata={"key_id": str(i)}), "train")
        for i in range(4300)
    ]
    found = written(tmp_path / "set.arrow", sketches)
    assert len(found) == 4300
    assert found.categories == ("ant", "late", "moon", "zebra")
    for i in (0, 1, 2, 4095, 4096, 4201, 4299, -1):
        assert found[i] == sketches[i][0]
    assert found.lengths.tolist() == [s.n_points for s, _ in sketches]
    assert [found.categories[c] for c in found.category_ids] == [s.category for s, _ in sketches]


def test_fractions_are_kept_to_a_64th(tmp_path: Path) -> None:
    sketch = Sketch((np.array([[0.015625, 100.3], [254.99, 3]], np.float32),), "x")
    (found,) = written(tmp_path / "set.arrow", [(sketch, "test")])
    np.testing.assert_allclose(found.strokes[0], sketch.strokes[0], atol=1 / 128)


def test_splits_and_categories_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plan = [("a", "train"), ("b", "train"), ("a", "valid"), ("b", "test"), ("a", "train")]
    found = written(tmp_path / "set.arrow", [(random_sketch(rng, category=c), s) for c, s in plan])
    assert found.indices("train").tolist() == [0, 1, 4]
    assert found.indices("train", "a").tolist() == [0, 4]
    assert found.indices(category="b").tolist() == [1, 3]
    with pytest.raises(DataError, match="no category 'c'"):
        found.indices(category="c")


def test_gather_lays_sketches_end_to_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    sketches = [random_sketch(rng, strokes=k + 1) for k in range(4)]
    found = written(tmp_path / "set.arrow", [(s, "train") for s in sketches])
    points = found.gather([3, 0])
    np.testing.assert_array_equal(points.xy, np.concatenate([sketches[3].points(), sketches[0].points()]))
    assert points.starts.tolist() == [0, sketches[3].n_points, sketches[3].n_points + sketches[0].n_points]
    assert points.ends.sum() == 5
    assert points.ends[sketches[3].n_points - 1]
    assert points.ends[-1]


def test_a_set_is_whole_or_not_there(tmp_path: Path, house: Sketch) -> None:
    path = tmp_path / "set.arrow"

    def broken_off() -> None:
        with SketchSetWriter(path) as writer:
            writer.add(house, "train")
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_other_programs_read_it(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")])
    table = pa.ipc.open_file(str(tmp_path / "set.arrow")).read_all()
    row = table.to_pylist()[0]
    assert row["category"] == "house"
    assert row["split"] == "train"
    assert np.array(row["xy"]).reshape(-1, 2)[0].tolist() == [0, 6400]
    assert row["ends"] == [5, 8, 12]


@pytest.mark.parametrize(
    "sketch",
    [
        Sketch((), "x"),
        Sketch((np.zeros((2, 2), np.float32),)),
        Sketch((np.full((2, 2), 600.0, np.float32),), "x"),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path: Path, sketch: Sketch) -> None:
    with pytest.raises(DataError, match="cannot go into a set"):
        written(tmp_path / "set.arrow", [(sketch, "train")])


def test_what_is_no_set_is_refused(tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(FileError, match="no such file"):
        SketchSet.open(tmp_path / "none.arrow")
    path = tmp_path / "set.arrow"
    written(path, [(house, "train")] * 50)
    whole = path.read_bytes()
    for size in (0, 1, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError, match="not a SketchSet"):
            SketchSet.open(path)
    other = pa.table({"a": [1]})
    with pa.ipc.new_file(str(path), other.schema) as sink:
        sink.write_table(other)
    with pytest.raises(FormatError, match="not a SketchSet"):
        SketchSet.open(path)


def test_an_empty_set_is_a_set(tmp_path: Path) -> None:
    found = written(tmp_path / "set.arrow", [])
    assert len(found) == 0
    assert found.categories == ()
    with pytest.raises(IndexError):
        found[0]
