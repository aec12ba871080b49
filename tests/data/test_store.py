from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    with pytest.raises(FileError, match="is a folder; a file is needed"):
        SketchSet.open(tmp_path)
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


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table], **options: Any) -> Path:
    """The set with changed columns, under the same schema metadata."""
    table = change(pa.ipc.open_file(str(path)).read_all())
    with pa.ipc.new_file(str(path), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as sink:
        sink.write_table(table)
    return path


def column(name: str, values: pa.Array, *, nullable: bool = False) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        return table.set_column(place, pa.field(name, values.type, nullable=nullable), values)

    return change


NUMBERS = pa.list_(pa.int16())
DAMAGE: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "floats": (column("xy", pa.array([[0.0, 1.0]] * 2)), "its columns are not those of a set"),
    "a column too few": (lambda table: table.drop_columns("ends"), "its columns are not those of a set"),
    "nullable": (column("xy", pa.array([[1, 2]] * 2, NUMBERS), nullable=True), "its columns are not those of a set"),
    "a null": (column("xy", pa.array([[1, 2], None], NUMBERS)), "nothing stands in some rows of xy"),
    "a null inside": (column("ends", pa.array([[1], [None]], NUMBERS)), "numbers are missing in ends"),
    "no points": (column("xy", pa.array([[1, 2], []], NUMBERS)), "no points or half a point"),
    "half a point": (column("xy", pa.array([[1, 2], [1, 2, 3]], NUMBERS)), "no points or half a point"),
    "no strokes": (column("ends", pa.array([[1], []], NUMBERS)), "no points or half a point"),
    "backwards": (column("ends", pa.array([[5, 8, 12], [8, 5, 12]], NUMBERS)), "a stroke ends where it cannot"),
    "beyond the points": (column("ends", pa.array([[5, 8, 12], [5, 8, 13]], NUMBERS)), "a stroke ends where it cannot"),
    "negative": (column("ends", pa.array([[5, 8, 12], [-5, 8, 12]], NUMBERS)), "a stroke ends where it cannot"),
    "other splits": (
        column("split", pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.array(["dev"]))),
        "its splits are not",
    ),
    "a category twice": (
        column("category", pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int16()), pa.array(["a", "a"]))),
        "its categories are not the same",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_set_that_breaks_its_own_rules_is_refused(name: str, tmp_path: Path, house: Sketch) -> None:
    change, message = DAMAGE[name]
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    with pytest.raises(FormatError, match=rf"a SketchSet that is damaged: .*{message}"):
        SketchSet.open(rewritten(tmp_path / "set.arrow", change))


def test_a_packed_set_is_refused_before_it_is_unpacked(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    with pytest.raises(FormatError, match="it is packed, which sets are not"):
        SketchSet.open(rewritten(tmp_path / "set.arrow", lambda table: table, compression="zstd"))


def test_parts_of_another_size_are_refused(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    with pytest.raises(FormatError, match="a part has 2 rows"):
        SketchSet.open(rewritten(tmp_path / "set.arrow", lambda table: pa.concat_tables([table, table])))


def test_metadata_that_is_no_json_is_told_with_its_sketch(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    change = column("metadata", pa.array(['{"a": 1}', "[" * 100_000]), nullable=True)
    found = SketchSet.open(rewritten(tmp_path / "set.arrow", change))
    assert dict(found[0].metadata) == {"a": 1}
    with pytest.raises(FormatError, match="damaged: sketch 1 has metadata that is no JSON object"):
        found[1]


def test_no_change_of_bytes_gives_anything_but_sketches_or_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "set.arrow"
    sketches = [random_sketch(rng, category="ab"[k % 2]).with_(metadata={"key_id": str(k)}) for k in range(40)]
    written(path, [(sketch, "train") for sketch in sketches])
    whole = path.read_bytes()
    opened = 0
    for _ in range(400):
        changed = bytearray(whole)
        for _ in range(int(rng.integers(1, 5))):
            at = rng.integers(2000) if rng.random() < 0.5 else len(whole) - 1 - rng.integers(1200)
            changed[int(at)] = rng.integers(256)
        path.write_bytes(changed)
        try:
            found = SketchSet(path)
            points = found.gather(range(len(found)))
            list(found)
        except (FormatError, FileError):
            continue
        opened += 1
        assert len(points.starts) == len(found) + 1
    assert 0 < opened < 400


def test_a_full_disk_is_one_error_and_the_old_set_stays(tmp_path: Path, house: Sketch) -> None:
    path = tmp_path / "set.arrow"
    written(path, [(house, "train")])
    before = path.read_bytes()

    def filled() -> None:
        with SketchSetWriter(path) as writer:
            writer.add(house, "train")
            raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="cannot be written: No space left on device"):
        filled()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
